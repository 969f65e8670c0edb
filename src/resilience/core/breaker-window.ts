/**
 * What a breaker counts, three ways with one face. Totals are kept beside the slots, so that recording is a few additions and judging a
 * comparison; slots are typed arrays, so that nothing is allocated.
 */
import type { ResolvedBreaker } from './breaker-options.ts'

export interface BreakerWindow {
  readonly calls: number
  readonly failed: number
  readonly slow: number
  /** Forgets what is too old at `now`; gives the instant before which there is nothing more to forget. */
  turn(now: number): number
  /** After `turn`. It takes no instant: a double that crosses a call may be a new number on the heap. */
  record(failed: boolean, slow: boolean): void
  /** Whether what it holds opens the breaker. */
  verdict(): 'failures' | 'slow' | undefined
  clear(): void
}

export function makeWindow(options: ResolvedBreaker): BreakerWindow {
  const { window } = options
  if (window.type === 'time') return new TimeWindow(options, window.durationMs, window.buckets)
  if (window.type === 'count') return new CountWindow(options, window.calls)
  return new ConsecutiveWindow(window.failures)
}

abstract class RateWindow {
  calls = 0
  failed = 0
  slow = 0
  readonly #callsMin: number
  readonly #failureRate: number
  readonly #slowRate: number

  constructor(options: ResolvedBreaker, callsMax: number) {
    // A window that cannot hold `minCalls` judges when it is full.
    this.#callsMin = Math.min(options.minCalls, callsMax)
    this.#failureRate = options.failureRate
    this.#slowRate = options.slowRate
  }

  verdict(): 'failures' | 'slow' | undefined {
    if (this.calls < this.#callsMin) return undefined
    if (this.failed > 0 && this.failed >= this.calls * this.#failureRate) return 'failures'
    return this.slow > 0 && this.slow >= this.calls * this.#slowRate ? 'slow' : undefined
  }
}

const fields = 3

class TimeWindow extends RateWindow implements BreakerWindow {
  readonly #bucketMs: number
  readonly #buckets: number
  readonly #counts: Int32Array
  /** [number of the running bucket, its end]. */
  readonly #times = new Float64Array(2)

  constructor(options: ResolvedBreaker, durationMs: number, buckets: number) {
    super(options, Infinity)
    this.#bucketMs = durationMs / buckets
    this.#buckets = buckets
    this.#counts = new Int32Array(buckets * fields)
  }

  turn(now: number): number {
    const end = this.#times[1] ?? 0
    if (now < end) return end
    const next = Math.floor(now / this.#bucketMs)
    for (let gone = Math.max((this.#times[0] ?? 0) + 1, next - this.#buckets + 1); gone <= next; gone++) this.#forget((gone % this.#buckets) * fields)
    this.#times[0] = next
    return (this.#times[1] = (next + 1) * this.#bucketMs)
  }

  record(failed: boolean, slow: boolean): void {
    const at = ((this.#times[0] ?? 0) % this.#buckets) * fields
    this.#counts[at] = (this.#counts[at] ?? 0) + 1
    this.calls++
    if (failed) {
      this.#counts[at + 1] = (this.#counts[at + 1] ?? 0) + 1
      this.failed++
    }
    if (slow) {
      this.#counts[at + 2] = (this.#counts[at + 2] ?? 0) + 1
      this.slow++
    }
  }

  #forget(at: number): void {
    this.calls -= this.#counts[at] ?? 0
    this.failed -= this.#counts[at + 1] ?? 0
    this.slow -= this.#counts[at + 2] ?? 0
    this.#counts.fill(0, at, at + fields)
  }

  clear(): void {
    this.#counts.fill(0)
    this.calls = 0
    this.failed = 0
    this.slow = 0
  }
}

const isFailed = 1
const isSlow = 2

class CountWindow extends RateWindow implements BreakerWindow {
  readonly #results: Uint8Array
  #next = 0

  constructor(options: ResolvedBreaker, size: number) {
    super(options, size)
    this.#results = new Uint8Array(size)
  }

  /** Calls do not grow old. */
  turn(): number {
    return Infinity
  }

  record(failed: boolean, slow: boolean): void {
    const gone = this.#results[this.#next] ?? 0
    if (this.calls < this.#results.length) this.calls++
    else {
      if (gone & isFailed) this.failed--
      if (gone & isSlow) this.slow--
    }
    if (failed) this.failed++
    if (slow) this.slow++
    this.#results[this.#next] = (failed ? isFailed : 0) | (slow ? isSlow : 0)
    this.#next = this.#next + 1 === this.#results.length ? 0 : this.#next + 1
  }

  clear(): void {
    this.#next = 0
    this.calls = 0
    this.failed = 0
    this.slow = 0
  }
}

/** Any success, also a slow one, begins anew. */
class ConsecutiveWindow implements BreakerWindow {
  readonly #failuresMax: number
  calls = 0
  failed = 0
  slow = 0

  constructor(failures: number) {
    this.#failuresMax = failures
  }

  /** Failures in a row do not grow old. */
  turn(): number {
    return Infinity
  }

  record(failed: boolean): void {
    this.failed = failed ? this.failed + 1 : 0
    this.calls = failed ? this.failed : 1
  }

  verdict(): 'failures' | undefined {
    return this.failed >= this.#failuresMax ? 'failures' : undefined
  }

  clear(): void {
    this.calls = 0
    this.failed = 0
  }
}
