/**
 * Mutated requests against two readers: ours, and Node's own parser as a second opinion. Whatever we accept, Node must
 * accept too and cut in the same way: as many requests, the same methods, targets, trailers and body bytes. What Node refuses
 * and we accept is listed in `deliberate` and nowhere else. And what we then write for the origin, Node must read as exactly
 * those requests: method, target, host, framing, body. `HOLDFAST_FUZZ` sets the number of cases, `HOLDFAST_FUZZ_SEED` where they begin.
 */
import { createServer, METHODS, type IncomingMessage } from 'node:http'
import { Duplex } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { Prng } from '../../kernel/random.ts'
import { mutatedRequests } from '../testing/mutations.ts'
import { readOurs, type Arrived, type Read } from '../testing/reading.ts'

const count = Number(process.env.HOLDFAST_FUZZ ?? 100_000)
const seed = Number(process.env.HOLDFAST_FUZZ_SEED ?? 20_260)

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
function readNode(bytes: Buffer): Promise<readonly Arrived[]> {
  return new Promise((resolve) => {
    // In the order of their heads: a CONNECT is told at once, the end of a body some turns later.
    const heads: IncomingMessage[] = []
    const whole = new Map<IncomingMessage, string>()
    const arrived = (request: IncomingMessage): Arrived => {
      const { method = '', url = '', headers } = request
      const length = headers['content-length']
      const framing = headers['transfer-encoding']?.toLowerCase() ?? (length === undefined ? '' : String(Number(length)))
      const upgrades = headers.upgrade !== undefined && /upgrade/i.test(headers.connection ?? '')
      return { method, target: url, body: whole.get(request) ?? '', host: headers.host ?? '', framing, upgrades }
    }
    const wire = new Wire()
    const server = createServer({ keepAliveTimeout: 0, requireHostHeader: false, maxHeaderSize: 64 * 1024 }, (request, response) => {
      const pieces: Buffer[] = []
      heads.push(request)
      request.on('data', (chunk: Buffer) => pieces.push(chunk))
      request.on('error', () => undefined)
      request.on('end', () => {
        whole.set(request, Buffer.concat(pieces).toString('latin1'))
        response.end()
      })
    })
    const taken = (request: IncomingMessage): void => {
      heads.push(request)
      whole.set(request, '')
    }
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
      quiet = whole.size === before ? quiet + 1 : 0
      before = whole.size
      if (quiet < 6 && ++turns < 800) setImmediate(wait)
      else {
        wire.destroy()
        resolve(heads.filter((request) => whole.has(request)).map(arrived))
      }
    }
    setImmediate(wait)
  })
}

const nodeMethods: ReadonlySet<string> = new Set(METHODS)
const extension = /^[0-9a-fA-F]+;[^\r\n]*\r\n/m

/** The requests that Node refuses and we accept on purpose. A request that both accept and read differently is never on purpose. */
const deliberate: readonly { readonly what: string; readonly holds: (refused: Read, bytes: string, before?: Arrived) => boolean }[] = [
  // RFC 9110 §9.1: a method is any token.
  { what: 'methods that Node does not know', holds: ({ method }) => !nodeMethods.has(method) },
  // RFC 9112 §7.1.1: extensions without control bytes are dropped unread, and never forwarded; Node reads their grammar.
  { what: 'the grammar of chunk extensions', holds: ({ body }, bytes) => body !== '' && extension.test(bytes) },
  // RFC 9110 §5.5: a tab around a value is white space like any other, and is not forwarded; Node allows spaces only behind a length.
  { what: 'a tab behind a length or coding', holds: (_refused, bytes) => /^(?:content-length|transfer-encoding):.*\t\r$/im.test(bytes) },
  // RFC 9110 §7.8: an Upgrade may be ignored, and is when it names no protocol; Node reads nothing behind one.
  { what: 'requests behind an upgrade that is ignored', holds: (_refused, _bytes, before) => before?.upgrades === true },
  // RFC 9110 §6.5.1: a trailer says nothing about the connection, and such a field is dropped; Node obeys it.
  {
    what: 'requests behind a trailer that says close',
    holds: (_refused, bytes, before) => before?.framing === 'chunked' && /\r\nconnection:.*close/i.test(bytes),
  },
  // RFC 9112 §9.3: an HTTP/1.0 connection persists when one of the options is keep-alive; Node overlooks it behind more white space than one space.
  {
    what: 'requests behind one of HTTP/1.0 that asks to go on',
    holds: (_refused, bytes) => /^connection:(?! ?keep-alive\r).*keep-alive/im.test(bytes),
  },
]

const same = (one: object | undefined, other: object | undefined): boolean => JSON.stringify(one) === JSON.stringify(other)

describe('mutated requests', () => {
  it(`are read as Node reads them, or refused (${count} cases)`, { timeout: 300_000 }, async () => {
    const random = new Prng(seed)
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
      const read = theirs.map(({ method, target, body }) => ({ method, target, body }))
      const differing = ours.requests.findIndex((request, index) => !same(request, read[index]))
      const refused = ours.requests[differing]
      if (refused) {
        const known = theirs.length === differing && deliberate.some(({ holds }) => holds(refused, text, theirs.at(-1)))
        if (!known) expect(ours.requests, `case ${i}: ${JSON.stringify(text)}`).toEqual(read)
        tally.deliberate++
      }
      // What is forwarded must be beyond doubt for both, also where we were the more tolerant one.
      const forwardedBytes = Buffer.from(ours.forwarded, 'latin1')
      const again = readOurs(forwardedBytes).meant
      if (!same(again, ours.meant)) expect(again, `case ${i}, forwarded: ${JSON.stringify(text)}`).toEqual(ours.meant)
      if (ours.meant.every(({ method }) => nodeMethods.has(method))) {
        const arrived = await readNode(forwardedBytes)
        if (!same(arrived, ours.meant)) expect(arrived, `case ${i}, forwarded: ${JSON.stringify(text)}`).toEqual(ours.meant)
      }
      tally.accepted++
    }
    // The generator is worth something only while it hits both sides.
    expect(tally.accepted).toBeGreaterThan(count / 5)
    expect(tally.refused).toBeGreaterThan(count / 20)
    expect(tally.deliberate).toBeLessThan(count / 20)
  })
})
