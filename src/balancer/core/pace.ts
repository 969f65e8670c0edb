/**
 * What is a usual time for a service to give the head of an answer: of the last minute, of requests that may be made twice. Hedges wait for its p95, tries that
 * may be made again for three times its p99. Looked up once a second: a quantile costs more than a request may.
 *
 * An attempt that was given up is counted with the time that it had had by then ("at least this long"): left out, the slow ones would be missing just where
 * they are many, and the p95 would fall until everything is made twice.
 */
import { LatencyWindow } from '../../resilience/core/latency.ts'

const windowMs = 60_000
/** A quantile is kept for so long. */
const lookMs = 1_000
/** With fewer samples nobody knows what is usual. */
const hedgeSamplesMin = 20
const patienceSamplesMin = 100
/** Below this a second attempt costs more than it gains: it would be made for every pause of a garbage collector. */
export const hedgeDelayLeastMs = 10
const patienceLeastMs = 1_000
const patienceFactor = 3

export class Pace {
  readonly #times = new LatencyWindow(windowMs)
  #lookAt = -Infinity
  #delayMs: number | undefined
  #patienceMs: number | undefined

  /** The head of an answer came, or the attempt was given up, after `ms`. */
  record(now: number, ms: number): void {
    this.#times.record(now, ms)
  }

  /** After so long a second attempt is worth it; undefined: nobody knows yet. */
  hedgeDelayMs(now: number): number | undefined {
    this.#look(now)
    return this.#delayMs
  }

  /** Whoever has not answered after so long will probably not; undefined: nobody knows yet. */
  patienceMs(now: number): number | undefined {
    this.#look(now)
    return this.#patienceMs
  }

  #look(now: number): void {
    if (now < this.#lookAt) return
    this.#lookAt = now + lookMs
    const p95 = this.#times.quantile(now, 0.95, hedgeSamplesMin)
    const p99 = this.#times.quantile(now, 0.99, patienceSamplesMin)
    this.#delayMs = p95 === undefined ? undefined : Math.max(hedgeDelayLeastMs, p95)
    this.#patienceMs = p99 === undefined ? undefined : Math.max(patienceLeastMs, patienceFactor * p99)
  }
}
