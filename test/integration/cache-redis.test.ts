/** The cache over a real Redis: one value for all processes, and no hung call and no wrong value when Redis fails. */
import { spawn, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createCache, type Cache, type CreateCacheOptions } from '../../src/cache/index.ts'
import { eventually, pause } from '../support/balancer-harness.ts'
import { hasRedis, Redis } from '../support/databases.ts'

let redis: Redis
const caches: Cache[] = []
const states = new Map<Cache, boolean>()

/** Connected, and hearing. Time-outs are long: the machine may be busy, and what is looked at is not how fast it is. */
async function cacheOn(
  options: Omit<CreateCacheOptions, 'redis'> & { readonly encryption?: readonly string[]; readonly readTimeoutMs?: number } = {},
): Promise<Cache> {
  const { encryption, readTimeoutMs = 500, ...rest } = options
  const cache: Cache = createCache({
    ...rest,
    redis: {
      url: `redis://127.0.0.1:${redis.port}`,
      prefix: 'test:',
      readTimeoutMs,
      writeTimeoutMs: 1_000,
      ...(encryption === undefined ? {} : { encryption }),
      onChange: (up) => states.set(cache, up),
    },
  })
  caches.push(cache)
  await isUp(cache)
  return cache
}

const isUp = (cache: Cache): Promise<true> => eventually('the cache hears', () => states.get(cache) === true)

