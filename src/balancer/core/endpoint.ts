/**
 * What a picker knows of one endpoint: its place in the view, its weight, what is in flight, how fast it answers, and whether connecting to it
 * just failed. The weight is computed when something changes, not per request; only slow start is looked at again by each pick.
 * Estimator: mutable and small, time is an argument.
 */
import { emptyHistogram } from '../../kernel/histogram.ts'
import type { Instant } from '../../kernel/time.ts'
import type { Breaker, BreakerChange } from '../../resilience/core/breaker.ts'
import { hash32 } from './hash.ts'
import { Tally, type TallyData } from './tally.ts'
import type { TcpCounts } from './tcp-counts.ts'
import type { SlotLease } from './slots.ts'
import type { EndpointView } from './routing-view.ts'
import type { EndpointRole } from './tcp-view.ts'
import { shortSeconds, standingShare, warmLeast, warmShare, weigh, whyOpen, wellStanding, type Standing, type Weight } from './weight.ts'

/** Time constant of the moving average: old answers lose 63 % of their say in this time (Finagle's peak EWMA uses 10 s). */
const ewmaDecayMs = 10_000
/** First pause after a failed connect; doubles up to the maximum while it goes on failing. */
const avoidInitialMs = 50
const avoidMaxMs = 1_000
/** Tunnels are mostly quiet: ten count as one request in flight. */
const tunnelShare = 0.1
/** Who has just failed is spared requests that cannot be tried again; not for ever, for a service may get no others. */
const doubtMs = 1_000

/** Long before any time of a worker. */
const neverLate = -1e9

const noAnswers: TallyData = { responses: {}, duration: emptyHistogram }

export class Endpoint {
  readonly id: string
  readonly service: string
  /** For the hashing algorithms. */
  readonly idHash: number
  #view: EndpointView
  #gone: string | undefined
  #standing = wellStanding
  /** Its weight when it is warm; 0: it must not be picked. */
  #weight = 0
  /** Slow start: from when to when, and until when all the others are in theirs as well, so that nobody needs to be spared. */
  #warmFrom = 0
  #warmUntil = -Infinity
  warmTogetherUntil = -Infinity
  /** So much of its share it has at least: too many others are in theirs. */
  warmLeast = 0
  /** The verdict of the active probes. */
  healthy = true
  unhealthyWhy: string | undefined
  active = 0
  tunnels = 0
  requests = 0
  errors = 0
  /** Connections that were refused, or did not come about in time. */
  refused = 0
  /** Mean time to the first byte in milliseconds, peaks at once, decays slowly; 0 until the first answer. */
  ewmaMs = 0
  #ewmaAt = 0
  #answers: Tally | undefined
  /** Taken out as an outlier until then. */
  ejectedUntil = 0
  ejectedWhy: string | undefined
  /** Answers of 5xx in a row, and attempts in a row that failed; counted only where outliers are ejected. */
  errorRun = 0
  failureRun = 0
  /** When such a run was added to last, or its cool-down ends. */
  ranAt = -Infinity
  /** When a request was last late here, if nothing has been answered since. */
  lateAt = neverLate
  /** undefined: the service has none. */
  breaker: Breaker | undefined
  /** How it got into its present state; undefined: it was never in another. */
  breakerChange: BreakerChange | undefined
  /** Of a TCP service; undefined: nothing has been carried. */
  tcp: TcpCounts | undefined
  /** Among databases. */
  role: EndpointRole = 'unknown'
  /** undefined: it has no limit. */
  slots: SlotLease | undefined
  /** What it said of itself last, as far as all workers know (`worker/state-ear.ts`), and when it was told here. */
  said: string | undefined
  saidAt = -Infinity
  #avoidUntil = 0
  #avoidMs = 0
  /** When the present run of broken connections began; NaN: the last answer was whole. */
  #failingSince = Number.NaN
  /** Current weight of smooth weighted round robin. */
  swrr = 0
  /** When its next turn of weighted round robin is due. */
  due = 0

  constructor(view: EndpointView, service: string) {
    this.#view = view
    this.id = view.id
    this.idHash = hash32(view.id)
    this.service = service
    this.#weighAgain()
  }

  get view(): EndpointView {
    return this.#view
  }

  set view(view: EndpointView) {
    this.#view = view
    this.#weighAgain()
  }

  /** Its process has exited; set in the tick in which the worker learns it, never taken back. */
  get gone(): string | undefined {
    return this.#gone
  }

  set gone(reason: string | undefined) {
    this.#gone = reason
    this.#weighAgain()
  }

  get standing(): Standing {
    return this.#standing
  }

  /** What is known of it over all workers. */
  set standing(standing: Standing) {
    this.#standing = standing
    this.#weighAgain()
  }

