/** WebSockets over HTTP/2 (RFC 8441), with the frames and the rules of `ws` on both ends of every pair: HTTP/1.1 and HTTP/2, to clients and to services. */
import { createServer as createHttp, type Server } from 'node:http'
import { connect, createServer, type ClientHttp2Session, type ClientHttp2Stream, type Http2Server, type ServerHttp2Stream } from 'node:http2'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { WebSocket, WebSocketServer, type RawData } from 'ws'
import { endpoint, eventually, freePort, Origin, pause, plain, service } from '../support/balancer-harness.ts'
import { Http2Client } from '../support/http2-client.ts'
import { useProxy } from '../support/proxy-fixture.ts'

const { proxy, kept } = useProxy({ per: 'file' })

/** What `ws` keeps to itself: a WebSocket on a stream that somebody else has opened. */
function webSocketOn(stream: Duplex, isServer: boolean): WebSocket {
  type Bare = WebSocket & { setSocket(socket: Duplex, head: Buffer, options: object): void }
  const socket = new (WebSocket as unknown as new (address: null, protocols: undefined, options: object) => Bare)(null, undefined, { autoPong: true })
  Object.assign(stream, { setNoDelay: () => undefined, setTimeout: () => undefined })
  Object.assign(socket, { _isServer: isServer })
  socket.setSocket(stream, Buffer.alloc(0), { maxPayload: 64 * 1024 * 1024 })
  return socket
}

/** `ws` gives whole messages as one buffer. */
const textOf = (data: RawData): string => (data as Buffer).toString()

function echo(socket: WebSocket): void {
  socket.on('message', (data: RawData, isBinary: boolean) => {
    if (textOf(data) === 'close') socket.close(4_001, 'as you wish')
    else socket.send(data as Buffer, { binary: isBinary })
  })
  socket.on('error', () => undefined)
}

let http1: Server
let http2: Http2Server
let without: Http2Server
const ports = { http1: 0, http2: 0, without: 0 }
const heads: Record<string, unknown>[] = []
const sessions = new Set<{ destroy(): void }>()
const open: { destroy?: () => void; terminate?: () => void }[] = []

const listening = (server: Server | Http2Server): Promise<number> =>
  new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)))

beforeAll(async () => {
  http1 = createHttp((request, response) => {
    response.writeHead(request.url === '/ok' ? 200 : 403, { 'x-said': 'no' }).end('not here')
  })
  http1.on('connection', (socket) => sessions.add(socket))
  const server = new WebSocketServer({ noServer: true, maxPayload: 64 * 1024 * 1024 })
  http1.on('upgrade', (request, socket, head) => {
    heads.push(request.headers)
    if (request.url === '/no' || request.url === '/ok') {
      const status = request.url === '/ok' ? '200 OK' : '403 Forbidden'
      socket.end(`HTTP/1.1 ${status}\r\nX-Said: no\r\nContent-Length: 8\r\n\r\nnot here`)
    } else server.handleUpgrade(request, socket, head, echo)
  })
  http2 = createServer({ settings: { enableConnectProtocol: true } })
  without = createServer()
  for (const each of [http2, without]) {
    each.on('session', (session) => {
      sessions.add(session)
      session.on('error', () => undefined)
    })
    each.on('stream', (stream: ServerHttp2Stream, headers) => {
      heads.push(headers)
      stream.on('error', () => undefined)
      if (headers[':protocol'] === 'websocket' && headers[':path'] !== '/no') {
        stream.respond({ ':status': 200, 'sec-websocket-protocol': 'chat' })
        echo(webSocketOn(stream, true))
      } else {
        stream.respond({ ':status': 403, 'x-said': 'no' })
        stream.end('not here')
      }
    })
  }
  ports.http1 = await listening(http1)
  ports.http2 = await listening(http2)
  ports.without = await listening(without)
})
afterEach(() => {
  for (const each of open.splice(0)) {
    each.destroy?.()
    each.terminate?.()
  }
})
afterAll(async () => {
  for (const each of sessions) each.destroy()
  await Promise.all([http1, http2, without].map((server) => new Promise((resolve) => server.close(resolve))))
})

