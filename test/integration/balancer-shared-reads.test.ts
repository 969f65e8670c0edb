/** Many connections are read into the same buffers: what each sends, pipelined and in pieces, with heads and bodies of every size, must arrive as its own. */
import { createHash } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Prng } from '../../src/kernel/random.ts'
import { service, startProxy, type RunningProxy } from '../support/balancer-harness.ts'

let proxy: RunningProxy
let origin: Server

const sumOf = (...parts: (string | Buffer)[]): string => {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest('hex')
}

beforeAll(async () => {
  proxy = await startProxy(1)
  origin = createServer({ maxHeaderSize: 64 * 1024 }, (request, response) => {
    const pieces: Buffer[] = []
    request.on('data', (piece: Buffer) => pieces.push(piece))
    request.on('end', () => response.end(`[${sumOf(request.url!, String(request.headers['x-filling']), ...pieces)}]`))
  })
  await new Promise<void>((resolve) => origin.listen(0, '127.0.0.1', resolve))
  await proxy.route(service([(origin.address() as AddressInfo).port]))
})

afterAll(async () => {
  await proxy.stop()
  origin.closeAllConnections()
  origin.close()
})

interface Sent {
  readonly bytes: Buffer
  readonly sums: readonly string[]
}

/** Requests of one connection, all in a row. Fillings differ for every request, so that a byte of another is found out. */
function requests(count: number, random: () => number): Sent {
  const chunks: string[] = []
  const sums: string[] = []
  for (let i = 0; i < count; i++) {
    const url = `/${Math.floor(random() * 1e9)}`
    const letter = String.fromCharCode(97 + Math.floor(random() * 26))
    const filling = `${url}${letter.repeat([10, 1_900, 2_100, 6_000, 14_000][Math.floor(random() * 5)]!)}`
    const body = random() < 0.4 ? `${letter}${url}`.repeat(Math.floor(random() * 9_000)) : ''
    const framing = body === '' ? '' : `Content-Length: ${body.length}\r\n`
    chunks.push(`${body === '' ? 'GET' : 'PUT'} ${url} HTTP/1.1\r\nHost: a.test\r\nX-Filling: ${filling}\r\n${framing}\r\n${body}`)
    sums.push(sumOf(url, filling, body))
  }
  return { bytes: Buffer.from(chunks.join(''), 'latin1'), sums }
}

/** Sends all in pieces of any size and resolves with what came back, in order. */
function exchange({ bytes, sums }: Sent, random: () => number): Promise<readonly string[]> {
  return new Promise((resolve, reject) => {
    let text = ''
    const socket = connect({ port: proxy.port, host: '127.0.0.1', noDelay: true })
    const next = (at: number): void => {
      if (at >= bytes.length) return
      const end = Math.min(bytes.length, at + Math.ceil(random() * [50, 3_000, 70_000][Math.floor(random() * 3)]!))
      socket.write(bytes.subarray(at, end), () => setImmediate(next, end))
    }
    socket.on('data', (piece) => {
      text += piece.toString('latin1')
      const got = [...text.matchAll(/\[([0-9a-f]{64})\]/g)].map(([, sum]) => sum!)
      if (got.length < sums.length) return
      socket.destroy()
      resolve(got)
    })
    socket.on('error', reject)
    socket.on('close', () => {
      reject(new Error(`closed early: ${text.slice(-300)}`))
    })
    next(0)
  })
}

it('pipelined requests of many connections at once, in pieces', { timeout: 60_000 }, async () => {
  const seeded = new Prng(20_261_121)
  const random = (): number => seeded.next()
  for (let round = 0; round < 4; round++) {
    await Promise.all(
      Array.from({ length: 40 }, async () => {
        const sent = requests(12, random)
        expect(await exchange(sent, random)).toEqual(sent.sums)
      }),
    )
  }
})
