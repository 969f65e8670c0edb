/** Hedges over real sockets: what clients see of an endpoint that hangs, what it costs the others, and how it is found all the same. */
import { createServer, type Http2Server } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { ask, endpoint, eventually, get, plain, post, readUntil, service, type Origin } from '../support/balancer-harness.ts'
import { useProxy } from '../support/proxy-fixture.ts'

const { proxy, origin, serving, connect } = useProxy({ per: 'file' })

const hanging = (): Promise<Origin> => origin(() => undefined)
const late = (ms: number, text: string): Promise<Origin> =>
  origin(({ socket }) => {
    setTimeout(() => socket.write(plain(text)), ms)
  })
const hedge = { delayMs: 20, budget: 0.05 }
/** Of a fresh service: counts live as long as it does. */
let services = 0
const fresh = (): string => `api${++services}`
const countsOf = async (name: string): Promise<Readonly<Record<string, number>>> => (await proxy.telemetry()).services[name]?.hedges ?? {}
const ejection = { consecutiveErrors: 3, consecutiveFailures: 2, baseMs: 30_000, maxMs: 300_000 }

describe('one of three that hangs', () => {
  it('is seen by no client that asks with GET, and is ejected long before the timeout', async () => {
    let hangs = false
    const bad = await origin(({ socket }) => {
      if (!hangs) socket.write(plain('ok'))
    })
    const name = fresh()
    // A busy machine would spend a smaller budget before anything hangs.
    const settings = { hedge: { delayMs: 30, budget: 1 }, ejection, timeoutMs: 30_000 }
    await proxy.route(service([await serving(), await serving(), bad], { name, ...settings }))
    for (let i = 0; i < 150; i++) await ask(proxy.port, get())
    hangs = true
    const began = performance.now()
    const times: number[] = []
    for (let i = 0; i < 30; i++) {
      const asked = performance.now()
      expect((await ask(proxy.port, get())).text).toBe('ok')
      times.push(performance.now() - asked)
    }
    expect(Math.max(...times)).toBeLessThan(1_000)
    expect((await countsOf(name)).hedge).toBeGreaterThan(0)
    const told = await readUntil(proxy, 'it is ejected', ({ endpoints }) => endpoints[`e${bad.port}`]?.ejected !== undefined)
    expect(told.endpoints[`e${bad.port}`]?.ejected).toContain('not answered')
    expect(performance.now() - began).toBeLessThan(10_000)
  })
})

describe('endpoints that are all slow', () => {
  it('get no more than the budget on top', async () => {
    const origins = [await late(80, 'a'), await late(80, 'b'), await late(80, 'c')]
    const name = fresh()
    await proxy.route(service(origins, { name, hedge }))
    const asked = 200
    for (let i = 0; i < asked; i += 20) await Promise.all(Array.from({ length: 20 }, () => ask(proxy.port, get())))
    const seen = origins.reduce((sum, { requests }) => sum + requests.length, 0)
    expect(seen).toBeGreaterThan(asked)
    expect(seen).toBeLessThanOrEqual(asked + 10 + asked * hedge.budget)
  })
})

