/** Large answers to many clients at once, quick and slow ones, over connections that are used again: every byte arrives as it was sent. */
import { createHash } from 'node:crypto'
import { createServer, get, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { service, startProxy, type RunningProxy } from '../support/balancer-harness.ts'

const seeds = 12
/** Differs at every position and for every seed, so that bytes of another answer, or from another place, are found out. */
const bodies = Array.from({ length: seeds }, (_, seed) => {
  const body = Buffer.alloc(1_500_000 + seed * 77_777)
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

function sumOf(path: string, slow: boolean): Promise<string> {
  return new Promise((resolve, reject) => {
    const hash = createHash('sha256')
    get({ port: proxy.port, host: '127.0.0.1', path, agent: false }, (response) => {
      response.on('data', (piece: Buffer) => {
        hash.update(piece)
        if (!slow) return
        response.pause()
        setTimeout(() => response.resume(), 5)
      })
      response.on('end', () => {
        resolve(hash.digest('hex'))
      })
      response.on('error', reject)
    }).on('error', reject)
  })
}

it('with a length and chunked, to quick and to slow readers', { timeout: 60_000 }, async () => {
  for (let round = 0; round < 3; round++) {
    const asked = Array.from({ length: 90 }, (_, index) => ({
      seed: index % seeds,
      framing: index % 5 === 0 ? 'chunked' : 'length',
      slow: index % 3 === 0,
    }))
    const got = await Promise.all(asked.map(({ seed, framing, slow }) => sumOf(`/${framing}/${seed}`, slow)))
    expect(got).toEqual(asked.map(({ seed }) => sums[seed]))
  }
})
