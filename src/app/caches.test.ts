import { describe, expect, it } from 'vitest'
import type { PurgeOrder } from '../balancer/core/cache/purge.ts'
import type { CacheConfig } from '../config/types.ts'
import { codeOf } from '../kernel/errors.ts'
import type { EventInput, EventSink, EventType } from '../kernel/events.ts'
import { ms } from '../kernel/time.ts'
import { Caches } from './caches.ts'
import { announceRedis, Values } from './values.ts'

const config: CacheConfig = {
  memory: { maxEntries: 10, maxBytes: 1_048_576, ttl: ms(60_000) },
  http: { maxBytes: 1_048_576, workerBytes: 1_048_576 },
}

class Sink implements EventSink {
  readonly lines: string[] = []
  emit<T extends EventType>(type: T, { message, data }: EventInput<T>): string {
    this.lines.push(`${type} ${message} ${JSON.stringify(data)}`)
    return 'id'
  }
}

function made() {
  const events = new Sink()
  const orders: PurgeOrder[] = []
  const values = new Values(config, events)
  values.start(undefined)
  const purge = (order: PurgeOrder): Promise<{ entries: number }> => {
    orders.push(order)
    return Promise.resolve({ entries: 2 })
  }
  const proxy = { purge, telemetry: () => undefined }
  return { caches: new Caches({ values, proxy, events, services: () => ['shop'] }), events, orders }
}

const actor = { name: 'alice', address: '' }
const refused = (promise: Promise<unknown>): Promise<string | undefined> => promise.then(() => undefined, codeOf)

describe('values', () => {
  it('are kept, told where, and deleted', async () => {
    const { caches } = made()
    expect(await caches.set('a', { x: 1 }, { ttl: 5, tags: ['t'] })).toEqual({ key: 'a', ttl: 5, tags: ['t'], layers: ['memory'] })
    expect(await caches.set('b', null, {})).toMatchObject({ ttl: 60 })
    expect([await caches.get('a'), await caches.get('b')]).toEqual([{ x: 1 }, null])
    await caches.delete('a')
    expect([await refused(caches.get('a')), await refused(caches.delete('a'))]).toEqual(['unknown_key', 'unknown_key'])
    expect(caches.report()).toMatchObject({
      values: { hits: 2, misses: 1, keys: 1, hitRate: 66.67 },
      maxBytes: 1_048_576,
      redis: undefined,
      responses: undefined,
    })
    expect(caches.report().values.bytes).toBeGreaterThan(0)
  })

  it('one that would take a quarter of the room is refused', async () => {
    const { caches } = made()
    expect(await refused(caches.set('a', 'x'.repeat(300_000), {}))).toBe('value_too_large')
    expect(await refused(caches.get('a'))).toBe('unknown_key')
  })
})

describe('values while Redis does not answer', () => {
  it('what is not in memory is not known, and what is set is not kept for long', async () => {
    const values = new Values(config, new Sink())
    values.start({ url: 'redis://127.0.0.1:1', prefix: 'test:', encryption: [] })
    expect(await values.set('a', 1, { ttl: 60 })).toMatchObject({ ttl: 10, layers: ['memory'] })
    expect(await values.get('a')).toBe(1)
    expect(await refused(values.get('b'))).toBe('unavailable')
    await values.delete('b')
    expect(values.stats.misses).toBe(0)
    await values.stop()
  })
})

describe('purging', () => {
  it('by tag takes values and answers; softly, answers alone', async () => {
    const { caches, orders, events } = made()
    await caches.set('a', 1, { tags: ['product:7'] })
    expect(await caches.purge({ by: 'tag', tags: ['product:7'], soft: true }, { actor })).toEqual({ responses: 2 })
    expect(await caches.get('a')).toBe(1)
    await caches.purge({ by: 'tag', tags: ['product:7'] }, { actor })
    expect(await refused(caches.get('a'))).toBe('unknown_key')
    expect(orders).toEqual([
      { by: 'tag', tags: ['product:7'], soft: true },
      { by: 'tag', tags: ['product:7'] },
    ])
    expect(events.lines).toEqual([
      'cache.purged alice made stale what the cache holds with the tag product:7 {"by":"tag","soft":true,"tags":["product:7"],"responses":2,"actor":"alice"}',
      'cache.purged alice purged what the cache holds with the tag product:7 {"by":"tag","soft":false,"tags":["product:7"],"responses":2,"actor":"alice"}',
    ])
  })

  it('of a service that is not there is refused', async () => {
    const { caches, orders } = made()
    await caches.purge({ by: 'release', release: 'v1', service: 'shop' }, { actor })
    expect(await refused(caches.purge({ by: 'service', service: 'shpo' }, { actor }))).toBe('unknown_service')
    expect(orders).toHaveLength(1)
  })

  it('clearing takes everything', async () => {
    const { caches, orders } = made()
    await caches.set('a', 1, {})
    await caches.clear({ actor })
    expect(await refused(caches.get('a'))).toBe('unknown_key')
    expect(orders).toEqual([{ by: 'all' }])
  })
})

describe('news of Redis', () => {
  it('come once for each change, and not when it is there at the beginning', () => {
    const events = new Sink()
    const [unknown, away, here] = [
      { up: false, reason: undefined },
      { up: false, reason: 'no' },
      { up: true, reason: undefined },
    ]
    const history = [unknown, here, here, away, away, { up: false, reason: 'other' }, here]
    history.forEach((now, i) => announceRedis(events, 'values', history[i - 1], now))
    expect(events.lines.map((line) => line.split(' ', 1)[0])).toEqual(['cache.redisLost', 'cache.redisBack'])
  })
})
