import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ms, seconds, sleep } from '../kernel/time.ts'
import { VirtualClock } from '../kernel/testing/virtual-clock.ts'
import { Cache, type CacheOptions, type Factory } from './cache.ts'
import { refreshesEarly, Held } from './core/held.ts'
import { Invalidations } from './core/invalidations.ts'

/** `random` 1: lifetimes as they are given, and nothing is refreshed early. */
function bench(options: CacheOptions = {}): { readonly clock: VirtualClock; readonly cache: Cache } {
  const clock = new VirtualClock()
  return { clock, cache: new Cache({ clock, random: { next: () => 1 }, ...options }) }
}

/** A factory that takes time, counts its calls and fails when told to. */
function maker(clock: VirtualClock, takesMs = 100): { calls: number; failing: boolean; aborted: number; readonly make: Factory<string> } {
  const made = {
    calls: 0,
    failing: false,
    aborted: 0,
    make: async ({ signal }: { readonly signal: AbortSignal }): Promise<string> => {
      const call = ++made.calls
      signal.addEventListener('abort', () => made.aborted++)
      await sleep(clock, ms(takesMs), signal)
      if (made.failing) throw new Error(`failure ${call}`)
      return `value ${call}`
    },
  }
  return made
}

describe('a value', () => {
  it('is made once for all who ask meanwhile, and given from memory until its time is over', async () => {
    const { clock, cache } = bench({ ttlMs: 1_000, graceMs: 0 })
    const { make } = maker(clock)
    const all = Promise.all(Array.from({ length: 1_000 }, () => cache.getOrSet('k', make)))
    await clock.advance(ms(100))
    expect(new Set(await all)).toEqual(new Set(['value 1']))
    expect(await cache.get('k')).toBe('value 1')
    await clock.advance(ms(900))
    expect(await cache.getOrSet('k', make)).toBe('value 1')
    await clock.advance(ms(100))
    expect(await cache.get('k')).toBeUndefined()
    expect(cache.stats()).toMatchObject({ factoryCalls: 1, misses: 2, collapsed: 999, hits: 2 })
    expect(clock.pending).toBe(0)
  })

  it('ends up to 10 % sooner than those made with it, and never later; one that is set as it was said', async () => {
    const ends = new Set<number>()
    for (const next of [0, 0.5, 1]) {
      const { clock, cache } = bench({ random: { next: () => next } })
      await cache.set('set', 1, { ttlMs: 1_000 })
      await cache.getOrSet('k', () => 1, { ttlMs: 1_000 })
      while ((await cache.get('k')) !== undefined) {
        expect((await cache.get('set')) !== undefined).toBe(clock.now() < 1_000)
        await clock.advance(ms(10))
      }
      ends.add(clock.now())
    }
    expect([...ends]).toEqual([900, 950, 1_000])
  })

  it('is given stale at once, and made anew behind the caller’s back', async () => {
    const { clock, cache } = bench({ ttlMs: 1_000, graceMs: 5_000 })
    const { make } = maker(clock)
    await cache.set('k', 'old')
    await clock.advance(ms(1_500))
    expect(await cache.getOrSet('k', make)).toBe('old')
    expect(await cache.getOrSet('k', make)).toBe('old')
    await clock.advance(ms(100))
    expect(await cache.getOrSet('k', make)).toBe('value 1')
    expect(cache.stats()).toMatchObject({ staleHits: 2, factoryCalls: 1 })
  })

  it('is waited for as long as the caller says before the stale one is given', async () => {
    const { clock, cache } = bench({ ttlMs: 1_000, softTimeoutMs: 50 })
    await cache.set('k', 'old')
    await clock.advance(ms(1_500))
    const late = cache.getOrSet('k', maker(clock, 100).make)
    await clock.advance(ms(50))
    expect(await late).toBe('old')
    await cache.set('k', 'old')
    await clock.advance(ms(1_500))
    const soon = cache.getOrSet('k', maker(clock, 40).make)
    await clock.advance(ms(40))
    expect(await soon).toBe('value 1')
    await clock.advance(seconds(1))
    expect(clock.pending).toBe(0)
  })

  it('is given stale when a new one cannot be made, and the next try waits', async () => {
    const { clock, cache } = bench({ ttlMs: 1_000, graceBackoffMs: 10_000, softTimeoutMs: 1_000 })
    const made = maker(clock, 10)
    made.failing = true
    await cache.set('k', 'old')
    await clock.advance(ms(1_500))
    const given = cache.getOrSet('k', made.make)
    await clock.advance(ms(10))
    expect(await given).toBe('old')
    await clock.advance(ms(9_000))
    expect(await cache.getOrSet('k', made.make)).toBe('old')
    expect(made.calls).toBe(1)
    await clock.advance(ms(2_000))
    made.failing = false
    const next = cache.getOrSet('k', made.make)
    await clock.advance(ms(10))
    expect(await next).toBe('value 2')
  })

  it('that cannot be made is not tried again for a while, doubling from 1 s', async () => {
    const { clock, cache } = bench()
    const made = maker(clock, 0)
    made.failing = true
    const fails = async (): Promise<string> => {
      const given = cache.getOrSet('k', made.make).catch((error: unknown) => (error as Error).message)
      await clock.advance(ms(0))
      return await given
    }
    expect(await fails()).toBe('failure 1')
    await clock.advance(ms(999))
    expect(await fails()).toBe('failure 1')
    await clock.advance(ms(2))
    expect(await fails()).toBe('failure 2')
    await clock.advance(ms(1_999))
    expect(await fails()).toBe('failure 2')
    await clock.advance(ms(2))
    expect(await fails()).toBe('failure 3')
    made.failing = false
    await clock.advance(ms(4_001))
    expect(await fails()).toBe('value 4')
    expect(await cache.get('k')).toBe('value 4')
  })

  it('is waited for no longer than the hard timeout, and stored all the same', async () => {
    const { clock, cache } = bench({ hardTimeoutMs: 50 })
    const { make } = maker(clock, 100)
    const waited = cache.getOrSet('k', make).catch((error: unknown) => error)
    await clock.advance(ms(50))
    expect(await waited).toMatchObject({ code: 'cache_timeout', details: { key: 'k' } })
    await clock.advance(ms(50))
    expect(await cache.get('k')).toBe('value 1')
  })

  it('is no longer made when nobody waits for it', async () => {
    const { clock, cache } = bench()
    const made = maker(clock, 100)
    const [one, other] = [new AbortController(), new AbortController()]
    const waits = [one, other].map(({ signal }) => cache.getOrSet('k', made.make, { signal }).catch((error: unknown) => error))
    await clock.advance(ms(10))
    one.abort(new Error('first left'))
    await clock.advance(ms(10))
    expect(made.aborted).toBe(0)
    other.abort(new Error('second left'))
    expect((await Promise.all(waits)).map((error) => (error as Error).message)).toEqual(['first left', 'second left'])
    await clock.advance(ms(100))
    expect(made.aborted).toBe(1)
    expect(await cache.get('k')).toBeUndefined()
    await expect(cache.getOrSet('k', made.make, { signal: one.signal })).rejects.toThrow('first left')
    expect(clock.pending).toBe(0)
  })

  it('cannot be changed by who is given it, where that is asked for', async () => {
    const { cache } = bench({ memory: { freeze: true } })
    const cycle: { self?: object; readonly deep: { list: number[] }; readonly bytes: Buffer } = { deep: { list: [1] }, bytes: Buffer.from('b') }
    cycle.self = cycle
    await cache.set('k', cycle)
    const given = await cache.get<typeof cycle>('k')
    expect(() => given?.deep.list.push(2)).toThrow(TypeError)
    expect(given?.deep.list).toEqual([1])
    expect(await cache.getOrSet('made', () => Promise.resolve({ a: 1 }))).toSatisfy(Object.isFrozen)
    const open = await bench().cache.getOrSet('made', () => ({ a: 1 }))
    expect(Object.isFrozen(open)).toBe(false)
  })

  it('is not undefined', async () => {
    const { cache } = bench()
    expect(await cache.getOrSet('k', (): unknown => undefined)).toBeUndefined()
    expect(await cache.getOrSet('k', () => 5)).toBe(5)
    await cache.set('null', null)
    expect(await cache.has('null')).toBe(true)
  })
})

