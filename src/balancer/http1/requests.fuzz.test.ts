/**
 * Mutated requests against two readers: ours, and Node's own parser as a second opinion. Whatever we accept, Node must
 * accept too and cut in the same way: as many requests, the same methods, targets and body bytes. What Node refuses and we
 * accept is listed in `deliberate` and nowhere else. `HOLDFAST_FUZZ` sets the number of cases.
 */
import { createServer, METHODS } from 'node:http'
import { Duplex } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { Prng } from '../../kernel/random.ts'
import { mutatedRequests } from '../testing/mutations.ts'
import { ChunkedBody } from './chunked.ts'
import { Head, parseRequestHead } from './head.ts'
import { forwardedBlock, readRequest, RequestFacts, writeRequestHead } from './request.ts'

const count = Number(process.env.HOLDFAST_FUZZ ?? 20_000)

interface Read {
  readonly method: string
  readonly target: string
  readonly body: string
}

interface Reading {
  /** The requests that are whole. */
  readonly requests: readonly Read[]
  /** What the origin would get for them. */
  readonly forwarded: string
}

const forwarded = forwardedBlock({ address: '127.0.0.1', port: 80, scheme: 'http', host: 'a', pseudonym: 'us', minor: 1 })
const head = new Head()
const facts = new RequestFacts()
const room = Buffer.alloc(256 * 1024)

/** As the proxy reads a connection: request after request until one is not whole or is refused. */
function readOurs(bytes: Buffer): Reading {
  const requests: Read[] = []
  let forwardedBytes = ''
  let at = 0
  while (at < bytes.length) {
    const end = parseRequestHead(bytes, at, bytes.length, head)
    if (end <= 0 || readRequest(head, bytes, facts) !== 0) break
    const out = writeRequestHead(room, 0, head, bytes, facts, { target: facts.target, defaultHost: 'h', forwarded, requestId: 'i' })
    if (out < 0) break
    const target = bytes.toString('latin1', head.targetStart, head.targetEnd)
    let body = ''
    let sent = room.toString('latin1', 0, out)
    if (facts.bodyLength < 0) {
      const plain = new ChunkedBody(false)
      const stop = plain.feed(bytes, end, bytes.length, (buffer, from, to) => (body += buffer.toString('latin1', from, to)))
      if (!plain.done) break
      new ChunkedBody(true).feed(bytes, end, bytes.length, (buffer, from, to) => (sent += buffer.toString('latin1', from, to)))
      at = stop
    } else {
      if (bytes.length - end < facts.bodyLength) break
      at = end + facts.bodyLength
      body = bytes.toString('latin1', end, at)
      sent += body
    }
    requests.push({ method: facts.method, target, body })
    forwardedBytes += sent
    if (!facts.keepAlive || facts.upgrade !== undefined || facts.method === 'CONNECT') break
  }
  return { requests, forwarded: forwardedBytes }
}

/** A connection that exists in memory only. */
class Wire extends Duplex {
  override _read(): void {
    // Bytes are pushed as they are fed.
  }

  override _write(_chunk: unknown, _encoding: BufferEncoding, done: () => void): void {
    done()
  }

  setTimeout(): this {
    return this
  }

  setNoDelay(): this {
    return this
  }

  setKeepAlive(): this {
    return this
  }
}