  #weighAgain(): void {
    const { state, weight } = this.#view
    this.#weight = state === 'active' && this.#gone === undefined ? weight * standingShare(this.#standing) : 0
  }

  /** May be picked at all; health apart. */
  available(now: number): boolean {
    return this.#able(now) && !this.full
  }

  /** It would be available, had it not as many requests as it may. */
  isBusy(now: number): boolean {
    return this.full && this.#able(now)
  }

  get full(): boolean {
    return this.slots !== undefined && this.active >= this.slots.granted
  }

  #able(now: number): boolean {
    return this.#weight > 0 && now >= this.#avoidUntil && !this.#refused(now)
  }

  #refused(now: number): boolean {
    return this.breaker !== undefined && this.breaker.retryAfterMs(now) > 0
  }

  /** Neither its probes nor its answers speak against it. */
  isGood(now: number): boolean {
    return this.healthy && now >= this.ejectedUntil
  }

  /** Its last answers were failures, or are late: a request that cannot be tried again is better off elsewhere. */
  isDoubtful(now: number): boolean {
    return (this.errorRun + this.failureRun > 0 && now - this.ranAt < doubtMs) || now - this.lateAt < doubtMs
  }

  get avoidedUntil(): number {
    return this.#avoidUntil
  }

  /** Requests in flight as a picker weighs them. */
  get load(): number {
    return this.active + this.tunnels * tunnelShare
  }

  /** A connection was refused, timed out or broke without an answer. Returns when that run of failures began. */
  failed(now: number, refused: boolean): number {
    if (Number.isNaN(this.#failingSince)) this.#failingSince = now
    if (refused) {
      this.refused++
      this.#avoidMs = this.#avoidMs === 0 ? avoidInitialMs : Math.min(this.#avoidMs * 2, avoidMaxMs)
      this.#avoidUntil = now + this.#avoidMs
    }
    return this.#failingSince
  }

  /** A response head came, after `ms`. */
  answered(ms: number, now: Instant, status = 200): void {
    if (this.#avoidMs !== 0 || !Number.isNaN(this.#failingSince)) this.#forgive()
    if (this.lateAt !== neverLate) this.lateAt = neverLate
    if (this.ewmaMs === 0 || ms > this.ewmaMs) this.ewmaMs = ms
    else {
      const weight = Math.exp((this.#ewmaAt - now) / ewmaDecayMs)
      this.ewmaMs = this.ewmaMs * weight + ms * (1 - weight)
    }
    this.#ewmaAt = now
    this.#answers?.finished(status, ms * 1_000)
  }

  /** An answer was not waited for any longer: it takes `ms` at least. */
  outlived(ms: number, now: number): void {
    if (ms <= this.ewmaMs) return
    this.ewmaMs = ms
    this.#ewmaAt = now
  }

  /** From now on answers are counted, for `takeAnswers`. */
  countAnswers(): void {
    this.#answers ??= new Tally()
  }

  /** Answers since the last call by class, and their times to the first byte. */
  takeAnswers(): TallyData {
    return this.#answers?.any === true ? this.#answers.take() : noAnswers
  }

  /** News say that it lives: failures so far no longer count. */
  welcome(): void {
    this.#forgive()
  }

  #forgive(): void {
    this.#avoidMs = 0
    this.#avoidUntil = 0
    this.#failingSince = Number.NaN
  }

  /** It gains its weight slowly, over a window of which `ageMs` is over; a window of 0 ends that. */
  warm(now: number, windowMs: number, ageMs = 0): void {
    this.#warmFrom = now - ageMs
    this.#warmUntil = windowMs > ageMs ? this.#warmFrom + windowMs : -Infinity
  }

  get warmUntil(): number {
    return this.#warmUntil
  }

  /** What it weighs beside the others of its service. */
  weightAt(now: number): number {
    return now >= this.#warmUntil ? this.#weight : this.#weight * this.#warmShareAt(now)
  }

  #warmShareAt(now: number): number {
    if (now >= this.#warmUntil || now < this.warmTogetherUntil) return 1
    return Math.max(this.warmLeast, warmShare(now - this.#warmFrom, this.#warmUntil - this.#warmFrom))
  }

  #whyOpen(now: number): string | undefined {
    const { breaker, breakerChange } = this
    return breaker?.state === 'open' ? whyOpen(breakerChange, breaker.retryAfterMs(now)) : undefined
  }

  /** Why it weighs what it does. `largest`: configured weight that counts as 100. */
  explainWeight(now: number, largest: number): Weight {
    return weigh({
      view: this.#view,
      largest,
      standing: this.#standing,
      warm: this.#warmShareAt(now),
      gone: this.#gone,
      healthy: this.healthy,
      unhealthyWhy: this.unhealthyWhy,
      ejected: now < this.ejectedUntil ? `${this.ejectedWhy ?? 'it failed'}, for ${shortSeconds(this.ejectedUntil - now)} more` : undefined,
      breaker: this.breaker?.state,
      breakerWhy: this.#whyOpen(now),
      avoidedMs: this.#avoidUntil - now,
    })
  }
}

/** Of endpoints that are all in their slow start none is spared, and of many little: there is nobody, or too few, to take what they do not. */
export function warmTogether(endpoints: readonly Endpoint[], now: number): void {
  let until = Infinity
  let all = 0
  let warming = 0
  for (const endpoint of endpoints) {
    if (endpoint.view.state !== 'active' || endpoint.gone !== undefined) continue
    until = Math.min(until, endpoint.warmUntil)
    all++
    if (endpoint.warmUntil > now) warming++
  }
  const least = warmLeast(all, warming)
  for (const endpoint of endpoints) {
    endpoint.warmTogetherUntil = until
    endpoint.warmLeast = least
  }
}

/** The configured weight that counts as 100. */
export const largestWeight = (endpoints: readonly Endpoint[]): number => endpoints.reduce((most, { view }) => Math.max(most, view.weight), 0) || 1
