/**
 * One deadline and one set of retries for a whole tree of calls. What goes along with a request:
 *
 *   X-Deadline: 1767225600000;remaining=250     wall clock, and what was left when it was sent: the smaller counts, whichever clock is wrong
 *   X-Retry-Attempt: 1                          0 is a first attempt; whoever serves a later one does not retry itself
 *
 * and comes back with an answer that failed: `X-Retry-Spent: 1`, when it was tried again already, or may not be for want of budget.
 */
import { HoldfastError } from '../kernel/errors.ts'
import { attemptOf, deadlineField, deadlineLeastMs, remainingOf } from './core/call-fields.ts'
import { fieldOf } from './core/judge.ts'
import type { CallContext } from './policy.ts'
import { backgroundClock } from '../kernel/system.ts'
import type { Clock } from '../kernel/time.ts'

/** The fields to send with a call. */
export function propagate(context: Pick<CallContext, 'deadline' | 'attempt'>, clock: Clock = backgroundClock): Record<string, string> {
  const fields: Record<string, string> = { 'x-retry-attempt': String(context.attempt) }
  if (context.deadline === Infinity) return fields
  return { ...fields, 'x-deadline': deadlineField(context.deadline - clock.now(), clock.wallTime()) }
}

/** What a request says of its deadline and attempt, to hand to `execute`. Malformed fields are ignored; a deadline that is too near throws `deadline_exceeded`. */
export function received(
  headers: Readonly<Record<string, string | readonly string[] | undefined>>,
  clock: Clock = backgroundClock,
): { readonly deadline: number; readonly attempt: number } {
  const left = remainingOf(String(headers['x-deadline'] ?? ''), clock.wallTime())
  if (left < deadlineLeastMs) {
    throw new HoldfastError('deadline_exceeded', `a request came with ${Math.floor(left)} ms left`, {
      hint: 'answer 504',
      details: { remainingMs: left },
    })
  }
  return { deadline: clock.now() + left, attempt: attemptOf(String(headers['x-retry-attempt'] ?? '')) }
}

/** Errors by identity: what is thrown stays as it is. */
const spent = new WeakSet()

/** Says that this error must not be retried further up. */
export function markSpent(error: unknown): void {
  if (typeof error === 'object' && error !== null) spent.add(error)
}

/** Whether it was retried already, here or below: also by the `X-Retry-Spent` of an answer that the error carries. */
export function isSpent(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false
  return spent.has(error) || fieldOf(error, 'x-retry-spent') !== undefined
}

/** The fields of an answer that tells this error to the caller. */
export const answerFields = (error: unknown): Record<string, string> => (isSpent(error) ? { 'x-retry-spent': '1' } : {})
