/** What is kept so that it need not be asked for again: answers of services, and values. */
import type { Duration } from '../kernel/time.ts'

/** Of a service whose answers are kept (RFC 9111). */
export interface ServiceCacheConfig {
  /** Nothing is fresh for longer after it came, whatever it says; undefined: as long as it says. */
  readonly maxAge?: Duration | undefined
  /** For what does not say itself how long it is fresh; undefined: it is not fresh. */
  readonly defaultMaxAge?: Duration | undefined
  /** Share of the time since `Last-Modified` for which what says nothing is fresh, 0 to 1. */
  readonly heuristic: number
  /** Bytes; longer ones are not kept. */
  readonly maxBodyBytes: number
  /** For so long a stale answer stands in for a failure of the service. */
  readonly grace: Duration
  /** For so long a stale answer is given while it is made anew, where it does not say itself; undefined: not at all. */
  readonly staleWhileRevalidate?: Duration | undefined
  /** Answers with `Set-Cookie` are kept like others. */
  readonly storeCookies: boolean
  /** Whether the `Cache-Control` of requests counts. */
  readonly requestDirectives: boolean
}

export interface CacheConfig {
  readonly memory: { readonly maxEntries: number; readonly maxBytes: number; readonly ttl: Duration }
  /** undefined: each process has its own. */
  readonly redis?: RedisCacheConfig | undefined
  /** Of the answers that the balancer keeps, in bytes: of the machine, and of each worker. */
  readonly http: { readonly maxBytes: number; readonly workerBytes: number }
}

/** Exactly one of `url`, `cluster` and `sentinel` is there. */
export interface RedisCacheConfig {
  readonly url?: string | undefined
  /** URLs. */
  readonly cluster?: readonly string[] | undefined
  readonly sentinel?: RedisSentinelConfig | undefined
  /** undefined: as `memory.ttl`. */
  readonly ttl?: Duration | undefined
  /** Of all its keys. */
  readonly prefix: string
  readonly tls?: RedisTlsConfig | undefined
  /** 32 bytes each, in hex or base64: the first encrypts, all decrypt; empty: nothing is encrypted. */
  readonly encryptionKeys: readonly string[]
}

export interface RedisSentinelConfig {
  /** Of the master, as the sentinels know it. */
  readonly name: string
  readonly nodes: readonly { readonly host: string; readonly port: number }[]
  /** For the servers behind them. */
  readonly username?: string | undefined
  readonly password?: string | undefined
  /** For the sentinels. */
  readonly sentinelUsername?: string | undefined
  readonly sentinelPassword?: string | undefined
}

export interface RedisTlsConfig {
  /** Absolute paths of PEM files. */
  readonly ca?: string | undefined
  readonly cert?: string | undefined
  readonly key?: string | undefined
  readonly serverName?: string | undefined
}
