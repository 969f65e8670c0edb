/** HTTP/2 to endpoints, on real sockets: what they are sent, what becomes of their answers, and what a lost one costs. */
import { mkdtempSync, rmSync } from 'node:fs'
import {
  constants,
  createSecureServer,
  createServer,
  type Http2Server,
  type ServerHttp2Stream,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
} from 'node:http2'
import type { AddressInfo, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer as createTlsServer } from 'node:tls'
import { afterEach, describe, expect, it } from 'vitest'
import type { ServiceView } from '../../src/balancer/index.ts'
import { endpoint, eventually, freePort, get, pause, post, service } from '../support/balancer-harness.ts'
import { makePair } from '../support/certificates.ts'
import { Http2Client } from '../support/http2-client.ts'
import { useProxy } from '../support/proxy-fixture.ts'

const { proxy, connect } = useProxy({ per: 'file' })
const clients: Http2Client[] = []
const origins: Http2Origin[] = []
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()))
  for (const origin of origins.splice(0)) origin.stop()
})

interface Seen {
  readonly stream: ServerHttp2Stream
  readonly headers: IncomingHttpHeaders
  body: string
  trailers: IncomingHttpHeaders
}

class Http2Origin {
  readonly server: Http2Server
  readonly seen: Seen[] = []
  readonly sessions: ServerHttp2Session[] = []
  readonly sockets: Socket[] = []
  /** Streams that were reset before they were whole. */
  cut = 0
  port = 0

  constructor(answer: (seen: Seen) => void, options: { readonly streams?: number } = {}) {
    this.server = createServer({ settings: { maxConcurrentStreams: options.streams ?? 100 } })
    this.server.on('connection', (socket: Socket) => this.sockets.push(socket))
    this.server.on('session', (session) => {
      this.sessions.push(session)
      session.on('error', () => undefined)
    })
    this.server.on('stream', (stream, headers) => {
      const seen: Seen = { stream, headers, body: '', trailers: {} }
      this.seen.push(seen)
      stream.on('error', () => undefined)
      stream.on('aborted', () => this.cut++)
      stream.setEncoding('latin1')
      stream.on('data', (text: string) => {
        seen.body += text
      })
      stream.on('trailers', (trailers: IncomingHttpHeaders) => {
        seen.trailers = trailers
      })
      stream.on('end', () => {
        if (!stream.aborted) answer(seen)
      })
    })
  }

  static async start(answer: (seen: Seen) => void, options?: { readonly streams?: number }): Promise<Http2Origin> {
    const origin = new Http2Origin(answer, options)
    await new Promise<void>((resolve) => origin.server.listen(0, '127.0.0.1', resolve))
    origin.port = (origin.server.address() as AddressInfo).port
    origins.push(origin)
    return origin
  }

  stop(): void {
    for (const session of this.sessions) session.destroy()
    this.server.close()
  }
}

const text =
  (body: string) =>
  ({ stream }: Seen): void => {
    if (stream.destroyed) return
    stream.respond({ ':status': 200, 'x-one': '1' })
    stream.end(body)
  }

async function route(ports: readonly number[], more: Partial<ServiceView> = {}): Promise<void> {
  await proxy.apply({
    listeners: [{ name: 'web', host: '127.0.0.1', port: proxy.port, http2: true }],
    services: [
      service(
        ports.map((port) => endpoint(port, { http2: true })),
        more,
      ),
    ],
  })
}

async function client(): Promise<Http2Client> {
  const made = await Http2Client.to(`http://127.0.0.1:${proxy.port}`)
  clients.push(made)
  return made
}

