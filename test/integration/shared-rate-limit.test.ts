/** The library's rate limit of several processes over a real Redis. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { sharedRateLimit, type SharedRateLimitPolicy } from '../../src/resilience/index.ts'
import { eventually } from '../support/balancer-harness.ts'
import { hasRedis, Redis } from '../support/databases.ts'

let redis: Redis
const policies: SharedRateLimitPolicy[] = []

function limit(options: Partial<Parameters<typeof sharedRateLimit>[0]> = {}): SharedRateLimitPolicy {
  const policy = sharedRateLimit({
    url: `redis://127.0.0.1:${redis.port}`,
    rate: 1,
    periodMs: 60_000,
    burst: 100,
    name: 'test',
    timeoutMs: 500,
    ...options,
  })
  policies.push(policy)
  return policy
}

const takeAtOnce = async (count: number, of: readonly SharedRateLimitPolicy[]): Promise<number> => {
  const decisions = await Promise.all(Array.from({ length: count }, (_, i) => of[i % of.length]!.take('client')))
  return decisions.filter(({ allowed }) => allowed).length
}

describe.runIf(hasRedis())('a limit of several processes', () => {
  beforeEach(async () => {
    redis = await Redis.start()
  })

  afterEach(async () => {
    for (const policy of policies.splice(0)) policy.close()
    await redis.end()
  })

  it('allows exactly the burst to all of them together, from the first call on', async () => {
    expect(await takeAtOnce(400, [limit(), limit(), limit()])).toBe(100)
  })

  it('gives a part of a cost back, and says when the whole of it will be there', async () => {
    const policy = limit({ burst: 10 })
    await policy.take('client', 7)
    const refused = await policy.take('client', 5)
    expect(refused).toMatchObject({ allowed: false, remaining: 3 })
    expect(refused.retryAfterMs).toBeGreaterThan(119_000)
    expect(refused.retryAfterMs).toBeLessThanOrEqual(120_000)
    expect((await policy.take('client', 3)).allowed).toBe(true)
    expect((await policy.take('client', 11)).retryAfterMs).toBe(Infinity)
  })

  it('goes by equal parts while Redis is gone, holds nobody up, and goes on when it is back', async () => {
    const both = [limit({ processes: 2 }), limit({ processes: 2 })]
    const changes: boolean[] = []
    both[0]!.events.on('changed', ({ up }) => changes.push(up))
    expect(await takeAtOnce(60, both)).toBe(60)
    redis.signal('SIGSTOP')
    const beganAt = performance.now()
    // 30 were noted in each part of 50.
    expect(await takeAtOnce(200, both)).toBe(40)
    expect(performance.now() - beganAt).toBeLessThan(2_000)
    redis.signal('SIGCONT')
    await eventually('it is back', () => changes.includes(true))
    expect(changes).toEqual([false, true])
    // Redis knows of 60, and may have heard of some that were on their way when it fell silent.
    expect(await takeAtOnce(200, both)).toBeLessThanOrEqual(40)
  })

  it('rejects with what a response may say of it', async () => {
    const policy = limit({ burst: 1 })
    await policy.execute(() => 'first', { key: 'a' })
    await expect(policy.execute(() => 'second', { key: 'a' })).rejects.toMatchObject({
      code: 'rate_limited',
      details: { key: 'a', fields: { ratelimit: '"test";r=0;t=60', 'retry-after': '60' } },
    })
  })

  it('keeps no process alive', async () => {
    const program = `
      import { sharedRateLimit } from ${JSON.stringify(new URL('../../dist/resilience/index.js', import.meta.url).href)}
      const policy = sharedRateLimit({ url: 'redis://127.0.0.1:${redis.port}', rate: 10 })
      console.log((await policy.take('client')).allowed)`
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], { timeout: 20_000 })
    expect(stdout).toBe('true\n')
  })
})
