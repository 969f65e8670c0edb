/** One that asks one endpoint for its role, over a connection that it keeps. */
import type { RoleOutcome } from '../../core/roles.ts'
import type { AskView } from '../../core/tcp-view.ts'

export interface Asker {
  /** Never rejects, and takes little longer than the timeout. Not called again before it has resolved. */
  ask(): Promise<RoleOutcome>
  close(): void
}

export interface AskerOptions {
  readonly host: string
  readonly port: number
  readonly settings: AskView
  /** The connection that was kept has broken: there may be something new to hear. */
  readonly onLost: () => void
}

export type NewAsker = (options: AskerOptions) => Asker

const unreachable = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN', 'ENOTFOUND'])

/** What an error of the network means: certainly nobody there, or no answer. */
export function failedBy(error: Error & { readonly code?: unknown }): RoleOutcome {
  return { type: 'failed', reason: error.message, lost: typeof error.code === 'string' && unreachable.has(error.code) }
}

/** An optional package that is not there, as an outcome: whoever set the kind has to install it. */
export function packageMissing(name: string): RoleOutcome {
  return { type: 'refused', reason: `the package ${name} is not installed; install it with: npm install ${name}` }
}
