/** A rate limit over several workers and real sockets: never more than it says, nearly all of it, whichever worker the load falls on. */
import { beforeEach, describe, expect, it } from 'vitest'
import type { RateLimitView, RouteView } from '../../src/balancer/core/routing-view.ts'
import { ask, eventually, fieldOf, get, pause, service, type Origin, type RawClient, type SeenAnswer } from '../support/balancer-harness.ts'
import { useProxy } from '../support/proxy-fixture.ts'

const { proxy, serving, connect } = useProxy({ per: 'test', workers: 2 })
let origin: Origin

beforeEach(async () => {
  origin = await serving('served')
})

const limit = (more: Partial<RateLimitView> = {}): RateLimitView => ({ key: { by: 'client-ip' }, rate: 100, periodMs: 1_000, burst: 50, ...more })
const limited = (rateLimit: RateLimitView | undefined, more: Parameters<typeof service>[1] = {}) => service([origin], { rateLimit, ...more })

/** What the burst makes up for. */
const stallMs = 500

interface Loaded {
  readonly answers: readonly SeenAnswer[]
  /** How long there was load that could have had all of the limit: until the last one was sent that was served, less what this process, standing still, kept back. */
  readonly seconds: number
}

/** Every connection asks again as soon as it is answered, until the time is over. */
async function loaded(clients: readonly RawClient[], forMs: number, fields = ''): Promise<Loaded> {
  const answers: SeenAnswer[] = []
  const began = performance.now()
  let latest = began
  let stoodMs = 0
  let lastServedMs = 0
  await Promise.all(
    clients.map(async (first) => {
      let client = first
      for (let sentAt = began; sentAt < began + forMs; sentAt = performance.now()) {
        client.send(get('/', fields))
        const answer = await client.answer()
        answers.push(answer)
        const now = performance.now()
        stoodMs += Math.max(0, now - latest - stallMs)
        latest = now
        if (answer.status === 200) lastServedMs = Math.max(lastServedMs, sentAt - began)
        if (fieldOf(answer, 'connection') === 'close') client = await connect()
      }
    }),
  )
  return { answers, seconds: (lastServedMs - stoodMs) / 1_000 }
}

const load = async (clients: readonly RawClient[], forMs: number, fields = ''): Promise<readonly SeenAnswer[]> =>
  (await loaded(clients, forMs, fields)).answers

/** Kept connections by the worker that has them: the identifiers that a worker gives begin alike. */
async function connectionsByWorker(count: number): Promise<RawClient[][]> {
  const byWorker = new Map<string, RawClient[]>()
  for (let made = 0; byWorker.size < 2 || [...byWorker.values()].some(({ length }) => length < count); made++) {
    if (made > 2_000) throw new Error('all connections go to one worker')
    const client = await connect()
    client.send(get())
    const worker = fieldOf(await client.answer(), 'x-request-id')!.slice(0, 10)
    byWorker.set(worker, [...(byWorker.get(worker) ?? []), client])
  }
  return [...byWorker.values()]
}

const served = (answers: readonly SeenAnswer[]): number => answers.filter(({ status }) => status === 200).length

describe('under more load than the limit', () => {
  it.each([
    ['spread over the workers', (byWorker: RawClient[][]) => byWorker.flatMap((clients) => clients.slice(0, 8))],
    ['on one worker alone', (byWorker: RawClient[][]) => byWorker[0]!.slice(0, 8)],
    ['skewed', (byWorker: RawClient[][]) => [...byWorker[0]!.slice(0, 14), ...byWorker[1]!.slice(0, 1)]],
  ])('lets through what it says, %s', async (_, choose) => {
    await proxy.route(limited(undefined))
    const clients = choose(await connectionsByWorker(14))
    await proxy.route(limited(limit()))
    const before = origin.requests.length
    const began = performance.now()
    const { answers, seconds: underLoad } = await loaded(clients, 5_000)
    const seconds = (performance.now() - began) / 1_000
    expect(answers.every(({ status }) => status === 200 || status === 429)).toBe(true)
    expect(answers.length).toBeGreaterThan(600)
    expect(served(answers)).toBe(origin.requests.length - before)
    expect(served(answers)).toBeLessThanOrEqual(50 + 100 * seconds + 1)
    expect(served(answers)).toBeGreaterThanOrEqual(0.99 * (50 + 100 * underLoad) - 2)
    expect(underLoad).toBeGreaterThan(4)
  })

  it('counts them', async () => {
    await proxy.route(limited(limit({ rate: 1, burst: 1 })))
    for (let i = 0; i < 3; i++) await ask(proxy.port, get())
    await eventually('they are counted', async () => (await proxy.telemetry()).services.api?.limited === 2)
  })
})

