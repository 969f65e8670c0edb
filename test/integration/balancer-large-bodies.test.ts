/** Large answers to many clients at once, quick and slow ones, over connections that are used again: every byte arrives as it was sent. */
import { createHash } from 'node:crypto'
import { createServer, get, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { service, startProxy, type RunningProxy } from '../support/balancer-harness.ts'

const seeds = 12
/** Differs at every position and for every seed, so that bytes of another answer, or from another place, are found out. */
const bodies = Array.from({ length: seeds }, (_, seed) => {
  const body = Buffer.alloc(seed < 9 ? 1_500_000 + seed * 77_777 : 14_000_000)
  for (let at = 0; at + 4 <= body.length; at += 4) body.writeUInt32LE((at * 2654435761 + seed * 40503) >>> 0, at)
  return body
})
const sums = bodies.map((body) => createHash('sha256').update(body).digest('hex'))

let proxy: RunningProxy
let origin: Server

beforeAll(async () => {
  proxy = await startProxy(1)
  origin = createServer((request, response) => {
    const [, framing, seed] = request.url!.split('/')
    const body = bodies[Number(seed)]!
    if (framing === 'length') response.setHeader('content-length', body.length)
    response.end(body)
  })
  await new Promise<void>((resolve) => origin.listen(0, '127.0.0.1', resolve))
  await proxy.route(service([(origin.address() as AddressInfo).port]))
})

afterAll(async () => {
  await proxy.stop()
  origin.close()
  origin.closeAllConnections()
})

/** `pauseMs`: rest after each piece. More than the kernel takes in meanwhile must wait in the proxy, the last piece too. */
function sumOf(path: string, pauseMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const hash = createHash('sha256')
    get({ port: proxy.port, host: '127.0.0.1', path, agent: false }, (response) => {
      response.on('data', (piece: Buffer) => {
        hash.update(piece)
        if (pauseMs === 0) return
        response.pause()
        setTimeout(() => response.resume(), pauseMs)
      })
      response.on('end', () => {
        resolve(hash.digest('hex'))
      })
      response.on('error', reject)
    }).on('error', reject)
  })
}

it('with a length and chunked, to quick and to slow readers', { timeout: 60_000 }, async () => {
  let reading = true
  const ask = async (seed: number, framing: string, pauseMs: number): Promise<void> => {
    expect(await sumOf(`/${framing}/${seed}`, pauseMs)).toBe(sums[seed])
  }
  const slow = Array.from({ length: 6 }, (_, index) => ask(9 + (index % 3), index % 2 === 0 ? 'length' : 'chunked', 8 + index))
  const quick = Array.from({ length: 6 }, async (_, index) => {
    for (let round = 0; reading; round++) await ask((index + round) % 9, round % 5 === 0 ? 'chunked' : 'length', 0)
  })
  await Promise.all(slow)
  reading = false
  await Promise.all(quick)
})
