/**
 * Whether a request that is late gets its second attempt. Hedges help against one endpoint that is slow; against all of them being slow they are the load that
 * breaks the rest, so every doubt means no.
 */
import { Budget } from '../../resilience/core/budget.ts'

export interface HedgeView {
  /** undefined: the p95 of the last minute. */
  readonly delayMs?: number | undefined
  /** Hedges per request in the long run, 0 to 1. */
  readonly budget: number
}

/** Hedges saved up at most, and to begin with. */
const savedMax = 10
/** Above this share of what the pool may have at a time, it has no room for anything that need not be. */
const loadMax = 0.7

export const newHedgeBudget = ({ budget }: HedgeView): Budget => new Budget({ ratio: budget, capacity: savedMax, perSecond: 0 })

export interface HedgeSituation {
  readonly now: number
  /** Of the caller; Infinity: none. */
  readonly deadline: number
  /** How long an answer takes as a rule: less time left makes the second attempt useless. */
  readonly delayMs: number
  /** Requests in flight over what the pool may have; 0: it has no limit. */
  readonly load: number
  /** A place in the retry budget of the service: hedges and second tries together stay within it. */
  readonly retryBudgetFree: boolean
}

/** Apart from the token that it costs, and the endpoint that it needs. */
export function mayHedge({ now, deadline, delayMs, load, retryBudgetFree }: HedgeSituation): boolean {
  return load <= loadMax && retryBudgetFree && deadline - now > delayMs
}
