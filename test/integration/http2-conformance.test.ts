/**
 * RFC 9113 (HTTP/2) and RFC 7541 (HPACK), section by section, in raw frames: every way to break the protocol that a client can have must be answered by the
 * right GOAWAY or RST_STREAM, and what is odd but allowed must be borne. Asked of both listeners, the plain one and the one with TLS.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { eventually, freePort, Origin, pause, plain, service } from '../support/balancer-harness.ts'
import { makePair } from '../support/certificates.ts'
import { frame, framesIn } from '../support/http2-client.ts'
import { useProxy } from '../support/proxy-fixture.ts'

const { proxy } = useProxy({ per: 'file' })
const directory = mkdtempSync(join(tmpdir(), 'holdfast-conformance-'))
let securePort: number
let origin: Origin
let workers: readonly number[]
const open: Socket[] = []

const pids = async (): Promise<readonly number[]> => (await proxy.telemetry()).workers.map(({ pid }) => pid)

beforeAll(async () => {
  const { cert, key } = makePair(directory, 'front', { hosts: ['localhost'] })
  securePort = await freePort()
  origin = await Origin.start(({ target, socket }) => {
    if (target === '/slow') return
    socket.write(target === '/large' ? plain('x'.repeat(100_000)) : plain('fine'))
  })
  await proxy.apply({
    listeners: [
      { name: 'web', host: '127.0.0.1', port: proxy.port, http2: true },
      {
        name: 'secure',
        host: '127.0.0.1',
        port: securePort,
        http2: true,
        tls: { certificates: [{ cert, key, hosts: ['localhost'] }], minVersion: 'TLSv1.2', requireClientCert: false },
      },
    ],
    services: [service([origin], { routes: ['web', 'secure'].map((listener) => ({ listener, path: '/', stripPath: false })) })],
  })
  workers = await pids()
})
afterEach(() => {
  for (const socket of open.splice(0)) socket.destroy()
})
afterAll(async () => {
  expect(await pids()).toEqual(workers)
  await origin.stop()
  rmSync(directory, { recursive: true })
})

// --- frames

const kind = { data: 0, headers: 1, priority: 2, reset: 3, settings: 4, push: 5, ping: 6, goaway: 7, windowUpdate: 8, continuation: 9 } as const
const endStream = 1
const endHeaders = 4
const padded = 8
const priority = 32
const codes = [
  'NO_ERROR',
  'PROTOCOL_ERROR',
  'INTERNAL_ERROR',
  'FLOW_CONTROL_ERROR',
  'SETTINGS_TIMEOUT',
  'STREAM_CLOSED',
  'FRAME_SIZE_ERROR',
  'REFUSED_STREAM',
]
codes.push('CANCEL', 'COMPRESSION_ERROR', 'CONNECT_ERROR', 'ENHANCE_YOUR_CALM')

const bytes = (...values: number[]): Buffer => Buffer.from(values)
const number = (value: number): Buffer => {
  const buffer = Buffer.alloc(4)
  buffer.writeUInt32BE(value)
  return buffer
}
const setting = (id: number, value: number): Buffer => Buffer.concat([bytes(0, id), number(value)])
const text = (value: string): Buffer =>
  Buffer.concat([value.length < 127 ? bytes(value.length) : bytes(127, value.length - 127), Buffer.from(value, 'latin1')])
const field = (name: string, value: string): Buffer => Buffer.concat([bytes(0), text(name), text(value)])
const fields = (...pairs: readonly (readonly [string, string])[]): Buffer => Buffer.concat(pairs.map(([name, value]) => field(name, value)))
/** GET / and POST /, with an authority, out of the static table. */
const get = Buffer.concat([bytes(0x82, 0x84, 0x86), bytes(0x41), text('localhost')])
const post = Buffer.concat([bytes(0x83, 0x84, 0x86), bytes(0x41), text('localhost')])
const at = (path: string): Buffer => Buffer.concat([bytes(0x82, 0x86, 0x41), text('localhost'), bytes(0x04), text(path)])
const headers = (stream: number, block: Buffer, flags = endStream | endHeaders): Buffer => frame(kind.headers, flags, stream, block)
const data = (stream: number, payload: Buffer | string, flags = endStream): Buffer => frame(kind.data, flags, stream, Buffer.from(payload as string))
const ping = frame(kind.ping, 0, 0, Buffer.from('conforms'))
const request = headers(1, get)
const asking = headers(1, post, endHeaders)
const waiting = headers(1, at('/slow'))

