/**
 * The cache with the words of the infrastructure services: times in seconds, `getStats()`. A face; what it does is `holdfast/cache`.
 *
 *   const cache = new CacheService({ redis: { host: 'localhost' }, memory: { maxSize: 10_000 } })
 *   await cache.set('user:123', { name: 'John' }, 3_600)
 *   const user = await cache.get<User>('user:123')
 */
import { createCache, type Cache, type CacheStats, type Factory, type RedisFarOptions } from '../cache/index.ts'
import { HoldfastError } from '../kernel/errors.ts'
import type { CacheServiceOptions } from './infrastructure-config.ts'

/** What it was asked, and what it has. `hits` are those of all layers; `hitRate` is in percent. */
export interface CacheServiceStats extends Omit<CacheStats, 'hits'> {
  readonly hits: number
}

const ttlDefaultSeconds = 3_600
/** Memory that is not wanted still holds what was asked for last. */
const leastEntries = 1

/** Ready at once; with Redis it begins to connect, and goes by memory alone until it has. `close()` ends the connection. */
export class CacheService implements AsyncDisposable {
  readonly options: CacheServiceOptions
  readonly #cache: Cache

  /** Throws `invalid_option` for what cannot be. */
  constructor(options: CacheServiceOptions = {}) {
    const { redis, memory = {} } = options
    const shared = redis !== undefined && redis.enabled !== false
    if (memory.enabled === false && !shared) {
      throw new HoldfastError('invalid_option', 'cache: neither memory nor redis is enabled, and there is nothing to keep values in', {
        hint: 'leave out memory.enabled, or enable redis',
      })
    }
    this.options = options
    const ttlSeconds = (shared ? redis.ttl : undefined) ?? memory.ttl ?? ttlDefaultSeconds
    this.#cache = createCache({
      ttlMs: ttlSeconds * 1_000,
      memory: memory.enabled === false ? { maxEntries: leastEntries } : memory.maxSize === undefined ? {} : { maxEntries: memory.maxSize },
      ...(shared && { redis: farOf(redis) }),
    })
  }

  /** undefined: there is none, or it has expired. With a Redis that does not answer: what memory has. */
  get<T = unknown>(key: string): Promise<T | undefined> {
    return this.#cache.get<T>(key)
  }

  /** `ttl`: seconds. */
  set(key: string, value: unknown, ttl?: number, options: { readonly tags?: readonly string[] } = {}): Promise<void> {
    return this.#cache.set(key, value, { ...lifetime(ttl), ...options })
  }

  /** The value, or what `factory` makes of it: called once, however many ask at the same time, in all processes that share the Redis. */
  getOrSet<T>(key: string, factory: Factory<T>, ttl?: number, options: { readonly tags?: readonly string[] } = {}): Promise<T> {
    return this.#cache.getOrSet(key, factory, { ...lifetime(ttl), ...options })
  }

  has(key: string): Promise<boolean> {
    return this.#cache.has(key)
  }

  /** Whether there was something. */
  delete(key: string): Promise<boolean> {
    return this.#cache.delete(key)
  }

  clear(): Promise<void> {
    return this.#cache.clear()
  }

  /** Those that there are. */
  mget<T = unknown>(keys: Iterable<string>): Promise<Map<string, T>> {
    return this.#cache.mget<T>(keys)
  }

  /** `ttl`: seconds. */
  mset(entries: ReadonlyMap<string, unknown> | Readonly<Record<string, unknown>>, ttl?: number): Promise<void> {
    return this.#cache.mset(isMap(entries) ? entries : Object.entries(entries), lifetime(ttl))
  }

  /** Everything that was set with one of these tags, in all processes that share the Redis. */
  invalidateTags(...tags: readonly string[]): Promise<void> {
    return this.#cache.invalidateTags(...tags)
  }

  getStats(): CacheServiceStats {
    const stats = this.#cache.stats()
    return { ...stats, hits: stats.hits + stats.staleHits + stats.remoteHits }
  }

  /** Ends the connection to Redis. What is in memory stays. */
  close(): Promise<void> {
    return this.#cache.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

function farOf({
  url,
  host = 'localhost',
  port = 6_379,
  username = '',
  password,
  prefix,
}: NonNullable<CacheServiceOptions['redis']>): RedisFarOptions {
  const who = password === undefined ? username : `${encodeURIComponent(username)}:${encodeURIComponent(password)}`
  const name = host.includes(':') && !host.startsWith('[') ? `[${host}]` : host
  return { url: url ?? `redis://${who === '' ? '' : `${who}@`}${name}:${port}`, ...(prefix !== undefined && { prefix }) }
}

const lifetime = (ttl: number | undefined): { readonly ttlMs?: number } => (ttl === undefined ? {} : { ttlMs: ttl * 1_000 })

const isMap = (entries: ReadonlyMap<string, unknown> | Readonly<Record<string, unknown>>): entries is ReadonlyMap<string, unknown> =>
  typeof entries.entries === 'function'
