/**
 * HTTP/2 as nobody honest speaks it: frames that cost the server work and the client nothing. Each flood must end its own connection or be
 * borne, at bounded memory, by the workers from before, while the others are served.
 */
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { ask, eventually, get, Origin, pause, plain, service } from '../support/balancer-harness.ts'
import { Http2Client } from '../support/http2-client.ts'
import { useProxy } from '../support/proxy-fixture.ts'

const { proxy, kept } = useProxy({ per: 'file' })
const mebibyte = 1024 * 1024
const sockets: Socket[] = []
let workers: readonly number[]
let origin: Origin

const pids = async (): Promise<readonly number[]> => (await proxy.telemetry()).workers.map(({ pid }) => pid)
const memory = (): number =>
  process.platform === 'linux' ? 1024 * Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${workers[0]!}/status`, 'latin1'))?.[1]) : 0

beforeAll(async () => {
  await proxy.route(service([]))
  workers = await pids()
})

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  expect(await pids()).toEqual(workers)
})

async function serving(body = 'fine'): Promise<void> {
  origin = await kept(Origin.start(({ socket, target }) => socket.write(plain(target === '/honest' ? 'honest' : body))))
  await proxy.apply({ listeners: [{ name: 'web', host: '127.0.0.1', port: proxy.port, http2: true }], services: [service([origin])] })
}

// --- frames

const type = { data: 0, headers: 1, priority: 2, reset: 3, settings: 4, ping: 6, windowUpdate: 8, continuation: 9 } as const
const flag = { endStream: 1, endHeaders: 4 } as const

function frame(kind: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = kind
  head[4] = flags
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

const number = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
const setting = (id: number, value: number): Buffer => Buffer.concat([Buffer.from([0, id]), number(value)])
/** GET / from the static table of HPACK, `:authority: a` as a literal. */
const getBlock = Buffer.from([0x82, 0x84, 0x86, 0x41, 1, 97])
const postBlock = Buffer.from([0x83, 0x84, 0x86, 0x41, 1, 97])
const request = (stream: number): Buffer => frame(type.headers, flag.endStream | flag.endHeaders, stream, getBlock)

/** Begins to speak HTTP/2; keeps the last GOAWAY's code in what it returns. */
async function speaking(settings: Buffer = Buffer.alloc(0)): Promise<{ readonly socket: Socket; readonly closed: () => boolean }> {
  const socket = connect({ port: proxy.port, host: '127.0.0.1' })
  sockets.push(socket)
  let closed = false
  socket.on('error', () => undefined)
  socket.on('close', () => (closed = true))
  socket.on('end', () => (closed = true))
  socket.resume()
  socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
  socket.write(frame(type.settings, 0, 0, settings))
  socket.write(frame(type.settings, 1, 0))
  await eventually('its settings', () => socket.bytesRead > 0)
  return { socket, closed: () => closed }
}

/** Sends until the other side has had enough, or all is sent. */
async function flood(spoken: Awaited<ReturnType<typeof speaking>>, batches: number, batch: (index: number) => Buffer): Promise<void> {
  for (let index = 0; index < batches && !spoken.closed(); index++) {
    if (!spoken.socket.write(batch(index))) await Promise.race([new Promise((resolve) => spoken.socket.once('drain', resolve)), pause(200)])
    else await new Promise((resolve) => setImmediate(resolve))
  }
}

const many = (count: number, each: (index: number) => Buffer): Buffer => Buffer.concat(Array.from({ length: count }, (_, index) => each(index)))

const honest = async (): Promise<void> => {
  expect((await ask(proxy.port, get('/honest'))).text).toBe('honest')
}

describe('an HTTP/2 connection', () => {
  it('serves as many requests as it is asked, one after the other', async () => {
    await serving()
    const client = await Http2Client.to(`http://127.0.0.1:${proxy.port}`)
    for (let round = 0; round < 50; round++) {
      const answers = await Promise.all(Array.from({ length: 20 }, () => client.ask()))
      expect(answers.every(({ status, code }) => status === 200 && code === 0)).toBe(true)
    }
    expect(client.goawayCode).toBeUndefined()
    await client.close()
  })
})