// --- talking

interface Heard {
  readonly goaway: string | undefined
  readonly reset: string | undefined
  readonly answered: boolean
  readonly ponged: boolean
  readonly closed: boolean
  readonly settingsAcks: number
  readonly dataBytes: number
}

class Talk {
  readonly socket: Socket
  #received: Buffer = Buffer.alloc(0)
  #closed = false

  constructor(socket: Socket) {
    this.socket = socket
    open.push(socket)
    socket.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk])
    })
    socket.on('error', () => undefined)
    socket.on('close', () => (this.#closed = true))
    socket.on('end', () => (this.#closed = true))
  }

  get frames(): ReturnType<typeof framesIn> {
    return framesIn(this.#received).filter(({ payload }, index, all) => index < all.length - 1 || payload.length >= 0)
  }

  heard(stream = 1): Heard {
    const { frames } = this
    const of = (wanted: number): typeof frames => frames.filter(({ type }) => type === wanted)
    const goaway = of(kind.goaway).find(({ payload }) => payload.readUInt32BE(4) !== 0)
    const reset = of(kind.reset).find((each) => each.stream === stream)
    return {
      goaway: goaway && codes[goaway.payload.readUInt32BE(4)],
      reset: reset && codes[reset.payload.readUInt32BE(0)],
      answered: of(kind.headers).some((each) => each.stream === stream),
      ponged: of(kind.ping).some(({ payload }) => payload.toString() === 'conforms'),
      closed: this.#closed,
      settingsAcks: of(kind.settings).filter(({ payload }) => payload.length === 0).length,
      dataBytes: of(kind.data).reduce((sum, { payload }) => sum + payload.length, 0),
    }
  }

  send(...pieces: readonly Buffer[]): void {
    this.socket.write(Buffer.concat(pieces))
  }
}

const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')

async function talking(listener: 'plain' | 'tls', settings: Buffer = Buffer.alloc(0)): Promise<Talk> {
  const socket =
    listener === 'plain'
      ? connect({ port: proxy.port, host: '127.0.0.1', noDelay: true })
      : connectTls({ port: securePort, host: '127.0.0.1', ALPNProtocols: ['h2'], rejectUnauthorized: false })
  await new Promise((resolve) => socket.once(listener === 'plain' ? 'connect' : 'secureConnect', resolve))
  const talk = new Talk(socket)
  talk.send(preface, frame(kind.settings, 0, 0, settings))
  await eventually('its settings, and that it has ours', () => talk.heard().settingsAcks > 0)
  talk.send(frame(kind.settings, 1, 0))
  return talk
}

type Verdict = 'answered' | 'ponged' | 'closed' | `goaway ${string}` | `reset ${string}`

const has = (heard: Heard, verdict: Verdict): boolean => {
  const [what, code] = verdict.split(' ')
  if (what === 'goaway') return heard.goaway === code
  if (what === 'reset') return heard.reset === code
  return heard[what as 'answered' | 'ponged' | 'closed']
}

/** One of the verdicts is reached. Behind a GOAWAY with an error nothing is read; Node leaves closing the connection to the client, we do it when it has been idle. */
async function judged(talk: Talk, verdicts: readonly Verdict[], stream = 1): Promise<void> {
  try {
    await eventually(verdicts.join(' or '), () => verdicts.some((verdict) => has(talk.heard(stream), verdict)), 1_500)
  } catch {
    throw new Error(`expected ${verdicts.join(' or ')}, heard ${JSON.stringify(talk.heard(stream))}`)
  }
}

const broken = Buffer.concat([get, bytes(0xff, 0xff, 0xff, 0xff, 0xff, 0x0f)])

/** What is sent behind the settings, and what must come of it. */
const cases: readonly (readonly [section: string, what: string, sent: readonly Buffer[], ...verdicts: Verdict[]])[] = [
  // Frames
  ['4.1', 'a frame of an unknown type', [frame(0x16, 0xff, 0, Buffer.alloc(8)), ping], 'ponged'],
  ['4.1', 'flags that are not defined', [frame(kind.ping, 0x16, 0, Buffer.from('conforms'))], 'ponged'],
  ['4.1', 'the reserved bit', [frame(kind.ping, 0, 0x80000000, Buffer.from('conforms'))], 'ponged'],
  ['4.2', 'DATA as large as may be', [asking, data(1, Buffer.alloc(16_384))], 'answered'],
  ['4.2', 'DATA larger than SETTINGS_MAX_FRAME_SIZE', [asking, data(1, Buffer.alloc(16_385))], 'goaway FRAME_SIZE_ERROR', 'reset FRAME_SIZE_ERROR'],
  ['4.2', 'HEADERS larger than that', [headers(1, Buffer.alloc(16_385))], 'goaway FRAME_SIZE_ERROR'],
  ['4.3', 'a block of fields that cannot be decoded', [headers(1, broken)], 'goaway COMPRESSION_ERROR'],
  ['4.3', 'PRIORITY within a block', [headers(1, get, endStream), frame(kind.priority, 0, 1, Buffer.alloc(5)), ping], 'goaway PROTOCOL_ERROR'],
  ['4.3', 'HEADERS of another stream within a block', [headers(1, get, endStream), headers(3, get)], 'goaway PROTOCOL_ERROR'],
  // States
  ['5.1', 'idle: DATA', [data(1, 'x')], 'goaway PROTOCOL_ERROR'],
  ['5.1', 'idle: RST_STREAM', [frame(kind.reset, 0, 1, number(8))], 'goaway PROTOCOL_ERROR'],
  ['5.1', 'idle: WINDOW_UPDATE', [frame(kind.windowUpdate, 0, 1, number(100))], 'goaway PROTOCOL_ERROR'],
  ['5.1', 'idle: CONTINUATION', [frame(kind.continuation, endHeaders, 1, get)], 'goaway PROTOCOL_ERROR'],
  ['5.1', 'half-closed: DATA', [waiting, data(1, 'x')], 'goaway STREAM_CLOSED', 'reset STREAM_CLOSED'],
  ['5.1', 'half-closed: HEADERS', [waiting, headers(1, get)], 'goaway STREAM_CLOSED', 'reset STREAM_CLOSED'],
  ['5.1', 'half-closed: CONTINUATION', [waiting, frame(kind.continuation, endHeaders, 1, get)], 'goaway PROTOCOL_ERROR'],
  [
    '5.1',
    'half-closed: PRIORITY, WINDOW_UPDATE',
    [waiting, frame(kind.priority, 0, 1, bytes(0, 0, 0, 0, 5)), frame(kind.windowUpdate, 0, 1, number(9)), ping],
    'ponged',
  ],
  [
    '5.1',
    'reset: DATA is borne or STREAM_CLOSED',
    [waiting, frame(kind.reset, 0, 1, number(8)), data(1, 'x'), ping],
    'ponged',
    'goaway STREAM_CLOSED',
  ],
  [
    '5.1',
    'reset: CONTINUATION',
    [waiting, frame(kind.reset, 0, 1, number(8)), frame(kind.continuation, endHeaders, 1, get)],
    'goaway PROTOCOL_ERROR',
  ],
  ['5.1', 'reset: RST_STREAM again is borne', [waiting, frame(kind.reset, 0, 1, number(8)), frame(kind.reset, 0, 1, number(8)), ping], 'ponged'],
  ['5.1.1', 'an even number', [headers(2, get)], 'goaway PROTOCOL_ERROR'],
  [
    '5.3.1',
    'HEADERS that depend on themselves',
    [headers(1, Buffer.concat([number(1), bytes(255), get]), endStream | endHeaders | priority)],
    'goaway PROTOCOL_ERROR',
    'reset PROTOCOL_ERROR',
    'answered',
  ],
  ['5.5', 'an unknown frame within a block', [headers(1, get, endStream), frame(0x16, 0, 1, bytes(0))], 'goaway PROTOCOL_ERROR'],
  // Each frame
  ['6.1', 'DATA on stream 0', [data(0, 'x')], 'goaway PROTOCOL_ERROR'],
  ['6.1', 'DATA with more padding than frame', [asking, frame(kind.data, endStream | padded, 1, bytes(6, 120))], 'goaway PROTOCOL_ERROR'],
  ['6.1', 'DATA with padding', [asking, frame(kind.data, endStream | padded, 1, bytes(2, 120, 0, 0))], 'answered'],
  ['6.2', 'HEADERS on stream 0', [headers(0, get)], 'goaway PROTOCOL_ERROR'],
  [
    '6.2',
    'HEADERS with more padding than frame',
    [headers(1, Buffer.concat([bytes(200), get]), endStream | endHeaders | padded)],
    'goaway PROTOCOL_ERROR',
  ],
  [
    '6.2',
    'HEADERS with padding and priority',
    [headers(1, Buffer.concat([bytes(1), number(0), bytes(16), get, bytes(0)]), endStream | endHeaders | padded | priority)],
    'answered',
  ],
  // Newer nghttp2 reads priorities no more, whatever they are about.
  ['6.3', 'PRIORITY on stream 0', [frame(kind.priority, 0, 0, Buffer.alloc(5)), ping], 'goaway PROTOCOL_ERROR', 'ponged'],
  ['6.3', 'PRIORITY of four bytes', [waiting, frame(kind.priority, 0, 1, Buffer.alloc(4))], 'goaway FRAME_SIZE_ERROR', 'reset FRAME_SIZE_ERROR'],
  ['6.4', 'RST_STREAM on stream 0', [frame(kind.reset, 0, 0, number(8))], 'goaway PROTOCOL_ERROR'],
  ['6.4', 'RST_STREAM of three bytes', [waiting, frame(kind.reset, 0, 1, bytes(0, 0, 8))], 'goaway FRAME_SIZE_ERROR'],
  ['6.5', 'SETTINGS ACK with something in it', [frame(kind.settings, 1, 0, bytes(0))], 'goaway FRAME_SIZE_ERROR'],
  ['6.5', 'SETTINGS on a stream', [frame(kind.settings, 0, 1, setting(3, 100))], 'goaway PROTOCOL_ERROR'],
  ['6.5', 'SETTINGS of five bytes', [frame(kind.settings, 0, 0, Buffer.alloc(5))], 'goaway FRAME_SIZE_ERROR'],
  ['6.5.2', 'ENABLE_PUSH: 2', [frame(kind.settings, 0, 0, setting(2, 2))], 'goaway PROTOCOL_ERROR'],
  ['6.5.2', 'INITIAL_WINDOW_SIZE: 2^31', [frame(kind.settings, 0, 0, setting(4, 2 ** 31))], 'goaway FLOW_CONTROL_ERROR'],
  ['6.5.2', 'MAX_FRAME_SIZE: 16,383', [frame(kind.settings, 0, 0, setting(5, 16_383))], 'goaway PROTOCOL_ERROR'],
  ['6.5.2', 'MAX_FRAME_SIZE: 2^24', [frame(kind.settings, 0, 0, setting(5, 2 ** 24))], 'goaway PROTOCOL_ERROR'],
  ['6.5.2', 'an unknown setting', [frame(kind.settings, 0, 0, setting(0xff, 1)), ping], 'ponged'],
  ['6.6', 'PUSH_PROMISE', [frame(kind.push, endHeaders, 1, Buffer.concat([number(2), get]))], 'goaway PROTOCOL_ERROR'],
  ['6.7', 'PING is answered', [ping], 'ponged'],
  ['6.7', 'PING on a stream', [frame(kind.ping, 0, 1, Buffer.alloc(8))], 'goaway PROTOCOL_ERROR'],
  ['6.7', 'PING of six bytes', [frame(kind.ping, 0, 0, Buffer.alloc(6))], 'goaway FRAME_SIZE_ERROR'],
  ['6.8', 'GOAWAY on a stream', [frame(kind.goaway, 0, 1, Buffer.alloc(8))], 'goaway PROTOCOL_ERROR'],
  ['6.8', 'GOAWAY: what is under way is served', [request, frame(kind.goaway, 0, 0, Buffer.alloc(8))], 'answered'],
  ['6.9', 'WINDOW_UPDATE of 0', [frame(kind.windowUpdate, 0, 0, number(0))], 'goaway PROTOCOL_ERROR'],
  ['6.9', 'WINDOW_UPDATE of 0 on a stream', [waiting, frame(kind.windowUpdate, 0, 1, number(0))], 'goaway PROTOCOL_ERROR', 'reset PROTOCOL_ERROR'],
  ['6.9', 'WINDOW_UPDATE of three bytes', [frame(kind.windowUpdate, 0, 0, bytes(0, 0, 1))], 'goaway FRAME_SIZE_ERROR'],
  [
    '6.9.1',
    'a window beyond 2^31 - 1',
    [frame(kind.windowUpdate, 0, 0, number(2 ** 31 - 1)), frame(kind.windowUpdate, 0, 0, number(2 ** 31 - 1))],
    'goaway FLOW_CONTROL_ERROR',
  ],
  [
    '6.9.1',
    'the same on a stream',
    [waiting, frame(kind.windowUpdate, 0, 1, number(2 ** 31 - 1)), frame(kind.windowUpdate, 0, 1, number(2 ** 31 - 1))],
    'goaway FLOW_CONTROL_ERROR',
    'reset FLOW_CONTROL_ERROR',
  ],
  [
    '6.10',
    'a block in many pieces',
    [
      headers(1, get.subarray(0, 1), endStream),
      ...[1, 2, 3, 4, 5, 6, 7].map((from) => frame(kind.continuation, 0, 1, get.subarray(from, from + 1))),
      frame(kind.continuation, endHeaders, 1, get.subarray(8)),
    ],
    'answered',
  ],
  [
    '6.10',
    'a block in more pieces than anybody needs',
    [headers(1, get, endStream), ...Array.from({ length: 20 }, () => frame(kind.continuation, 0, 1))],
    'goaway ENHANCE_YOUR_CALM',
  ],
  ['6.10', 'DATA within a block', [headers(1, post, 0), data(1, 'x')], 'goaway PROTOCOL_ERROR'],
  ['6.10', 'CONTINUATION on stream 0', [headers(1, get, endStream), frame(kind.continuation, endHeaders, 0, get)], 'goaway PROTOCOL_ERROR'],
  [
    '6.10',
    'CONTINUATION behind a whole block',
    [headers(1, post, endHeaders), frame(kind.continuation, endHeaders, 1, get)],
    'goaway PROTOCOL_ERROR',
  ],
  ['6.10', 'CONTINUATION behind DATA', [asking, data(1, 'x', 0), frame(kind.continuation, endHeaders, 1, get)], 'goaway PROTOCOL_ERROR'],
  // HTTP
  [
    '8.1',
    'HEADERS behind HEADERS, without an end',
    [asking, headers(1, fields(['x-a', 'b']), endHeaders)],
    'goaway PROTOCOL_ERROR',
    'reset PROTOCOL_ERROR',
  ],
  ['8.1', 'trailers', [asking, data(1, 'x', 0), headers(1, fields(['x-a', 'b']))], 'answered'],
  ['8.2.1', 'a name in upper case', [headers(1, Buffer.concat([get, fields(['X-A', 'b'])]))], 'reset PROTOCOL_ERROR', 'goaway PROTOCOL_ERROR'],
  ['8.2.2', 'Connection', [headers(1, Buffer.concat([get, fields(['connection', 'keep-alive'])]))], 'reset PROTOCOL_ERROR'],
  ['8.2.2', 'TE that is not trailers', [headers(1, Buffer.concat([get, fields(['te', 'trailers, deflate'])]))], 'reset PROTOCOL_ERROR'],
  ['8.2.2', 'TE: trailers', [headers(1, Buffer.concat([get, fields(['te', 'trailers'])]))], 'answered'],
  ['8.3', 'an unknown pseudo field', [headers(1, Buffer.concat([get, fields([':test', 'x'])]))], 'reset PROTOCOL_ERROR'],
  ['8.3', ':status', [headers(1, Buffer.concat([get, fields([':status', '200'])]))], 'reset PROTOCOL_ERROR'],
  [
    '8.3',
    'a pseudo field in trailers',
    [asking, data(1, 'x', 0), headers(1, fields([':method', 'GET']))],
    'reset PROTOCOL_ERROR',
    'goaway PROTOCOL_ERROR',
  ],
  [
    '8.3',
    'a pseudo field behind another',
    [headers(1, Buffer.concat([bytes(0x82, 0x86), fields(['x-a', 'b']), bytes(0x84)]))],
    'reset PROTOCOL_ERROR',
  ],
  ['8.3.1', 'no :path', [headers(1, bytes(0x82, 0x86))], 'reset PROTOCOL_ERROR'],
  [
    '8.3.1',
    'an empty :path',
    [headers(1, Buffer.concat([bytes(0x82, 0x86), fields([':path', '']), bytes(0x41), text('a')]))],
    'reset PROTOCOL_ERROR',
  ],
  ['8.3.1', 'no :method', [headers(1, bytes(0x84, 0x86))], 'reset PROTOCOL_ERROR'],
  ['8.3.1', 'no :scheme', [headers(1, bytes(0x82, 0x84))], 'reset PROTOCOL_ERROR'],
  ['8.3.1', ':method twice', [headers(1, Buffer.concat([bytes(0x82), get]))], 'reset PROTOCOL_ERROR'],
  ['8.3.1', ':path twice', [headers(1, Buffer.concat([bytes(0x84), get]))], 'reset PROTOCOL_ERROR'],
  ['8.3.1', ':scheme twice', [headers(1, Buffer.concat([bytes(0x86), get]))], 'reset PROTOCOL_ERROR'],
  [
    '8.1.1',
    'a length that is not that of the body',
    [headers(1, Buffer.concat([post, fields(['content-length', '1'])]), endHeaders), data(1, 'four')],
    'reset PROTOCOL_ERROR',
    'goaway PROTOCOL_ERROR',
  ],
  [
    '8.1.1',
    'a length that is not that of the body in pieces',
    [headers(1, Buffer.concat([post, fields(['content-length', '9'])]), endHeaders), data(1, 'four', 0), data(1, 'four')],
    'reset PROTOCOL_ERROR',
    'goaway PROTOCOL_ERROR',
  ],
  // HPACK
  ['HPACK 2.3.3', 'an index beyond the tables', [headers(1, Buffer.concat([get, bytes(0xc6)]))], 'goaway COMPRESSION_ERROR'],
  ['HPACK 6.1', 'index 0', [headers(1, Buffer.concat([get, bytes(0x80)]))], 'goaway COMPRESSION_ERROR'],
  ['HPACK 4.2', 'a new table size at the end of a block', [headers(1, Buffer.concat([get, bytes(0x20)]))], 'goaway COMPRESSION_ERROR'],
  ['HPACK 6.3', 'a larger table than is allowed', [headers(1, Buffer.concat([bytes(0x3f, 0xe2, 0x1f), get]))], 'goaway COMPRESSION_ERROR'],
  [
    'HPACK 5.2',
    'Huffman padding of more than seven bits',
    [headers(1, Buffer.concat([get, bytes(0), text('x-a'), bytes(0x82, 0x1f, 0xff)]))],
    'goaway COMPRESSION_ERROR',
  ],
  [
    'HPACK 5.2',
    'Huffman padding with zeros',
    [headers(1, Buffer.concat([get, bytes(0), text('x-a'), bytes(0x81, 0x18)]))],
    'goaway COMPRESSION_ERROR',
  ],
  [
    'HPACK 5.2',
    'Huffman with the end of string',
    [headers(1, Buffer.concat([get, bytes(0), text('x-a'), bytes(0x84, 0xff, 0xff, 0xff, 0xff)]))],
    'goaway COMPRESSION_ERROR',
  ],
]

const listed = cases.map(([section, what, sent, ...verdicts]) => ({ section, what, sent, verdicts }))

describe.each(['plain', 'tls'] as const)('a listener (%s)', (listener) => {
  it.each(listed)('$section: $what', async ({ sent, verdicts }) => {
    const talk = await talking(listener)
    talk.send(...sent)
    await judged(talk, verdicts)
  })

  it('3.4: a preface that is none ends the connection', async () => {
    const socket =
      listener === 'plain'
        ? connect(proxy.port, '127.0.0.1')
        : connectTls({ port: securePort, host: '127.0.0.1', ALPNProtocols: ['h2'], rejectUnauthorized: false })
    const talk = new Talk(socket)
    talk.send(Buffer.from('PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n'), frame(kind.settings, 0, 0))
    await judged(talk, ['closed', 'goaway PROTOCOL_ERROR'])
  })

  it('5.1.2: a client that has heard of the limit and opens one stream more has broken the protocol', async () => {
    const talk = await talking(listener)
    for (let stream = 1; stream <= 201; stream += 2) talk.send(headers(stream, at('/slow')))
    await judged(talk, ['goaway PROTOCOL_ERROR', 'closed'], 201)
  })

  it('5.1: a stream that is over: what comes late is borne, or is an error, and is no request', async () => {
    const talk = await talking(listener)
    talk.send(request)
    await judged(talk, ['answered'])
    await pause(20)
    const seen = origin.requests.length
    talk.send(headers(1, get), ping)
    await judged(talk, ['goaway STREAM_CLOSED', 'goaway PROTOCOL_ERROR', 'ponged'])
    expect(origin.requests.length).toBe(seen)
  })

  it('5.1.1: a smaller number than before is taken for a stream that is over: what comes there is borne, and is no request', async () => {
    const talk = await talking(listener)
    talk.send(headers(5, at('/slow')))
    await eventually('it has come', () => origin.requests.at(-1)?.target === '/slow')
    const seen = origin.requests.length
    talk.send(headers(3, get), ping)
    await judged(talk, ['ponged', 'goaway PROTOCOL_ERROR', 'goaway STREAM_CLOSED'])
    expect([talk.heard(3).answered, origin.requests.length]).toEqual([false, seen])
  })

  it('6.5.3: SETTINGS are acknowledged, the last value of several counts', async () => {
    const talk = await talking(listener)
    talk.send(frame(kind.settings, 0, 0, Buffer.concat([setting(4, 100), setting(4, 1)])), request)
    await judged(talk, ['answered'])
    await eventually('both are acknowledged', () => talk.heard().settingsAcks === 2)
    await pause(30)
    expect(talk.heard().dataBytes).toBe(1)
  })

  it('6.9: no more is sent than the windows allow, also when one shrinks below zero', async () => {
    const talk = await talking(listener, setting(4, 3))
    talk.send(headers(1, at('/large')))
    await eventually('three bytes', () => talk.heard().dataBytes === 3)
    // 3 - 3 = 0 is left; the new size makes it -2.
    talk.send(frame(kind.settings, 0, 0, setting(4, 1)), frame(kind.windowUpdate, 0, 1, number(2)))
    await pause(50)
    expect(talk.heard().dataBytes).toBe(3)
    talk.send(frame(kind.windowUpdate, 0, 1, number(1)))
    await eventually('one byte more', () => talk.heard().dataBytes === 4)
    talk.send(frame(kind.windowUpdate, 0, 1, number(200_000)))
    await eventually('as much as the window of the connection allows', () => talk.heard().dataBytes === 65_535)
    await pause(30)
    expect(talk.heard().dataBytes).toBe(65_535)
    talk.send(frame(kind.windowUpdate, 0, 0, number(200_000)))
    await eventually('all of it', () => talk.heard().dataBytes === 100_000)
  })

  it('5.1: a stream whose body is not wanted any more is reset, and what still comes of it is borne', async () => {
    const talk = await talking(listener)
    talk.send(headers(1, Buffer.concat([post, fields(['content-length', '1'])]), endHeaders), data(1, 'four', 0))
    await judged(talk, ['reset PROTOCOL_ERROR', 'goaway PROTOCOL_ERROR'])
    // Newer nghttp2 ends the connection for it.
    if (talk.heard().goaway !== undefined) return
    talk.send(data(1, 'more', 0), frame(kind.windowUpdate, 0, 1, number(5)), ping)
    await judged(talk, ['ponged'])
  })
})
