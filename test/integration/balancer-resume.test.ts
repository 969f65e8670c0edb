/** Answers that break off in the middle and go on from elsewhere, over real sockets: whole, byte by byte, or visibly cut. */
import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { service } from '../support/balancer-harness.ts'
import { useProxy } from '../support/proxy-fixture.ts'

const { proxy } = useProxy({ per: 'file', workers: 1 })

const body = Buffer.from(Uint8Array.from({ length: 600_000 }, (_, i) => (i * 7 + (i >> 8)) & 0xff))
const etag = '"v1"'
const servers: Server[] = []
const sent = { ranges: [] as string[], requests: 0 }

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => (server.closeAllConnections(), new Promise((resolve) => server.close(resolve))))) // prettier-ignore
  sent.ranges.length = 0
  sent.requests = 0
})

type Answering = (request: IncomingMessage, response: ServerResponse, from: number) => void

async function origin(answer: Answering): Promise<number> {
  const server = createServer((request, response) => {
    sent.requests++
    const range = request.headers.range
    if (range !== undefined) sent.ranges.push(`${range} ${String(request.headers['if-range'])}`)
    answer(request, response, range === undefined ? 0 : Number(/bytes=(\d+)-/.exec(range)?.[1]))
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

function headOf(from: number, fields: Record<string, string> = {}): [number, Record<string, string>] {
  const usual = { ETag: etag, 'Accept-Ranges': 'bytes', 'Content-Length': String(body.length - from) }
  return from === 0
    ? [200, { ...usual, ...fields }]
    : [206, { ...usual, 'Content-Range': `bytes ${from}-${body.length - 1}/${body.length}`, ...fields }]
}

/** Writes some of it, and breaks off. */
const breaking =
  (after: () => number, fields: Record<string, string> = {}): Answering =>
  (request, response, from) => {
    response.writeHead(...headOf(from, fields))
    response.write(body.subarray(from, from + after()), () => setTimeout(() => request.socket.destroy(), 2))
  }
const whole: Answering = (_, response, from) => {
  response.writeHead(...headOf(from))
  response.end(body.subarray(from))
}

async function get(fields = ''): Promise<{ readonly head: string; readonly body: Buffer; readonly whole: boolean }> {
  const socket = connect(proxy.port, '127.0.0.1')
  socket.write(`GET /file HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${fields}\r\n`)
  const chunks: Buffer[] = []
  await new Promise<void>((resolve) => {
    socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    socket.on('error', () => undefined)
    socket.on('close', () => {
      resolve()
    })
  })
  const all = Buffer.concat(chunks)
  const end = all.indexOf('\r\n\r\n') + 4
  const head = all.subarray(0, end).toString('latin1')
  const got = all.subarray(end)
  return { head, body: got, whole: got.length === Number(/content-length: (\d+)/i.exec(head)?.[1]) }
}

const hashOf = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')
const route = async (...answers: readonly Answering[]): Promise<void> => {
  const origins = await Promise.all(answers.map((answer) => origin(answer)))
  await proxy.route(service(origins, { retries: { attempts: 1, budget: 0.2 } }))
}

describe('an answer that is cut', () => {
  it('goes on where it broke off, cut after cut, and no byte comes twice', async () => {
    let seed = 1
    const random = (): number => (seed = (seed * 48_271) % 0x7fffffff)
    const cutting = breaking(() => 1 + (random() % 90_000))
    await route(cutting, cutting, cutting)
    let cuts = 0
    for (let i = 0; i < 12; i++) {
      const before = sent.requests
      const answer = await get()
      expect([answer.whole, hashOf(answer.body)]).toEqual([true, hashOf(body)])
      expect(answer.head.match(/^HTTP/gm)).toHaveLength(1)
      cuts += sent.requests - before - 1
    }
    expect(cuts).toBeGreaterThan(50)
    expect(new Set(sent.ranges.map((range) => range.replace(/\d+/, 'N')))).toEqual(new Set([`bytes=N- ${etag}`]))
  })

  it('is given up after three cuts without a byte in between', async () => {
    await route((request, response, from) => {
      if (from === 0) breaking(() => 100_000)(request, response, 0)
      else request.socket.destroy()
    })
    const answer = await get()
    expect([answer.whole, answer.body.equals(body.subarray(0, answer.body.length))]).toEqual([false, true])
    expect(sent.requests).toBeLessThan(8)
  })
})

describe('what comes instead of the rest', () => {
  const cases: readonly (readonly [string, Answering])[] = [
    ['another version', (_, response) => response.writeHead(...headOf(0, { ETag: '"v2"' })).end(body)],
    ['206 of another version', (_, response, from) => response.writeHead(...headOf(from, { ETag: '"v2"' })).end(body.subarray(from))],
    ['another range', (_, response, from) => response.writeHead(...headOf(from, { 'Content-Range': `bytes ${from + 1}-${body.length - 1}/${body.length}` })).end(body.subarray(from))],
    ['another length', (_, response, from) => response.writeHead(...headOf(from, { 'Content-Range': `bytes ${from}-${body.length - 1}/${body.length + 1}` })).end(body.subarray(from))],
    ['an error', (_, response) => response.writeHead(500).end('no')],
    ['no HTTP', (request) => request.socket.end('hello')],
  ] // prettier-ignore
  it.each(cases)('%s: the client sees that it was cut', async (_, instead) => {
    await route((request, response, from) => {
      if (from === 0) breaking(() => 200_000)(request, response, 0)
      else instead(request, response, from)
    })
    const answer = await get()
    expect([answer.whole, answer.body.equals(body.subarray(0, answer.body.length))]).toEqual([false, true])
    expect(sent.ranges).toHaveLength(1)
  })
})

describe('nobody is asked for the rest', () => {
  it.each([
    ['of an answer with a weak ETag', { ETag: 'W/"v1"' }, ''],
    ['of one whose server takes no ranges', { 'Accept-Ranges': 'none' }, ''],
    ['when the client itself asked for a range', {}, 'Range: bytes=0-99999999\r\n'],
  ])('%s', async (_, fields, asked) => {
    await route((request, response) => {
      breaking(() => 200_000, fields)(request, response, 0)
    }, whole)
    for (let i = 0; i < 6; i++) await get(asked)
    expect(sent.ranges.filter((range) => range.endsWith(etag))).toEqual([])
  })
})