describe('floods', () => {
  it('of streams that are opened and reset (CVE-2023-44487) end the connection, and few of them reach the origin', async () => {
    await serving()
    const spoken = await speaking()
    await flood(spoken, 200, (index) =>
      many(100, (each) => {
        const stream = 1 + 2 * (index * 100 + each)
        return Buffer.concat([request(stream), frame(type.reset, 0, stream, number(8))])
      }),
    )
    await eventually('the end of the connection', spoken.closed)
    expect(origin.requests.length).toBeLessThan(1_000)
    await honest()
  })

  it.each([
    [
      'CONTINUATION without end (CVE-2024-27983)',
      (index: number) => (index === 0 ? frame(type.headers, 1, 1, getBlock) : Buffer.alloc(0)),
      (): Buffer => frame(type.continuation, 0, 1, Buffer.from([0, 1, 97, 1, 98])),
    ],
    ['SETTINGS (CVE-2019-9515)', (): Buffer => Buffer.alloc(0), (): Buffer => frame(type.settings, 0, 0, setting(4, 65_535))],
    ['PING (CVE-2019-9512)', (): Buffer => Buffer.alloc(0), (): Buffer => frame(type.ping, 0, 0, Buffer.alloc(8))],
    ['window updates', (): Buffer => Buffer.alloc(0), (): Buffer => frame(type.windowUpdate, 0, 0, number(1))],
    [
      'priorities (CVE-2019-9513)',
      (): Buffer => Buffer.alloc(0),
      (index: number): Buffer => frame(type.priority, 0, 1 + 2 * (index % 1_000), Buffer.concat([number(0), Buffer.from([1])])),
    ],
    [
      'empty DATA (CVE-2019-9518)',
      (index: number) => (index === 0 ? frame(type.headers, flag.endHeaders, 1, postBlock) : Buffer.alloc(0)),
      (): Buffer => frame(type.data, 0, 1),
    ],
  ])('of %s are ended or borne', { timeout: 30_000 }, async (_what, first, each) => {
    await serving()
    const before = memory()
    const spoken = await speaking()
    await flood(spoken, 300, (index) => Buffer.concat([first(index), many(500, (inner) => each(index * 500 + inner))]))
    await honest()
    expect(memory() - before).toBeLessThan(64 * mebibyte)
  })

  it('of answers whose reader gives no window cost bounded memory', { timeout: 30_000 }, async () => {
    await serving('x'.repeat(mebibyte))
    const before = memory()
    // INITIAL_WINDOW_SIZE 0: the answers cannot leave.
    const all = await Promise.all(Array.from({ length: 8 }, () => speaking(setting(4, 0))))
    for (const { socket } of all) socket.write(many(90, (index) => request(1 + 2 * index)))
    await pause(1_500)
    await honest()
    // 720 answers of 1 MiB: were they kept, it would be 720 MiB. What is kept is a read's worth each, here and in the origin's kernel.
    expect(memory() - before).toBeLessThan(160 * mebibyte)
  })
})

describe('heads', () => {
  it('that unfold to many times their size (HPACK bomb) are not unfolded', async () => {
    await serving()
    const before = memory()
    const spoken = await speaking()
    const value = Buffer.alloc(3_900, 98)
    // One literal with indexing (a: 3,900 × b), then thousands of references to it: one byte each.
    const literal = Buffer.concat([Buffer.from([0x40, 1, 97, 0x7f, ...varint(value.length - 127)]), value])
    const bomb = Buffer.concat([getBlock.subarray(0, 3), Buffer.from([0x01, 1, 97]), literal, Buffer.alloc(12_000, 0xbe)])
    await flood(spoken, 50, (index) => frame(type.headers, flag.endStream | flag.endHeaders, 1 + 2 * index, bomb))
    await honest()
    expect(memory() - before).toBeLessThan(64 * mebibyte)
    expect(origin.requests.filter(({ target }) => target !== '/honest')).toEqual([])
  })

  it('and frames that are no sense end the connection only', { timeout: 30_000 }, async () => {
    await serving()
    const nonsense: readonly Buffer[] = [
      frame(type.headers, flag.endHeaders | flag.endStream, 2, getBlock),
      frame(type.headers, flag.endHeaders | flag.endStream, 1, Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff])),
      frame(type.data, 0, 5, Buffer.from('early')),
      frame(type.priority, 0, 1, Buffer.concat([number(1), Buffer.from([1])])),
      frame(type.windowUpdate, 0, 0, number(0)),
      frame(type.settings, 0, 0, Buffer.alloc(5)),
      frame(type.settings, 0, 0, setting(4, 0xffff_ffff)),
      frame(type.ping, 0, 0, Buffer.alloc(3)),
      frame(0x42, 0xff, 7, Buffer.alloc(100)),
      frame(type.continuation, 4, 1, getBlock),
      Buffer.alloc(20_000, 0xff),
    ]
    for (const bytes of nonsense) {
      const spoken = await speaking()
      spoken.socket.write(bytes)
      spoken.socket.write(request(101))
      await pause(20)
      await honest()
    }
  })
})

/** An integer of HPACK behind its prefix. */
function varint(value: number): number[] {
  const bytes: number[] = []
  let rest = value
  while (rest >= 128) {
    bytes.push((rest % 128) | 128)
    rest = Math.floor(rest / 128)
  }
  return [...bytes, rest]
}
