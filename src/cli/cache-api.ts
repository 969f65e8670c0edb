/** The cache as the API tells of it, and is asked. */
import type { CacheCounts, CacheStoreStatus } from '../balancer/core/cache/counts.ts'

/** How the cache does, as the API tells it. */
export interface CacheDescription {
  readonly hits: number
  readonly misses: number
  /** Percent. */
  readonly hitRate: number
  readonly keys: number
  readonly memory: { readonly used: number; readonly available: number; readonly percentage: number }
  readonly errors: number
  readonly redis: { readonly up: boolean; readonly reason: string | null } | null
  readonly responses: {
    readonly hitRate: number
    readonly store: (Omit<CacheStoreStatus, 'redis'> & { readonly redis: CacheDescription['redis'] }) | null
    readonly services: Readonly<Record<string, CacheCounts>>
  } | null
}

export interface Purged {
  readonly responses: number
}

/** Exactly one of them, and `soft`; `release` may have a `service`. */
export interface PurgeBody {
  readonly tags?: readonly string[] | undefined
  readonly url?: string | undefined
  readonly prefix?: string | undefined
  readonly release?: string | undefined
  readonly service?: string | undefined
  readonly all?: true | undefined
  readonly soft?: true | undefined
}