describe('a request', () => {
  it('that is a POST is never made twice', async () => {
    const bad = await hanging()
    const good = await hanging()
    await proxy.route(service([bad, good], { name: fresh(), hedge, timeoutMs: 400 }))
    expect((await ask(proxy.port, post('x'))).status).toBe(504)
    expect(bad.requests.length + good.requests.length).toBe(1)
  })

  it('gets the answer of the first endpoint when that comes first', async () => {
    const slow = await late(150, 'slow')
    const bad = await hanging()
    const name = fresh()
    await proxy.route(service([slow, bad], { name, hedge, algorithm: 'least-connections' }))
    const answers = [await ask(proxy.port, get()), await ask(proxy.port, get())]
    expect(answers.map(({ text }) => text)).toEqual(['slow', 'slow'])
    expect(bad.requests.length).toBe(2)
    expect(await countsOf(name)).toEqual({ first: 1, hedge: 1 })
    await eventually('nobody reads from the one that hangs any more', () => bad.sockets.size <= 1)
  })

  it('that nobody answers fails when its time is over, once', async () => {
    const name = fresh()
    const origins = [await hanging(), await hanging(), await hanging()]
    await proxy.route(service(origins, { name, hedge, timeoutMs: 400 }))
    const asked = performance.now()
    expect((await ask(proxy.port, get())).status).toBe(504)
    expect(performance.now() - asked).toBeLessThan(3_000)
    expect(origins.map(({ requests }) => requests.length).toSorted((a, b) => a - b)).toEqual([0, 1, 1])
    expect(await countsOf(name)).toEqual({ none: 1 })
  })

  it('whose client leaves is given up at both endpoints', async () => {
    const origins = [await hanging(), await hanging()]
    const name = fresh()
    await proxy.route(service(origins, { name, hedge }))
    const client = await connect()
    client.send(get())
    await eventually('both have it', () => origins.every(({ requests }) => requests.length === 1))
    client.socket.resetAndDestroy()
    await eventually('both are given up', () => origins.every(({ sockets }) => sockets.size === 0))
    const told = await readUntil(proxy, 'nothing is in flight', ({ endpoints }) => origins.every(({ port }) => endpoints[`e${port}`]?.active === 0))
    expect(told.services[name]?.active).toBe(0)
  })

  it('says in its trail what was done for it', async () => {
    const origins = [await hanging(), await serving('good')]
    await proxy.apply({
      listeners: [{ name: 'web', host: '127.0.0.1', port: proxy.port }],
      services: [service(origins, { name: fresh(), hedge })],
      observe: { explain: { keep: 64, slowMs: 60_000, sample: 1, header: undefined }, serverTiming: 'off' },
    })
    const ids = ['hedged-0', 'hedged-1']
    for (const id of ids) expect((await ask(proxy.port, get('/', `X-Request-Id: ${id}\r\n`))).text).toBe('good')
    const trails = (await Promise.all(ids.map((id) => proxy.client.explain(id)))).flat()
    const hedged = trails.find(({ steps }) => steps.some(({ step }) => step === 'hedged'))
    expect(hedged?.tries).toBe(2)
    expect(hedged?.steps.map(({ step }) => step)).toEqual(['picked', 'sent', 'hedged', 'won', 'answered', 'ended'])
    expect(hedged?.steps.find(({ step }) => step === 'hedged')?.note).toMatch(/^e\d+ has not answered for \d+(\.\d+)? ms$/)
    expect(hedged?.steps.find(({ step }) => step === 'answered')?.endpoint).toBe(`e${origins[1]?.port}`)
  })
})

describe('endpoints that speak HTTP/2', () => {
  const servers: Http2Server[] = []
  afterEach(() => {
    for (const server of servers.splice(0)) server.close()
  })

  it('are hedged as others are, and a stream that lost is cancelled', async () => {
    let asked = 0
    let cancelled = 0
    const start = async (answers: boolean): Promise<number> => {
      const server = createServer()
      servers.push(server)
      server.on('session', (session) => session.on('error', () => undefined))
      server.on('stream', (stream) => {
        asked++
        stream.on('error', () => undefined)
        stream.on('aborted', () => cancelled++)
        if (answers) {
          stream.respond({ ':status': 200 })
          stream.end('good')
        }
      })
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      return (server.address() as AddressInfo).port
    }
    const ports = [await start(false), await start(true)]
    const name = fresh()
    await proxy.route(
      service(
        ports.map((port) => endpoint(port, { http2: true })),
        { name, hedge, timeoutMs: 1_000, algorithm: 'round-robin' },
      ),
    )
    for (let i = 0; i < 4; i++) expect((await ask(proxy.port, get())).text).toBe('good')
    expect((await countsOf(name)).hedge).toBe(2)
    expect(asked).toBe(6)
    await eventually('what hung is cancelled when its time is over', () => cancelled === 2)
  })
})