/** As Node reads it: the requests whose body ended without an error. */
function readNode(bytes: Buffer): Promise<readonly Read[]> {
  return new Promise((resolve) => {
    const requests: Read[] = []
    const wire = new Wire()
    const server = createServer({ keepAliveTimeout: 0, requireHostHeader: false, maxHeaderSize: 64 * 1024 }, (request, response) => {
      const pieces: Buffer[] = []
      request.on('data', (chunk: Buffer) => pieces.push(chunk))
      request.on('error', () => undefined)
      request.on('end', () => {
        requests.push({ method: request.method ?? '', target: request.url ?? '', body: Buffer.concat(pieces).toString('latin1') })
        response.end()
      })
    })
    const taken = (request: { method?: string | undefined; url?: string | undefined }): void => {
      requests.push({ method: request.method ?? '', target: request.url ?? '', body: '' })
    }
    server.on('upgrade', taken)
    server.on('connect', taken)
    server.on('checkContinue', (request, response) => server.emit('request', request, response))
    server.on('checkExpectation', (request, response) => server.emit('request', request, response))
    server.on('clientError', () => undefined)
    wire.on('error', () => undefined)
    server.emit('connection', wire)
    wire.push(bytes)
    // Node gives each request and each body a few turns of the event loop; eight hundred are plenty for the few requests of a case.
    let turns = 0
    let quiet = 0
    let before = -1
    const wait = (): void => {
      quiet = requests.length === before ? quiet + 1 : 0
      before = requests.length
      if (quiet < 6 && ++turns < 800) setImmediate(wait)
      else {
        wire.destroy()
        resolve(requests)
      }
    }
    setImmediate(wait)
  })
}

const nodeMethods: ReadonlySet<string> = new Set(METHODS)
const extension = /^[0-9a-fA-F]+;[^\r\n]*\r\n/m

/** The requests that Node refuses and we accept on purpose. A request that both accept and read differently is never on purpose. */
const deliberate: readonly { readonly what: string; readonly holds: (refused: Read, bytes: string) => boolean }[] = [
  // RFC 9110 §9.1: a method is any token.
  { what: 'methods that Node does not know', holds: ({ method }) => !nodeMethods.has(method) },
  // RFC 9112 §7.1.1: extensions without control bytes are dropped unread, and never forwarded; Node reads their grammar.
  { what: 'the grammar of chunk extensions', holds: ({ body }, bytes) => body !== '' && extension.test(bytes) },
  // RFC 9110 §5.5: a tab around a value is white space like any other, and is not forwarded; Node allows spaces only behind a length.
  { what: 'a tab behind a length or coding', holds: (_refused, bytes) => /^(?:content-length|transfer-encoding):.*\t\r$/im.test(bytes) },
]

describe('mutated requests', () => {
  it(`are read as Node reads them, or refused (${count} cases)`, { timeout: 300_000 }, async () => {
    const random = new Prng(20_260)
    const tally = { accepted: 0, refused: 0, deliberate: 0 }
    for (let i = 0; i < count; i++) {
      const text = mutatedRequests(random)
      const bytes = Buffer.from(text, 'latin1')
      const ours = readOurs(bytes)
      if (ours.requests.length === 0) {
        tally.refused++
        continue
      }
      const theirs = (await readNode(bytes)).slice(0, ours.requests.length)
      const differing = ours.requests.findIndex((request, index) => JSON.stringify(request) !== JSON.stringify(theirs[index]))
      const refused = ours.requests[differing]
      if (refused) {
        const known = theirs.length === differing && deliberate.some(({ holds }) => holds(refused, text))
        if (!known) expect(ours.requests, `case ${i}: ${JSON.stringify(text)}`).toEqual(theirs)
        tally.deliberate++
      }
      // What is forwarded must be beyond doubt for both, also where we were the more tolerant one.
      const meant = ours.requests.map(({ method, body }) => ({ method, body }))
      const bare = (requests: readonly Read[]): unknown => requests.map(({ method, body }) => ({ method, body }))
      const forwardedBytes = Buffer.from(ours.forwarded, 'latin1')
      expect(bare(readOurs(forwardedBytes).requests), `case ${i}, forwarded: ${JSON.stringify(text)}`).toEqual(meant)
      if ((refused !== undefined || i % 8 === 0) && meant.every(({ method }) => nodeMethods.has(method))) {
        expect(bare(await readNode(forwardedBytes)), `case ${i}, forwarded: ${JSON.stringify(text)}`).toEqual(meant)
      }
      tally.accepted++
    }
    // The generator is worth something only while it hits both sides.
    expect(tally.accepted).toBeGreaterThan(count / 5)
    expect(tally.refused).toBeGreaterThan(count / 20)
    expect(tally.deliberate).toBeLessThan(count / 20)
  })
})
