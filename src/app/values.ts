/**
 * The values of `holdfast cache` and `/cache/keys`: the library's cache, in the control process. They end with it, unless there is a Redis; with one they
 * are those of every program that uses `holdfast/cache` with the same prefix.
 */
import { deafTtlMs } from '../cache/core/options.ts'
import { createCache, type Cache, type CacheStats } from '../cache/index.ts'
import type { CacheRedisView } from '../balancer/core/cache-view.ts'
import type { CacheConfig } from '../config/types.ts'
import { HoldfastError } from '../kernel/errors.ts'
import type { EventSink } from '../kernel/events.ts'
import type { RedisLayer, StoredValue, ValueOptions } from './cache-operations.ts'

/** While changes of others cannot be heard, nothing is kept for longer. */
const deafSeconds = deafTtlMs / 1_000

export class Values {
  readonly #config: CacheConfig
  readonly #events: EventSink
  #cache: Cache | undefined
  #redis: RedisLayer | undefined

  constructor(config: CacheConfig, events: EventSink) {
    this.#config = config
    this.#events = events
  }

  /** Begins to connect to Redis, if there is one; nobody waits for it. */
  start(redis: CacheRedisView | undefined): void {
    const { memory, redis: settings } = this.#config
    this.#redis = redis && { up: false, reason: undefined }
    this.#cache = createCache({
      memory: { maxEntries: memory.maxEntries, maxBytes: memory.maxBytes },
      ttlMs: settings?.ttl ?? memory.ttl,
      // What nobody can make anew is of no use when it is stale.
      graceMs: 0,
      ...(redis && { redis: { ...redis, onChange: (up, reason) => this.#onRedis(up, reason) } }),
    })
  }

  async stop(): Promise<void> {
    await this.#cache?.close()
  }

  get maxBytes(): number {
    return this.#config.memory.maxBytes
  }

  get redis(): RedisLayer | undefined {
    return this.#redis
  }

  get stats(): CacheStats {
    return this.#running.stats()
  }

  get #running(): Cache {
    if (this.#cache) return this.#cache
    throw new HoldfastError('unavailable', 'tried to use the cache before holdfast has started')
  }

  async get(key: string): Promise<unknown> {
    const value = await this.#running.get(key)
    if (value !== undefined) return value
    // No answer is no miss.
    if (this.#redis?.up === false) {
      throw new HoldfastError('unavailable', `looked for ${JSON.stringify(key)} in the cache: it is not in memory, and Redis does not answer`, {
        hint: 'see: holdfast cache stats',
        details: { key },
      })
    }
    throw unknownKey(key)
  }

  async set(key: string, value: unknown, { ttl, tags = [] }: ValueOptions): Promise<StoredValue> {
    const cache = this.#running
    await cache.set(key, value, { ...(ttl !== undefined && { ttlMs: ttl * 1_000 }), tags })
    const layers = [...(cache.peek(key) === undefined ? [] : (['memory'] as const)), ...(this.#redis?.up === true ? (['redis'] as const) : [])]
    if (layers.length === 0) {
      throw new HoldfastError(
        'value_too_large',
        `the value of ${JSON.stringify(key)} is larger than a quarter of cache.memory.maxBytes, and is not kept`,
        {
          hint: 'give cache.memory.maxBytes more, or keep less under one key',
        },
      )
    }
    const wanted = ttl ?? (this.#config.redis?.ttl ?? this.#config.memory.ttl) / 1_000
    return { key, ttl: this.#redis?.up === false ? Math.min(wanted, deafSeconds) : wanted, tags, layers }
  }

  async delete(key: string): Promise<void> {
    const found = await this.#running.delete(key)
    // Without Redis nobody knows whether there was something; it is deleted there when it is back.
    if (!found && this.#redis?.up !== false) throw unknownKey(key)
  }

  clear(): Promise<void> {
    return this.#running.clear()
  }

  invalidateTags(tags: readonly string[]): Promise<void> {
    return this.#running.invalidateTags(...tags)
  }

  #onRedis(up: boolean, reason: string | undefined): void {
    const before = this.#redis
    this.#redis = { up, reason }
    announceRedis(this.#events, 'values', before, this.#redis)
  }
}

const meanwhile = {
  values: 'values are kept in memory only, and not for long',
  responses: 'responses are kept by each machine for itself, which does not hear of the purges of others',
} as const

/** One line for each change; that it is there at the beginning is none. */
export function announceRedis(events: EventSink, layer: 'values' | 'responses', before: RedisLayer | undefined, now: RedisLayer): void {
  const { up, reason = '' } = now
  if (up ? before?.reason === undefined : reason === '' || before?.reason !== undefined) return
  if (up) {
    events.emit('cache.redisBack', { message: `the Redis of cache.redis answers: ${layer} are shared`, data: { layer } })
    return
  }
  events.emit('cache.redisLost', {
    message: `the Redis of cache.redis does not answer: ${reason}; ${meanwhile[layer]}`,
    level: 'error',
    data: { layer, reason },
  })
}

const unknownKey = (key: string): HoldfastError =>
  new HoldfastError('unknown_key', `looked for ${JSON.stringify(key)} in the cache, found nothing`, { details: { key } })
