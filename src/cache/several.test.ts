/** Several caches over one far layer, in virtual time and by chance: what was changed and acknowledged is never given again as it was before. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ms, sleep, type Clock } from '../kernel/time.ts'
import { VirtualClock } from '../kernel/testing/virtual-clock.ts'
import { Cache, type CacheOptions } from './cache.ts'
import type { Far, FarEntry, FarListener, FarReading, Lease } from './ports.ts'

/** What a message may need, and what a loss may go unnoticed for. */
const [busMs, lossNoticedMs] = [20, 60]

interface Shared {
  readonly entries: Map<string, FarEntry & { readonly endsAt: number }>
  readonly changed: Map<string, number>
  readonly tags: Map<string, number>
  readonly leases: Map<string, string>
  readonly members: Member[]
  readonly chance: () => number
  readonly clock: Clock
  /** Whether messages are lost. */
  lossy: boolean
  time: number
  all: number
}

/** As Redis is: every call takes its time on the way there and back, and happens at once in between. */
class Member implements Far {
  readonly #shared: Shared
  #listener: FarListener | undefined
  #lost = false
  up = true

  constructor(shared: Shared) {
    this.#shared = shared
    shared.members.push(this)
  }

  listen(listener: FarListener): void {
    this.#listener = listener
  }

  async #call<T>(happens: () => T): Promise<T> {
    const { clock, chance } = this.#shared
    await sleep(clock, ms(1 + chance() * 10))
    const result = happens()
    await sleep(clock, ms(1 + chance() * 10))
    return result
  }

  /** In order, as one connection keeps it. */
  #told: Promise<void> = Promise.resolve()

  #tell(what: (listener: FarListener) => void): void {
    const { clock, chance } = this.#shared
    for (const member of this.#shared.members) {
      if (member === this) continue
      if (this.#shared.lossy && chance() < 0.3) member.loses()
      else if (!member.#lost) {
        const late = sleep(clock, ms(chance() * busMs))
        member.#told = Promise.all([member.#told, late]).then(() => {
          if (member.#listener !== undefined) what(member.#listener)
        })
      }
    }
  }

  loses(): void {
    if (this.#lost) return
    this.#lost = true
    void sleep(this.#shared.clock, ms(this.#shared.chance() * lossNoticedMs)).then(() => {
      this.#lost = false
      this.#listener?.missed()
    })
  }

  read(key: string): Promise<FarReading> {
    return this.#call(() => {
      const { entries, time, clock } = this.#shared
      const entry = entries.get(key)
      if (entry === undefined || entry.endsAt <= clock.now()) return { kind: 'miss', mark: time }
      return { kind: 'hit', mark: time, entry: { ...entry, hardInMs: entry.endsAt - clock.now(), softInMs: entry.endsAt - clock.now() } }
    })
  }

  write(key: string, entry: FarEntry): Promise<'stored' | 'fenced'> {
    return this.#call(() => {
      if ((this.#shared.changed.get(key) ?? 0) > entry.mark) return 'fenced'
      this.#shared.entries.set(key, { ...entry, endsAt: this.#shared.clock.now() + entry.hardInMs })
      this.#tell((listener) => listener.keysChanged([key], entry.mark))
      return 'stored'
    })
  }

  async put(key: string, entry: Omit<FarEntry, 'mark'>): Promise<number> {
    const at = await this.#call(() => ++this.#shared.time)
    return await this.#call(() => {
      if ((this.#shared.changed.get(key) ?? 0) > at) return at
      this.#shared.changed.set(key, at)
      this.#shared.entries.set(key, { ...entry, mark: at, endsAt: this.#shared.clock.now() + entry.hardInMs })
      this.#tell((listener) => listener.keysChanged([key], at))
      return at
    })
  }

  async remove([key = '']: readonly string[]): Promise<{ count: number; at: number }> {
    const at = await this.#call(() => ++this.#shared.time)
    return await this.#call(() => {
      if ((this.#shared.changed.get(key) ?? 0) < at) this.#shared.changed.set(key, at)
      const count = this.#shared.entries.delete(key) ? 1 : 0
      this.#tell((listener) => listener.keysChanged([key], at))
      return { count, at }
    })
  }

  async invalidate(tags: readonly string[]): Promise<number> {
    const at = await this.#call(() => ++this.#shared.time)
    return await this.#call(() => {
      for (const tag of tags) this.#shared.tags.set(tag, Math.max(at, this.#shared.tags.get(tag) ?? 0))
      this.#tell((listener) => listener.tagsInvalidated(tags, at))
      return at
    })
  }

  async clear(): Promise<number> {
    const at = await this.#call(() => ++this.#shared.time)
    return await this.#call(() => {
      this.#shared.all = Math.max(at, this.#shared.all)
      this.#tell((listener) => listener.allInvalidated(at))
      return at
    })
  }

  lastInvalidations(tags: readonly string[]): Promise<{ all: number; tags: number[] }> {
    return this.#call(() => ({ all: this.#shared.all, tags: tags.map((tag) => this.#shared.tags.get(tag) ?? 0) }))
  }

  lease(key: string, insteadOf?: string): Promise<Lease | { takenBy: string }> {
    const token = `${this.#shared.chance()}`
    return this.#call(() => {
      const holder = this.#shared.leases.get(key)
      if (holder !== undefined && holder !== insteadOf) return { takenBy: holder }
      this.#shared.leases.set(key, token)
      const release = (): void => void this.#call(() => this.#shared.leases.get(key) === token && this.#shared.leases.delete(key))
      return { release }
    })
  }

  deafen(): void {
    this.up = false
    this.#listener?.deaf?.()
  }

  async close(): Promise<void> {
    // It ends with the test.
  }
}

