/** What the balancer is told of caching: by each service that asks for it, and for all of them together. */
import type { ServingOptions } from '../../cache/core/http/serving.ts'
import type { StoringOptions } from '../../cache/core/http/storing.ts'

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
export interface CacheRedisView {
  readonly url?: string
  readonly cluster?: readonly string[]
  readonly sentinel?: {
    readonly name: string
    readonly nodes: readonly { readonly host: string; readonly port: number }[]
    readonly username?: string
    readonly password?: string
    readonly sentinelUsername?: string
    readonly sentinelPassword?: string
  }
  /** PEM texts. */
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string; readonly servername?: string }
  readonly prefix: string
  /** The first encrypts, all decrypt; empty: nothing is encrypted. */
  readonly encryption: readonly string[]
}
