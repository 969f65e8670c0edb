/** A rate limit of two machines over a real Redis: one limit, and no hung request when Redis goes. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { RateLimitView } from '../../src/balancer/core/routing-view.ts'
import { eventually, get, pause, RawClient, service, startProxy, type Origin, type RunningProxy } from '../support/balancer-harness.ts'
import { hasRedis, Redis } from '../support/databases.ts'
import { useProxy } from '../support/proxy-fixture.ts'

const { proxy, serving } = useProxy({ per: 'test', workers: 2 })
let origin: Origin
let redis: Redis
let other: RunningProxy
const clients: RawClient[] = []

/** A burst of a second: a machine that is held up for less loses nothing of the limit. */
const [rate, burst] = [200, 200]

/** As many whole seconds of answers as `forMs`; what was served, with when, and the slowest answer. */
async function load(forMs: number): Promise<{ readonly served: number[]; readonly slowestMs: number; readonly strange: number }> {
  const served: number[] = []
  let [slowestMs, strange] = [0, 0]
  const end = performance.now() + forMs
  await Promise.all(
    clients.map(async (client) => {
      while (performance.now() < end) {
        const sentAt = performance.now()
        client.send(get())
        const { status } = await client.answer()
        const now = performance.now()
        slowestMs = Math.max(slowestMs, now - sentAt)
        if (status === 200) served.push(now)
        else if (status !== 429) strange++
        await pause(5)
      }
    }),
  )
  return { served, slowestMs, strange }
}

async function share(machines: number | undefined): Promise<void> {
  const shared = { url: `redis://127.0.0.1:${redis.port}`, prefix: 'holdfast:limits:test:', machines }
  const rateLimit: RateLimitView = { key: { by: 'service' }, rate, periodMs: 1_000, burst, shared }
  await proxy.route(service([origin], { rateLimit }))
  await other.route(service([origin], { rateLimit }))
  await eventually('both have said hello', () => redis.cli('zcard', 'holdfast:limits:test:machines') === '2')
  for (const { port } of [proxy, other]) for (let i = 0; i < 6; i++) clients.push(await RawClient.to(port))
}

describe.runIf(hasRedis())('a limit of two machines', () => {
  beforeEach(async () => {
    redis = await Redis.start()
    other = await startProxy(2)
    origin = await serving('served')
  })

  afterEach(async () => {
    for (const client of clients.splice(0)) client.destroy()
    await other.stop()
    await redis.end()
  })

  it('is one', async () => {
    await share(undefined)
    const began = performance.now()
    const { served, strange } = await load(5_000)
    const seconds = (performance.now() - began) / 1_000
    expect(strange).toBe(0)
    expect(served.length).toBeLessThanOrEqual(1.02 * (burst + rate * seconds))
    // A machine that is so busy that Redis is late goes by its part meanwhile.
    const late = [proxy, other].some(({ signals }) => signals.some((signal) => signal.type === 'limitsStoreChanged'))
    expect(served.length).toBeGreaterThanOrEqual((late ? 0.85 : 0.98) * (burst + rate * 5))
  })

  it('goes on in parts without Redis, hangs nobody, and is one again with it', async () => {
    await share(2)
    const loading = load(9_000)
    await pause(1_000)
    await redis.kill()
    const killedAt = performance.now()
    await eventually('it is told', () =>
      [proxy, other].every(({ signals }) => signals.some((signal) => signal.type === 'limitsStoreChanged' && !signal.up)),
    )
    expect((await proxy.telemetry()).limitsStore).toEqual({ up: false, reason: expect.any(String) as string })
    const { served, slowestMs, strange } = await loading
    const endedAt = performance.now()
    expect(strange).toBe(0)
    expect(slowestMs).toBeLessThan(1_000)
    const from = killedAt + 5_000
    const settled = served.filter((at) => at >= from).length / ((endedAt - from) / 1_000)
    expect(settled).toBeGreaterThan(0.85 * rate)
    expect(settled).toBeLessThan(1.1 * rate)

    const startedAt = performance.now()
    await redis.start()
    await eventually('it is back', () =>
      [proxy, other].every(({ signals }) => signals.some((signal) => signal.type === 'limitsStoreChanged' && signal.up)),
    )
    expect((await proxy.telemetry()).limitsStore?.up).toBe(true)
    expect(performance.now() - startedAt).toBeLessThan(2_000)
    await eventually('it counts there', async () => {
      await load(50)
      return redis.cli('keys', 'holdfast:limits:test:api:*') !== ''
    })
  })
})
