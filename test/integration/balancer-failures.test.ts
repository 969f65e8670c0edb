/** Origins that refuse, reset, stall, die and come back: who gets the request then, how often, and what the client is told. */
import { describe, expect, it } from 'vitest'
import { ask, endpoint, eventually, fieldOf, freePort, get, Origin, pause, plain, post, RawClient, service } from '../support/balancer-harness.ts'
import { useProxy } from '../support/proxy-fixture.ts'
import { SilentListener } from '../support/silent-listener.ts'
import type { ServiceView } from '../../src/balancer/index.ts'

const { proxy, origin, serving, kept } = useProxy({ per: 'file' })

const dying = (): Promise<Origin> => origin(({ socket }) => socket.resetAndDestroy())
const large = 'x'.repeat(300_000)

describe('a connection that is refused', () => {
  it('costs nothing: the request goes elsewhere, a POST with its body too', async () => {
    const alive = await serving()
    await proxy.route(service([await freePort(), alive, await freePort()]))
    for (let i = 0; i < 5; i++) expect((await ask(proxy.port, get())).text).toBe('ok')
    expect((await ask(proxy.port, post(large))).text).toBe('ok')
    expect(alive.requests.at(-1)?.body.length).toBe(large.length)
    expect(alive.requests.filter(({ method }) => method === 'POST')).toHaveLength(1)
  })

  it('everywhere ends in 502 with a reason', async () => {
    await proxy.route(service([await freePort(), await freePort()]))
    const answer = await ask(proxy.port, post('hello'))
    expect(answer.status).toBe(502)
    expect(fieldOf(answer, 'proxy-status')).toContain('error=connection_refused')
  })

  it('at a service that is supervised but may not park ends as well', async () => {
    await proxy.route(service([await freePort()], { managed: true }))
    const answer = await ask(proxy.port, get())
    expect(answer.status).toBe(502)
    expect(fieldOf(answer, 'retry-after')).toBe('1')
  })

  it('that is not answered at all ends in 504 after the connect timeout', async () => {
    await using silent = await SilentListener.start()
    await proxy.route(service([endpoint(silent.port, { id: 'off' })], { connectTimeoutMs: 200 }))
    const started = performance.now()
    const answer = await ask(proxy.port, get())
    expect(answer.status).toBe(504)
    expect(fieldOf(answer, 'proxy-status')).toContain('connection_timeout')
    expect(performance.now() - started).toBeLessThan(2_000)
  })
})

describe('an origin that speaks before it is asked', () => {
  it('is no HTTP server, and its client is told so', async () => {
    const greeting = await Origin.raw((socket) => void socket.write('220 mail.test ESMTP\r\n'))
    await proxy.route(service([greeting]))
    for (let each = 0; each < 20; each++) {
      const answer = await ask(proxy.port, get())
      expect([answer.status, fieldOf(answer, 'proxy-status')]).toEqual([502, expect.stringContaining('error=http_protocol_error')])
    }
    await greeting.stop()
  })
})

