import { afterEach, expect, it } from 'vitest'
import { codeOf } from '../kernel/errors.ts'
import { CacheService } from './cache-service.ts'
import type { InfrastructureConfig } from './infrastructure-config.ts'

const made: CacheService[] = []
const cacheOf = (...args: ConstructorParameters<typeof CacheService>): CacheService => {
  const cache = new CacheService(...args)
  made.push(cache)
  return cache
}
afterEach(async () => {
  await Promise.all(made.splice(0).map((cache) => cache.close()))
})

interface User {
  readonly id: number
  readonly name: string
}

it('does what the brief shows', async () => {
  const config: InfrastructureConfig = {
    cache: { redis: { enabled: false, host: 'localhost', port: 6379, ttl: 3600 }, memory: { enabled: true, maxSize: 10000, ttl: 3600 } },
  }
  const cache = cacheOf(config.cache)
  await cache.set('user:123', { id: 123, name: 'John' }, 3600)
  const user = await cache.get<User>('user:123')
  expect(user).toEqual({ id: 123, name: 'John' })
  const entries = new Map([
    ['key1', 'value1'],
    ['key2', 'value2'],
    ['key3', 'value3'],
  ])
  await cache.mset(entries, 3600)
  expect(await cache.mget(['key1', 'key2', 'key3', 'key4'])).toEqual(entries)
  expect(cache.getStats()).toMatchObject({ hits: 4, misses: 1, hitRate: 80, keys: 4 })
  expect([await cache.delete('key1'), await cache.delete('key1'), await cache.has('key1')]).toEqual([true, false, false])
  await cache.clear()
  expect(await cache.get('key2')).toBeUndefined()
})

it('takes an object for many, makes what is missing once, and forgets by tag', async () => {
  const cache = cacheOf()
  await cache.mset({ a: 1, b: 2 })
  expect(await cache.get('b')).toBe(2)
  let calls = 0
  const make = (): number => ++calls
  expect(await Promise.all([1, 2, 3].map(() => cache.getOrSet('c', make, 60, { tags: ['t'] })))).toEqual([1, 1, 1])
  await cache.invalidateTags('t')
  expect(await cache.getOrSet('c', make, 60)).toBe(2)
})

it('goes by memory while Redis does not answer', async () => {
  const cache = cacheOf({ redis: { host: '127.0.0.1', port: 1, password: 'p@ss' } })
  await cache.set('a', 1, 60)
  expect([await cache.get('a'), await cache.get('b')]).toEqual([1, undefined])
  expect(cache.getStats().misses).toBe(0)
  expect(cache.getStats().remoteErrors).toBeGreaterThan(0)
})

it('refuses what cannot be', async () => {
  const thrown = (action: () => unknown): string | undefined => {
    try {
      action()
    } catch (error) {
      return codeOf(error)
    }
    return undefined
  }
  expect(thrown(() => new CacheService({ memory: { enabled: false } }))).toBe('invalid_option')
  expect(thrown(() => new CacheService({ memory: { ttl: -1 } }))).toBe('invalid_option')
  await expect(cacheOf().set('a', 1, 0)).rejects.toMatchObject({ code: 'invalid_option' })
})