/** A small generator of its own: fast-check is asked for the seed alone, so that a run can be told again. */
function dice(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

const keys = ['a', 'b', 'c']

/** Versions as the truth has them, and since when whoever asks may no longer be given an older one. */
class Truth {
  readonly #versions = new Map(keys.map((key) => [key, 0]))
  readonly #acknowledged: { readonly key: string; readonly version: number; readonly at: number; readonly by: number }[] = []

  read = (key: string): number => this.#versions.get(key) ?? 0

  change(key: string): number {
    const version = this.read(key) + 1
    this.#versions.set(key, version)
    return version
  }

  acknowledge(key: string, version: number, at: number, by: number): void {
    this.#acknowledged.push({ key, version, at, by })
  }

  /** The oldest version that a caller of cache `who` may be given who asks at `now`. */
  least(key: string, now: number, who: number, toleratedMs: number): number {
    return this.#acknowledged
      .filter((each) => each.key === key && each.at <= now - (each.by === who ? 0 : toleratedMs))
      .reduce((least, { version }) => Math.max(least, version), 0)
  }
}

const share = (clock: Clock, chance: () => number, lossy = false): Shared => ({
  entries: new Map(),
  changed: new Map(),
  tags: new Map(),
  leases: new Map(),
  members: [],
  chance,
  clock,
  lossy,
  time: 0,
  all: 0,
})

async function history(seed: number, lossy: boolean): Promise<string[]> {
  const clock = new VirtualClock()
  const chance = dice(seed)
  const shared = share(clock, chance, lossy)
  const caches = [0, 1, 2].map(() => new Cache({ clock, random: { next: chance }, ttlMs: 400, graceMs: 400, far: new Member(shared) }))
  const truth = new Truth()
  const wrong: string[] = []
  const tolerated = busMs + (lossy ? lossNoticedMs : 0)
  const pause = (most: number): Promise<void> => sleep(clock, ms(chance() * most))

  const read = async (cache: Cache, who: number): Promise<void> => {
    const key = keys[Math.floor(chance() * keys.length)] ?? ''
    const askedAt = clock.now()
    const least = truth.least(key, askedAt, who, tolerated)
    const make = async (): Promise<number> => {
      await pause(5)
      const version = truth.read(key)
      await pause(60)
      return version
    }
    const value = await (chance() < 0.2 ? cache.get<number>(key) : cache.getOrSet(key, make, { tags: [`t:${key}`] }))
    if (value !== undefined && value < least) wrong.push(`at ${askedAt} cache ${who} was asked for ${key}: ${value}, known to be ${least}`)
  }
  /** Each key is changed by one cache only: the order of two who change the same one is theirs. */
  const change = async (cache: Cache, who: number): Promise<void> => {
    const key = keys[who] ?? ''
    const version = truth.change(key)
    const way = chance()
    if (way < 0.35) await cache.delete(key)
    else if (way < 0.6) await cache.set(key, version, { tags: [`t:${key}`] })
    else if (way < 0.9) await cache.invalidateTags(`t:${key}`)
    else await cache.clear()
    truth.acknowledge(key, version, clock.now(), who)
  }
  const readers = caches.flatMap((cache, who) =>
    [0, 1, 2].map(async () => {
      for (let i = 0; i < 25; i++) {
        await pause(60)
        await read(cache, who)
      }
    }),
  )
  const changers = caches.map(async (cache, who) => {
    for (let i = 0; i < 8; i++) {
      await pause(200)
      await change(cache, who)
    }
  })
  const all = Promise.all([...readers, ...changers])
  while (await clock.advanceToNext());
  await all
  return wrong
}

describe('several caches', () => {
  it.each([
    ['hears of in time', false],
    ['may miss', true],
  ])('give nothing older than a change that each %s', async (_what, lossy) => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 2 ** 31 }), async (seed) => {
        expect(await history(seed, lossy)).toEqual([])
      }),
      { numRuns: 40 },
    )
  })
})

