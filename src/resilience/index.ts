/** What programs may import from `holdfast/resilience`. Importing starts nothing. */
export { Breaker, outcome, type BreakerChange, type BreakerReason, type BreakerSnapshot, type BreakerState, type Outcome } from './core/breaker.ts'
export type { BreakerOptions, TrialOptions, WindowOptions } from './core/breaker-options.ts'