describe('an endpoint that speaks HTTP/2', () => {
  it('serves clients of HTTP/1.1, on one connection', async () => {
    const origin = await Http2Origin.start(text('hello'))
    await route([origin.port])
    const raw = await connect()
    raw.send(get('/a?b', 'Cookie: x=1\r\nConnection: keep-alive, x-private\r\nX-Private: 1\r\nTE: trailers\r\n'))
    const answer = await raw.answer()
    expect(answer).toMatchObject({ status: 200, text: 'hello' })
    expect(answer.fields).toContainEqual(['x-one', '1'])
    raw.send(post('abc'))
    expect((await raw.answer()).text).toBe('hello')
    const [first, second] = origin.seen
    expect(first?.headers).toMatchObject({ ':method': 'GET', ':path': '/a?b', ':scheme': 'http', cookie: 'x=1', te: 'trailers' })
    expect(first?.headers[':authority']).toBeDefined()
    expect(Object.keys(first?.headers ?? {})).not.toEqual(expect.arrayContaining(['x-private']))
    expect(second).toMatchObject({ body: 'abc', headers: { ':method': 'POST', 'content-length': '3' } })
    expect(origin.sessions.length).toBe(1)
  })

  it('gets bodies without a length and trailers, and gives them, interim answers too', async () => {
    const origin = await Http2Origin.start(({ stream, body, trailers }) => {
      stream.additionalHeaders({ ':status': 103, link: '</a>' })
      stream.respond({ ':status': 200 }, { waitForTrailers: true })
      stream.on('wantTrailers', () => {
        stream.sendTrailers({ 'x-sum': String(body.length), 'x-check': trailers['x-check'] })
      })
      stream.end(body)
    })
    await route([origin.port])
    const answer = await (await client()).ask({ ':method': 'POST' }, [Buffer.from('abc'), Buffer.from('def')], { 'x-check': 'fine' })
    expect(answer).toMatchObject({ status: 200, text: 'abcdef', code: 0, interims: [103], trailers: { 'x-sum': '6', 'x-check': 'fine' } })
    const raw = await connect()
    raw.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Check: too\r\n\r\n')
    expect((await raw.answer()).status).toBe(103)
    expect(await raw.answer()).toMatchObject({ status: 200, text: 'abc' })
  })

  it('answers without a body: HEAD, 204, 304, and headers alone', async () => {
    const origin = await Http2Origin.start(({ stream, headers }) => {
      const status = Number(headers[':path']?.slice(1)) || 200
      stream.respond({ ':status': status, ...(headers[':method'] === 'HEAD' && { 'content-length': '500' }) }, { endStream: true })
    })
    await route([origin.port])
    const raw = await connect()
    raw.send(`HEAD / HTTP/1.1\r\nHost: a\r\n\r\n${get('/204')}${get('/304')}${get('/500')}`)
    expect((await raw.answer('HEAD')).fields).toContainEqual(['content-length', '500'])
    expect((await raw.answer()).status).toBe(204)
    expect((await raw.answer()).status).toBe(304)
    expect(await raw.answer()).toMatchObject({ status: 500, text: '' })
  })

  it('gets more connections when it takes few requests on each', async () => {
    const origin = await Http2Origin.start(
      (seen) => {
        setTimeout(() => {
          text('late')(seen)
        }, 50)
      },
      { streams: 10 },
    )
    await route([origin.port])
    const from = await client()
    await from.ask()
    const answers = await Promise.all(Array.from({ length: 40 }, () => from.ask()))
    expect(answers.every((answer) => answer.text === 'late')).toBe(true)
    // How many depends on how many requests come in one turn.
    expect(origin.sessions.length).toBeGreaterThan(1)
    expect(origin.sessions.length).toBeLessThanOrEqual(6)
  })

  it('large bodies both ways', async () => {
    const origin = await Http2Origin.start(({ stream, body }) => {
      stream.respond({ ':status': 200 })
      stream.end(Buffer.from(body, 'latin1'))
    })
    await route([origin.port])
    const body = Buffer.alloc(3_000_000, 'x')
    const answer = await (await client()).ask({ ':method': 'POST' }, body)
    expect(answer).toMatchObject({ status: 200, code: 0 })
    expect(answer.text.length).toBe(body.length)
  })
})

describe('by TLS', () => {
  it('HTTP/2 is spoken to clients and endpoints by ALPN, with the certificates that are asked for', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'holdfast-http2-'))
    const pair = makePair(directory, 'shop', { hosts: ['shop.test'] })
    const origin = createSecureServer({ cert: pair.cert, key: pair.key })
    const seen: IncomingHttpHeaders[] = []
    origin.on('stream', (stream, headers) => {
      seen.push(headers)
      stream.respond({ ':status': 200 })
      stream.end('safe')
    })
    await new Promise<void>((resolve) => origin.listen(0, '127.0.0.1', resolve))
    const { port } = origin.address() as AddressInfo
    const tls = { certificates: [{ cert: pair.cert, key: pair.key, hosts: ['shop.test'] }], minVersion: 'TLSv1.2' as const, requireClientCert: false }
    await proxy.apply({
      listeners: [{ name: 'web', host: '127.0.0.1', port: proxy.port, tls, http2: true }],
      services: [service([endpoint(port, { http2: true })], { origin: { tls: { ca: pair.cert, serverName: 'shop.test', verify: true } } })],
    })
    const made = await Http2Client.to(`https://127.0.0.1:${proxy.port}`, { servername: 'shop.test' })
    clients.push(made)
    expect(made.session.alpnProtocol).toBe('h2')
    expect(await made.ask()).toMatchObject({ status: 200, text: 'safe' })
    expect(seen[0]).toMatchObject({ ':scheme': 'https', 'x-forwarded-proto': 'https' })
    await made.close()
    await new Promise<void>((resolve) => {
      origin.close(() => {
        resolve()
      })
      void route([])
    })
    rmSync(directory, { recursive: true })
  })

  it('an endpoint that does not know HTTP/2 is not spoken to', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'holdfast-http2-'))
    const pair = makePair(directory, 'shop', { hosts: ['shop.test'] })
    const origin = createTlsServer({ cert: pair.cert, key: pair.key }, (socket) => {
      socket.on('error', () => undefined)
    })
    await new Promise<void>((resolve) => origin.listen(0, '127.0.0.1', resolve))
    const { port } = origin.address() as AddressInfo
    await proxy.apply({
      listeners: [{ name: 'web', host: '127.0.0.1', port: proxy.port, http2: true }],
      services: [service([endpoint(port, { http2: true })], { origin: { tls: { ca: pair.cert, serverName: 'shop.test', verify: true } } })],
    })
    expect(await (await client()).ask()).toMatchObject({ status: 502 })
    origin.close()
    rmSync(directory, { recursive: true })
  })
})