async function route(name: keyof typeof ports | number, more: Parameters<typeof service>[1] = {}): Promise<void> {
  const port = typeof name === 'number' ? name : ports[name]
  await proxy.apply({
    listeners: [{ name: 'web', host: '127.0.0.1', port: proxy.port, http2: true }],
    services: [service([endpoint(port, name === 'http1' || typeof name === 'number' ? {} : { http2: true })], more)],
  })
}

async function session(): Promise<ClientHttp2Session> {
  const made = connect(`http://127.0.0.1:${proxy.port}`)
  open.push(made)
  made.on('error', () => undefined)
  await new Promise((resolve) => made.once('remoteSettings', resolve))
  return made
}

function extended(on: ClientHttp2Session, path = '/chat'): ClientHttp2Stream {
  const asked = on.request(
    {
      ':method': 'CONNECT',
      ':protocol': 'websocket',
      ':scheme': 'http',
      ':path': path,
      ':authority': 'shop.test',
      'sec-websocket-version': '13',
      'sec-websocket-protocol': 'chat',
    },
    { endStream: false },
  )
  asked.on('error', () => undefined)
  return asked
}

const statusOf = (stream: ClientHttp2Stream): Promise<number> =>
  new Promise((resolve, reject) => {
    stream.once('response', (headers) => {
      resolve(Number(headers[':status']))
    })
    stream.once('close', () => {
      reject(new Error(`closed with ${stream.rstCode} before it was answered`))
    })
  })

/** A WebSocket through the proxy, as either kind of client. */
async function connected(by: 'http1' | 'http2'): Promise<WebSocket> {
  if (by === 'http1') {
    const socket = new WebSocket(`ws://127.0.0.1:${proxy.port}/chat`, 'chat', { maxPayload: 64 * 1024 * 1024 })
    open.push(socket)
    await new Promise((resolve, reject) => {
      socket.once('open', resolve)
      socket.once('error', reject)
    })
    return socket
  }
  const stream = extended(await session())
  expect(await statusOf(stream)).toBe(200)
  return webSocketOn(stream, false)
}

const pairs = (['http1', 'http2'] as const).flatMap((to) => (['http1', 'http2'] as const).map((by) => [by, to] as const))

describe.each(pairs)('a client of %s and a service of %s', (by, to) => {
  it('speak to each other: messages, pings, and the end with its code', async () => {
    await route(to)
    const socket = await connected(by)
    const heard: string[] = []
    socket.on('message', (data: RawData) => heard.push(textOf(data)))
    for (const text of ['one', 'two', 'three']) {
      socket.send(text)
      await eventually(`an answer to ${text}`, () => heard.at(-1) === text)
    }
    const pong = new Promise((resolve) => socket.once('pong', resolve))
    socket.ping('are you there')
    expect(String(await pong)).toBe('are you there')
    const end = new Promise<[number, Buffer]>((resolve) => socket.once('close', (code, reason) => resolve([code, reason])))
    socket.send('close')
    const [code, reason] = await end
    expect([code, reason.toString()]).toEqual([4_001, 'as you wish'])
    await eventually('nothing is left', async () => (await proxy.telemetry()).services.api?.tunnels === 0 || undefined)
  })

  it('a message of 16 MiB, whole, both ways', async () => {
    await route(to)
    const socket = await connected(by)
    const large = Buffer.alloc(16 * 1024 * 1024, Buffer.from('holdfast '))
    const back = new Promise<Buffer>((resolve) => socket.once('message', (data: RawData) => resolve(data as Buffer)))
    socket.send(large)
    expect((await back).equals(large)).toBe(true)
    socket.terminate()
  })
})

