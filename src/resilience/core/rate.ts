/**
 * Rate limits. `Gcra` is the token bucket with one number per key (the generic cell rate algorithm): smooth, with a burst. `SlidingWindow`
 * is for "N per minute" that must be explained to people. Times come in as milliseconds and are counted in microseconds.
 */
import { TatTable } from './tat-table.ts'
import { span, whole } from './options.ts'

export interface RateOptions {
  /** So many per `periodMs`. */
  readonly rate: number
  /** Default 1 s. */
  readonly periodMs?: number
  /** How many may come at once. Default: `rate`. At least 1. */
  readonly burst?: number
  /** Keys remembered. Default 100,000; beyond, the one most like a new key is forgotten. */
  readonly keysMax?: number
}

export interface RateDecision {
  readonly allowed: boolean
  /** How many more may come right now. */
  readonly remaining: number
  /** 0 when allowed; Infinity when the cost is above what can ever be allowed. */
  readonly retryAfterMs: number
  /** Until everything is available again. */
  readonly resetMs: number
}

export interface RateLimiter {
  /** Takes `cost` for `key`, or says when it may. */
  take(key: string, now: number, cost?: number): RateDecision
  /** Keys remembered now. */
  readonly size: number
}

export const keysMaxDefault = 100_000
/** The emission interval may be a fraction; sums of it must not refuse the last of a burst for a rounding error of a nanosecond. */
const slackUs = 0.001

const checked = (options: RateOptions): { rate: number; periodMs: number; burst: number; keysMax: number } => ({
  rate: span('rateLimit', 'rate', options.rate, Number.MIN_VALUE),
  periodMs: span('rateLimit', 'periodMs', options.periodMs ?? 1_000, 1),
  burst: span('rateLimit', 'burst', options.burst ?? Math.max(1, options.rate), 1),
  keysMax: whole('rateLimit', 'keysMax', options.keysMax ?? keysMaxDefault, 1),
})

export class Gcra implements RateLimiter {
  /** Microseconds between two, and how far ahead one may be. */
  readonly #intervalUs: number
  readonly #toleranceUs: number
  readonly #tats: TatTable

  constructor(options: RateOptions) {
    const { rate, periodMs, burst, keysMax } = checked(options)
    this.#intervalUs = (periodMs * 1_000) / rate
    this.#toleranceUs = this.#intervalUs * burst
    this.#tats = new TatTable(keysMax)
  }

  get size(): number {
    return this.#tats.size
  }

