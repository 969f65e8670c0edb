import { afterEach, expect, it, vi } from 'vitest'
import type { CacheView } from '../../core/routing-view.ts'
import { Workbench } from '../../testing/workbench.ts'
import { storedPieceBytes } from '../answer-relay.ts'
import { clientIdleMs, readerStallMs } from '../limits.ts'

const cache: CacheView = { maxBodyBytes: 16 * 1024 * 1024, graceMs: 0, obeyClients: true, heuristic: 0 }
const pieces = 8
const body = 'x'.repeat(pieces * storedPieceBytes)
const get = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'

afterEach(() => vi.restoreAllMocks())

async function stored(): Promise<Workbench> {
  const bench = new Workbench({ cache })
  bench.send(get)
  bench.connect()
  bench.upstream.says(`HTTP/1.1 200 OK\r\nCache-Control: max-age=86400\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
  await bench.turns()
  expect(bench.socket.taken().endsWith(body)).toBe(true)
  return bench
}

it('gives a slow reader all of a long stored body, however long that takes', async () => {
  const bench = await stored()
  bench.socket.block()
  bench.send(get)
  let got = bench.socket.taken()
  for (let i = 0; i < pieces; i++) {
    bench.pass(readerStallMs - 1_000)
    bench.socket.unblock()
    bench.socket.block()
    await bench.turns()
    got += bench.socket.taken()
  }
  bench.socket.unblock()
  await bench.turns()
  got += bench.socket.taken()
  expect(pieces * readerStallMs).toBeGreaterThan(2 * clientIdleMs)
  expect(got.endsWith(`\r\n\r\n${body}`)).toBe(true)
  expect(bench.service.active).toBe(0)
})

it('cuts off who reads nothing of it', async () => {
  const bench = await stored()
  bench.socket.block()
  bench.send(get)
  bench.pass(readerStallMs + 1_000)
  expect(bench.socket.destroyed).toBe(true)
  expect(bench.service.active).toBe(0)
})
