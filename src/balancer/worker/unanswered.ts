/**
 * What a client gets when its service has not answered: an answer of another endpoint that was set aside, what the service has in place of an
 * answer (a page, another service), or what the last attempt met.
 */
import type { FallbackView } from '../core/routing-view.ts'
import type { Aftermath } from './aftermath.ts'
import type { AnswerRelay } from './answer-relay.ts'
import type { Answer } from './answers.ts'
import type { Attempts } from './attempts.ts'
import type { ClientSide } from './client-side.ts'
import { breakerOpen, connectTimeSpent, failureAnswer, noEndpoint, notReady, onlyErrors, unavailable } from './failure-answers.ts'
import { fallbackAnswer, fallbackField, mayAskService, reasonOf, type FallbackReason } from './fallbacks.ts'
import type { SearchEnd } from './endpoint-search.ts'
import type { RequestSender } from './request-sender.ts'
import type { ServiceRuntime } from './service.ts'

export interface UnansweredHost {
  readonly service: ServiceRuntime | undefined
  /** Part of an answer is out: nothing can take its place. */
  readonly answerIsOut: boolean
  /** Something stored is given in place of the failure. */
  standsIn(failure: Answer): boolean
  /** The same, before there is a failure: no endpoint is ready. */
  ratherThanWait(): boolean
  /** Answers in place of the service, or cuts what is out. */
  answer(answer: Answer): void
  /** For its own service this was the end, as a failure; the request begins anew at the other one. */
  startAgain(other: ServiceRuntime, failure: Answer): void
}

/** What it goes by. */
export interface UnansweredParts {
  readonly client: ClientSide
  readonly attempts: Attempts
  readonly sender: RequestSender
  readonly relay: AnswerRelay
  readonly aftermath: Aftermath
}

export class Unanswered implements SearchEnd {
  readonly #parts: UnansweredParts
  readonly #host: UnansweredHost
  /** Why another service than its own is asked; undefined: it is its own. */
  #fallback: FallbackReason | undefined
  /** The failure that a stored answer stands for, where that is the fallback of the service; undefined: none does. */
  standsFor: number | undefined

  constructor(parts: UnansweredParts, host: UnansweredHost) {
    this.#parts = parts
    this.#host = host
  }

  /** A request begins. */
  begin(): void {
    this.#fallback = undefined
    this.standsFor = undefined
  }

  /** For the head of an answer that another service gives. */
  get lines(): Buffer | undefined {
    return this.#fallback && Buffer.from(fallbackField(this.#fallback), 'latin1')
  }

  get #retryAfterSeconds(): number {
    return this.#host.service!.retryAfterSeconds
  }

  /** Every endpoint has been tried, or there is none: says what the last attempt met. */
  attemptsFailed(): void {
    const { last } = this.#parts.attempts
    const setAside = this.#host.answerIsOut ? undefined : this.#parts.attempts.setAside
    if (setAside?.bytes !== undefined) this.#parts.relay.passOn(setAside.bytes)
    else if (setAside !== undefined) this.failed(onlyErrors(setAside.status, this.#retryAfterSeconds))
    else if (last === undefined) this.#unavailable(noEndpoint)
    else this.failed(failureAnswer(last, this.#retryAfterSeconds))
  }

  foundNothing(why: string | undefined): void {
    if (why === undefined) this.attemptsFailed()
    else this.#unavailable(why)
  }

  parkedInVain(why: string, opensPage: boolean): void {
    this.failed(notReady(why, this.#retryAfterSeconds, opensPage))
  }

  connectTimeSpent(): void {
    this.failed(connectTimeSpent(this.#host.service!.view.timeoutMs))
  }

  breakerOpen(retryAfterSeconds: number): void {
    this.failed(breakerOpen(retryAfterSeconds))
  }

  #unavailable(details: string): void {
    this.failed(unavailable(details, this.#retryAfterSeconds))
  }

  ratherThanWait(): boolean {
    return !this.#host.answerIsOut && this.#host.ratherThanWait()
  }

  /** A stored answer is about to go out in place of a failure. */
  stoodIn(status: number, details: string): void {
    const { client, attempts } = this.#parts
    const { view, counters } = this.#host.service!
    attempts.watch?.fallback(`${details}: an older answer is given`, client.worker.now)
    if (view.cache?.anyAge !== true) return
    const reason = reasonOf({ status, details })
    counters.fallbacks[reason] = (counters.fallbacks[reason] ?? 0) + 1
    this.standsFor = status
    this.#fallback = reason
  }

  /** Nothing could answer: what the service has in place of that, if anything. */
  failed(failure: Answer): void {
    if (this.#host.standsIn(failure)) return
    const { fallback } = this.#host.service!.view
    // A fallback has none of its own: two services that stand for each other would never end.
    if (fallback === undefined || this.#fallback !== undefined || this.#host.answerIsOut) this.#host.answer(failure)
    else this.#fallBack(fallback, failure)
  }

  #fallBack(fallback: FallbackView, failure: Answer): void {
    const { counters } = this.#host.service!
    const { client, attempts } = this.#parts
    const reason = reasonOf(failure)
    const other = 'service' in fallback ? this.#otherService(fallback.service) : undefined
    if ('service' in fallback && other === undefined) {
      this.#host.answer(failure)
      return
    }
    counters.fallbacks[reason] = (counters.fallbacks[reason] ?? 0) + 1
    attempts.watch?.fallback(`${reason}: ${other === undefined ? 'its page is shown' : `${other.name} is asked`}`, client.worker.now)
    if ('page' in fallback) this.#host.answer(fallbackAnswer(fallback, failure, reason))
    else {
      this.#fallback = reason
      this.#host.startAgain(other!, failure)
    }
  }

  /** Whoever may answer in its place; undefined: nobody, since the request may not be sent once more, or the other is out of service. */
  #otherService(name: string): ServiceRuntime | undefined {
    const { client, attempts, sender, aftermath } = this.#parts
    const answered = attempts.setAside !== undefined || attempts.current.endpoint !== undefined
    const other = client.worker.fleet.services.get(name)
    if (other === undefined || other.view.maintenance || !sender.replayable || aftermath.hasCrashed) return undefined
    return mayAskService(attempts, client.facts.idempotent, answered) ? other : undefined
  }
}
