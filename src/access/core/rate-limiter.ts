/**
 * Limits how often each key may act: GCRA (the leaky bucket of ATM, as a single number per key).
 *
 * Intuition: every act books a slot of `per / count`. The key's account is the instant at which all its booked slots
 * have passed; it may run ahead of now by at most `per`, so `count` acts fit in a burst and `count` per `per` in the long run.
 *
 * The table is bounded: the key that was seen longest ago is forgotten, which can only forgive it. Refusing new
 * keys instead would let a flood from many addresses lock everybody out.
 */
import { elapsed, ms, type Duration, type Instant } from '../../kernel/time.ts'

export interface RateLimit {
  /** Acts allowed per `per`; also the largest burst. */
  readonly count: number
  readonly per: Duration
}

export interface RateDecision {
  readonly allowed: boolean
  readonly limit: RateLimit
  /** Acts left in the burst. */
  readonly remaining: number
  /** Until the burst is whole again. */
  readonly resetAfter: Duration
  /** Until the next act is allowed; 0 when one is. */
  readonly retryAfter: Duration
}

export const rateLimiterKeysMax = 100_000
/** Sums of slots such as 60,000 / 7 ms are not exact; a microsecond forgives the rounding. */
const tolerance = 0.001

export class RateLimiter {
  readonly limit: RateLimit
  readonly #slot: number
  readonly #keysMax: number
  /** Key → when its account is settled, in order of last use. */
  readonly #settledAt = new Map<string, number>()

  constructor(limit: RateLimit, keysMax = rateLimiterKeysMax) {
    this.limit = limit
    this.#slot = limit.per / limit.count
    this.#keysMax = keysMax
  }

  get size(): number {
    return this.#settledAt.size
  }

  /** Books one act for `key` if it is allowed. */
  take(key: string, now: Instant): RateDecision {
    const decision = this.check(key, now)
    if (!decision.allowed) return decision
    const settledAt = Math.max(this.#settledAt.get(key) ?? 0, now) + this.#slot
    this.#settledAt.delete(key)
    this.#settledAt.set(key, settledAt)
    if (this.#settledAt.size > this.#keysMax) this.#forgetOldest()
    return this.#decision(true, settledAt, now)
  }

  /** What `take` would say, without booking. */
  check(key: string, now: Instant): RateDecision {
    const settledAt = Math.max(this.#settledAt.get(key) ?? 0, now)
    return this.#decision(settledAt + this.#slot - now <= this.limit.per + tolerance, settledAt, now)
  }

  #decision(allowed: boolean, settledAt: number, now: Instant): RateDecision {
    const debt = elapsed(now, settledAt as Instant)
    const remaining = Math.max(0, Math.floor((this.limit.per - debt + tolerance) / this.#slot))
    const retryAfter = allowed ? ms(0) : ms(Math.max(0, debt + this.#slot - this.limit.per))
    return { allowed, limit: this.limit, remaining, resetAfter: debt, retryAfter }
  }

  #forgetOldest(): void {
    for (const key of this.#settledAt.keys()) {
      this.#settledAt.delete(key)
      return
    }
  }
}
