/**
 * The cache's face, before there is a cache: programs that name it load and construct it, and are told plainly when they use it. An answer
 * that is always "not cached" would look like a cache that works.
 */
import { HoldfastError } from '../kernel/errors.ts'
import type { CacheOptions } from './infrastructure-config.ts'

const notYet = (what: string): HoldfastError =>
  new HoldfastError('not_available', `tried to ${what}: the cache is not available yet, it comes with a later release`, {
    hint: 'keep what must be cached in the program until then',
  })

/** Every method rejects (or throws) with `not_available`. */
export class CacheService {
  readonly options: CacheOptions

  constructor(options: CacheOptions = {}) {
    this.options = options
  }

  async get<T = unknown>(key: string): Promise<T | undefined> {
    throw notYet(`get ${JSON.stringify(key)}`)
  }

  async set(key: string, _value: unknown, _ttl?: number): Promise<void> {
    throw notYet(`set ${JSON.stringify(key)}`)
  }

  async delete(key: string): Promise<boolean> {
    throw notYet(`delete ${JSON.stringify(key)}`)
  }

  async clear(): Promise<void> {
    throw notYet('clear the cache')
  }

  async mget<T = unknown>(keys: readonly string[]): Promise<Map<string, T>> {
    throw notYet(`get ${keys.length} keys`)
  }

  async mset(entries: ReadonlyMap<string, unknown>, _ttl?: number): Promise<void> {
    throw notYet(`set ${entries.size} keys`)
  }

  getStats(): { readonly hits: number; readonly misses: number; readonly hitRate: number; readonly keys: number } {
    throw notYet('read the statistics')
  }
}