describe('what is invalidated', () => {
  it('while it is made, is given to those who waited, and not stored', async () => {
    const { clock, cache } = bench()
    const { make } = maker(clock)
    for (const invalidate of [() => cache.delete('k'), () => cache.invalidateTags('t'), () => cache.clear()]) {
      const before = cache.stats().fenced
      const given = cache.getOrSet('k', make, { tags: () => ['t'] })
      await clock.advance(ms(50))
      await invalidate()
      await clock.advance(ms(50))
      expect(await given).toMatch(/^value/)
      expect(await cache.get('k')).toBeUndefined()
      expect(cache.stats().fenced).toBe(before + 1)
    }
  })

  it('loses against a value that was set while it was made', async () => {
    const { clock, cache } = bench()
    const given = cache.getOrSet('k', maker(clock).make)
    await cache.set('k', 'set')
    await clock.advance(ms(100))
    expect(await given).toBe('value 1')
    expect(await cache.get('k')).toBe('set')
  })

  it('by tag is gone at once, and what is made afterwards is there', async () => {
    const { cache } = bench()
    await cache.set('a', 1, { tags: ['x', 'y'] })
    await cache.set('b', 2, { tags: ['y'] })
    await cache.set('c', 3)
    await cache.invalidateTags('x')
    expect([await cache.get('a'), await cache.get('b'), await cache.get('c')]).toEqual([undefined, 2, 3])
    await cache.set('a', 4, { tags: ['x', 'y'] })
    expect(await cache.get('a')).toBe(4)
    await cache.clear()
    expect([...(await cache.mget(['a', 'b', 'c']))]).toEqual([])
  })

  it('stays so whatever is forgotten', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom('invalidate', 'begin', 'all'), fc.integer({ min: 0, max: 9 })), { maxLength: 200 }), (steps) => {
        const small = new Invalidations(3)
        const whole = new Invalidations()
        const begun: { readonly mark: number; readonly tag: string }[] = []
        for (const [step, number] of steps) {
          const tag = `t${number}`
          if (step === 'invalidate') expect(small.tag(tag)).toBe(whole.tag(tag))
          else if (step === 'all') expect(small.all()).toBe(whole.all())
          else begun.push({ mark: whole.mark, tag })
          for (const { mark, tag: its } of begun) if (!whole.spares(mark, [its])) expect(small.spares(mark, [its])).toBe(false)
          expect(small.spares(small.mark, [tag])).toBe(true)
        }
      }),
    )
  })
})

