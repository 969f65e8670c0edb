/** What a proxy of HTTP/1.1 must do (RFC 9110, RFC 9112), where the other tests do not ask it; and WebSockets byte for byte (RFC 6455). */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ask, eventually, fieldOf, get, Origin, plain, RawClient } from '../support/balancer-harness.ts'
import { useProxy } from '../support/proxy-fixture.ts'

const { proxy, routed, connect } = useProxy({ per: 'file' })
const echoing = (): Promise<Origin> => routed(Origin.start(({ method, target, socket }) => socket.write(plain(method === 'HEAD' ? '' : target))))

describe('a request', () => {
  it('of which 1,000 are sent at once on one connection: all are answered, in order', async () => {
    const seen = await echoing()
    const client = await connect()
    client.send(Array.from({ length: 1_000 }, (_, index) => get(`/${index}`)).join(''))
    for (let index = 0; index < 1_000; index++) expect((await client.answer()).text).toBe(`/${index}`)
    expect(seen.requests.length).toBe(1_000)
  })

  it.each([
    ['GET http://shop.test/a?b HTTP/1.1\r\nHost: other.test\r\n\r\n', 'GET /a?b HTTP/1.1', 'shop.test'],
    ['GET http://shop.test HTTP/1.1\r\nHost: shop.test\r\n\r\n', 'GET / HTTP/1.1', 'shop.test'],
    ['OPTIONS * HTTP/1.1\r\nHost: shop.test\r\n\r\n', 'OPTIONS * HTTP/1.1', 'shop.test'],
    ['OPTIONS http://shop.test HTTP/1.1\r\nHost: shop.test\r\n\r\n', 'OPTIONS * HTTP/1.1', 'shop.test'],
  ])('%j reaches the service as %s', async (bytes, line, host) => {
    const seen = await echoing()
    expect((await ask(proxy.port, bytes)).status).toBe(200)
    const { head, fields } = seen.requests[0]!
    expect([head.split('\r\n')[0], fieldOf({ fields }, 'host')]).toEqual([line, host])
  })

  it.each([
    ['obs-fold', 'GET / HTTP/1.1\r\nHost: a\r\nX-A: b\r\n c\r\n\r\n'],
    ['a bare CR in a value', 'GET / HTTP/1.1\r\nHost: a\r\nX-A: b\rc\r\n\r\n'],
    ['a bare LF as the end of a line', 'GET / HTTP/1.1\nHost: a\r\n\r\n'],
    ['a bare LF at the end of the head', 'GET / HTTP/1.1\r\nHost: a\r\n\n'],
    ['a space before the colon', 'GET / HTTP/1.1\r\nHost: a\r\nX-A : b\r\n\r\n'],
    ['no Host', 'GET / HTTP/1.1\r\n\r\n'],
    ['two Hosts', 'GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n'],
    ['a chunk that ends with a bare LF', 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\nx\r\n0\r\n\r\n'],
    ['a chunk extension with a bare CR', 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;a\rb\r\nx\r\n0\r\n\r\n'],
  ])('with %s is refused, and nothing of it is answered by the service', async (_what, bytes) => {
    const seen = await echoing()
    expect((await ask(proxy.port, bytes)).status).toBe(400)
    expect(seen.requests).toHaveLength(0)
  })

  it('with chunk extensions and trailers arrives without the former', async () => {
    const seen = await echoing()
    const client = await connect()
    client.send('POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;name=value;q="a;b"\r\nabc\r\n0;last\r\nX-Sum: 3\r\n\r\n')
    expect((await client.answer()).text).toBe('/c')
    expect([seen.requests[0]!.body.toString(), seen.requests[0]!.trailers, seen.everything.includes('name=value')]).toEqual([
      'abc',
      'X-Sum: 3',
      false,
    ])
  })

  it('loses TE but for trailers, and what Connection names', async () => {
    const seen = await echoing()
    const fields = 'TE: trailers, deflate;q=0.5\r\nConnection: TE, X-Mine, keep-alive\r\nX-Mine: 1\r\nX-Kept: 1\r\nKeep-Alive: timeout=5\r\n'
    expect((await ask(proxy.port, get('/', fields))).status).toBe(200)
    const { head } = seen.requests[0]!
    expect(head).not.toMatch(/^(?:x-mine|keep-alive):|deflate/im)
    expect(head).toMatch(/^x-kept: 1$/im)
  })

  it('with a head of 10 MiB is refused while it comes, and others are served', async () => {
    const seen = await echoing()
    const client = await connect()
    client.send('GET / HTTP/1.1\r\nHost: a\r\n')
    const line = `X-A: ${'b'.repeat(1_000)}\r\n`.repeat(64)
    for (let sent = 0; sent < 10 * 1024 * 1024 && !client.closed; sent += line.length) {
      client.send(line)
      await new Promise((resolve) => setImmediate(resolve))
    }
    await eventually('it is answered or cut off', () => client.text.startsWith('HTTP/1.1 431') || client.closed)
    expect((await ask(proxy.port, get('/other'))).text).toBe('/other')
    expect(seen.requests.map(({ target }) => target)).toEqual(['/other'])
  })
})

describe('an answer', () => {
  it('to HEAD keeps the length that it names, and 304 its own; neither has a body', async () => {
    await routed(
      Origin.start(({ method, socket }) => {
        socket.write(
          method === 'HEAD'
            ? 'HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n'
            : 'HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\nETag: "x"\r\n\r\n',
        )
      }),
    )
    const client = await connect()
    client.send(`HEAD / HTTP/1.1\r\nHost: a\r\n\r\n${get()}`)
    expect(fieldOf(await client.answer('HEAD'), 'content-length')).toBe('1234')
    expect((await client.answer()).status).toBe(304)
    expect(client.rest.length).toBe(0)
  })

  it('comes behind 103 Early Hints, with what they name', async () => {
    await routed(Origin.start(({ socket }) => socket.write(`HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n${plain('page')}`)))
    const client = await connect()
    client.send(get())
    const early = await client.answer()
    expect([early.status, fieldOf(early, 'link')]).toEqual([103, '</a.css>; rel=preload'])
    expect((await client.answer()).text).toBe('page')
  })
})

/** Frames as either side may send them: kinds, sizes, fragments, masks; and pieces in which they leave. */
const frames = fc.array(
  fc.record({
    first: fc.constantFrom(0x81, 0x82, 0x01, 0x02, 0x00, 0x80, 0x89, 0x8a, 0x88, 0xc1),
    masked: fc.boolean(),
    payload: fc.oneof(
      fc.uint8Array({ maxLength: 125 }),
      fc.integer({ min: 126, max: 70_000 }).map((length) => new Uint8Array(length).fill(length & 255)),
    ),
  }),
  { minLength: 1, maxLength: 12 },
)

function framed({ first, masked, payload }: { first: number; masked: boolean; payload: Uint8Array }): Buffer {
  const length = payload.length
  const mask = masked ? 0x80 : 0
  const long = Buffer.alloc(length < 126 ? 0 : length < 65_536 ? 2 : 8)
  if (long.length === 2) long.writeUInt16BE(length)
  else if (long.length === 8) long.writeBigUInt64BE(BigInt(length))
  const head = Buffer.from([first, mask | (length < 126 ? length : length < 65_536 ? 126 : 127)])
  return Buffer.concat([head, long, masked ? Buffer.from([1, 2, 3, 4]) : Buffer.alloc(0), payload])
}

describe('a WebSocket', () => {
  it('carries what both sides send byte for byte, in whatever pieces: fragments, pings, closes', { timeout: 60_000 }, async () => {
    let origin: RawClient['socket'] | undefined
    const received: Buffer[] = []
    await routed(
      Origin.raw((socket) => {
        origin = socket
        received.length = 0
        socket.once('data', () => {
          socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
          socket.on('data', (chunk: Buffer) => received.push(chunk))
        })
      }),
    )
    await fc.assert(
      fc.asyncProperty(frames, frames, fc.integer({ min: 1, max: 50_000 }), async (fromClient, fromOrigin, piece) => {
        const client = await RawClient.to(proxy.port)
        client.send(get('/', 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n'))
        expect((await client.answer()).status).toBe(101)
        const up = Buffer.concat(fromClient.map(framed))
        const down = Buffer.concat(fromOrigin.map(framed))
        for (let at = 0; at < Math.max(up.length, down.length); at += piece) {
          client.send(up.subarray(at, at + piece))
          origin!.write(down.subarray(at, at + piece))
          await new Promise((resolve) => setImmediate(resolve))
        }
        await eventually('all of it has come, both ways', () => Buffer.concat(received).length >= up.length && client.rest.length >= down.length)
        expect(Buffer.concat(received).equals(up)).toBe(true)
        expect(client.rest.equals(down)).toBe(true)
        client.destroy()
      }),
      { numRuns: 25 },
    )
  })
})
