/** What makes one instance differ from another: equal specs, equal revision. Everything else is applied to what runs. */
import type { ServiceConfig } from '../types.ts'
import { canonical } from './write.ts'

/**
 * A stable text of the spec of a service: what is started (command, directory, environment, port, user) and the user's own
 * label, so that a new `version` is a new revision even when only the code on disk has changed.
 */
export function specText({ source, version }: ServiceConfig): string {
  if (source.kind === 'static') return canonical({ kind: source.kind, version })
  const { kind, command, cwd, env, port, user } = source
  return canonical({ kind, version, command, cwd, env, port, user })
}
