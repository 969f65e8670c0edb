/**
 * Mutated requests and answers over real sockets through the built worker. What a Node origin reads of them must be exactly
 * the requests that the pure reader of `requests.fuzz.test.ts` finds in the client's bytes, however these are cut into pieces
 * and whoever else's requests go over the same connection to the origin.
 */
import { createServer, METHODS, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { mutatedAnswer, mutatedRequests } from '../../src/balancer/testing/mutations.ts'
import { readOurs, type Arrived } from '../../src/balancer/testing/reading.ts'
import { between, Prng } from '../../src/kernel/random.ts'
import { eventually, get, plain, RawClient, readAnswer, service, startProxy, type RunningProxy } from '../support/balancer-harness.ts'
import { useProxy } from '../support/proxy-fixture.ts'

const seed = Number(process.env.HOLDFAST_FUZZ_SEED ?? 11)
const random = new Prng(seed)
const batchSize = 25
const batches = 60

/** Node reads these methods, and Holdfast answers two of them by itself (405). */
const served = new Set(METHODS.filter((method) => method !== 'CONNECT' && method !== 'TRACE'))

const sorted = (requests: readonly Arrived[]): string[] => requests.map((request) => JSON.stringify(request)).toSorted()

describe('mutated requests over sockets', () => {
  let proxy: RunningProxy
  let origin: Server
  let arrived: Arrived[] = []
  const broken: string[] = []

  beforeAll(async () => {
    proxy = await startProxy()
    origin = createServer({ keepAliveTimeout: 30_000 }, (request, response) => {
      const pieces: Buffer[] = []
      request.on('data', (chunk: Buffer) => pieces.push(chunk))
      request.on('error', () => undefined)
      request.on('end', () => {
        const { method = '', url: target = '', headers } = request
        const length = headers['content-length']
        const framing = headers['transfer-encoding'] ?? (length === undefined ? '' : String(Number(length)))
        const upgrades = headers.upgrade !== undefined
        const body = Buffer.concat(pieces).toString('latin1')
        arrived.push({ method, target, body, host: headers.host ?? '', framing, upgrades })
        response.end('ok')
      })
    })
    origin.on('clientError', (error: NodeJS.ErrnoException, socket) => {
      // A method may be any token, and a body that never came whole ends its connection; anything else that Node cannot read is our fault.
      if (error.code?.startsWith('HPE_') === true && !['HPE_INVALID_METHOD', 'HPE_INVALID_EOF_STATE'].includes(error.code))
        broken.push(`${error.code}: ${error.message}`)
      socket.destroy()
    })
    await new Promise<void>((resolve) => origin.listen(0, '127.0.0.1', resolve))
    await proxy.route(service([(origin.address() as AddressInfo).port], { timeoutMs: 2_000 }))
  })

  afterAll(async () => {
    await proxy.stop()
    origin.closeAllConnections()
    origin.close()
  })

  /** In pieces, then the end; resolves when the other side has ended as well. */
  async function sendAll(bytes: Buffer): Promise<void> {
    const client = await RawClient.to(proxy.port)
    for (let at = 0; at < bytes.length;) {
      const to = random.next() < 0.5 ? bytes.length : Math.min(bytes.length, at + between(random, 1, 200))
      client.send(bytes.subarray(at, to))
      at = to
      if (at < bytes.length) await new Promise((resolve) => setImmediate(resolve))
    }
    client.socket.end()
    await eventually('its end', () => client.ended || client.closed)
    client.destroy()
  }

  it(`reach the origin as read, or not at all (${batches * batchSize} connections, seed ${seed})`, { timeout: 240_000 }, async () => {
    let total = 0
    for (let batch = 0; batch < batches; batch++) {
      arrived = []
      const texts = Array.from({ length: batchSize }, () => mutatedRequests(random))
      await Promise.all(texts.map((text) => sendAll(Buffer.from(text, 'latin1'))))
      const meant = texts
        .flatMap((text) => readOurs(Buffer.from(text, 'latin1'), '127.0.0.1', false).meant)
        .filter(({ method }) => served.has(method))
      total += meant.length
      expect(sorted(arrived), `batch ${batch}: ${JSON.stringify(texts)}`).toEqual(sorted(meant))
    }
    expect(total).toBeGreaterThan(batches * batchSize * 0.3)
    expect(broken).toEqual([])
    expect(proxy.signals.filter(({ type }) => type === 'workerExited')).toEqual([])
  })
})

describe('mutated answers over sockets', () => {
  const { proxy, origin } = useProxy({ per: 'file' })
  const clients: RawClient[] = []
  afterEach(() => {
    for (const client of clients.splice(0)) client.destroy()
  })

  it('never make the client take one answer for another, nor crash a worker', { timeout: 240_000 }, async () => {
    const accidental = await origin(({ target, socket }) => {
      if (target.startsWith('/probe/')) socket.write(plain(target))
      else if (random.next() < 0.5) socket.end(Buffer.from(mutatedAnswer(random), 'latin1'))
      else socket.write(Buffer.from(mutatedAnswer(random), 'latin1'))
    })
    await proxy.route(service([accidental], { timeoutMs: 100 }))
    let probed = 0
    const one = async (id: string): Promise<void> => {
      const client = await RawClient.to(proxy.port)
      clients.push(client)
      client.send(get(`/accident/${id}`))
      // An answer whose body stays away ends with our patience: nothing to learn from waiting for it.
      const first = await eventually('an answer', () => finalAnswer(client) ?? (client.ended || client.closed ? 'closed' : undefined), 1_000).catch(
        () => undefined,
      )
      if (first !== 'kept') {
        client.destroy()
        return
      }
      client.send(get(`/probe/${id}`))
      await eventually('the next answer', () => client.text !== '' || client.ended || client.closed)
      // Either its own answer or, when the connection was closed behind the first one, none.
      if (client.text !== '') {
        expect((await client.answer()).text).toBe(`/probe/${id}`)
        probed++
      }
      client.destroy()
    }
    for (let batch = 0; batch < 30; batch++) {
      await Promise.all(Array.from({ length: batchSize }, (_, index) => one(`${batch}-${index}`)))
    }
    expect(probed).toBeGreaterThan(200)
    expect(accidental.malformed).toEqual([])
    expect(proxy.signals.filter(({ type }) => type === 'workerExited')).toEqual([])
  })
})

/** Takes the answer that has come, with the interim ones before it; undefined: not whole yet. */
function finalAnswer(client: RawClient): 'kept' | 'closed' | undefined {
  let rest = client.rest
  for (;;) {
    const read = readAnswer(rest, 'GET', client.ended || client.closed)
    if (read === undefined) return undefined
    rest = rest.subarray(read.length)
    client.take(read.length)
    const { status, fields } = read.answer
    if (status === 101) return 'closed'
    if (status >= 200) return fields.some(([name, value]) => name === 'connection' && value === 'close') ? 'closed' : 'kept'
  }
}
