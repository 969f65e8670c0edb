/**
 * What has been tried for one request, and whether it is tried again. Collects what `core/resend.ts` must know for its verdict, and keeps
 * the books that follow from it: the endpoint's failures, the suspicion for the control process, the retry budget.
 */
import { refusedByAlert, tlsFailure } from '../core/tls-failure.ts'
import { findField, type Head } from '../http1/head.ts'
import { extentOf } from '../http1/response.ts'
import {
  budgetSpent,
  killedReason,
  mayHaveRun,
  neverRead,
  noRetries,
  notAtHand,
  resendRefusal,
  rescuesMax,
  sentOften,
  type Failure,
} from '../core/resend.ts'
import { Attempt } from './attempt.ts'
import { spentField, type CallTree } from './call-tree.ts'
import type { ClientSide } from './client-side.ts'
import { joined } from './extra-lines.ts'
import type { RequestWatch } from './observe/watch.ts'
import type { RequestSender } from './request-sender.ts'
import type { RequestSession } from './sessions/session.ts'
import type { ServiceRuntime } from './service.ts'
import type { EndpointPool } from './upstream.ts'
import type { Worker } from './worker.ts'

export const notConnected: Failure = { kind: 'notConnected' }
const staleConnection: Failure = { kind: 'staleConnection' }
const died: Failure = { kind: 'died' }

/** An attempt that ended without an answer. */
export interface Broken {
  readonly failure: Failure
  /** The system's error; undefined: an orderly close. */
  readonly code: string | undefined
  readonly endpoint: EndpointPool
  /** Bytes of an answer had come. */
  readonly answerBegun: boolean
  /** All of the request left in one write that a server takes in with one read. */
  readonly oneRead: boolean
}

/** An answer that was not passed on since another endpoint may give a better one. */
export interface SetAside {
  readonly status: number
  /** All of it; undefined: it was not whole when it was set aside. */
  readonly bytes: Buffer | undefined
}

/** `awaitNews`: how the process ended is not known yet, and may change the verdict. */
export type Verdict = 'again' | 'awaitNews' | 'giveUp'

export class Attempts {
  /** Not to be picked again. */
  readonly tried: EndpointPool[] = []
  last: Broken | undefined
  /** The next attempt trusts no idle connection. */
  fresh = false
  /** The one that is under way; when another one was sent side by side and has won, that one. */
  current = new Attempt()
  /** Notes what happens to the request; undefined: nobody watches. */
  watch: RequestWatch | undefined
  /** Where its client belongs; undefined: anywhere. */
  session: RequestSession | undefined
  /** What an endpoint answered that was asked in vain, to be passed on when no other one answers; undefined: none has. */
  setAside: SetAside | undefined
  /** What the caller said of deadline and tries; undefined: nothing. */
  tree: CallTree | undefined
  /** Why the last failure was the end; undefined: it was not. */
  whyNot: string | undefined
  #service: ServiceRuntime | undefined
  #resent = 0
  #retrying = false

  begin(service: ServiceRuntime): void {
    this.#service = service
    // Setting a length costs more than looking at it.
    if (this.tried.length > 0) this.tried.length = 0
    this.last = undefined
    this.fresh = false
    this.#resent = 0
    this.setAside = undefined
    this.tree = undefined
  }

  /** Times it has been sent again. */
  get resent(): number {
    return this.#resent
  }

  /** An answer's head has come; one that was set aside comes from no endpoint any more. */
  answered(status: number, backPressure: boolean, worker: Worker): void {
    const { endpoint, sentAt } = this.current
    if (endpoint === undefined) return
    endpoint.answered(worker.now - sentAt, worker.instant, status)
    endpoint.adaptive?.answered(status, backPressure, worker.now - sentAt, endpoint.active)
    this.judged(endpoint, status, backPressure, worker.now)
  }

  /** Where its client belongs from here on, for the head of the answer. */
  get sessionLines(): Buffer | undefined {
    const { endpoint } = this.current
    return endpoint && this.session?.answerFields(endpoint)
  }

  /** Further fields of the answer, whole lines. */
  answerLines(status: number, now: number): Buffer | undefined {
    return joined(joined(this.watch?.answered(status, now), this.sessionLines), this.tree?.answerLines(status))
  }

  /** What the service's breakers and its ejection make of an answer. */
  judged(endpoint: EndpointPool, status: number, backPressure: boolean, now: number): void {
    const { current } = this
    const { verdicts } = this.#service!
    if (verdicts !== undefined) verdicts.answered(endpoint, current.takeGeneration(), status, backPressure, now - current.sentAt, now)
  }

