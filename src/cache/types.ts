/** Where the Redis is that is shared, and how it is spoken to. Nothing of the package `redis` is named here: programs without it read this, too. */

export interface RedisOptions {
  /** `redis://user:password@host:port/database`, or `rediss://` for TLS. */
  readonly url?: string
  readonly cluster?: readonly string[]
  readonly sentinel?: {
    readonly name: string
    readonly nodes: readonly { readonly host: string; readonly port: number }[]
    /** Of the servers. */
    readonly username?: string
    readonly password?: string
    /** Of the Sentinels themselves. */
    readonly sentinelUsername?: string
    readonly sentinelPassword?: string
  }
  /** Of TLS: PEM texts; for `rediss://`, and for clusters and Sentinels whose nodes speak TLS. */
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string; readonly servername?: string }
}

export interface RedisFarOptions extends RedisOptions {
  /** Of all its keys; whoever has the same shares the cache. Default `holdfast:cache:`. */
  readonly prefix?: string
  /** Keys of 32 bytes, in hex or base64; the first encrypts, all decrypt. Default: values lie there as they are. */
  readonly encryption?: readonly (string | Buffer)[]
  /** A read that takes longer is none. Default 50 ms. */
  readonly readTimeoutMs?: number
  /** Default 250 ms. */
  readonly writeTimeoutMs?: number
  /** It is up, or away and why: once for each change. */
  readonly onChange?: (up: boolean, reason: string | undefined) => void
}
