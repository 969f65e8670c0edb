/** Mirroring through the real data plane: what the mirror gets, what is counted, and that nobody who asked notices anything of it. */
import { describe, expect, it } from 'vitest'
import type { MirrorView } from '../../src/balancer/core/mirror.ts'
import type { ServiceView } from '../../src/balancer/index.ts'
import { ask, endpoint, eventually, fieldOf, get, pause, plain, service, type Origin } from '../support/balancer-harness.ts'
import { useProxy } from '../support/proxy-fixture.ts'

const { proxy, origin, kept } = useProxy({ per: 'test', workers: 1 })

const usual: MirrorView = { service: 'shadow', share: 1, methods: ['GET', 'HEAD', 'OPTIONS'], compare: true, maxBodyBytes: 65_536 }
const shadow = (to: Origin | number, more: Partial<ServiceView> = {}): ServiceView => service([to], { name: 'shadow', routes: [], ...more })
const mirrored = (to: Origin, mirror: Partial<MirrorView> = {}): ServiceView => service([to], { mirror: { ...usual, ...mirror } })
const serving = (body: string, fields = ''): Promise<Origin> => origin(({ socket }) => socket.write(plain(body, fields)))

const post = (body: string): string => `POST /buy?card=1 HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`
/** What is counted when copies that are under way have had time to end. */
async function counts() {
  for (let before = ''; ;) {
    const { mirror } = (await proxy.telemetry()).services.api!
    const now = JSON.stringify(mirror)
    if (now === before) return mirror!
    before = now
    await pause(400)
  }
}

describe('a mirror', () => {
  it('gets what the service got, marked as a copy, and its equal answers are counted', async () => {
    const [first, second] = [await serving('hello'), await serving('hello', 'X-Other: 1\r\n')]
    await proxy.route(mirrored(first), shadow(second))
    const answer = await ask(proxy.port, get('/a?b=1', 'X-Request-Id: r-1\r\nCookie: a=1\r\n'))
    expect([answer.status, answer.text, fieldOf(answer, 'x-other')]).toEqual([200, 'hello', undefined])
    const copy = await eventually('the copy', () => second.requests[0])
    const [original] = first.requests
    expect([copy.method, copy.target]).toEqual(['GET', '/a?b=1'])
    expect(fieldOf(copy, 'x-request-id')).toBe('r-1')
    expect(copy.fields.filter(([name]) => name !== 'x-holdfast-mirror')).toEqual(original!.fields)
    expect(fieldOf(copy, 'x-holdfast-mirror')).toBe('1')
    expect(fieldOf(original!, 'x-holdfast-mirror')).toBeUndefined()
    expect(await counts()).toEqual({ counts: { same: 1, differs: 0, answered: 0, failed: 0, dropped: 0 }, differences: [] })
  })

  it('keeps what differs, without the query', async () => {
    const [first, second] = [await serving('hello'), await serving('help', 'Content-Type: text/html\r\n')]
    await proxy.route(mirrored(first), shadow(second))
    await ask(proxy.port, get('/a?secret=1', 'X-Request-Id: r-2\r\n'))
    const { counts: counted, differences } = await counts()
    expect(counted).toMatchObject({ same: 0, differs: 1, failed: 0 })
    expect(differences).toMatchObject([
      {
        request: 'r-2',
        method: 'GET',
        path: '/a',
        differs: ['contentType', 'bytes', 'hash'],
        original: { status: 200, contentType: '', bytes: 5 },
        mirrored: { status: 200, contentType: 'text/html', bytes: 4 },
      },
    ])
  })

  it('compares bodies, not how they are framed, over many requests and through reused connections', async () => {
    const body = 'x'.repeat(30_000)
    const chunked = await origin(({ socket }) => {
      const half = body.slice(0, 15_000)
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n')
      setTimeout(() => socket.write(`3a98\r\n${half}\r\n3a98\r\n${half}\r\n0\r\n\r\n`), 5)
    })
    const untilClose = await origin(({ socket }) => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n')
      setTimeout(() => socket.end(body), 5)
    })
    const counted = await serving(body)
    await proxy.route(mirrored(chunked), shadow(counted))
    for (let i = 0; i < 20; i++) await ask(proxy.port, get('/'))
    await eventually('all copies', () => counted.requests.length === 20)
    expect(counted.connections).toBeLessThan(10)
    await proxy.route(mirrored(counted), shadow(untilClose))
    await ask(proxy.port, get('/'))
    expect(await counts()).toMatchObject({ counts: { same: 21, differs: 0, failed: 0 } })
  })

  it('compares no more of long answers than it is told, and does not read the rest', async () => {
    const [first, second] = [await serving('a'.repeat(5_000)), await serving(`${'a'.repeat(1_000)}${'b'.repeat(9_000)}`)]
    await proxy.route(mirrored(first, { maxBodyBytes: 1_000 }), shadow(second))
    expect((await ask(proxy.port, get('/'))).text).toHaveLength(5_000)
    expect(await counts()).toMatchObject({ counts: { same: 1 } })
  })

  it('gets what changes something only when that was asked for, with its body', async () => {
    const [first, second] = [await serving('ok'), await serving('ok')]
    await proxy.route(mirrored(first), shadow(second))
    await ask(proxy.port, post('one'))
    await ask(proxy.port, get('/'))
    await eventually('the copy', () => second.requests.length === 1)
    expect(second.requests.map(({ method }) => method)).toEqual(['GET'])
    await proxy.route(mirrored(first, { methods: ['POST'], maxBodyBytes: 10_000 }), shadow(second))
    const body = 'y'.repeat(9_000)
    await ask(proxy.port, post(body))
    await ask(proxy.port, `POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n`)
    await ask(proxy.port, post('z'.repeat(20_000)))
    await eventually('the copies', () => second.requests.length === 3)
    expect(second.requests.slice(1).map((copy) => copy.body.toString())).toEqual([body, 'abcde'])
    expect(second.malformed).toEqual([])
    expect(await counts()).toMatchObject({ counts: { same: 3, dropped: 1 } })
  })

  it('copies a share', async () => {
    const [first, second] = [await serving('ok'), await serving('ok')]
    await proxy.route(mirrored(first, { share: 0.2, compare: false }), shadow(second))
    for (let i = 0; i < 20; i++) await Promise.all(Array.from({ length: 10 }, () => ask(proxy.port, get('/'))))
    const { answered, dropped, failed } = (await counts()).counts
    expect([dropped, failed]).toEqual([0, 0])
    // 200 × 0.2 = 40; five standard deviations are 28.
    expect(answered).toBeGreaterThan(12)
    expect(answered).toBeLessThan(68)
    expect(second.requests).toHaveLength(answered)
  })

  it('does not copy copies', async () => {
    const [first, second] = [await serving('ok'), await serving('ok')]
    await proxy.route(mirrored(first), shadow(second))
    await ask(proxy.port, get('/', 'X-Holdfast-Mirror: 1\r\n'))
    await ask(proxy.port, get('/once'))
    await eventually('the copy', () => second.requests.length === 1)
    expect(second.requests[0]!.target).toBe('/once')
  })
})