describe('limits', () => {
  it('of entries and bytes are kept, the least recently used goes first', async () => {
    const { cache } = bench({ memory: { maxEntries: 2 } })
    for (const key of ['a', 'b']) await cache.set(key, key)
    await cache.get('a')
    await cache.set('c', 'c')
    expect([...(await cache.mget(['a', 'b', 'c'])).keys()]).toEqual(['a', 'c'])
    expect(cache.stats()).toMatchObject({ keys: 2, evictions: 1 })
    const bytes = bench({ memory: { maxBytes: 10_000 } }).cache
    for (let i = 0; i < 20; i++) await bytes.set(`k${i}`, 'x'.repeat(1_000))
    expect(bytes.stats().bytes).toBeLessThanOrEqual(10_000)
    expect(bytes.stats().keys).toBe(8)
    await bytes.set('large', 'x'.repeat(3_000))
    expect(await bytes.get('large')).toBeUndefined()
  })

  it('are said when they are broken', async () => {
    const { cache } = bench()
    await expect(cache.set('', 1)).rejects.toThrow('key must be a text of 1 to 1024 characters, got one of 0 characters')
    await expect(cache.set('k', 1, { ttlMs: 0 })).rejects.toThrow('ttlMs must be a number of milliseconds from 1, got 0')
    await expect(cache.set('k', 1, { tags: Array.from({ length: 65 }, String) })).rejects.toThrow('at most 64 tags, got 65 of them')
    await expect(cache.invalidateTags('')).rejects.toThrow('texts of 1 to 128 characters')
    expect(() => new Cache({ graceMs: Number.NaN })).toThrow('graceMs must be a number of milliseconds from 0, got NaN')
  })
})

describe('an early refresh', () => {
  const held = new Held({ value: 1, madeInMs: 100 }, { storedAt: 0, softAt: 10_000, hardAt: 20_000 }, [], 0)

  it('becomes likelier towards the end, and asks chance only there', () => {
    const unasked = (): number => {
      throw new Error('chance was asked')
    }
    expect(refreshesEarly(held, 8_999, unasked)).toBe(false)
    const share = (now: number): number =>
      Array.from({ length: 1_000 }, (_, i) => refreshesEarly(held, now, () => (i + 1) / 1_001)).filter(Boolean).length / 1_000
    // P = e^(−left / δ)
    expect(share(9_900)).toBeCloseTo(Math.exp(-1), 2)
    expect(share(9_700)).toBeCloseTo(Math.exp(-3), 2)
  })

  it('makes the value anew before it is stale, once', async () => {
    const { clock, cache } = bench({ ttlMs: 1_000, random: { next: () => 0.5 } })
    const made = maker(clock, 100)
    const first = cache.getOrSet('k', made.make)
    await clock.advance(ms(100))
    await first
    await clock.advance(ms(940))
    expect(await cache.getOrSet('k', made.make)).toBe('value 1')
    expect(await cache.getOrSet('k', made.make)).toBe('value 1')
    await clock.advance(ms(100))
    expect(await cache.getOrSet('k', made.make)).toBe('value 2')
    expect(made.calls).toBe(2)
  })
})
