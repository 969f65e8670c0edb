/**
 * What a picker knows of one endpoint: its place in the view, what is in flight, how fast it answers, and
 * whether connecting to it just failed. Estimator: mutable and small, time is an argument.
 */
import type { Instant } from '../../kernel/time.ts'
import type { Breaker } from '../../resilience/core/breaker.ts'
import { lagShare } from './reported.ts'
import type { TcpCounts } from './tcp-counts.ts'
import type { SlotLease } from './slots.ts'
import type { EndpointView } from './routing-view.ts'
import type { EndpointRole } from './tcp-view.ts'

/** Time constant of the moving average: old answers lose 63 % of their say in this time (Finagle's peak EWMA uses 10 s). */
const ewmaDecayMs = 10_000
/** First pause after a failed connect; doubles up to the maximum while it goes on failing. */
const avoidInitialMs = 50
const avoidMaxMs = 1_000
/** Tunnels are mostly quiet: ten count as one request in flight. */
const tunnelShare = 0.1

export class Endpoint {
  view: EndpointView
  readonly id: string
  readonly service: string
  /** Its process has exited; set in the tick in which the worker learns it, never taken back. */
  gone: string | undefined
  /** The verdict of the active probes. */
  healthy = true
  active = 0
  tunnels = 0
  requests = 0
  errors = 0
  /** Mean time to the first byte in milliseconds, peaks at once, decays slowly; 0 until the first answer. */
  ewmaMs = 0
  #ewmaAt = 0
  /** The lag of its event loop as it told itself; 0: it tells nothing, or all is well. */
  reportedLagMs = 0
  #lagShare = 1
  /** When it joined the pool of this worker: slow start counts from here; −Infinity: it was there from the beginning. */
  readonly joinedAt: number
  /** Taken out as an outlier until then. */
  ejectedUntil = 0
  /** Answers of 5xx in a row, and attempts in a row that failed; counted only where outliers are ejected. */
  errorRun = 0
  failureRun = 0
  /** undefined: the service has none. */
  breaker: Breaker | undefined
  /** Of a TCP service; undefined: nothing has been carried. */
  tcp: TcpCounts | undefined
  /** Among databases. */
  role: EndpointRole = 'unknown'
  /** undefined: it has no limit. */
  slots: SlotLease | undefined
  #avoidUntil = 0
  #avoidMs = 0
  /** When the present run of broken connections began; NaN: the last answer was whole. */
  #failingSince = Number.NaN
  /** Current weight of smooth weighted round robin. */
  swrr = 0

  constructor(view: EndpointView, service: string, joinedAt: number) {
    this.view = view
    this.id = view.id
    this.service = service
    this.joinedAt = joinedAt
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
    return this.view.state === 'active' && this.gone === undefined && this.view.weight > 0 && now >= this.#avoidUntil && !this.#refused(now)
  }

  #refused(now: number): boolean {
    return this.breaker !== undefined && this.breaker.retryAfterMs(now) > 0
  }

  /** Neither its probes nor its answers speak against it. */
  isGood(now: number): boolean {
    return this.healthy && now >= this.ejectedUntil
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
      this.#avoidMs = this.#avoidMs === 0 ? avoidInitialMs : Math.min(this.#avoidMs * 2, avoidMaxMs)
      this.#avoidUntil = now + this.#avoidMs
    }
    return this.#failingSince
  }

  /** A response head came, after `ms`. */
  answered(ms: number, now: Instant): void {
    if (this.#avoidMs !== 0 || !Number.isNaN(this.#failingSince)) this.#forgive()
    if (this.ewmaMs === 0 || ms > this.ewmaMs) this.ewmaMs = ms
    else {
      const weight = Math.exp((this.#ewmaAt - now) / ewmaDecayMs)
      this.ewmaMs = this.ewmaMs * weight + ms * (1 - weight)
    }
    this.#ewmaAt = now
  }

  /** What the instance told of its event loop: it keeps so much less of its weight. */
  reported(lagMs: number): void {
    this.reportedLagMs = lagMs
    this.#lagShare = lagShare(lagMs)
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

  /** Weight with what the instance reports, and with slow start: from a tenth to the whole, linearly over the window (Envoy's shape with aggression 1). */
  weightAt(now: number, slowStartMs: number): number {
    const weight = this.view.weight * this.#lagShare
    const age = now - this.joinedAt
    if (slowStartMs <= 0 || age >= slowStartMs) return weight
    return weight * Math.max(0.1, age / slowStartMs)
  }
}