describe.runIf(hasRedis())('the cache of several processes', () => {
  beforeEach(async () => {
    redis = await Redis.start()
  })

  afterEach(async () => {
    for (const cache of caches.splice(0)) await cache.close()
    await redis.end()
  })

  it('gives what another has stored, with the time that is left, and forgets what another removes', async () => {
    const [one, other] = [await cacheOn(), await cacheOn()]
    const value = { name: 'Ada', tags: [1, 2], none: null }
    await one.set('user:{1}%', value, { ttlMs: 60_000, tags: ['users'] })
    await one.set('text', 'ä', { ttlMs: 60_000 })
    await one.set('bytes', Buffer.from([1, 2, 3]), { ttlMs: 300, graceMs: 0 })
    expect(await other.get('user:{1}%')).toEqual(value)
    expect(await other.get('text')).toBe('ä')
    expect(await other.get('bytes')).toEqual(Buffer.from([1, 2, 3]))
    expect(other.stats()).toMatchObject({ remoteHits: 3, misses: 0 })
    await pause(350)
    expect(await other.get('bytes')).toBeUndefined()
    await one.delete('text')
    await eventually('the other has heard', () => other.peek('text') === undefined)
    expect(await other.get('text')).toBeUndefined()
    await one.invalidateTags('users')
    await eventually('the other has heard', () => other.peek('user:{1}%') === undefined)
    expect(await other.get('user:{1}%')).toBeUndefined()
    await other.set('user:{1}%', 'new', { tags: ['users'] })
    expect(await one.get('user:{1}%')).toBe('new')
    await other.clear()
    expect(await other.get('user:{1}%')).toBeUndefined()
    await eventually('the first has heard', () => one.peek('user:{1}%') === undefined)
    expect(await (await cacheOn()).get('user:{1}%')).toBeUndefined()
  })

  it('knows of invalidations from before it came', async () => {
    const one = await cacheOn()
    await one.set('a', 1, { tags: ['x'] })
    await one.set('b', 2, { tags: ['y'] })
    await one.invalidateTags('x')
    const late = await cacheOn()
    expect([await late.get('a'), await late.get('b')]).toEqual([undefined, 2])
  })

  describe('makes a value', () => {
    type Message = 'up' | 'making' | { readonly values: readonly number[] }
    /** Processes whose callers all want one value at the same time. */
    function processes(makingMs: number, onMaking: (by: ChildProcess) => void) {
      const program = `
        import { createCache } from ${JSON.stringify(new URL('../../dist/cache/index.js', import.meta.url).href)}
        const cache = createCache({ redis: { url: 'redis://127.0.0.1:${redis.port}', prefix: 'once:', readTimeoutMs: 2000, writeTimeoutMs: 2000, onChange: (up) => up && process.send('up') } })
        const make = async () => {
          process.send('making')
          await new Promise((done) => setTimeout(done, ${makingMs}))
          return process.pid
        }
        process.on('message', async () => {
          const all = await Promise.all(Array.from({ length: 1000 }, () => cache.getOrSet('k', make)))
          process.send({ values: all })
          await cache.close()
          process.disconnect()
        })`
      const [given, ups]: [number[], ChildProcess[]] = [[], []]
      const children = Array.from({ length: 4 }, () =>
        spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] }),
      )
      for (const child of children) {
        child.on('message', (message: Message) => {
          if (message === 'up') ups.push(child)
          else if (message === 'making') onMaking(child)
          else given.push(...message.values)
        })
      }
      return { children, given, ups }
    }

    it('once for 4 processes with 1,000 callers each', async () => {
      let calls = 0
      const { children, given, ups } = processes(100, () => calls++)
      await eventually('all are connected', () => ups.length >= 4)
      for (const child of children) child.send('go')
      await eventually('all have been given it', () => given.length === 4_000)
      expect(calls).toBe(1)
      expect(new Set(given).size).toBe(1)
    })

    it('once more when the process that makes it is killed', async () => {
      let calls = 0
      const { children, given, ups } = processes(300, (by) => {
        if (calls++ === 0) by.kill('SIGKILL')
      })
      await eventually('all are connected', () => ups.length >= 4)
      for (const child of children) child.send('go')
      await eventually('all that live have been given it', () => given.length === 3_000)
      expect(calls).toBe(2)
      expect(new Set(given).size).toBe(1)
    })
  })

  it('does not store what was invalidated elsewhere while it was made', async () => {
    const [one, other] = [await cacheOn(), await cacheOn()]
    for (const invalidate of [() => other.delete('k'), () => other.invalidateTags('t'), () => other.clear(), () => other.set('k', 'theirs')]) {
      const before = one.stats().factoryCalls
      let finish = (_value: string): void => undefined
      const given = one.getOrSet('k', () => new Promise<string>((resolve) => (finish = resolve)), { tags: ['t'], ttlMs: 60_000 })
      await eventually('it is being made', () => one.stats().factoryCalls > before)
      await invalidate()
      finish('old')
      expect(await given).toBe('old')
      await eventually('it is gone', () => one.peek('k') !== 'old')
      expect(await one.get('k')).not.toBe('old')
      expect(await other.get('k')).not.toBe('old')
      await one.delete('k')
      await eventually('the lease is over', () => redis.cli('exists', 'test:{k}:l') === '0')
    }
  })

  it('goes on by memory when Redis stands still, hangs no call, and keeps no old value when it is back', async () => {
    const [one, other] = [await cacheOn({ readTimeoutMs: 50 }), await cacheOn({ readTimeoutMs: 50 })]
    await one.set('known', 'old', { tags: ['t'], ttlMs: 60_000 })
    expect(await other.get('known')).toBe('old')
    redis.signal('SIGSTOP')
    const slowest = { ms: 0 }
    const timed = async <T>(call: () => Promise<T>): Promise<T> => {
      const began = performance.now()
      const value = await call()
      slowest.ms = Math.max(slowest.ms, performance.now() - began)
      return value
    }
    for (let i = 0; i < 40; i++) {
      expect(await timed(() => other.get('known'))).toBe('old')
      expect(await timed(() => one.getOrSet(`made ${i}`, () => i))).toBe(i)
      await timed(() => one.get(`unknown ${i}`))
    }
    await timed(() => one.invalidateTags('t'))
    await timed(() => one.set('known', 'new', { tags: ['t'], ttlMs: 60_000 }))
    expect(await one.get('known')).toBe('new')
    expect(slowest.ms).toBeLessThan(4_000)
    expect(one.stats().remoteErrors).toBeGreaterThan(0)
    await eventually('it is noticed', () => states.get(one) === false && states.get(other) === false)
    redis.signal('SIGCONT')
    await Promise.all([isUp(one), isUp(other)])
    await pause(300)
    expect(await other.get('known')).not.toBe('old')
    expect(await one.get('known')).not.toBe('old')
  })

  it('begins without Redis, and uses it once it is there', async () => {
    const { port } = redis
    await redis.kill()
    const cache = createCache({
      redis: { url: `redis://127.0.0.1:${port}`, prefix: 'test:', onChange: (up, reason) => (states.set(cache, up), reasons.push(reason)) },
    })
    const reasons: (string | undefined)[] = []
    caches.push(cache)
    expect(await cache.getOrSet('k', () => 1)).toBe(1)
    await eventually('it says so', () => reasons.length > 0)
    expect(reasons[0]).toContain('ECONNREFUSED')
    await redis.start()
    await isUp(cache)
    await cache.set('k', 2)
    expect(redis.cli('exists', 'test:{k}')).toBe('1')
  })

  it.each([
    { url: 'redis://127.0.0.1:1' },
    { cluster: ['redis://127.0.0.1:1'] },
    { sentinel: { name: 'shop', nodes: [{ host: '127.0.0.1', port: 1 }] } },
  ])('says why it cannot be reached, works all the same, and can be closed: %o', async (place) => {
    const reasons: (string | undefined)[] = []
    const cache = createCache({ redis: { ...place, onChange: (_up, reason) => reasons.push(reason) } })
    expect(await cache.getOrSet('k', () => 1)).toBe(1)
    await eventually('it says why', () => reasons.length > 0)
    expect(reasons[0]).toMatch(/ECONNREFUSED|nodes are unavailable/)
    await cache.close()
  })

  it('loses all of it to FLUSHALL and nothing else', async () => {
    const cache = await cacheOn()
    await cache.set('a', 1, { tags: ['t'] })
    redis.cli('flushall')
    expect(await cache.get('a')).toBe(1)
    await cache.invalidateTags('t')
    expect(await cache.get('a')).toBeUndefined()
    await cache.set('a', 2, { tags: ['t'] })
    expect(await (await cacheOn()).get('a')).toBe(2)
  })

  it('keeps values encrypted, reads those of an older key, and nobody else’s', async () => {
    const [old, current] = [randomBytes(32).toString('hex'), randomBytes(32).toString('base64')]
    const first = await cacheOn({ encryption: [old] })
    await first.set('secret', { card: '4111 1111' })
    expect(redis.cli('get', 'test:{secret}')).not.toContain('4111')
    expect(await (await cacheOn({ encryption: [current, old] })).get('secret')).toEqual({ card: '4111 1111' })
    expect(await (await cacheOn({ encryption: [current] })).get('secret')).toBeUndefined()
    expect(await (await cacheOn()).get('secret')).toBeUndefined()
    redis.cli('rename', 'test:{secret}', 'test:{other}')
    expect(await first.get('other')).toBeUndefined()
  })

  it('lets a program end that is done before it has connected', async () => {
    const program = `import { createCache } from ${JSON.stringify(new URL('../../dist/cache/index.js', import.meta.url).href)}
      // Before the client is loaded, and where nobody listens; then while it connects.
      await createCache({ redis: { url: 'redis://127.0.0.1:1' } }).close()
      await import('redis')
      const caches = Array.from({ length: 15 }, () => createCache({ redis: { url: 'redis://127.0.0.1:${redis.port}', prefix: 'test:' } }))
      for (const cache of caches) {
        await cache.close()
        await new Promise((resolve) => setTimeout(resolve, 1))
      }`
    const child = spawn(process.execPath, ['--input-type=module', '--eval', program], { cwd: import.meta.dirname, stdio: 'inherit' })
    const code = await new Promise<number | null>((resolve) => child.once('exit', resolve))
    expect(code).toBe(0)
  }, 20_000)
})
