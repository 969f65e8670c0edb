/**
 * The balancer as one hop of a tree of calls: it keeps the deadline that a request came with and passes on what is left of it, begins nothing
 * that would end too late, and leaves tries to one hop only. A request without the fields has no `CallTree`.
 *
 *   X-Deadline        less what has passed; under 5 ms left the answer is 504, and nothing is sent
 *   X-Retry-Attempt   plus the tries of ours; from 1 on we try again only what has reached nobody
 *   X-Retry-Spent     in a failure that comes after tries of ours: nobody above shall try again
 */
import { attemptMax, attemptOf, deadlineField, deadlineLeastMs, remainingOf } from '../../resilience/core/call-fields.ts'
import type { Answer } from './answers.ts'
import { latin1 } from '../http1/bytes.ts'

export const spentField = 'x-retry-spent'
const spentLine = 'X-Retry-Spent: 1\r\n'
const spentLines = latin1(spentLine)

/** The caller would not wait for an answer. */
export const tooLate: Answer = {
  status: 504,
  error: 'http_response_timeout',
  message: 'the time that the caller gave is over',
  details: 'deadline of the caller',
}

export class CallTree {
  /** Instant; Infinity: none was given. */
  readonly deadline: number
  /** Of the request that came. */
  readonly attempt: number
  /** It was tried again by us, or would have been if the budget had allowed it. */
  spent = false

  /** The values of `X-Deadline` and `X-Retry-Attempt`. */
  constructor(deadline: string | undefined, attempt: string | undefined, now: number, wallNow: number) {
    this.deadline = now + remainingOf(deadline, wallNow)
    this.attempt = attemptOf(attempt)
  }

  /** Too late to begin anything. */
  over(now: number): boolean {
    return this.deadline - now < deadlineLeastMs
  }

  /** Somebody above us tries again: then we do not. */
  get isRetry(): boolean {
    return this.attempt > 0
  }

  /** For the endpoint; `resent`: tries of ours before this one. */
  requestLines(resent: number, now: number, wallNow: number): Buffer {
    const attempt = `X-Retry-Attempt: ${Math.min(attemptMax, this.attempt + resent)}\r\n`
    return latin1(this.deadline === Infinity ? attempt : `X-Deadline: ${deadlineField(this.deadline - now, wallNow)}\r\n${attempt}`)
  }

  /** For the client, with an answer of the service. */
  answerLines(status: number): Buffer | undefined {
    return this.spent && status >= 500 ? spentLines : undefined
  }

  /** The same in an answer of ours. */
  dressed(answer: Answer): Answer {
    return this.spent && answer.status >= 500 ? { ...answer, fields: (answer.fields ?? '') + spentLine } : answer
  }
}
