/** What programs may import from `holdfast/resilience`. Importing starts nothing. */
export { Breaker, outcome, type BreakerChange, type BreakerReason, type BreakerSnapshot, type BreakerState, type Outcome } from './core/breaker.ts'
export type { BreakerOptions, TrialOptions, WindowOptions } from './core/breaker-options.ts'
export { attemptsMax, backoffMs, parseRetryAfter, type BackoffOptions } from './core/backoff.ts'
export { Budget, type BudgetOptions } from './core/budget.ts'
export { Gradient, type GradientOptions } from './core/gradient.ts'
export { LatencyWindow } from './core/latency.ts'
export { Gcra, SlidingWindow, type RateDecision, type RateLimiter, type RateOptions } from './core/rate.ts'
export { rateFields, type RateFields, type RatePolicyField } from './core/rate-fields.ts'
export { kindOf, mayRetry, outcomeOf, outcomeOfStatus, retryAfterOf, type ErrorKind } from './core/judge.ts'
export {
  adaptiveConcurrency,
  bulkhead,
  type AdaptiveConcurrencyOptions,
  type BulkheadEvents,
  type BulkheadOptions,
  type BulkheadPolicy,
} from './bulkhead.ts'
export { breaker, type BreakerEvents, type BreakerPolicy, type BreakerPolicyOptions, type Settled } from './breaker.ts'
export { compose, type ComposedPolicy } from './compose.ts'
export type { Events } from './events.ts'
export { fallback, type FallbackEvents, type FallbackOptions, type FallbackPolicy } from './fallback.ts'
export { createFaultToleranceSystem, getFaultToleranceSystem, type CircuitBreakerConfig, type FaultToleranceSystem } from './fault-tolerance.ts'
export { hedge, type HedgeEvents, type HedgeOptions, type HedgePolicy } from './hedge.ts'
export type { Call, CallContext, ExecuteOptions, Policy, PolicyKind, Tools } from './policy.ts'
export { answerFields, isSpent, markSpent, propagate, received } from './propagation.ts'
export { rateLimit, type RateLimitEvents, type RateLimitOptions, type RateLimitPolicy } from './rate-limit.ts'
export { sharedRateLimit, type SharedRateLimitEvents, type SharedRateLimitOptions, type SharedRateLimitPolicy } from './shared-rate-limit.ts'
export { retry, throwIfUnavailable, type RetryEvents, type RetryOptions, type RetryPolicy } from './retry.ts'
export { timeout, type TimeoutEvents, type TimeoutOptions, type TimeoutPolicy } from './timeout.ts'
