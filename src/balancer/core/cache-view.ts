/** What the balancer is told of caching: by each service that asks for it, and for all of them together. */
import type { ServingOptions } from '../../cache/core/http/serving.ts'
import type { StoringOptions } from '../../cache/core/http/storing.ts'
import type { RedisOptions } from '../../cache/types.ts'

/** Of one service. */
export interface CacheView extends ServingOptions, StoringOptions {
  /** Longer ones are not kept. */
  readonly maxBodyBytes: number
}

/** Where answers are kept. */
export interface CacheStoreView {
  /** Of the machine. */
  readonly maxBytes: number
  /** Of each worker besides. */
  readonly workerBytes: number
  /** Shared with other machines and with programs; undefined: not shared. */
  readonly redis?: CacheRedisView | undefined
}

/** Exactly one of `url`, `cluster` and `sentinel` is there. */
export interface CacheRedisView extends RedisOptions {
  readonly prefix: string
  /** The first encrypts, all decrypt; empty: nothing is encrypted. */
  readonly encryption: readonly string[]
}
