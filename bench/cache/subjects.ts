/** What is measured: the same question put to each of them. */
import { BentoCache, bentostore } from 'bentocache'
import { memoryDriver } from 'bentocache/drivers/memory'
import { createCache as createManager } from 'cache-manager'
import { LRUCache } from 'lru-cache'
import { createCache, type Cache } from '../../src/cache/index.ts'

export interface Subject {
  readonly name: string
  /** One that is much slower does it so much less often. */
  readonly share?: number
  /** Does it so many times. */
  run(times: number): Promise<void> | void
}

export interface Question {
  readonly what: string
  /** How many times each of them does it in a round. */
  readonly times: number
  /** The first is the one that the others are compared with. */
  readonly subjects: readonly Subject[]
  /** What ours should reach, beside each of the others that it is said of: at least so many times their speed. */
  readonly target?: { readonly of: string; readonly least: number; readonly own?: string }
}

export const ours = 'holdfast'
const unawaited = `${ours}, not waited for`

const ttlMs = 3_600_000
const keys = Array.from({ length: 1_000 }, (_, i) => `user:${i}`)
const keyOf = (i: number): string => keys[i % keys.length] ?? ''
const value = { id: 1, name: 'Ada', roles: ['admin', 'staff'] }
const make = (): typeof value => value
const makeLater = async (): Promise<typeof value> => {
  await new Promise((resolve) => setImmediate(resolve))
  return value
}

interface Peers {
  readonly cache: Cache
  readonly bento: ReturnType<typeof bentoCache>
  readonly manager: ReturnType<typeof createManager>
  readonly lru: LRUCache<string, object>
}

const bentoCache = () =>
  new BentoCache({ default: 'memory', stores: { memory: bentostore().useL1Layer(memoryDriver({ maxItems: 10_000, serialize: false })) } })

/** Filled with the same values. */
async function filled(): Promise<Peers> {
  const lru = new LRUCache<string, object>({ max: 10_000, ttl: ttlMs })
  const [cache, bento, manager] = [createCache({ ttlMs }), bentoCache(), createManager({ ttl: ttlMs })]
  for (const key of keys) {
    lru.set(key, value)
    await Promise.all([cache.set(key, value), bento.set({ key, value, ttl: ttlMs }), manager.set(key, value)])
  }
  return { cache, bento, manager, lru }
}

/** One after the other, as a program waits for what it needs. */
const each = (name: string, call: (i: number) => unknown, share = 1): Subject => ({
  name,
  share,
  run: async (times) => {
    for (let i = 0; i < times; i++) await call(i)
  },
})

const [bentoName, managerName] = ['bentocache 1.6.1', 'cache-manager 7.2.9']

export async function questions(): Promise<Question[]> {
  const { cache, bento, manager, lru } = await filled()
  const rawGet: Subject = {
    name: 'lru-cache 11.5.3, not waited for',
    run: (times) => {
      for (let i = 0; i < times; i++) if (lru.get(keyOf(i)) === undefined) throw new Error('it is gone')
    },
  }
  return [
    {
      what: 'get, a hit',
      times: 1_000_000,
      target: { of: rawGet.name, least: 0.5, own: unawaited },
      subjects: [
        each(ours, (i) => cache.get(keyOf(i))),
        {
          name: unawaited,
          run: (times) => {
            for (let i = 0; i < times; i++) void cache.get(keyOf(i))
          },
        },
        rawGet,
        each('lru-cache 11.5.3, waited for', (i) => lru.get(keyOf(i))),
        each(bentoName, (i) => bento.get({ key: keyOf(i) }), 0.05),
        each(managerName, (i) => manager.get(keyOf(i)), 0.3),
      ],
    },
    {
      what: 'getOrSet, a hit',
      times: 100_000,
      target: { of: '', least: 1 },
      subjects: [
        each(ours, (i) => cache.getOrSet(keyOf(i), make)),
        each(bentoName, (i) => bento.getOrSet({ key: keyOf(i), factory: make, ttl: ttlMs }), 0.2),
        each(managerName, (i) => manager.wrap(keyOf(i), make, ttlMs)),
      ],
    },
    {
      what: 'getOrSet, a miss',
      times: 20_000,
      subjects: [
        each(ours, (i) => cache.getOrSet(`miss:${i % 5_000}:${missOf(i)}`, make)),
        each(bentoName, (i) => bento.getOrSet({ key: `miss:${i % 5_000}:${missOf(i)}`, factory: make, ttl: ttlMs })),
        each(managerName, (i) => manager.wrap(`miss:${i % 5_000}:${missOf(i)}`, make, ttlMs)),
      ],
    },
    {
      what: 'set',
      times: 50_000,
      subjects: [
        each(ours, (i) => cache.set(keyOf(i), value)),
        each(bentoName, (i) => bento.set({ key: keyOf(i), value, ttl: ttlMs })),
        each(managerName, (i) => manager.set(keyOf(i), value)),
      ],
    },
    {
      what: 'set with two tags, get, and one tag invalidated',
      times: 10_000,
      subjects: [
        each(ours, async (i) => {
          const tag = `group:${i % 100}`
          await cache.set(keyOf(i), value, { tags: [tag, 'users'] })
          await cache.get(keyOf(i))
          await cache.invalidateTags(tag)
        }),
        each(bentoName, async (i) => {
          const tag = `group:${i % 100}`
          await bento.set({ key: keyOf(i), value, ttl: ttlMs, tags: [tag, 'users'] })
          await bento.get({ key: keyOf(i) })
          await bento.deleteByTag({ tags: [tag] })
        }),
      ],
    },
    {
      what: 'getOrSet, 1,000 callers who miss the same key',
      times: 100,
      subjects: [
        each(ours, (i) => together(i, (key) => cache.getOrSet(key, makeLater))),
        each(bentoName, (i) => together(i, (key) => bento.getOrSet({ key, factory: makeLater, ttl: ttlMs }))),
        each(managerName, (i) => together(i, (key) => manager.wrap(key, makeLater, ttlMs))),
      ],
    },
  ]
}

/** A thousand at a time, of the same key. */
async function together(i: number, call: (key: string) => Promise<unknown>): Promise<void> {
  const key = `all:${missOf(i)}`
  await Promise.all(keys.map(() => call(key)))
}

let misses = 0
/** Never the same. */
const missOf = (i: number): string => `${i}:${misses++}`