describe('what a client is told', () => {
  it('is its quota with every answer, and when to come again', async () => {
    await proxy.route(limited(limit({ rate: 30, periodMs: 60_000, burst: 2 })))
    const first = await ask(proxy.port, get())
    expect(first.status).toBe(200)
    expect(fieldOf(first, 'ratelimit-policy')).toBe('"default";q=30;w=60')
    expect(fieldOf(first, 'ratelimit')).toBe('"default";r=1;t=2')
    await ask(proxy.port, get())
    const refused = await ask(proxy.port, get())
    expect(refused.status).toBe(429)
    expect(fieldOf(refused, 'ratelimit')).toBe('"default";r=0;t=2')
    expect(fieldOf(refused, 'retry-after')).toBe('2')
    expect(fieldOf(refused, 'content-type')).toBe('application/problem+json')
    expect(JSON.parse(refused.body.toString())).toMatchObject({ status: 429, 'violated-policies': ['default'] })
    await pause(2_000)
    expect((await ask(proxy.port, get())).status).toBe(200)
  })
})

describe('whose requests are counted together', () => {
  const statuses = async (...fields: string[]): Promise<number[]> => {
    const seen: number[] = []
    for (const each of fields) seen.push((await ask(proxy.port, get('/', each))).status)
    return seen
  }
  const once = { rate: 1, periodMs: 60_000, burst: 1 }

  it('is told by a header, or else by the address', async () => {
    await proxy.route(limited(limit({ ...once, key: { by: 'header', name: 'x-user' } })))
    expect(await statuses('X-User: a\r\n', 'X-User: b\r\n', 'X-User: a\r\n', '', '')).toEqual([200, 200, 429, 200, 429])
  })

  it('is told by a cookie', async () => {
    await proxy.route(limited(limit({ ...once, key: { by: 'cookie', name: 'sid' } })))
    expect(await statuses('Cookie: a=1; sid=x\r\n', 'Cookie: sid=y\r\n', 'Cookie: sid=x; b=2\r\n')).toEqual([200, 200, 429])
  })

  it('is told by a proxy that is trusted, and by nobody else', async () => {
    await proxy.route(limited(limit(once), { rules: { trustedProxies: ['127.0.0.1'] } }))
    expect(await statuses('X-Forwarded-For: 192.0.2.1\r\n', 'X-Forwarded-For: 192.0.2.2\r\n', 'X-Forwarded-For: 192.0.2.1\r\n')).toEqual([
      200, 200, 429,
    ])
    await proxy.route(limited(limit({ ...once, burst: 2 })))
    expect(await statuses('X-Forwarded-For: 192.0.2.1\r\n', 'X-Forwarded-For: 192.0.2.2\r\n', 'X-Forwarded-For: 192.0.2.3\r\n')).toEqual([
      200, 200, 429,
    ])
    expect(await statuses('X-Forwarded-For: 2001:db8::1\r\n')).toEqual([429])
  })

  it('are all of one network of IPv6', async () => {
    await proxy.route(limited(limit(once), { rules: { trustedProxies: ['127.0.0.1'] } }))
    expect(
      await statuses('X-Forwarded-For: 2001:db8::1\r\n', 'X-Forwarded-For: 2001:db8::ffff:1\r\n', 'X-Forwarded-For: 2001:db8:0:1::1\r\n'),
    ).toEqual([200, 429, 200])
  })
})

