/**
 * What the answers and failures of its endpoints mean for a service that has a breaker or ejects outliers: runs of failures are told to the
 * primary, which decides on ejection for all workers; every endpoint's breaker counts here, in each worker, and its changes are told.
 * A service with neither has no `Verdicts`: that costs its requests one test of a field.
 */
import type { Random } from '../../kernel/random.ts'
import type { BreakerOptions } from '../../resilience/core/breaker-options.ts'
import { Breaker, outcome } from '../../resilience/core/breaker.ts'
import type { BreakerAction, WorkerToPrimary } from '../messages.ts'
import type { BreakerView, EjectionView, ServiceView } from '../core/routing-view.ts'
import { outlierHoldMs } from './limits.ts'
import type { EndpointPool } from './upstream.ts'

/** These say that the server cannot do this at all, not that it fails now. */
const isFailure = (status: number): boolean => status >= 500 && status !== 501 && status !== 505

export class Verdicts {
  readonly #service: string
  readonly #random: Random
  readonly #tell: (message: WorkerToPrimary) => void
  #ejection: EjectionView | undefined
  #breaker: BreakerView | undefined
  #isolation = new Map<EndpointPool, Disposable>()
  #isolated = false
  #endpoints: readonly EndpointPool[] = []

  constructor(service: string, random: Random, tell: (message: WorkerToPrimary) => void) {
    this.#service = service
    this.#random = random
    this.#tell = tell
  }

  /** Endpoints that stay keep their breakers, unless the settings have changed. */
  setView({ ejection, breaker }: Pick<ServiceView, 'ejection' | 'breaker'>, endpoints: readonly EndpointPool[], now: number): void {
    const changed = JSON.stringify(breaker) !== JSON.stringify(this.#breaker)
    this.#ejection = ejection
    this.#breaker = breaker
    this.#endpoints = endpoints
    for (const endpoint of endpoints) {
      if (breaker === undefined) endpoint.breaker = undefined
      else if (changed || endpoint.breaker === undefined) {
        endpoint.breaker = this.#newBreaker(breaker, endpoint)
        endpoint.breakerChange = undefined
      }
      if (ejection === undefined) endpoint.ejectedUntil = 0
    }
    if (changed) this.#isolation.clear()
    for (const endpoint of this.#isolation.keys()) if (!endpoints.includes(endpoint)) this.#isolation.delete(endpoint)
    if (this.#isolated) this.#isolate(endpoints, now)
  }

  #newBreaker({ errorRate, windowMs, minimumRequests, openMs }: BreakerView, endpoint: EndpointPool): Breaker {
    const options: BreakerOptions = {
      window: { type: 'time', durationMs: windowMs, buckets: 10 },
      minCalls: minimumRequests,
      failureRate: errorRate,
      openMs,
      halfOpen: { type: 'ramp', rampMs: Math.max(100, Math.min(10_000, 2 * openMs)) },
    }
    const breaker = new Breaker(options, this.#random)
    breaker.onChange = (change) => {
      const { from, to, reason, calls, failed, slow, openForMs } = change
      endpoint.breakerChange = change
      const { openings } = breaker
      this.#tell({ type: 'breaker', endpoint: endpoint.id, service: this.#service, from, to, reason, calls, failed, slow, openForMs, openings })
    }
    return breaker
  }

  /** An answer's head has come. `backPressure`: a 503 or 429 that says when to come back. */
  answered(endpoint: EndpointPool, generation: number, status: number, backPressure: boolean, ms: number, now: number): void {
    const failed = isFailure(status) && !backPressure
    if (generation !== 0) endpoint.breaker?.record(now, failed ? outcome.failed : backPressure ? outcome.slow : outcome.ok, ms, generation)
    const rules = this.#ejection
    if (rules === undefined || now < endpoint.ejectedUntil) return
    endpoint.failureRun = 0
    if (!failed) {
      endpoint.errorRun = 0
      return
    }
    endpoint.ranAt = now
    if (isRun(++endpoint.errorRun, rules.consecutiveErrors)) this.#outlier(endpoint, 'errors', endpoint.errorRun, now)
  }

  /** It was refused, cut or not answered in time. */
  failed(endpoint: EndpointPool, generation: number, ms: number, now: number): void {
    if (generation !== 0) endpoint.breaker?.record(now, outcome.failed, ms, generation)
    const rules = this.#ejection
    if (rules === undefined || endpoint.gone !== undefined || now < endpoint.ejectedUntil) return
    endpoint.ranAt = now
    if (isRun(++endpoint.failureRun, rules.consecutiveFailures)) this.#outlier(endpoint, 'failures', endpoint.failureRun, now)
  }

  #outlier(endpoint: EndpointPool, kind: 'errors' | 'failures', count: number, now: number): void {
    // The primary decides, and that takes a moment in which a busy service would send it dozens of requests more.
    if (this.#endpoints.some((other) => other !== endpoint && other.available(now) && other.isGood(now))) {
      endpoint.ejectedUntil = now + outlierHoldMs
      endpoint.ejectedWhy = `${count} ${kind === 'errors' ? 'answers of 5xx' : 'failed connections'} in a row`
    }
    this.#tell({ type: 'outlier', endpoint: endpoint.id, service: this.#service, kind, count })
  }

  /** The primary has taken it out. When its time is over it is on probation: the first failure takes it out again. */
  ejected(endpoint: EndpointPool, forMs: number, now: number, why?: string): void {
    endpoint.ejectedUntil = now + forMs
    endpoint.ejectedWhy = why
    endpoint.ranAt = endpoint.ejectedUntil
    endpoint.errorRun = (this.#ejection?.consecutiveErrors ?? 1) - 1
    endpoint.failureRun = (this.#ejection?.consecutiveFailures ?? 1) - 1
  }

  /** By hand, for all its endpoints. */
  order(action: BreakerAction, endpoints: readonly EndpointPool[], now: number): void {
    if (action === 'isolate') {
      this.#isolated = true
      this.#isolate(endpoints, now)
      return
    }
    this.#isolated = false
    for (const handle of this.#isolation.values()) handle[Symbol.dispose]()
    this.#isolation.clear()
    for (const { breaker } of endpoints) breaker?.reset(now)
  }

  #isolate(endpoints: readonly EndpointPool[], now: number): void {
    for (const endpoint of endpoints) {
      if (endpoint.breaker !== undefined && !this.#isolation.has(endpoint)) this.#isolation.set(endpoint, endpoint.breaker.isolate(now))
    }
  }
}

/** Told again as long as it lasts, but not each time. */
const isRun = (count: number, threshold: number): boolean => count % threshold === 0

/** Seconds until the first of the open breakers lets a request try; undefined: there is one that is not open. */
export function breakersOpenFor(endpoints: readonly EndpointPool[], now: number): number | undefined {
  let soonest = Infinity
  let open = 0
  for (const { breaker, view, gone } of endpoints) {
    if (view.state !== 'active' || gone !== undefined) continue
    const waitMs = breaker?.retryAfterMs(now) ?? 0
    if (waitMs === 0 && breaker?.state !== 'halfOpen') return undefined
    open++
    soonest = Math.min(soonest, waitMs)
  }
  if (open === 0) return undefined
  return Math.max(1, Math.ceil((soonest === Infinity ? isolatedRetryMs : soonest) / 1_000))
}

/** Held open by hand: nobody knows for how long. */
const isolatedRetryMs = 30_000
