/** `rateLimit(options).execute(fn, { key })`: a token bucket (GCRA) or a sliding window for each key. Rejects with `rate_limited`. */
import { HoldfastError } from '../kernel/errors.ts'
import { Gcra, SlidingWindow, type RateDecision, type RateOptions } from './core/rate.ts'
import { rateFields, type RateFields, type RatePolicyField } from './core/rate-fields.ts'
import { Emitter } from './events.ts'
import { checkBegin, clockOf, Context, type Policy, type Tools } from './policy.ts'

export interface RateLimitOptions extends RateOptions, Tools {
  /** Default `token-bucket`; `sliding-window` for "N per minute" that must be explained. */
  readonly algorithm?: 'token-bucket' | 'sliding-window'
  /** The name of the quota in the `RateLimit` fields. Default `default`. */
  readonly name?: string
}

export interface RateLimitEvents {
  rejected: { readonly key: string; readonly retryAfterMs: number }
}

export interface RateLimitPolicy extends Policy<RateLimitEvents> {
  readonly kind: 'rateLimit'
  /** Takes `cost` for `key`, with the response fields that tell it. */
  take(key: string, cost?: number): RateDecision & { readonly fields: RateFields }
}

export function rateLimit(options: RateLimitOptions): RateLimitPolicy {
  const clock = clockOf(options)
  const limiter = options.algorithm === 'sliding-window' ? new SlidingWindow(options) : new Gcra(options)
  const events = new Emitter<RateLimitEvents>()
  const policy = { name: options.name ?? 'default', quota: options.rate, windowMs: options.periodMs ?? 1_000 }
  return {
    kind: 'rateLimit',
    events,
    take(key, cost) {
      const decision = limiter.take(key, clock.now(), cost)
      return { ...decision, fields: rateFields(policy, decision) }
    },
    async execute(fn, call = {}) {
      checkBegin(clock, call)
      const key = call.key ?? ''
      const decision = limiter.take(key, clock.now())
      if (!decision.allowed) throw refusal(events, key, decision, policy)
      return fn(new Context(call))
    },
  }
}

/** Tells the listeners, and returns what the call is rejected with. */
export function refusal(events: Emitter<RateLimitEvents>, key: string, decision: RateDecision, policy: RatePolicyField): HoldfastError {
  const { retryAfterMs } = decision
  events.emit('rejected', { key, retryAfterMs })
  return new HoldfastError('rate_limited', `asked for more than ${policy.quota} in ${policy.windowMs} ms`, {
    hint: 'try again later',
    details: { key, retryAfterMs, fields: rateFields(policy, decision) },
  })
}