describe('one of several caches', () => {
  const bench = (options: CacheOptions = {}) => {
    const clock = new VirtualClock()
    const shared = share(clock, () => 0.5)
    const cache = (): Cache => new Cache({ clock, random: { next: () => 0.5 }, far: new Member(shared), ...options })
    const far = new Member(shared)
    return { clock, shared, cache, far }
  }

  it('takes over from one that makes a value and does not come to an end, and no other does', async () => {
    const { clock, shared, cache } = bench()
    shared.leases.set('k', 'of one that died')
    let calls = 0
    const given = Promise.all([cache(), cache(), cache()].map((each) => each.getOrSet('k', () => ++calls)))
    await clock.advance(ms(1_900))
    expect(calls).toBe(0)
    await clock.advance(ms(1_000))
    expect(await given).toEqual([1, 1, 1])
  })

  it('has time left for the making when its callers are less patient than that', async () => {
    const { clock, shared, cache } = bench({ hardTimeoutMs: 400 })
    shared.leases.set('k', 'of one that died')
    const given = cache().getOrSet('k', () => 'made')
    await clock.advance(ms(390))
    expect(await given).toBe('made')
  })

  it('makes anew what a version of the program has stored that knew less tags', async () => {
    const { clock, cache } = bench({ graceMs: 0 })
    const stored = cache().set('k', 'old', { tags: ['a'] })
    await clock.advance(ms(100))
    await stored
    for (const [tags, expected] of [
      [['a'], 'old'],
      [() => ['a', 'b'], 'new'],
    ] as const) {
      const given = cache().getOrSet('k', () => 'new', { tags })
      await clock.advance(ms(200))
      expect(await given).toBe(expected)
    }
  })

  it('gives nothing as fresh for more than 10 s from when it is deaf', async () => {
    const { clock, shared, cache } = bench({ ttlMs: 60_000 })
    const one = cache()
    const stored = one.set('k', 'v')
    await clock.advance(ms(100))
    await stored
    const member = shared.members.at(-1)
    member?.deafen()
    await clock.advance(ms(9_900))
    expect(one.peek('k')).toBe('v')
    await clock.advance(ms(200))
    expect(one.peek('k')).toBeUndefined()
  })
})