describe('an extended CONNECT', () => {
  it('reaches a service of HTTP/1.1 as the upgrade that it knows, and one of HTTP/2 as itself', async () => {
    await route('http1')
    await connected('http2')
    expect(heads.at(-1)).toMatchObject({
      upgrade: 'websocket',
      connection: 'Upgrade',
      host: 'shop.test',
      'sec-websocket-version': '13',
      'sec-websocket-key': expect.stringMatching(/^[A-Za-z0-9+/]{22}==$/) as string,
      'x-forwarded-for': '127.0.0.1',
    })
    await route('http2')
    await connected('http2')
    expect(heads.at(-1)).toMatchObject({ ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/chat', ':authority': 'shop.test' })
    expect(heads.at(-1)).not.toHaveProperty('sec-websocket-key')
  })

  it.each(['http1', 'http2', 'without'] as const)('that the service refuses is answered so, and what follows it is no request: %s', async (to) => {
    await route(to)
    const on = await session()
    const before = heads.length
    const stream = extended(on, '/no')
    const answered = statusOf(stream)
    stream.write('GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n')
    expect(await answered).toBe(403)
    stream.write('GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n')
    await new Promise((resolve) => {
      stream.resume()
      stream.once('close', resolve)
    })
    await pause(50)
    expect(heads.length).toBe(before + 1)
    expect(on.destroyed).toBe(false)
  })

  it('that is answered 200, which is no upgrade, or with a key that is not its own, opens nothing', async () => {
    await route('http1')
    expect(await statusOf(extended(await session(), '/ok'))).toBe(502)
    const liar = await kept(
      Origin.start(({ socket }) =>
        socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: bm8=\r\n\r\n'),
      ),
    )
    await route(liar.port)
    expect(await statusOf(extended(await session()))).toBe(502)
    const honest = await kept(Origin.start(({ socket }) => socket.write(plain('fine'))))
    await route(honest.port)
    const client = await Http2Client.to(`http://127.0.0.1:${proxy.port}`)
    expect((await client.ask()).text).toBe('fine')
    await client.close()
  })

  it('to nobody is 502, and another protocol is not served', async () => {
    await route(await freePort())
    expect(await statusOf(extended(await session()))).toBe(502)
    const other = (await session()).request(
      { ':method': 'CONNECT', ':protocol': 'connect-udp', ':scheme': 'http', ':path': '/', ':authority': 'a' },
      { endStream: false },
    )
    other.on('error', () => undefined)
    expect(await statusOf(other)).toBe(405)
  })

  it('passes on a side that ends, and a client that breaks', async () => {
    const ends: string[] = []
    const origin = await kept(
      Origin.start(({ socket, fields }) => {
        const key = fields.find(([name]) => name === 'sec-websocket-key')![1]
        void import('../../src/balancer/http2/websocket.ts').then(({ acceptOf }) =>
          socket.write(
            `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${acceptOf(key)}\r\n\r\nhello`,
          ),
        )
        socket.removeAllListeners('end')
        socket.on('end', () => {
          ends.push('client')
          setTimeout(() => socket.end('goodbye'), 50)
        })
        socket.on('close', () => ends.push('closed'))
      }),
    )
    await route(origin.port)
    const on = await session()
    const stream = extended(on)
    let text = ''
    stream.on('data', (chunk: Buffer) => (text += chunk.toString()))
    expect(await statusOf(stream)).toBe(200)
    await eventually('its first words', () => text === 'hello')
    const closed = new Promise((resolve) => stream.once('close', resolve))
    stream.end()
    await closed
    expect([text, stream.rstCode, ends[0]]).toEqual(['hellogoodbye', 0, 'client'])
    const second = extended(on)
    expect(await statusOf(second)).toBe(200)
    second.close(8)
    await eventually('the service hears of it', () => ends.filter((each) => each === 'closed').length === 2)
  })

  it('many on one connection, beside requests', async () => {
    await route('http1')
    const on = await session()
    const sockets = await Promise.all(
      Array.from({ length: 50 }, async () => {
        const stream = extended(on)
        expect(await statusOf(stream)).toBe(200)
        return webSocketOn(stream, false)
      }),
    )
    const heard = await Promise.all(
      sockets.map(
        (socket, index) =>
          new Promise<string>((resolve) => {
            socket.once('message', (data: RawData) => {
              resolve(textOf(data))
            })
            socket.send(`I am ${index}`)
          }),
      ),
    )
    expect(heard).toEqual(sockets.map((_, index) => `I am ${index}`))
    for (const socket of sockets) socket.terminate()
    await eventually('nothing is left', async () => (await proxy.telemetry()).services.api?.tunnels === 0 || undefined)
  })
})
