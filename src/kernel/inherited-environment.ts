/**
 * What a program that we start gets of our own environment: what every program needs, and nothing else. A variable of the shell that ran `holdfast up` (a secret, a
 * debugger's option) is never inherited by accident, and what runs at night gets the same environment as by hand.
 */
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

export function inheritedFrom(parent: NodeJS.ProcessEnv): Record<string, string> {
  const env: Record<string, string> = {}
  for (const [name, value] of Object.entries(parent)) if (value !== undefined && isInherited(name)) env[name] = value
  return env
}

function isInherited(name: string): boolean {
  if (notInherited.has(name)) return false
  return inherited.has(name) || inheritedPrefixes.some((prefix) => name.startsWith(prefix))
}
