/** What a user can ask of the caches: of values, which programs and operators keep under keys, and of the answers that the balancer keeps. */
import type { CacheCounts, CacheStoreStatus } from '../balancer/core/cache/counts.ts'
import type { PurgeOrder } from '../balancer/core/cache/purge.ts'
import type { CacheStats } from '../cache/index.ts'
import type { Actor } from './operations.ts'

export type { PurgeOrder }

/** How a Redis that is shared does, as seen from one process. */
export interface RedisLayer {
  readonly up: boolean
  /** Why not; undefined: it is, or nothing is known yet. */
  readonly reason: string | undefined
}

export interface CacheReport {
  /** Of values, since the control process started. */
  readonly values: CacheStats
  /** Bytes that values may take. */
  readonly maxBytes: number
  /** undefined: it is not configured. */
  readonly redis: RedisLayer | undefined
  /** Of the answers that the balancer keeps; undefined: no service asks for it, or the balancer has not reported yet. */
  readonly responses: ResponsesReport | undefined
}

export interface ResponsesReport {
  readonly store: CacheStoreStatus | undefined
  /** By service. */
  readonly services: Readonly<Record<string, CacheCounts>>
}

/** What a value was stored with. */
export interface StoredValue {
  readonly key: string
  /** Seconds. */
  readonly ttl: number
  readonly tags: readonly string[]
  /** Where it is now. */
  readonly layers: readonly ('memory' | 'redis')[]
}

export interface ValueOptions {
  /** Seconds. Default: that of the configuration. */
  readonly ttl?: number | undefined
  readonly tags?: readonly string[] | undefined
}

export interface CacheOperations {
  report(): CacheReport
  /** Rejects with `unknown_key`. */
  get(key: string): Promise<unknown>
  /** Rejects with `value_too_large`. */
  set(key: string, value: unknown, options: ValueOptions): Promise<StoredValue>
  /** Rejects with `unknown_key`. */
  delete(key: string): Promise<void>
  /** All values, and all answers. Resolves with how many answers there were, when no worker gives any of them. */
  clear(options: { actor: Actor }): Promise<{ readonly responses: number }>
  /** Answers; by tag, values too, unless `soft`. Resolves when no worker gives any of them. */
  purge(order: PurgeOrder, options: { actor: Actor }): Promise<{ readonly responses: number }>
}
