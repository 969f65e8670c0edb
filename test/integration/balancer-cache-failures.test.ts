/** What is stored stands in for a service that fails, in whatever way it does, as far as it may. */
import { beforeEach, describe, expect, it } from 'vitest'
import type { CacheView, ServiceView } from '../../src/balancer/core/routing-view.ts'
import {
  ask as askRaw,
  endpoint,
  eventually,
  fieldOf,
  freePort,
  get,
  plain,
  post,
  readUntil,
  service,
  type Origin,
  type SeenRequest,
} from '../support/balancer-harness.ts'
import { useProxy } from '../support/proxy-fixture.ts'

const { proxy, origin } = useProxy({ per: 'file', workers: 1 })
const cache: CacheView = { maxBodyBytes: 100_000, graceMs: 3_600_000, obeyClients: true, heuristic: 0 }
/** Stale when it comes: 50 s beyond its lifetime. */
const stale = 'Cache-Control: max-age=10\r\nAge: 60\r\n'
const strict = 'Cache-Control: max-age=10, must-revalidate\r\nAge: 60\r\n'
let count = 0
let path = ''

async function ask(target = path) {
  const answer = await askRaw(proxy.port, get(target), 'GET')
  return {
    status: answer.status,
    body: answer.body.toString(),
    cacheStatus: fieldOf(answer, 'cache-status') ?? '',
    fallback: fieldOf(answer, 'holdfast-fallback'),
  }
}

const view = (endpoints: Parameters<typeof service>[0], more: Partial<ServiceView> = {}): ServiceView =>
  service(endpoints, { cache, timeoutMs: 300, connectTimeoutMs: 200, retries: { attempts: 0, budget: 0.2 }, ...more })

/** Answers once with what may stand in; from then on as told. */
async function keptOnce(then: (request: SeenRequest) => string | undefined, fields = stale): Promise<Origin> {
  const seen = new Set<string>()
  return origin((request) => {
    const first = !seen.has(request.target)
    seen.add(request.target)
    const text = first ? plain('old', fields) : then(request)
    if (text === undefined) request.socket.destroy()
    else request.socket.write(text)
  })
}

