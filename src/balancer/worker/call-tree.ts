/**
 * The balancer as one hop of a tree of calls: it keeps the deadline that a request came with and passes on what is left of it, begins nothing
 * that would end too late, and leaves tries to one hop only. A request without the fields has no `CallTree`.
 *
 *   X-Deadline        less what has passed; under 5 ms left the answer is 504, and nothing is sent
 *   X-Retry-Attempt   plus the tries of ours; from 1 on we try again only what has reached nobody
 *   Grpc-Timeout      the same as X-Deadline, as gRPC says it; it holds for the whole of the answer
 *   X-Retry-Spent     in a failure that comes after tries of ours: nobody above shall try again
 */
import {
  attemptMax,
  attemptOf,
  deadlineField,
  deadlineLeastMs,
  grpcTimeoutField,
  grpcTimeoutOf,
  remainingOf,
} from '../../resilience/core/call-fields.ts'
import type { Answer } from './answers.ts'
import { latin1 } from '../http1/bytes.ts'
import { findField, type Head } from '../http1/head.ts'

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

/** The values of the fields; undefined: missing. */
export interface CallFields {
  readonly deadline: string | undefined
  readonly attempt: string | undefined
  readonly grpcTimeout: string | undefined
}

export const callFields = (head: Head, source: Buffer): CallFields => ({
  deadline: findField(head, source, 'x-deadline'),
  attempt: findField(head, source, 'x-retry-attempt'),
  grpcTimeout: findField(head, source, 'grpc-timeout'),
})

export class CallTree {
  /** Instant; Infinity: none was given. */
  readonly deadline: number
  /** When gRPC wants the last byte of the answer; Infinity: it has not said so. */
  readonly endsBy: number
  /** Of the request that came. */
  readonly attempt: number
  /** It was tried again by us, or would have been if the budget had allowed it. */
  spent = false
  /** The fields of a tree are spoken; else there is only the deadline of gRPC. */
  readonly #speaks: boolean
  readonly #saysDeadline: boolean

  constructor({ deadline, attempt, grpcTimeout }: CallFields, now: number, wallNow: number) {
    const given = now + remainingOf(deadline, wallNow)
    this.endsBy = now + grpcTimeoutOf(grpcTimeout)
    this.deadline = Math.min(given, this.endsBy)
    this.attempt = attemptOf(attempt)
    this.#speaks = deadline !== undefined || attempt !== undefined
    this.#saysDeadline = given !== Infinity
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
    const left = this.deadline - now
    const timeout = this.endsBy === Infinity ? '' : `Grpc-Timeout: ${grpcTimeoutField(left)}\r\n`
    const deadline = this.#saysDeadline ? `X-Deadline: ${deadlineField(left, wallNow)}\r\n` : ''
    const attempt = this.#speaks ? `X-Retry-Attempt: ${Math.min(attemptMax, this.attempt + resent)}\r\n` : ''
    return latin1(timeout + deadline + attempt)
  }

  /** For the client, with an answer of the service. */
  answerLines(status: number): Buffer | undefined {
    return this.#speaks && this.spent && status >= 500 ? spentLines : undefined
  }

  /** The same in an answer of ours. */
  dressed(answer: Answer): Answer {
    return this.#speaks && this.spent && answer.status >= 500 ? { ...answer, fields: (answer.fields ?? '') + spentLine } : answer
  }
}