describe('an origin that dies with a request', () => {
  it('before it answers: GET goes to another, POST does not and is told so', async () => {
    const dead = await dying()
    const alive = await serving()
    await proxy.route(service([dead, alive]))
    for (let i = 0; i < 6; i++) expect((await ask(proxy.port, get())).text).toBe('ok')
    const lost = dead.requests.length
    expect(lost).toBeGreaterThan(0)
    const answers = [await ask(proxy.port, post('a')), await ask(proxy.port, post('b'))]
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 502])
    const told = answers.find(({ status }) => status === 502)!
    expect(fieldOf(told, 'proxy-status')).toContain('error=connection_terminated')
    expect(told.text).toContain('whether the request was carried out is not known')
    // Nothing that may have run was sent a second time.
    const bodies = [...dead.requests, ...alive.requests].filter(({ method }) => method === 'POST').map(({ body }) => body.toString())
    expect(bodies.sort()).toEqual(['a', 'b'])
  })

  it.each([
    ['before reading', 0],
    ['after the head', 10],
  ])('at once, every time (%s), is not asked without end', async (_when, ms) => {
    const killer = await kept(
      Origin.raw((socket) => {
        if (ms === 0) socket.resetAndDestroy()
        else socket.once('data', () => setTimeout(() => socket.resetAndDestroy(), ms))
      }),
    )
    await proxy.route(service([killer]))
    expect((await ask(proxy.port, get())).status).toBe(502)
    expect(killer.connections).toBeLessThanOrEqual(4)
    const before = killer.connections
    expect((await ask(proxy.port, post('x'))).status).toBe(502)
    expect(killer.connections - before).toBeLessThanOrEqual(4)
  })

  it('within the head of its answer counts as dead; within the body the client sees the cut', async () => {
    const half = await origin(({ target, socket }) => {
      socket.write(target === '/head' ? 'HTTP/1.1 200 OK\r\nContent-Le' : 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345', () =>
        setTimeout(() => socket.resetAndDestroy(), 20),
      )
    })
    const alive = await serving()
    await proxy.route(service([half, alive]))
    expect((await ask(proxy.port, get('/head'))).text).toBe('ok')
    expect((await ask(proxy.port, get('/head'))).text).toBe('ok')
    await proxy.route(service([half]))
    await expect(ask(proxy.port, get('/body'))).rejects.toThrow(/before the answer was whole/)
  })

  it('is left alone when retries are off', async () => {
    const dead = await dying()
    const alive = await serving()
    await proxy.route(service([dead, alive], { retries: { attempts: 0, budget: 0.2 } }))
    const statuses = [(await ask(proxy.port, get())).status, (await ask(proxy.port, get())).status]
    expect(statuses.sort()).toEqual([200, 502])
  })

  it('does not lose its good name by closing idle connections at random moments', async () => {
    const closing = await origin(({ socket }) => {
      socket.write(plain('ok'))
      if (Math.random() < 0.5) setTimeout(() => socket.end(), Math.random() * 3)
    })
    await proxy.route(service([closing]))
    const clients = await Promise.all(Array.from({ length: 8 }, () => RawClient.to(proxy.port)))
    let sent = 0
    await Promise.all(
      clients.map(async (client) => {
        for (let i = 0; i < 40; i++) {
          client.send(i % 2 === 0 ? get(`/${sent++}`) : post('body', '', `/${sent++}`))
          const answer = await client.answer()
          // A POST on a connection that closed at that very moment may be lost, but then it says so.
          if (i % 2 === 0) expect(answer.status).toBe(200)
          else expect([200, 502]).toContain(answer.status)
          await pause(Math.random() * 3)
        }
        client.destroy()
      }),
    )
    const seen = closing.requests.filter(({ method }) => method === 'POST').map(({ target }) => target)
    expect(new Set(seen).size).toBe(seen.length)
  })
})

describe('an origin that is slow', () => {
  it('to answer ends in 504, is not asked twice, and the client may go on', async () => {
    const silent = await origin(({ target, socket }) => {
      if (target !== '/silent') socket.write(plain('ok'))
    })
    await proxy.route(service([silent], { timeoutMs: 300 }))
    const client = await RawClient.to(proxy.port)
    client.send(get('/silent') + get('/next'))
    const answer = await client.answer()
    expect(answer.status).toBe(504)
    expect(fieldOf(answer, 'proxy-status')).toContain('http_response_timeout')
    expect((await client.answer()).text).toBe('ok')
    expect(silent.requests.map(({ target }) => target)).toEqual(['/silent', '/next'])
    client.destroy()
  })

  it('is not blamed for a client that sends its body slowly', async () => {
    const patient = await serving()
    await proxy.route(service([patient], { timeoutMs: 200 }))
    const client = await RawClient.to(proxy.port)
    client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc')
    await pause(600)
    client.send('def')
    expect((await client.answer()).text).toBe('ok')
    client.destroy()
  })

  it('is blamed when it does not take the body', async () => {
    const full = await kept(Origin.raw((socket) => socket.pause()))
    await proxy.route(service([full], { timeoutMs: 400 }))
    const client = await RawClient.to(proxy.port)
    client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n')
    client.send(Buffer.alloc(40_000_000))
    expect((await client.answer()).status).toBe(504)
    client.destroy()
  })
})