describe('a failure, and something stored', () => {
  beforeEach(() => {
    path = `/failures/${++count}`
  })

  it.each<[string, (request: SeenRequest) => string | undefined, string]>([
    ['it hangs up', () => undefined, 'connection closed'],
    ['it does not answer', () => '', '504'],
    ['it answers 503', () => 'HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n', '503'],
    ['it answers 500', () => 'HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n', '500'],
    ['it answers nonsense', () => 'nonsense\r\n\r\n', ''],
  ])('%s', async (_, then, detail) => {
    await proxy.route(view([await keptOnce(then)]))
    expect(await ask()).toMatchObject({ status: 200, body: 'old' })
    const second = await ask()
    expect(second).toMatchObject({ status: 200, body: 'old', fallback: undefined })
    expect(second.cacheStatus).toMatch(/^holdfast; hit; ttl=-5\d; detail="stale-if-error /)
    expect(second.cacheStatus).toContain(detail)
  })

  it('nobody listens, nobody is there, all breakers are open', async () => {
    const kept = await keptOnce(() => 'HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n')
    await proxy.route(view([kept]))
    await ask()
    await proxy.route(view([await freePort()]))
    expect(await ask()).toMatchObject({ status: 200, body: 'old' })
    await proxy.route(view([]))
    expect((await ask()).cacheStatus).toContain('no endpoint available')
    // An answer that another stands in for is a failure all the same: the breaker opens by it.
    await proxy.route(view([kept], { breaker: { errorRate: 0.5, windowMs: 10_000, minimumRequests: 3, openMs: 60_000 } }))
    for (let i = 0; i < 3; i++) expect((await ask()).cacheStatus).toContain('503')
    expect((await ask()).cacheStatus).toContain('breaker open')
    expect(kept.requests.length).toBeLessThanOrEqual(4)
  })

  it('does not wait for an endpoint that is on its way, and takes the new answer once it is there', async () => {
    const first = await keptOnce(() => plain('new', 'Cache-Control: max-age=60\r\n'))
    await proxy.route(view([first]))
    await ask()
    const parking = { timeoutMs: 20_000, requests: 10, bytes: 1_000_000 }
    await proxy.route(view([], { parking, coming: true, managed: true }))
    const began = performance.now()
    expect(await ask()).toMatchObject({ status: 200, body: 'old' })
    expect(performance.now() - began).toBeLessThan(5_000)
    await proxy.route(view([first], { parking, managed: true }))
    expect(await ask()).toMatchObject({ body: 'new' })
  })

  it('does not wait for the whole patience of somebody who asks a service that hangs', async () => {
    const hanging = await keptOnce(() => '')
    await proxy.route(view([hanging], { timeoutMs: 30_000 }))
    await ask()
    const first = ask()
    await eventually('somebody asks', () => hanging.requests.length > 1)
    const began = performance.now()
    const others = await Promise.all([ask(), ask()])
    expect(others.map(({ body }) => body)).toEqual(['old', 'old'])
    expect(others[0].cacheStatus).toContain('stale-if-error no answer')
    expect(performance.now() - began).toBeLessThan(15_000)
    await hanging.stop()
    expect(await first).toMatchObject({ body: 'old' })
  })

  it('is told where the law forbids what is stale, and where there is nothing', async () => {
    await proxy.route(view([await keptOnce(() => undefined, strict)]))
    await ask()
    expect(await ask()).toMatchObject({ status: 502 })
    const gone = await keptOnce(() => undefined)
    await proxy.route(view([gone], { cache: { ...cache, graceMs: 49_000 } }))
    await ask(`${path}/late`)
    expect(await ask(`${path}/late`)).toMatchObject({ status: 502 })
  })

  it('stands in however old it is as a fallback, says so, and is counted as the failure', async () => {
    const old = 'Cache-Control: max-age=10\r\nAge: 1000000\r\n'
    const kept = await keptOnce(() => undefined, old)
    await proxy.route({ ...view([kept], { cache: { ...cache, graceMs: 0, anyAge: true } }), name: 'lives-by-it' })
    await ask()
    expect(await ask()).toMatchObject({ status: 200, body: 'old', fallback: 'failed' })
    const { services } = await readUntil(proxy, 'it is counted', ({ services }) => services['lives-by-it']?.fallbacks.failed === 1)
    expect(services['lives-by-it']?.responses).toMatchObject({ '2xx': 1, '5xx': 1 })
  })

  it('is still kept, and forgotten, when a first attempt came to nothing', async () => {
    let attempts = 0
    const one = await origin(({ socket, method }) => {
      if (++attempts % 2 === 1 && method === 'GET') socket.destroy()
      else socket.write(plain(`answer ${attempts}`, 'Cache-Control: max-age=60\r\n'))
    })
    await proxy.route(view([one], { retries: { attempts: 1, budget: 1 } }))
    expect(await ask()).toMatchObject({ body: 'answer 2' })
    expect(await ask()).toMatchObject({ body: 'answer 2' })
    // A first attempt that nobody received is made again; what comes of it changes what is stored.
    const gone = await freePort()
    await proxy.route(view([gone, endpoint(one.port)], { retries: { attempts: 1, budget: 1 } }))
    for (let i = 0; i < 2; i++) await askRaw(proxy.port, post('x', '', path), 'POST')
    attempts = 9
    expect(await ask()).toMatchObject({ body: 'answer 10' })
  })

  it('is of its own service: what a fallback service answers is not kept as if it were', async () => {
    let well = true
    const own = await origin(({ socket }) => (well ? socket.write(plain('own', `${strict}ETag: "1"\r\n`)) : socket.destroy()))
    const other = await origin((request) =>
      request.socket.write(
        fieldOf(request, 'if-none-match') === undefined ? plain('other', 'Cache-Control: max-age=60\r\n') : plain('asked with a condition'),
      ),
    )
    const others = service([other], { name: 'other', routes: [] })
    for (const cached of [others, { ...others, cache }]) {
      well = true
      path = `/failures/${++count}`
      await proxy.route(view([own], { fallback: { service: 'other' } }), cached)
      expect(await ask()).toMatchObject({ body: 'own' })
      well = false
      expect(await ask()).toMatchObject({ body: 'other', fallback: 'failed' })
      well = true
      expect(await ask()).toMatchObject({ body: 'own', fallback: undefined })
    }
  })
})