  take(key: string, nowMs: number, cost = 1): RateDecision {
    const now = Math.round(nowMs * 1_000)
    const tat = Math.max(now, this.#tats.get(key) ?? now)
    const next = tat + cost * this.#intervalUs
    const over = next - now - this.#toleranceUs
    if (over > slackUs) {
      const retryAfterMs = cost * this.#intervalUs > this.#toleranceUs + slackUs ? Infinity : over / 1_000
      return { allowed: false, remaining: this.#remaining(tat - now), retryAfterMs, resetMs: (tat - now) / 1_000 }
    }
    this.#tats.set(key, next, now)
    return { allowed: true, remaining: this.#remaining(next - now), retryAfterMs: 0, resetMs: (next - now) / 1_000 }
  }

  /** Takes as many as there are, `most` at most: one answer for several requests. `retryAfterMs`: until the next one, when none is left. */
  takeUpTo(key: string, nowMs: number, most: number): RateDecision & { readonly taken: number } {
    const now = Math.round(nowMs * 1_000)
    const tat = Math.max(now, this.#tats.get(key) ?? now)
    const taken = Math.min(most, this.#remaining(tat - now))
    const next = tat + taken * this.#intervalUs
    if (taken > 0) this.#tats.set(key, next, now)
    const over = next + this.#intervalUs - now - this.#toleranceUs
    return {
      taken,
      allowed: taken > 0 || most === 0,
      remaining: this.#remaining(next - now),
      retryAfterMs: over > slackUs ? over / 1_000 : 0,
      resetMs: (next - now) / 1_000,
    }
  }

  /** What was taken and not used. What has been refilled meanwhile stays within the burst. */
  giveBack(key: string, nowMs: number, count: number): void {
    const now = Math.round(nowMs * 1_000)
    const tat = this.#tats.get(key)
    if (tat !== undefined && tat > now) this.#tats.set(key, Math.max(now, tat - count * this.#intervalUs), now)
  }

  /** How far each key is from its whole burst, in milliseconds; those that are `leastMs` from it and more. */
  *levels(nowMs: number, leastMs: number): Iterable<readonly [key: string, aheadMs: number]> {
    const now = Math.round(nowMs * 1_000)
    for (const [key, tat] of this.#tats.entries()) if (tat - now >= leastMs * 1_000) yield [key, (tat - now) / 1_000]
  }

  /** Sets one as it was elsewhere; never below what the burst allows. */
  setLevel(key: string, nowMs: number, aheadMs: number): void {
    const now = Math.round(nowMs * 1_000)
    this.#tats.set(key, now + Math.min(this.#toleranceUs, Math.max(0, aheadMs * 1_000)), now)
  }

  #remaining(aheadUs: number): number {
    return Math.max(0, Math.floor((this.#toleranceUs - aheadUs + slackUs) / this.#intervalUs))
  }
}

/** At most `rate` per `periodMs`: this window's count, and the last one's as far as it still overlaps. `burst` means nothing here. */
export class SlidingWindow implements RateLimiter {
  readonly #rate: number
  readonly #periodMs: number
  readonly #keysMax: number
  #window = 0
  #current = new Map<string, number>()
  #previous = new Map<string, number>()

  constructor(options: RateOptions) {
    const { rate, periodMs, keysMax } = checked(options)
    this.#rate = rate
    this.#periodMs = periodMs
    this.#keysMax = keysMax
  }

  get size(): number {
    return this.#current.size
  }

  take(key: string, now: number, cost = 1): RateDecision {
    this.#turn(now)
    const current = this.#current.get(key) ?? 0
    const previous = this.#previous.get(key) ?? 0
    const elapsed = now - this.#window * this.#periodMs
    const used = current + previous * (1 - elapsed / this.#periodMs)
    const resetMs = 2 * this.#periodMs - elapsed
    if (used + cost > this.#rate) {
      return {
        allowed: false,
        remaining: Math.max(0, Math.floor(this.#rate - used)),
        retryAfterMs: this.#wait(current, previous, elapsed, cost),
        resetMs,
      }
    }
    this.#write(key, current + cost)
    return { allowed: true, remaining: Math.floor(this.#rate - used - cost), retryAfterMs: 0, resetMs }
  }

  /** When enough of the earlier counts has slid out. */
  #wait(current: number, previous: number, elapsed: number, cost: number): number {
    if (cost > this.#rate) return Infinity
    const room = this.#rate - cost
    if (current <= room) return this.#periodMs * (1 - (room - current) / previous) - elapsed
    return this.#periodMs - elapsed + this.#periodMs * (1 - room / current)
  }

  #write(key: string, count: number): void {
    if (!this.#current.has(key) && this.#current.size >= this.#keysMax) {
      // The oldest key of this window.
      for (const oldest of this.#current.keys()) {
        this.#current.delete(oldest)
        break
      }
    }
    this.#current.set(key, count)
  }

  #turn(now: number): void {
    const window = Math.floor(now / this.#periodMs)
    if (window <= this.#window) return
    this.#previous = window === this.#window + 1 ? this.#current : new Map<string, number>()
    this.#current = new Map()
    this.#window = window
  }
}

/** An equal part of a limit: together the parts are never more than the whole, but for a burst of one each. */
export const partOf = ({ rate, burst, ...rest }: RateOptions, parts: number): RateOptions => ({
  ...rest,
  rate: rate / parts,
  burst: Math.max(1, Math.floor((burst ?? rate) / parts)),
})