describe('the limit of a route', () => {
  const path = (name: string, rateLimit?: RateLimitView, more: Partial<RouteView> = {}): RouteView => ({
    listener: 'web',
    path: name,
    stripPath: false,
    rateLimit,
    ...more,
  })
  const once = (burst: number): RateLimitView => limit({ rate: 1, periodMs: 60_000, burst })
  const statusesOf = async (...targets: readonly string[]): Promise<number[]> => {
    const seen: number[] = []
    for (const target of targets) seen.push((await ask(proxy.port, get(target))).status)
    return seen
  }

  it('holds for it alone, in all workers together', async () => {
    await proxy.route(service([origin], { routes: [path('/'), path('/login', once(3)), path('/search', once(1))] }))
    const byWorker = (await connectionsByWorker(2)).flat()
    const statuses: number[] = []
    for (const client of byWorker) {
      client.send(get('/login'))
      statuses.push((await client.answer()).status)
    }
    expect(statuses.toSorted()).toEqual([200, 200, 200, ...statuses.slice(3).map(() => 429)])
    expect(await statusesOf('/search', '/search', '/', '/')).toEqual([200, 429, 200, 200])
  })

  it('holds besides that of the service: the tighter one answers, and takes nothing from the other', async () => {
    await proxy.route(limited(once(5), { routes: [path('/'), path('/login', once(2))] }))
    const first = await ask(proxy.port, get('/login'))
    expect(first.fields.filter(([name]) => name === 'ratelimit').map(([, value]) => value.replace(/;.*/, ''))).toEqual(['"route"', '"default"'])
    expect(first.fields.filter(([name]) => name === 'ratelimit-policy').map(([, value]) => value)).toEqual(['"route";q=1;w=60', '"default";q=1;w=60'])
    expect(await statusesOf('/login', '/login', '/login', '/login')).toEqual([200, 429, 429, 429])
    const refused = await ask(proxy.port, get('/login'))
    expect(JSON.parse(refused.body.toString())).toMatchObject({ 'violated-policies': ['route'] })
    // Five in all: those that the route refused have cost the service nothing.
    expect(await statusesOf('/', '/', '/', '/')).toEqual([200, 200, 200, 429])
    expect(JSON.parse((await ask(proxy.port, get('/'))).body.toString())).toMatchObject({ 'violated-policies': ['default'] })
  })

  it('keeps its tokens when the service refuses', async () => {
    const routes = [path('/'), path('/login', once(2))]
    await proxy.route(limited(once(1), { routes }))
    expect(await statusesOf('/login', '/login', '/login')).toEqual([200, 429, 429])
    // The table of a limit that stays as it was stays too.
    await proxy.route(limited(undefined, { routes }))
    // What a worker gives back the other one learns of when it asks again.
    await pause(400)
    expect(await statusesOf('/login', '/login')).toEqual([200, 429])
  })
})

describe('when the primary dies', () => {
  it('no request hangs, and no more is let through than the limit and one burst more', async () => {
    await proxy.route(limited(limit({ burst: 20 })))
    const clients = await Promise.all(Array.from({ length: 12 }, () => connect()))
    const began = performance.now()
    const loading = load(clients, 3_000)
    await pause(500)
    process.kill(proxy.pid, 'SIGKILL')
    const answers = await loading
    const seconds = (performance.now() - began) / 1_000
    expect(answers.every(({ status }) => status === 200 || status === 429)).toBe(true)
    expect(seconds).toBeLessThan(3.5)
    expect(served(answers)).toBeLessThanOrEqual(2 * 20 + 100 * seconds + 2 * 20)
    expect(served(answers)).toBeGreaterThan(150)
    await eventually('an heir is found', () => proxy.signals.some((signal) => signal.type === 'connected' && signal.pid !== proxy.pid))
  })
})
