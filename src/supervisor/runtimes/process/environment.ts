/**
 * The environment of an instance is explicit: what every program needs from the parent, then the service's own
 * values, then what Holdfast says. A variable of the shell that ran `holdfast up` (a secret, a debugger's option)
 * is never inherited by accident, and a restart at night gets the same environment as one by hand.
 */
import type { Account } from './accounts.ts'

const inherited: ReadonlySet<string> = new Set(['PATH', 'HOME', 'USER', 'LOGNAME', 'SHELL', 'LANG', 'LANGUAGE', 'TZ', 'TMPDIR'])
const inheritedPrefixes = ['LC_', 'NODE_'] as const

/** Of the `NODE_` family, those that speak to one process only: a debugger's or loader's options, an IPC channel, coverage. */
const notInherited: ReadonlySet<string> = new Set([
  'NODE_OPTIONS',
  'NODE_CHANNEL_FD',
  'NODE_CHANNEL_SERIALIZATION_MODE',
  'NODE_UNIQUE_ID',
  'NODE_V8_COVERAGE',
])

/** The marks by which an instance and all its descendants are known again. */
export const marks = { instance: 'HOLDFAST_INSTANCE', service: 'HOLDFAST_SERVICE', data: 'HOLDFAST_DATA', port: 'PORT' } as const

export interface Marks {
  readonly id: string
  readonly service: string
  readonly dataDirectory: string
  readonly port: number
}

/** What tells a program who runs it. */
const aboutUser: ReadonlySet<string> = new Set(['HOME', 'USER', 'LOGNAME', 'SHELL'])

/** `account`: it runs as another user, whose home is not ours. */
export function environmentFor(
  parent: NodeJS.ProcessEnv,
  own: Readonly<Record<string, string>>,
  instance: Marks,
  account?: Account,
): Record<string, string> {
  const env: Record<string, string> = {}
  for (const [name, value] of Object.entries(parent)) {
    if (value !== undefined && isInherited(name) && !(account && aboutUser.has(name))) env[name] = value
  }
  return {
    ...env,
    ...(account && userVariables(account)),
    ...own,
    [marks.instance]: instance.id,
    [marks.service]: instance.service,
    [marks.data]: instance.dataDirectory,
    [marks.port]: String(instance.port),
  }
}

function userVariables({ name, home, shell }: Account): Record<string, string> {
  return {
    ...(name !== undefined && { USER: name, LOGNAME: name }),
    ...(home !== undefined && { HOME: home }),
    ...(shell !== undefined && { SHELL: shell }),
  }
}

function isInherited(name: string): boolean {
  if (notInherited.has(name)) return false
  return inherited.has(name) || inheritedPrefixes.some((prefix) => name.startsWith(prefix))
}