  /**
   * The head of an error is read. If another endpoint is asked in its place it is set aside, and the answer is whether the connection it came over can be
   * used again; else undefined.
   */
  setsAside(head: Head, buffer: Buffer, length: number, backPressure: boolean, sender: RequestSender, client: ClientSide): boolean | undefined {
    const { endpoint } = this.current
    if (endpoint === undefined || (head.status === 503 && backPressure)) return undefined
    if (this.tree !== undefined && findField(head, buffer, spentField) !== undefined) return undefined
    if (!client.bodyDone || !this.#mayAskAnother(head.status, endpoint, client.facts.idempotent, sender.replayable)) return undefined
    return this.putAside(head, buffer, length, backPressure, client)
  }

  /** The same, where another one has been asked already. */
  putAside(head: Head, buffer: Buffer, length: number, backPressure: boolean, { facts, worker }: ClientSide): boolean {
    const { whole, keep } = extentOf(head, buffer, length, facts.method)
    this.setAside = { status: head.status, bytes: whole ? Buffer.from(buffer.subarray(head.begin, length)) : undefined }
    this.current.endpoint!.errors++
    this.answered(head.status, backPressure, worker)
    return keep
  }

  /** Whether another endpoint is asked in place of this answer. If so it has been counted. */
  #mayAskAnother(status: number, endpoint: EndpointPool, idempotent: boolean, replayable: boolean): boolean {
    const service = this.#service!
    const { statuses } = service.view.retries
    if (statuses?.includes(status) !== true) return false
    const whyNot = this.#askRefusal(service, endpoint, idempotent, replayable)
    if (whyNot !== undefined) {
      if (whyNot === budgetSpent && this.tree !== undefined) this.tree.spent = true
      this.watch?.notRetried(whyNot)
      return false
    }
    this.watch?.retried(endpoint, status, this.current.sentAt)
    this.tried.push(endpoint)
    this.#countResent(service)
    return true
  }

  #askRefusal(service: ServiceRuntime, endpoint: EndpointPool, idempotent: boolean, replayable: boolean): string | undefined {
    if (!idempotent) return mayHaveRun
    if (!replayable) return notAtHand
    if (this.tree?.isRetry === true) return noRetries
    if (this.#resent >= service.view.retries.attempts) return sentOften
    if (!service.retryBudgetFree) return budgetSpent
    const isOther = (other: EndpointPool): boolean => other !== endpoint && !this.tried.includes(other) && other.available(this.current.sentAt)
    return service.eligible.some(isOther) ? undefined : 'no other endpoint can be asked'
  }

  /** How long this attempt may take until the head of its answer. */
  get patienceMs(): number {
    const { timeoutMs, retries } = this.#service!.view
    return retries.onTimeout === true ? Math.ceil(timeoutMs / (retries.attempts + 1)) : timeoutMs
  }

  /** The same while another try may follow: three times the p99, at least 1 s; undefined: no less than that. */
  hurriedMs(now: number): number | undefined {
    const service = this.#service!
    const { retries } = service.view
    return retries.onTimeout === true && this.#resent < retries.attempts ? service.pace?.patienceMs(now) : undefined
  }

