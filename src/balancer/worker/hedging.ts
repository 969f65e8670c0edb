/**
 * Hedging for one service, in one worker: who waits for a second attempt, what it may cost, and what becomes of attempts that lost.
 *
 *   sent ──in line──▶ (delay over) ──▶ a hedge, if it may be ──▶ one of the two wins; the other is observed or aborted
 *          └─answered─▶ out of line
 *
 * **What an endpoint that hangs costs, and how it is found.** A hedge that wins hides what the first attempt would have shown: with every loser aborted, an endpoint
 * that never answers would never fail, and least loaded as it then is it would be picked again and again. Counting each loss as a failure would eject one
 * that is merely slow: until some time has passed nothing tells the two apart. So:
 *
 *  1. when a request is late, its endpoint is doubted for a second or until it answers: what cannot be sent twice goes elsewhere, if it can;
 *  2. when a hedge wins, the time that the loser had, and has while it is observed, is the least that the endpoint takes: its moving average rises at once, and
 *     goes on rising, and by it the picker avoids it;
 *  3. the first losers (`observersMax` per endpoint) stay on their connections without a client, and in the endpoint's number of requests in flight: they are
 *     what tells. One whose head comes after all says "slow": a late answer, and no failure. One without a head after three times the p99, at least 1 s,
 *     says "hangs": a timeout as any other, which ejection and breaker count. That is the soonest at which a slow one is safe, and far sooner than
 *     the service's `timeout`;
 *  4. further losers are aborted, and say no more than 2.
 */
import { backgroundClock } from '../../kernel/system.ts'
import { instant, type Clock } from '../../kernel/time.ts'
import type { Budget } from '../../resilience/core/budget.ts'
import { HedgeLine } from '../core/hedge-line.ts'
import { newHedgeBudget, type HedgeView } from '../core/hedge-rule.ts'
import type { Hedge } from './hedge.ts'
import type { Attempt } from './attempt.ts'
import { LosingAttempt } from './losing-attempt.ts'
import { observerMs, observersMax } from './limits.ts'
import type { Pace } from '../core/pace.ts'
import type { ServiceRuntime } from './service.ts'
import type { EndpointPool } from './upstream.ts'
import type { Worker } from './worker.ts'

/** Who won: the hedge, the first attempt, or neither had an answer. */
export type HedgeResult = 'hedge' | 'first' | 'none'

export class Hedging {
  budget: Budget
  readonly pace: Pace
  readonly #service: ServiceRuntime
  readonly #clock: Clock
  readonly #line = new HedgeLine<Hedge>()
  /** Late, and not allowed one yet. */
  readonly #denied = new HedgeLine<Hedge>()
  readonly #losing = new Set<LosingAttempt>()
  #view: HedgeView
  #timer: Disposable | undefined
  #closed = false
  readonly #ring = (): void => {
    this.#timer = undefined
    this.look(this.#clock.now())
  }

  constructor(service: ServiceRuntime, view: HedgeView, pace: Pace, clock: Clock = backgroundClock) {
    this.#service = service
    this.#view = view
    this.pace = pace
    this.#clock = clock
    this.budget = newHedgeBudget(view)
  }

  setView(view: HedgeView): void {
    if (view.budget !== this.#view.budget) this.budget = newHedgeBudget(view)
    this.#view = view
  }

  close(): void {
    this.#closed = true
    this.#timer?.[Symbol.dispose]()
    this.#timer = undefined
    for (const attempt of [...this.#losing]) attempt.abort()
  }

  /** undefined: nobody knows yet what is late. */
  delayMs(now: number): number | undefined {
    return this.#view.delayMs ?? this.pace.hedgeDelayMs(now)
  }

  /** A first attempt has been sent. */
  join(hedge: Hedge, now: number): void {
    this.budget.earn(now)
    const delayMs = this.delayMs(now)
    if (delayMs === undefined) return
    this.#line.join(hedge)
    if (this.#timer === undefined) this.#arm(hedge.sentAt + delayMs)
  }

  leave(hedge: Hedge): void {
    hedge.line?.leave(hedge)
  }

  /** With the next sweep. */
  lookAgain(hedge: Hedge): void {
    this.#denied.join(hedge)
  }

  #arm(at: number): void {
    this.#timer = this.#clock.schedule(instant(at), this.#ring)
  }

  /** Whoever is late gets its chance; then it waits for its first attempt alone, or has two. */
  look(now: number): void {
    const delayMs = this.delayMs(now)
    if (delayMs === undefined) return
    for (let next = this.#line.oldest; next !== undefined; next = this.#line.oldest) {
      if (now - next.sentAt < delayMs) {
        if (this.#timer === undefined) this.#arm(next.sentAt + delayMs)
        return
      }
      this.#line.leave(next)
      next.late(now, delayMs)
    }
  }

  /** Each once, the oldest first. */
  #lookAtDenied(now: number): void {
    const delayMs = this.delayMs(now)
    if (delayMs === undefined || this.#denied.oldest === undefined) return
    const denied: Hedge[] = []
    for (let next: Hedge | undefined = this.#denied.oldest; next !== undefined; next = next.lineAfter) denied.push(next)
    for (const hedge of denied) {
      this.#denied.leave(hedge)
      hedge.late(now, delayMs)
    }
  }

  /** Requests in flight over what the pool may have; 0: no limit. Of learned limits only what was lent to this worker is known. */
  get load(): number {
    const { concurrency, endpoints } = this.#service
    if (concurrency === undefined) return 0
    if (concurrency.crowded) return Infinity
    let active = 0
    let slots = 0
    for (const endpoint of endpoints) {
      active += endpoint.active
      slots += endpoint.slots?.granted ?? 0
    }
    const { limit } = concurrency.view
    const room = limit === 'adaptive' ? slots : (limit * endpoints.length) / this.#service.workers
    return active / Math.max(1, room)
  }

  count(result: HedgeResult): void {
    const { hedges } = this.#service.counters
    hedges[result] = (hedges[result] ?? 0) + 1
  }

  /** A hedge has won over it. Its place in the endpoint's numbers is ours from here on. */
  lost(attempt: Attempt, worker: Worker): void {
    const { sentAt } = attempt
    const endpoint = attempt.endpoint!
    const ms = worker.now - sentAt
    this.pace.record(worker.now, ms)
    endpoint.outlived(ms, worker.now)
    const loser = new LosingAttempt(attempt, this.#service, worker, (ended) => this.#losing.delete(ended))
    const observed = this.#observed(endpoint) < observersMax && endpoint.gone === undefined && attempt.upstream?.closed === false && !this.#closed
    if (!observed) {
      loser.abort()
      return
    }
    const patience = Math.min(this.#service.view.timeoutMs, this.pace.patienceMs(worker.now) ?? observerMs)
    this.#losing.add(loser)
    loser.observe(sentAt + patience)
  }

  #observed(endpoint: EndpointPool): number {
    let count = 0
    for (const attempt of this.#losing) if (attempt.endpoint === endpoint) count++
    return count
  }

  sweep(now: number): void {
    for (const attempt of [...this.#losing]) attempt.sweep(now)
    this.#lookAtDenied(now)
    this.look(now)
  }
}
