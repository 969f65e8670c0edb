/** How a service is kept from its own failures, and from its clients. */
import type { Duration } from '../kernel/time.ts'
import type { Rate } from './types.ts'

export interface RetriesConfig {
  readonly attempts: number
  /** Share of the active requests, 0 to 1. */
  readonly budget: number
  /** Statuses of the application, and `timeout`. */
  readonly on?: readonly (number | 'timeout')[] | undefined
}

export interface HedgeConfig {
  /** undefined: the p95 of the last minute. */
  readonly delay: Duration | undefined
  /** Per request, 0 to 1. */
  readonly budget: number
}

export interface BreakerConfig {
  /** 0 to 1. */
  readonly errorRate: number
  readonly window: Duration
  readonly minimumRequests: number
  readonly openFor: Duration
}

export interface EjectionConfig {
  readonly consecutiveErrors: number
  readonly consecutiveFailures: number
  readonly baseTime: Duration
  readonly maxTime: Duration
}

/** Whose requests are counted together. Names are lower case for headers, as they are for cookies. */
export type RateLimitKey =
  | { readonly by: 'client-ip' }
  | { readonly by: 'service' }
  | { readonly by: 'header'; readonly name: string }
  | { readonly by: 'cookie'; readonly name: string }

export interface RateLimitConfig {
  readonly key: RateLimitKey
  readonly rate: Rate
  readonly burst: number
  /** Together with all machines that use the same Redis. */
  readonly shared: boolean
}

/** Exactly one of `body` and `service` is there. */
export interface FallbackConfig {
  readonly status: number
  /** Absolute path. */
  readonly body: string | undefined
  readonly contentType: string | undefined
  /** Name of another service. */
  readonly service: string | undefined
  /** Before that, what the cache has, however old. */
  readonly stale: boolean
}

export interface ResilienceConfig {
  /** The whole exchange up to the response head, all attempts and parking apart. */
  readonly timeout: Duration
  readonly connectTimeout: Duration
  readonly retries: RetriesConfig
  /** undefined: off. */
  readonly hedge?: HedgeConfig | undefined
  /** undefined: off. */
  readonly breaker?: BreakerConfig | undefined
  readonly ejection?: EjectionConfig | undefined
  /** Requests at a time per endpoint; undefined: any number. */
  readonly concurrency?: number | 'adaptive' | undefined
  /** Who waits beyond. */
  readonly queue?: { readonly size: number; readonly timeout: Duration } | undefined
  /** In place of a failure; undefined: none. */
  readonly fallback?: FallbackConfig | undefined
  /** undefined: none. */
  readonly rateLimit?: RateLimitConfig | undefined
  readonly parking: ParkingConfig | undefined
  /** Of requests that kill instances; undefined: they are not looked for. */
  readonly quarantine?: { readonly expires: Duration } | undefined
}

export interface ParkingConfig {
  readonly timeout: Duration
  readonly requests: number
  readonly bytes: number
  /** Navigations of browsers get a waiting page after that; undefined: when the others are refused. */
  readonly pageAfter?: Duration | undefined
}
