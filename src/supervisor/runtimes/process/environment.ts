/**
 * The environment of an instance is explicit: what every program needs from the parent, then the service's own
 * values, then what Holdfast says. A variable of the shell that ran `holdfast up` (a secret, a debugger's option)
 * is never inherited by accident, and a restart at night gets the same environment as one by hand.
 */
import { inheritedFrom } from '../../../kernel/inherited-environment.ts'
import type { Account } from './accounts.ts'

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
  const env = Object.entries(inheritedFrom(parent)).filter(([name]) => !(account && aboutUser.has(name)))
  return {
    ...Object.fromEntries(env),
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
