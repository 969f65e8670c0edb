/** What programs may import from `holdfast/resilience`. Importing starts nothing. */
export { Breaker, outcome, type BreakerChange, type BreakerReason, type BreakerSnapshot, type BreakerState, type Outcome } from './core/breaker.ts'
export type { BreakerOptions, TrialOptions, WindowOptions } from './core/breaker-options.ts'
export { attemptsMax, backoffMs, parseRetryAfter, type BackoffOptions } from './core/backoff.ts'
export { Budget, type BudgetOptions } from './core/budget.ts'
export { Gradient, type GradientOptions } from './core/gradient.ts'
export { LatencyWindow } from './core/latency.ts'
export { Gcra, SlidingWindow, type RateDecision, type RateLimiter, type RateOptions } from './core/rate.ts'
export { rateFields, type RateFields, type RatePolicyField } from './core/rate-fields.ts'