describe('parking', () => {
  const parked = (port: number, more: Partial<ServiceView> = {}): ServiceView =>
    service([port], { managed: true, parking: { timeoutMs: 5_000, requests: 10, bytes: 1024 * 1024 }, bootMs: 2_400, ...more })

  it('holds GET and POST while the only endpoint is away, and lets them go in order when it is back', async () => {
    const port = await freePort()
    await proxy.route(parked(port))
    const waiting = []
    for (let i = 0; i < 5; i++) {
      waiting.push(ask(proxy.port, i % 2 === 0 ? get(`/${i}`) : post('body', '', `/${i}`)))
      await pause(20)
    }
    await pause(200)
    const back = await origin(({ socket }) => socket.write(plain('back')), port)
    const answers = await Promise.all(waiting)
    expect(answers.map(({ text }) => text)).toEqual(['back', 'back', 'back', 'back', 'back'])
    expect(back.requests.map(({ target }) => target).sort()).toEqual(['/0', '/1', '/2', '/3', '/4'])
  })

  it('refuses what exceeds its limits with 503 and Retry-After, and what waits too long', async () => {
    await proxy.route(parked(await freePort(), { parking: { timeoutMs: 400, requests: 3, bytes: 1024 * 1024 } }))
    const answers = await Promise.all(Array.from({ length: 5 }, () => ask(proxy.port, get())))
    expect(answers.map(({ status }) => status)).toEqual([503, 503, 503, 503, 503])
    for (const answer of answers) expect(fieldOf(answer, 'retry-after')).toBe('3')
    const reasons = answers.map((answer) => fieldOf(answer, 'proxy-status')?.replace(/^.*details=/, ''))
    expect(reasons.sort()).toEqual(['"parked queue full"', '"parked queue full"', '"parked too long"', '"parked too long"', '"parked too long"'])
  })

  it('counts bytes, and lets go of those whose clients have left', async () => {
    await proxy.route(parked(await freePort(), { parking: { timeoutMs: 5_000, requests: 10, bytes: 300 } }))
    const client = await RawClient.to(proxy.port)
    client.send(get('/', `X: ${'y'.repeat(200)}\r\n`))
    await pause(100)
    const full = await ask(proxy.port, get('/', `X: ${'y'.repeat(200)}\r\n`))
    expect(fieldOf(full, 'proxy-status')).toContain('parked queue full')
    client.destroy()
    await pause(50)
    const port = await freePort()
    await proxy.route(parked(port, { parking: { timeoutMs: 5_000, requests: 10, bytes: 300 } }))
    const next = ask(proxy.port, get('/', `X: ${'y'.repeat(200)}\r\n`))
    await pause(50)
    await origin(({ socket }) => socket.write(plain('room')), port)
    expect((await next).text).toBe('room')
  })

  it('ends when nothing is coming any more', async () => {
    await proxy.route(parked(await freePort()))
    const waiting = ask(proxy.port, get())
    await pause(100)
    await proxy.route(service([], { parking: { timeoutMs: 5_000, requests: 10, bytes: 1024 * 1024 } }))
    expect((await waiting).status).toBe(503)
  })
})

describe('leaving', () => {
  it('a draining endpoint gets nothing new, and is drained when its last answer is out', async () => {
    const answers: (() => void)[] = []
    const old = await origin(({ socket }) => {
      answers.push(() => socket.write(plain('old')))
    })
    const young = await serving('young')
    await proxy.route(service([old]))
    const running = ask(proxy.port, get())
    await eventually('it runs', () => answers.length === 1)
    await proxy.route(service([endpoint(old.port, { state: 'draining' }), young]))
    expect((await ask(proxy.port, get())).text).toBe('young')
    let drained: { remaining: number } | undefined
    const draining = proxy.client.drained(`e${old.port}`, 5_000).then((result) => (drained = result))
    await pause(100)
    expect(drained).toBeUndefined()
    answers[0]?.()
    expect((await running).text).toBe('old')
    expect(await draining).toEqual({ remaining: 0 })
    expect(old.requests).toHaveLength(1)
  })

  it('a drain that takes too long says what is left', async () => {
    const silent = await origin(() => undefined)
    await proxy.route(service([silent]))
    const client = await RawClient.to(proxy.port)
    client.send(get())
    await eventually('it runs', () => silent.requests.length === 1)
    await proxy.route(service([endpoint(silent.port, { state: 'draining' })]))
    expect(await proxy.client.drained(`e${silent.port}`, 150)).toEqual({ remaining: 1 })
    client.destroy()
  })

  it('an endpoint whose process has exited gets nothing from that moment on', async () => {
    const gone = await serving('gone')
    const alive = await serving('alive')
    await proxy.route(service([gone, alive]))
    proxy.client.gone(`e${gone.port}`, 'exit code=1')
    await pause(50)
    for (let i = 0; i < 6; i++) expect((await ask(proxy.port, get())).text).toBe('alive')
  })

  it('the reason of its exit is told to a POST that it took along', async () => {
    const victim = await origin(({ socket }) => {
      setTimeout(() => {
        proxy.client.gone(`e${victim.port}`, 'exit signal=SIGSEGV')
        socket.resetAndDestroy()
      }, 20)
    })
    await proxy.route(service([victim], { managed: true }))
    const answer = await ask(proxy.port, post('x'))
    expect(answer.status).toBe(502)
    expect(fieldOf(answer, 'proxy-status')).toContain('details="exit signal=SIGSEGV"')
  })
})
