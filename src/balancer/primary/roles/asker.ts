/** One that asks one endpoint for its role, over a connection that it keeps. */
import { codeOf } from '../../../kernel/errors.ts'
import { tlsFailure } from '../../core/tls-failure.ts'
import type { RoleAnswer, RoleOutcome } from '../../core/roles.ts'
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

/** What an error of the network means: certainly nobody there, somebody who is not believed, or no answer. */
export function failedBy(error: Error & { readonly code?: unknown }): RoleOutcome {
  const untrusted = tlsFailure(codeOf(error))
  if (untrusted !== undefined) return { type: 'refused', reason: untrusted.reason }
  return { type: 'failed', reason: error.message, lost: typeof error.code === 'string' && unreachable.has(error.code) }
}

export type DriverError = Error & { readonly code?: unknown }

/** How a server is asked with a driver, an optional package that is loaded when it is first needed. */
export interface Conversation<Driver> {
  /** Of the package. */
  readonly name: string
  load(): Promise<Driver>
  ask(driver: Driver): Promise<RoleAnswer>
  outcomeOf(error: DriverError): RoleOutcome
  /** Whatever failed, it begins anew. */
  close(): void
}

/** Never rejects. */
export async function converse<Driver>(conversation: Conversation<Driver>): Promise<RoleOutcome> {
  let driver: Driver
  try {
    driver = await conversation.load()
  } catch {
    return packageMissing(conversation.name)
  }
  try {
    return { type: 'answered', answer: await conversation.ask(driver) }
  } catch (error) {
    conversation.close()
    return conversation.outcomeOf(error as DriverError)
  }
}

/** Whoever set the kind has to install it. */
function packageMissing(name: string): RoleOutcome {
  return { type: 'refused', reason: `the package ${name} is not installed; install it with: npm install ${name}` }
}
