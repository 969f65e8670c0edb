/**
 * The budget of extra attempts (retries, hedges): a bucket that first attempts fill by a share and extra attempts empty by one. So extra
 * load is at most that share when everything fails, and a short fault may be retried in full. A small refill over time lets a rarely
 * used target be retried too.
 */
import { share, span } from './options.ts'

export interface BudgetOptions {
  /** Extra attempts per first attempt in the long run. Default 0.2. */
  readonly ratio?: number
  /** Extra attempts saved up at most, and to begin with. Default 10. */
  readonly capacity?: number
  /** Floor: extra attempts that may be had without traffic. Default 0.1 per second. */
  readonly perSecond?: number
}

export class Budget {
  readonly #ratio: number
  readonly #capacity: number
  readonly #perMs: number
  #tokens: number
  #at = 0

  constructor(options: BudgetOptions = {}) {
    this.#ratio = share('budget', 'ratio', options.ratio ?? 0.2)
    this.#capacity = span('budget', 'capacity', options.capacity ?? 10)
    this.#perMs = span('budget', 'perSecond', options.perSecond ?? 0.1) / 1_000
    this.#tokens = this.#capacity
  }

  /** A first attempt begins. */
  earn(now: number): void {
    this.#fill(now, this.#ratio)
  }

  /** Whether one extra attempt may begin; it is then paid. */
  take(now: number): boolean {
    this.#fill(now, 0)
    if (this.#tokens < 1) return false
    this.#tokens--
    return true
  }

  /** What was taken and not used. */
  giveBack(): void {
    this.#tokens = Math.min(this.#capacity, this.#tokens + 1)
  }

  get tokens(): number {
    return this.#tokens
  }

  #fill(now: number, more: number): void {
    this.#tokens = Math.min(this.#capacity, this.#tokens + more + Math.max(0, now - this.#at) * this.#perMs)
    this.#at = Math.max(this.#at, now)
  }
}
