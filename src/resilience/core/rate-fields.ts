/** The `RateLimit` and `RateLimit-Policy` response fields (draft-ietf-httpapi-ratelimit-headers): structured-field lists of named quotas. */
import type { RateDecision } from './rate.ts'

export interface RatePolicyField {
  readonly name: string
  /** `q`: how many in a window. */
  readonly quota: number
  /** `w`. */
  readonly windowMs: number
  /** `qu`; default requests. */
  readonly unit?: 'requests' | 'content-bytes' | 'concurrent-requests'
  /** `pk`: whose quota it is. */
  readonly partition?: string
}

export interface RateFields {
  readonly 'ratelimit-policy': string
  readonly ratelimit: string
  /** Whole seconds; only when refused, and never earlier than `t`. */
  readonly 'retry-after'?: string
}

/** An integer of a structured field has at most 15 digits. */
const integerMax = 999_999_999_999_999
const integer = (value: number): number => Math.min(integerMax, Math.max(0, Math.floor(value)))
/** Rounded up, but not for what a difference of two clock readings is wrong by: that is no millionth of a second. */
const wholeSeconds = (ms: number): number => Math.min(integerMax, Math.max(1, Math.ceil(Math.round(ms * 1_000) / 1_000_000)))
/** What a structured string cannot hold is left out. */
const text = (value: string): string => `"${value.replaceAll(/[^\x20-\x7e]/g, '').replaceAll(/["\\]/g, '\\$&')}"`
const bytes = (value: string): string => `:${Buffer.from(value).toString('base64')}:`

/** Both fields, and `Retry-After` when refused. A window below a second is told as the quota of one second. */
export function rateFields(policy: RatePolicyField, decision: RateDecision): RateFields {
  const window = wholeSeconds(policy.windowMs)
  const quota = integer(policy.windowMs < 1_000 ? (policy.quota * 1_000) / policy.windowMs : policy.quota)
  const unit = policy.unit === undefined ? '' : `;qu=${text(policy.unit)}`
  const partition = policy.partition === undefined ? '' : `;pk=${bytes(policy.partition)}`
  const again = wholeSeconds(decision.allowed ? decision.resetMs : decision.retryAfterMs)
  const fields = {
    'ratelimit-policy': `${text(policy.name)};q=${quota};w=${window}${unit}${partition}`,
    // Nobody is told of more than one window's worth, however large the burst.
    ratelimit: `${text(policy.name)};r=${Math.min(quota, integer(decision.remaining))};t=${again}${partition}`,
  }
  return decision.allowed || decision.retryAfterMs === Infinity ? fields : { ...fields, 'retry-after': String(again) }
}