  /** Somebody else could be asked at this moment, and may be. */
  mayGoElsewhere(idempotent: boolean, replayable: boolean, now: number): boolean {
    const service = this.#service!
    const { endpoint } = this.current
    if (!idempotent || !replayable || this.tree?.isRetry === true || this.#resent >= service.view.retries.attempts) return false
    if (!this.#retrying && !service.retryBudgetFree) return false
    return service.eligible.some((other) => other !== endpoint && !this.tried.includes(other) && other.available(now) && other.isGood(now))
  }

  /** The request is over, or its answer has no end: its place in the retry budget is free. */
  end(): void {
    if (this.current.generation !== 0) this.current.forgetGeneration()
    this.setAside = undefined
    this.tree = undefined
    if (!this.#retrying) return
    this.#retrying = false
    this.#service!.retrying--
  }

  /** Its connection was lost. `begun`: bytes of an answer had come. */
  howItBroke(code: string | undefined, begun: boolean): Failure {
    if (begun) return died
    if (this.current.reused) return staleConnection
    return refusedByAlert(code) ? notConnected : died
  }

  /** This attempt is over without an answer. `replayable`: every body byte that was sent is still at hand. */
  failed(seen: Broken, idempotent: boolean, replayable: boolean, worker: Worker): Verdict {
    const service = this.#service!
    const { endpoint } = seen
    const { failure, quiet, failingSince } = this.#book(seen, worker)
    this.whyNot = resendRefusal(failure, {
      idempotent,
      replayable,
      resent: this.#resent,
      attemptsMax: this.tree?.isRetry === true ? 0 : service.view.retries.attempts,
      onTimeout: service.view.retries.onTimeout === true,
      caughtInDeath: quiet || this.current.sentAt <= failingSince || endpoint.gone !== undefined,
      budgetFree: service.retryBudgetFree,
    })
    if (this.whyNot === undefined) {
      this.#goOn(failure, endpoint)
      return 'again'
    }
    const connected = failure.kind !== 'notConnected' && failure.kind !== 'timedOut'
    return connected && service.view.managed && endpoint.gone === undefined ? 'awaitNews' : 'giveUp'
  }

  /** The same, where another attempt goes on in its place. */
  absorbed(seen: Broken, worker: Worker): void {
    this.#book(seen, worker)
    this.tried.push(seen.endpoint)
  }

  /** A second attempt leaves while this one is out: one of the request's tries, and a place in the retry budget. */
  hedged(): void {
    this.#resent++
    if (this.tree !== undefined) this.tree.spent = true
    this.#takePlace(this.#service!)
  }

  /** What the failure means for the endpoint. */
  #book(seen: Broken, worker: Worker): { readonly failure: Failure; readonly quiet: boolean; readonly failingSince: number } {
    const { current } = this
    const { endpoint, code } = seen
    const failure: Failure = this.#neverRead(seen) ? { kind: 'notReceived' } : seen.failure
    this.last = { ...seen, failure }
    // A reused connection that closes quietly says little about the endpoint: origins close idle ones all the time.
    const quiet = failure.kind === 'notReceived' || (failure.kind === 'staleConnection' && endpoint.gone === undefined)
    const failingSince = quiet ? Infinity : endpoint.failed(worker.now, failure.kind === 'notConnected')
    if (!quiet) endpoint.errors++
    if (quiet) current.forgetGeneration()
    else this.#service!.verdicts?.failed(endpoint, current.takeGeneration(), worker.now - current.sentAt, worker.now)
    const why = failure.kind === 'notConnected' ? `connection failed: ${code ?? 'closed'}` : 'connection closed before the answer'
    worker.fleet.reportSuspect(endpoint, why, tlsFailure(code)?.reason)
    return { failure, quiet, failingSince }
  }

  #goOn(failure: Failure, endpoint: EndpointPool): void {
    const service = this.#service!
    if (failure.kind === 'notConnected') this.tried.push(endpoint)
    else {
      this.#countResent(service)
      if ((failure.kind === 'died' || failure.kind === 'timedOut') && service.endpoints.length > 1) this.tried.push(endpoint)
    }
    // All of them refused: whoever can wait does so, and may then go to any of them again.
    if (service.mayPark && this.tried.length > 0 && this.tried.length >= service.endpoints.length) this.tried.length = 0
  }

  /** The rest of a cut answer is asked for. Returns false when the budget does not allow it: one death is one event, whatever it catches. */
  resumes(endpoint: EndpointPool, now: number): boolean {
    const service = this.#service!
    if (service.view.retries.attempts === 0) return false
    // The connections of a process that ends break before its end is known.
    const caughtInDeath = endpoint.gone !== undefined || this.current.sentAt <= endpoint.failed(now, false)
    if (!caughtInDeath && !this.#retrying && !service.retryBudgetFree) return false
    this.watch?.resumed(endpoint, now)
    this.#countResent(service)
    this.#resent = 0
    this.last = undefined
    this.tried.length = 0
    if (service.endpoints.length > 1) this.tried.push(endpoint)
    return true
  }

  #countResent(service: ServiceRuntime): void {
    this.#resent++
    if (this.tree !== undefined) this.tree.spent = true
    service.counters.retried++
    // A stale connection is no verdict on the endpoint; the next attempt just must not trust another idle one.
    this.fresh = true
    this.#takePlace(service)
  }

  #takePlace(service: ServiceRuntime): void {
    if (this.#retrying) return
    this.#retrying = true
    service.retrying++
  }

  /** The last attempt got into a process that may have ended by it. */
  get mayHaveKilled(): boolean {
    const kind = this.last?.failure.kind
    return kind === 'died' || kind === 'staleConnection'
  }

  /** How the process ended is known now, or will not be: whether the request goes again after all. */
  newsAllowsResend(replayable: boolean): boolean {
    if (!replayable || this.#resent >= rescuesMax || !this.#neverRead(this.last!)) return false
    this.#countResent(this.#service!)
    return true
  }

  #neverRead({ failure, code, endpoint, answerBegun, oneRead }: Broken): boolean {
    if (failure.kind !== 'died' && failure.kind !== 'staleConnection') return false
    return neverRead({
      sentAt: this.current.sentAt,
      exitedAt: endpoint.exitedAt,
      killed: endpoint.gone === killedReason,
      reset: code === 'ECONNRESET',
      oneRead,
      answerBegun,
    })
  }
}
