/** `holdfast/cache`: values made once and kept, in memory and, where processes share them, in Redis. */
import { backgroundClock, systemRandom } from '../kernel/system.ts'
import { Cache, type CacheOptions } from './cache.ts'
import { RedisFar } from './redis/far.ts'
import type { RedisFarOptions } from './types.ts'

export { RedisFar } from './redis/far.ts'
export { Cache, type CacheOptions, type Factory, type FactoryContext, type GetOrSetOptions } from './cache.ts'
export type { EntryOptions } from './core/options.ts'
export type { MemoryOptions } from './memory.ts'
export type { CacheStats } from './stats.ts'
export type { RedisFarOptions, RedisOptions } from './types.ts'

export interface CreateCacheOptions extends Omit<CacheOptions, 'far'> {
  /** The layer that processes share. Needs the package `redis`. */
  readonly redis?: RedisFarOptions
}

/** A cache that is ready at once; with `redis` it begins to connect, and goes by memory alone until it has. `close()` ends the connection. */
export function createCache({ redis, ...options }: CreateCacheOptions = {}): Cache {
  if (redis === undefined) return new Cache(options)
  const far = new RedisFar(redis, { clock: options.clock ?? backgroundClock, random: options.random ?? systemRandom })
  const cache = new Cache({ ...options, far })
  far.start()
  return cache
}