describe('what an endpoint refuses or breaks', () => {
  it('is sent elsewhere, whatever its method, when it was refused unread', async () => {
    const refusing = await Http2Origin.start(() => undefined)
    refusing.server.removeAllListeners('stream')
    refusing.server.on('stream', (stream: ServerHttp2Stream) => {
      stream.on('error', () => undefined)
      stream.close(constants.NGHTTP2_REFUSED_STREAM)
    })
    const other = await Http2Origin.start(text('other'))
    await route([refusing.port, other.port])
    const raw = await connect()
    for (let i = 0; i < 4; i++) {
      raw.send(post('abc'))
      expect((await raw.answer()).text).toBe('other')
    }
  })

  it('is answered 502 when it may have run, and the request may not run twice', async () => {
    const origin = await Http2Origin.start(({ stream }) => {
      stream.close(constants.NGHTTP2_INTERNAL_ERROR)
    })
    await route([origin.port])
    const raw = await connect()
    raw.send(post('abc'))
    expect((await raw.answer()).status).toBe(502)
    expect(origin.seen.length).toBe(1)
  })

  it('never looks whole when it is cut', async () => {
    const origin = await Http2Origin.start(({ stream, headers }) => {
      // Else Node ends the stream in good order before it resets it.
      stream.respond({ ':status': 200 }, { waitForTrailers: true })
      stream.on('wantTrailers', () => undefined)
      stream.write('half')
      setTimeout(() => {
        if (headers[':path'] === '/session') for (const socket of origin.sockets) socket.destroy()
        else stream.close(constants.NGHTTP2_INTERNAL_ERROR)
      }, 20)
    })
    await route([origin.port])
    for (const path of ['/stream', '/session']) {
      const raw = await connect()
      raw.send(get(path))
      await eventually('its end', () => raw.closed || raw.ended)
      expect(raw.text).toContain('half')
      expect(raw.text).not.toContain('0\r\n\r\n')
      expect(await (await client()).ask({ ':path': path })).toMatchObject({ code: 2 })
    }
  })

  it('never gets a cut request as a whole one', async () => {
    const origin = await Http2Origin.start(text('done'))
    await route([origin.port])
    const raw = await connect()
    raw.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n')
    await eventually('the origin has some', () => origin.seen[0]?.body === 'abc')
    raw.destroy()
    await eventually('it was cut', () => origin.cut === 1)
    const stream = (await client()).session.request({ ':method': 'POST', ':path': '/' }, { waitForTrailers: true })
    stream.on('error', () => undefined)
    stream.write('abc')
    await eventually('the origin has some', () => origin.seen[1]?.body === 'abc')
    stream.close(constants.NGHTTP2_CANCEL)
    await eventually('it was cut', () => origin.cut === 2)
  })

  it('GOAWAY loses nothing', async () => {
    const origin = await Http2Origin.start(text('ok'))
    await route([origin.port])
    const from = await client()
    let asking = true
    const statuses: number[] = []
    const loop = async (): Promise<void> => {
      while (asking) statuses.push((await from.ask({ ':method': 'POST' }, 'abc')).status)
    }
    const loops = Array.from({ length: 8 }, loop)
    // Slow enough that no request meets three of them: then it would be given up.
    for (let i = 0; i < 8; i++) {
      await pause(100)
      for (const session of origin.sessions.splice(0)) session.close()
    }
    asking = false
    await Promise.all(loops)
    expect(statuses.length).toBeGreaterThan(50)
    expect(statuses.filter((status) => status !== 200)).toEqual([])
  })

  it('a death under load fails no idempotent request', async () => {
    const dying = await Http2Origin.start((seen) =>
      setTimeout(() => {
        text('a')(seen)
      }, 5),
    )
    const other = await Http2Origin.start((seen) =>
      setTimeout(() => {
        text('b')(seen)
      }, 5),
    )
    await route([dying.port, other.port])
    const from = await client()
    let asking = true
    const statuses: number[] = []
    const loop = async (): Promise<void> => {
      while (asking) statuses.push((await from.ask()).status)
    }
    const loops = Array.from({ length: 16 }, loop)
    await pause(100)
    for (const socket of dying.sockets) socket.resetAndDestroy()
    dying.server.close()
    await pause(200)
    asking = false
    await Promise.all(loops)
    expect(statuses.length).toBeGreaterThan(100)
    expect(statuses.filter((status) => status !== 200)).toEqual([])
  })

  it('one that is not there', async () => {
    await route([await freePort()])
    expect(await (await client()).ask()).toMatchObject({ status: 502 })
  })
})
