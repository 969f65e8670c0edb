/**
 * Move 9: what is kept knows which release made it. A good release fills the cache, a bad one is deployed and fills it too; it is rolled back and what it
 * made is purged by its version: nothing of it is given any more, all else still is, and the assets of either release could be had all the time. Programs
 * and the proxy purge each other's by tag over Redis; and when that is killed, nobody waits for it.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { quantileOf } from '../../bench/lib/statistics.ts'
import { createCache, type Cache } from '../../src/cache/index.ts'
import { until } from '../chaos/wait.ts'
import { hasRedis, Redis } from '../support/databases.ts'
import type { Product, Running } from '../support/product.ts'
import { atLeast, atMost, fact, none, type Figure, type Move, type Scale } from './move.ts'

const prefix = 'move9:'
const command = `${process.execPath} ${new URL('../fixtures/release.mjs', import.meta.url).pathname}`
const instances = 2

export const releaseCache: Move = {
  number: 9,
  name: 'release-cache',
  title: 'a bad release is rolled back, and what it left in the cache is purged',
  async run(product, scale): Promise<readonly Figure[]> {
    const redis = hasRedis() ? await Redis.start() : undefined
    try {
      const shop = new Shop(product, redis?.port, scale)
      const control = await shop.up('v1')
      const figures = [...(await shop.rollBack(control))]
      if (redis === undefined) return [...figures, fact('with programs, and without Redis', 'skipped: redis-server is not installed')]
      return [...figures, ...(await shop.share(redis.port)), ...(await shop.lose(redis))]
    } finally {
      await redis?.end()
    }
  },
}

interface Given {
  readonly status: number
  readonly text: string
  readonly hit: boolean
}

class Shop {
  readonly #product: Product
  readonly #redisPort: number | undefined
  readonly #scale: Scale
  readonly #pages: number
  readonly #assets: number

  constructor(product: Product, redisPort: number | undefined, scale: Scale) {
    this.#product = product
    this.#redisPort = redisPort
    this.#scale = scale
    this.#pages = scale.full ? 2_000 : 60
    this.#assets = scale.full ? 200 : 20
  }

  #configure(release: string): void {
    const shared = this.#redisPort === undefined ? {} : { cache: { redis: { url: `redis://127.0.0.1:${this.#redisPort}`, prefix } } }
    this.#product.configure({ web: { command, instances, version: release, env: { RELEASE: release }, cache: true } }, shared)
  }

  async up(release: string): Promise<Running> {
    this.#configure(release)
    const control = await this.#product.up()
    await this.#product.settled(instances)
    return control
  }

  async #deploy(control: Running, release: string): Promise<void> {
    this.#configure(release)
    control.signal('SIGHUP')
    await until(`${release} serves, and nothing else`, async () => (await this.#get(`/probe/${Math.random()}`)).text === release || undefined)
    await this.#product.settled(instances)
  }

  async #get(path: string): Promise<Given> {
    const { status, text, headers } = await this.#product.get(path)
    return { status, text, hit: headers.get('cache-status')?.startsWith('holdfast; hit') === true }
  }

  #all(kind: string, names: readonly string[]): Promise<Given[]> {
    return inTurns(names, (name) => this.#get(`/${kind}/${name}`))
  }

  /** Again and again, until something else is done. */
  async #while(other: Promise<void>, again: () => Promise<Given[]>): Promise<Given[]> {
    const state = { over: false }
    const ended = other.finally(() => (state.over = true))
    // It is told below.
    ended.catch(() => undefined)
    const all: Given[] = []
    while (!state.over) all.push(...(await again()))
    await ended
    return all
  }

  async rollBack(control: Running): Promise<Figure[]> {
    const range = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, i) => String(from + i))
    const [good, bad] = [range(0, this.#pages / 2), range(this.#pages / 2, this.#pages)]
    const assetsOf = (release: string): string[] => range(0, this.#assets).map((i) => `${release}-${i}.js`)
    await this.#all('pages', good)
    await this.#all('assets', assetsOf('v1'))
    const old = await this.#while(this.#deploy(control, 'v2'), () => this.#all('assets', assetsOf('v1')))
    await this.#all('pages', bad)
    old.push(...(await this.#all('assets', assetsOf('v1'))))
    await this.#all('assets', assetsOf('v2'))
    await this.#deploy(control, 'v1')
    const left = await this.#all('pages', bad)
    await this.#product.must('cache', 'purge', '--release', 'v2')
    const rest = [...(await this.#all('pages', good)), ...(await this.#all('assets', assetsOf('v1')))]
    const after = await this.#all('pages', bad)
    const missing = [...old, ...rest].filter(({ status }) => status === 404).length
    return [
      atLeast('answers of the bad release in the cache before the purge', left.filter(({ text }) => text === 'v2').length, bad.length * 0.95),
      none('answers of the bad release after it', [...after, ...rest].filter(({ text }) => text === 'v2').length),
      atLeast('of the rest still hits, in percent', (100 * rest.filter(({ hit }) => hit).length) / rest.length, 95),
      none(`assets not found, of ${old.length} of the release before, while another is deployed and after`, missing),
      none('other failures', [...old, ...rest, ...after].filter(({ status }) => status !== 200 && status !== 404).length),
    ]
  }

  /** By tag, over Redis, in both directions. */
  async share(port: number): Promise<Figure[]> {
    let up = false
    const cache: Cache = createCache({
      redis: { url: `redis://127.0.0.1:${port}`, prefix, readTimeoutMs: 500, writeTimeoutMs: 1_000, onChange: (state) => (up = state) },
    })
    try {
      await until('the program is connected', () => up || undefined)
      await this.#get('/pages/1')
      const before = await this.#get('/pages/1')
      await cache.invalidateTags('page:1')
      const purged = await within(2_000, async () => !(await this.#get('/pages/1')).hit)
      await cache.set('product', 'kept', { tags: ['page:2'] })
      await this.#product.must('cache', 'purge', '--tag', 'page:2')
      const gone = await within(2_000, async () => (await cache.get('product')) === undefined)
      return [
        none('answers that were no hit before a program purged their tag', before.hit ? 0 : 1),
        none('answers still there after a program purged their tag', purged ? 0 : 1),
        none('values of a program still there after an operator purged their tag', gone ? 0 : 1),
      ]
    } finally {
      await cache.close()
    }
  }

  /** Hits go on as before, and what is not in the cache is not kept waiting. */
  async lose(redis: Redis): Promise<Figure[]> {
    const paths = Array.from({ length: 20 }, (_, i) => `/pages/${i}`)
    for (const path of [...paths, ...paths, ...paths]) await this.#get(path)
    const rounds = this.#scale.full ? 40 : 6
    const before = await this.#times(paths, rounds)
    await redis.kill()
    const after = await this.#times(paths, rounds)
    const misses = await this.#times(
      Array.from({ length: 50 }, (_, i) => `/pages/lost-${i}`),
      1,
    )
    // The best tenth of the rounds is what is left of a busy machine.
    const ratio = quantileOf(after, 0.1) / quantileOf(before, 0.1)
    const p99 = 'p99 of hits without Redis, in percent of before'
    return [
      this.#scale.full ? atMost(p99, ratio * 100, 110, '%') : fact(p99, `${(ratio * 100).toFixed(0)} %`),
      atMost('slowest round of misses without Redis', Math.max(...misses), 1_000, 'ms'),
    ]
  }

  /** 99th percentiles, in milliseconds, one of each round. */
  async #times(paths: readonly string[], rounds: number): Promise<number[]> {
    const found: number[] = []
    for (let round = 0; round < rounds && !this.#scale.signal.aborted; round++) {
      const times = await inTurns(
        Array.from({ length: 200 }, (_, i) => paths[i % paths.length] ?? ''),
        async (path) => {
          const began = performance.now()
          const { status } = await this.#get(path)
          if (status !== 200) throw new Error(`${path} was answered ${status}`)
          return performance.now() - began
        },
      )
      found.push(quantileOf(times, 0.99))
    }
    return found
  }
}

/** Four at a time. */
async function inTurns<T, R>(all: readonly T[], work: (each: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  for (let i = 0; i < all.length; i += 4) results.push(...(await Promise.all(all.slice(i, i + 4).map(work))))
  return results
}

async function within(mostMs: number, holds: () => Promise<boolean>): Promise<boolean> {
  for (let waited = 0; waited <= mostMs; waited += 50) {
    if (await holds()) return true
    await sleep(50)
  }
  return false
}
