/**
 * Several caches that share a Redis, used by many at once, and what they were given, to be held against the truth afterwards.
 *
 * The truth is a number for each key that only grows. Each key is changed by one of the caches, by all ways there are; and whoever asks is noted with what
 * he was given. Wrong is what is older than a change that was acknowledged before he asked: at once for who made it; for the others after `toldMs`, while
 * all hear of changes; and while some do not, after `deafMs`.
 */
import { createCache, type Cache, type CacheStats } from '../../src/cache/index.ts'
import type { RedisFarOptions } from '../../src/cache/types.ts'
import { pause } from './balancer-harness.ts'

/** What is said: a message is there at once (and the machine of a test is busy); deafness is noticed within 1.25 s, and from then on nothing is fresh for more than 10 s. */
const [toldMs, noticedMs, deafMs, settledMs] = [300, 1_600, 12_000, 1_000]
export const hardTimeoutMs = 2_000

interface Read {
  readonly key: string
  readonly who: number
  readonly askedAt: number
  readonly value: number
}

interface Change {
  readonly key: string
  readonly who: number
  readonly version: number
  readonly acknowledgedAt: number
}

export interface History {
  readonly reads: number
  readonly changes: number
  readonly failed: number
  /** Reads that were given something older than they may be. */
  readonly wrong: readonly string[]
  readonly slowestMs: number
  /** The longest that somebody was given something old. */
  readonly oldestMs: number
  readonly stats: readonly CacheStats[]
}

export interface Load {
  readonly caches?: number
  readonly keys?: number
  readonly readers?: number
  readonly ttlMs?: number
}

export class CacheHistory {
  readonly caches: Cache[]
  readonly #keys: readonly string[]
  readonly #versions = new Map<string, number>()
  readonly #reads: Read[] = []
  readonly #changes: Change[] = []
  /** For each cache: up, or not, since when. */
  readonly #states: { readonly up: boolean; readonly at: number }[][]
  readonly #work: Promise<void>[] = []
  #failed = 0
  #slowestMs = 0
  #over = false

  constructor(redis: (who: number) => RedisFarOptions, { caches = 3, keys = 30, readers = 8, ttlMs = 60_000 }: Load = {}) {
    this.#keys = Array.from({ length: keys }, (_, i) => `key ${i}`)
    this.#states = Array.from({ length: caches }, () => [])
    this.caches = this.#states.map((states, who) => {
      const onChange = (up: boolean): void => void states.push({ up, at: performance.now() })
      return createCache({ ttlMs, graceMs: 0, negativeTtlMs: 0, hardTimeoutMs, redis: { ...redis(who), onChange } })
    })
    this.caches.forEach((cache, who) => {
      this.#work.push(this.#changer(cache, who), ...Array.from({ length: readers }, () => this.#reader(cache, who)))
    })
  }

  /** All of them, and for how long at least. */
  up(sinceMs = 0): boolean {
    const now = performance.now()
    return this.#states.every((states) => {
      const last = states.at(-1)
      return last?.up === true && now - last.at >= sinceMs
    })
  }

  get downs(): number {
    return this.#states.flat().filter(({ up }) => !up).length
  }

  get factoryCalls(): number {
    return this.caches.reduce((sum, cache) => sum + cache.stats().factoryCalls, 0)
  }

  async #timed<T>(call: () => Promise<T>): Promise<T | undefined> {
    const began = performance.now()
    try {
      return await call()
    } catch {
      this.#failed++
      return undefined
    } finally {
      this.#slowestMs = Math.max(this.#slowestMs, performance.now() - began)
    }
  }

  async #reader(cache: Cache, who: number): Promise<void> {
    while (!this.#over) {
      await pause(Math.random() * 20)
      const key = this.#keys[Math.floor(Math.random() * this.#keys.length)] ?? ''
      const askedAt = performance.now()
      const make = async (): Promise<number> => {
        const version = this.#versions.get(key) ?? 0
        await pause(Math.random() * 20)
        return version
      }
      const value = await this.#timed(() => cache.getOrSet(key, make, { tags: [`t:${key}`] }))
      if (value !== undefined) this.#reads.push({ key, who, askedAt, value })
    }
  }

  async #changer(cache: Cache, who: number): Promise<void> {
    const own = this.#keys.filter((_, i) => i % this.#states.length === who)
    while (!this.#over) {
      await pause(Math.random() * 60)
      const key = own[Math.floor(Math.random() * own.length)] ?? ''
      const version = (this.#versions.get(key) ?? 0) + 1
      this.#versions.set(key, version)
      const way = Math.random()
      await this.#timed(async () => {
        if (way < 0.4) await cache.delete(key)
        else if (way < 0.7) await cache.set(key, version, { tags: [`t:${key}`] })
        else await cache.invalidateTags(`t:${key}`)
        return true
      })
      this.#changes.push({ key, who, version, acknowledgedAt: performance.now() })
    }
  }

  async end(): Promise<History> {
    this.#over = true
    await Promise.all(this.#work)
    await Promise.all(this.caches.map((cache) => cache.close()))
    const judged = this.#judge()
    const stats = this.caches.map((cache) => cache.stats())
    return { reads: this.#reads.length, changes: this.#changes.length, failed: this.#failed, slowestMs: this.#slowestMs, stats, ...judged }
  }

  /** From when to when one of them did not hear, as far as it could know, and a while more on either side. */
  #disturbed(): { readonly from: number; readonly to: number }[] {
    return this.#states.flatMap((states) => [
      { from: -Infinity, to: (states.find(({ up }) => up)?.at ?? Infinity) + settledMs },
      ...states.flatMap(({ up, at }, i) => (up ? [] : [{ from: at - noticedMs, to: (states[i + 1]?.at ?? Infinity) + settledMs }])),
    ])
  }

  #judge(): { wrong: string[]; oldestMs: number } {
    const disturbed = this.#disturbed()
    const wrong: string[] = []
    let oldestMs = 0
    for (const { key, who, askedAt, value } of this.#reads) {
      const deaf = disturbed.some(({ from, to }) => askedAt >= from && askedAt <= to)
      for (const change of this.#changes) {
        if (change.key !== key || change.version <= value) continue
        const old = askedAt - change.acknowledgedAt
        oldestMs = Math.max(oldestMs, old)
        if (old > (change.who === who ? 0 : deaf ? deafMs : toldMs)) {
          const since = disturbed.map(({ to }) => askedAt - to).filter((ago) => ago > 0)
          wrong.push(
            `cache ${who} gave ${key} = ${value} ${old.toFixed(0)} ms after cache ${change.who} had changed it to ${change.version}, ${deaf ? 'deaf' : `${Math.min(...since).toFixed(0)} ms after the last disturbance`}`,
          )
          break
        }
      }
    }
    return { wrong, oldestMs }
  }
}
