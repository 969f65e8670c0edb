/** What a client is told in place of a failure, where its service has something better to say. It is counted as the failure that it stands for. */
import type { FallbackView } from '../core/routing-view.ts'
import type { Failure } from '../core/resend.ts'
import type { Answer } from './answers.ts'
import type { Attempts } from './attempts.ts'
import { noEndpoint, parkedTooLong, parkingFull, queuedTooLong, queueFull } from './failure-answers.ts'

export type FallbackReason = 'no-endpoint' | 'breaker-open' | 'shed' | 'timeout' | 'failed'

const shed = [parkingFull, parkedTooLong, queueFull, queuedTooLong]

export function reasonOf({ status, details = '' }: Pick<Answer, 'status' | 'details'>): FallbackReason {
  if (details === 'breaker open') return 'breaker-open'
  if (details === noEndpoint) return 'no-endpoint'
  if (shed.includes(details)) return 'shed'
  return status === 504 ? 'timeout' : 'failed'
}

export const fallbackAnswer = (
  { status, page }: Extract<FallbackView, { readonly page: unknown }>,
  failure: Answer,
  reason: FallbackReason,
): Answer => ({
  ...failure,
  status,
  counted: failure.status,
  body: page,
  fields: (failure.fields ?? '') + fallbackField(reason),
})

/** Whose answer it is not. */
export const fallbackField = (reason: FallbackReason): string => `Holdfast-Fallback: ${reason}\r\n`

/** Whether another service may be asked in place of one that may have the request already: only once more, as on a retry. */
export const mayAskService = (attempts: Attempts, idempotent: boolean, answered: boolean): boolean =>
  idempotent || (!answered && (attempts.last === undefined || neverSent.includes(attempts.last.failure.kind)))

const neverSent: readonly Failure['kind'][] = ['notConnected', 'notReceived']