describe('a bad mirror', () => {
  const broken: Record<string, () => Promise<Origin | number>> = {
    dead: () => Promise.resolve(1),
    silent: () => origin(() => undefined),
    'answering nonsense': () => origin(({ socket }) => socket.write('nonsense\r\n\r\n')),
    'breaking off': () => origin(({ socket }) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhal')),
    resetting: () => origin(({ socket }) => socket.resetAndDestroy()),
    'switching protocols': () =>
      origin(({ socket }) => socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n')),
  }

  it.each(Object.keys(broken))('%s: clients and the breakers of the service see nothing of it', async (how) => {
    const first = await serving('ok')
    const breaker = { errorRate: 0.1, windowMs: 10_000, minimumRequests: 3, openMs: 5_000 }
    const ejection = { consecutiveErrors: 3, consecutiveFailures: 3, baseMs: 1_000, maxMs: 2_000 }
    await proxy.route({ ...mirrored(first), breaker, ejection }, shadow(await broken[how]!(), { timeoutMs: 300, connectTimeoutMs: 300 }))
    const begun = performance.now()
    for (let i = 0; i < 20; i++) expect(await ask(proxy.port, get('/'))).toMatchObject({ status: 200, text: 'ok' })
    expect(performance.now() - begun).toBeLessThan(2_000)
    await pause(500)
    const { services, endpoints } = await proxy.telemetry()
    const { same, differs, failed, dropped } = services.api!.mirror!.counts
    expect([same, differs, failed + dropped]).toEqual([0, 0, 20])
    expect(failed).toBeGreaterThan(0)
    expect(services.api).toMatchObject({ responses: { '2xx': 20 }, retried: 0 })
    expect(endpoints[endpoint(first.port).id]).toMatchObject({ errors: 0, breaker: 'closed' })
    expect(endpoints[endpoint(first.port).id]!.ejected).toBeUndefined()
    expect(services.shadow).toMatchObject({ active: 0 })
  })

  it('that is slow has so many copies under way and no more', async () => {
    const first = await serving('ok')
    const second = await origin(() => undefined)
    await proxy.route(mirrored(first), shadow(second, { timeoutMs: 60_000 }))
    for (let i = 0; i < 10; i++) await Promise.all(Array.from({ length: 10 }, () => ask(proxy.port, get('/'))))
    expect(await counts()).toMatchObject({ counts: { failed: 0, dropped: 36 } })
    expect(second.requests).toHaveLength(64)
    // Gone from the configuration: what is under way goes with it.
    await proxy.route(service([first]), shadow(second))
    expect((await proxy.telemetry()).services.shadow).toMatchObject({ active: 0 })
  })

  it('opens its own breaker, and gets no more', async () => {
    const first = await serving('ok')
    const second = await origin(({ socket }) => socket.write('HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n'))
    await proxy.route(
      mirrored(first),
      shadow(second, { breaker: { errorRate: 0.5, windowMs: 10_000, minimumRequests: 5, openMs: 60_000 }, routes: [] }),
    )
    for (let i = 0; i < 30; i++) await ask(proxy.port, get('/'))
    const { differs, dropped } = (await counts()).counts
    expect(differs + dropped).toBe(30)
    expect(dropped).toBeGreaterThan(15)
    expect(second.requests.length).toBe(differs)
  })

  it('is not held against an answer that was cut', async () => {
    const first = await origin(({ socket }) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf')
      setTimeout(() => socket.destroy(), 30)
    })
    await proxy.route(mirrored(first), shadow(await kept(serving('0123456789'))))
    await ask(proxy.port, get('/')).catch(() => undefined)
    expect(await counts()).toMatchObject({ counts: { same: 0, differs: 0, dropped: 1 } })
  })
})
