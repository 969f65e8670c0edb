/** Concurrency limits and their queue over several workers and real sockets, counted at the origin. */
import { describe, expect, it } from 'vitest'
import type { ConcurrencyView } from '../../src/balancer/core/routing-view.ts'
import { ask, eventually, fieldOf, get, pause, plain, service, type Origin, type RawClient, type SeenAnswer } from '../support/balancer-harness.ts'
import { useProxy } from '../support/proxy-fixture.ts'

const { proxy, origin, connect } = useProxy({ per: 'test', workers: 2 })

interface Counted {
  readonly origin: Origin
  readonly seen: { now: number; max: number; total: number }
}

/** Answers after `ms`, and counts what it has at a time. */
async function counting(ms: number): Promise<Counted> {
  const seen = { now: 0, max: 0, total: 0 }
  const started = await origin(({ socket }) => {
    seen.now++
    seen.total++
    seen.max = Math.max(seen.max, seen.now)
    setTimeout(() => {
      seen.now--
      socket.write(plain('done'))
    }, ms)
  })
  return { origin: started, seen }
}

const limit = (limited: ConcurrencyView['limit'], more: Partial<ConcurrencyView['queue']> = {}): ConcurrencyView => ({
  limit: limited,
  queue: { requests: 256, timeoutMs: 10_000, ...more },
})

const clientsOf = (count: number): Promise<RawClient[]> => Promise.all(Array.from({ length: count }, () => connect()))

async function load(clients: readonly RawClient[], forMs: number): Promise<SeenAnswer[]> {
  const answers: SeenAnswer[] = []
  const end = performance.now() + forMs
  await Promise.all(
    clients.map(async (client) => {
      while (performance.now() < end) {
        client.send(get())
        answers.push(await client.answer('GET', 20_000))
      }
    }),
  )
  return answers
}

const statuses = (answers: readonly SeenAnswer[]): number[] => [...new Set(answers.map(({ status }) => status))]

describe('a number', () => {
  it.each([1, 3, 8])(
    'of %i is never exceeded at any endpoint, is used up, and nobody is refused while there is room in the queue',
    async (number) => {
      const [a, b] = [await counting(10), await counting(10)]
      await proxy.route(service([a.origin, b.origin], { concurrency: limit(number) }))
      const answers = await load(await clientsOf(40), 2_000)
      expect(statuses(answers)).toEqual([200])
      expect(a.seen.max).toBe(number)
      expect(b.seen.max).toBe(number)
      // Two endpoints, each with so many at a time, 10 ms each: the machine of the test is not the limit below this.
      expect(answers.length).toBeGreaterThan(2 * number * 100 * 0.5 * (number > 3 ? 0.6 : 1))
    },
  )

  it('starves no connection, whichever worker has it', async () => {
    const { origin: one } = await counting(5)
    await proxy.route(service([one], { concurrency: limit(1) }))
    const clients = await clientsOf(24)
    const counts = clients.map(() => 0)
    // Before the newest go first.
    const end = performance.now() + 900
    await Promise.all(
      clients.map(async (client, index) => {
        while (performance.now() < end) {
          client.send(get())
          expect((await client.answer('GET', 20_000)).status).toBe(200)
          counts[index]!++
        }
      }),
    )
    expect(Math.min(...counts)).toBeGreaterThan(1)
  })

  it('changes with the view', async () => {
    const { origin: one, seen } = await counting(10)
    await proxy.route(service([one], { concurrency: limit(2) }))
    const loading = load(await clientsOf(30), 2_500)
    await pause(700)
    expect(seen.max).toBe(2)
    await proxy.route(service([one], { concurrency: limit(6) }))
    await pause(700)
    expect(seen.max).toBe(6)
    await proxy.route(service([one], { concurrency: limit(3) }))
    await pause(200)
    seen.max = 0
    await pause(400)
    expect(seen.max).toBe(3)
    expect(statuses(await loading)).toEqual([200])
  })

  it('is free again when the worker that used it dies', async () => {
    const { origin: one, seen } = await counting(200)
    await proxy.route(service([one], { concurrency: limit(4) }))
    const clients = await clientsOf(20)
    for (const client of clients) client.send(get())
    await eventually('all slots are in use', () => seen.now === 4)
    const { workers } = await proxy.telemetry()
    process.kill(workers[0]!.pid, 'SIGKILL')
    await eventually('another takes its place', () => proxy.signals.some(({ type }) => type === 'workerExited'))
    await pause(500)
    const answers = await load(await clientsOf(12), 1_000)
    expect(statuses(answers)).toEqual([200])
    expect(answers.length).toBeGreaterThan(10)
  })
})

describe('the queue', () => {
  it('is bounded over all workers, and says so', async () => {
    const { origin: one, seen } = await counting(1_500)
    await proxy.route(service([one], { concurrency: limit(2, { requests: 10 }) }))
    const clients = await clientsOf(40)
    for (const client of clients) client.send(get())
    const answers = await Promise.all(clients.map((client) => client.answer('GET', 20_000)))
    const refused = answers.filter(({ status }) => status === 503)
    expect(answers.filter(({ status }) => status === 200).length).toBe(40 - refused.length)
    expect(refused.length).toBeGreaterThanOrEqual(28)
    expect(refused.length).toBeLessThanOrEqual(31)
    expect(fieldOf(refused[0]!, 'proxy-status')).toContain('details="queue full"')
    expect(Number(fieldOf(refused[0]!, 'retry-after'))).toBeGreaterThan(0)
    expect(seen.max).toBe(2)
    await eventually('it is counted', async () => ((await proxy.telemetry()).services.api?.queuedTotal ?? 0) >= 9)
  })

  it('is left after its time', async () => {
    const { origin: one } = await counting(1_000)
    await proxy.route(service([one], { concurrency: limit(1, { timeoutMs: 200 }) }))
    const clients = await clientsOf(3)
    for (const client of clients) client.send(get())
    const answers = await Promise.all(clients.map((client) => client.answer('GET', 20_000)))
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 503, 503])
    const late = answers.find(({ status }) => status === 503)!
    expect(fieldOf(late, 'proxy-status')).toContain('details="queued too long"')
  })

  it('is left at once by a client that goes, and holds bodies where they are', async () => {
    const { origin: one, seen } = await counting(300)
    await proxy.route(service([one], { concurrency: limit(1) }))
    const [busy, leaves, stays] = await clientsOf(3)
    busy!.send(get())
    await eventually('it is busy', () => seen.now === 1)
    leaves!.send(get())
    await pause(50)
    stays!.send(`POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 200000\r\n\r\n${'x'.repeat(200_000)}`)
    await pause(50)
    leaves!.destroy()
    expect((await stays!.answer('POST', 20_000)).status).toBe(200)
    expect(seen.total).toBe(2)
  })
})

describe('adaptive', () => {
  it('serves, and tells its limit', async () => {
    const { origin: one } = await counting(5)
    await proxy.route(service([one], { concurrency: limit('adaptive') }))
    expect((await ask(proxy.port, get())).status).toBe(200)
    const answers = await load(await clientsOf(50), 2_500)
    expect(statuses(answers)).toEqual([200])
    const [known] = Object.values((await proxy.telemetry()).endpoints)
    expect(known!.limit).toBeGreaterThanOrEqual(4)
  })
})
