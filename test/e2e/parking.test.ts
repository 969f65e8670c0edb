/** The only instance dies and takes its time to come back: what clients notice of it. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { until } from '../chaos/wait.ts'
import { ask, get } from '../support/balancer-harness.ts'
import { killIfThere, Product } from '../support/product.ts'

let product: Product

beforeEach(async () => {
  product = await Product.create()
})
afterEach(async () => {
  expect(await product.end()).toEqual([])
})

/** Readings are told once a second. */
const longBootMs = 5_000

async function start(bootMs: number, parking: Record<string, unknown> = {}): Promise<void> {
  product.configure({ web: { instances: 1, env: { START_MS: String(bootMs) }, resilience: { parking } } })
  await product.up()
  await product.settled(1)
}

async function kill(): Promise<void> {
  const [pid = 0] = await product.pids()
  killIfThere(pid)
  await until('it is known to be gone', async () => !(await product.pids()).includes(pid) || undefined)
}

const parked = async (): Promise<number> => (await product.service()).traffic.parked

it('requests wait for it, bodies and all; who leaves meanwhile leaves nothing behind', async () => {
  await start(longBootMs)
  await kill()
  const leaving = new AbortController()
  const left = fetch(product.url, { signal: leaving.signal }).catch(() => 'left')
  const body = 'x'.repeat(500_000)
  const answers = [fetch(product.url), fetch(product.url, { method: 'POST', body }), fetch(product.url, { method: 'POST', body: 'short' })]
  await until('they wait', async () => (await parked()) === 4 || undefined)
  leaving.abort()
  await left
  await until('one has left', async () => (await parked()) === 3 || undefined)
  const seen = await Promise.all(answers.map(async (answer) => [(await answer).status, ((await (await answer).json()) as { bytes: number }).bytes]))
  expect(seen).toEqual([
    [200, 0],
    [200, 500_000],
    [200, 5],
  ])
  await until('nobody waits', async () => (await parked()) === 0 || undefined)
  await product.down()
})

it('who finds no place is told when to come again, and a browser comes by itself', async () => {
  await start(longBootMs, { requests: 1, pageAfter: '300ms' })
  await kill()
  const first = fetch(product.url)
  await until('it waits', async () => (await parked()) === 1 || undefined)
  const early = await fetch(product.url)
  const retryAfter = Number(early.headers.get('retry-after'))
  expect(early.status).toBe(503)
  expect(retryAfter).toBeGreaterThan(1)
  expect(retryAfter).toBeLessThanOrEqual(longBootMs / 1_000 + 2)
  expect(early.headers.get('proxy-status')).toContain('parked queue full')
  // Later it says less: the time of the start counts, not just how long starts take.
  await sleep(1_200)
  expect(Number((await fetch(product.url)).headers.get('retry-after'))).toBeLessThan(retryAfter)
  // Node's own `fetch` is a script to any server.
  const page = await ask(product.ports.web, get('/', 'Accept: text/html\r\nSec-Fetch-Dest: document\r\nSec-Fetch-Mode: navigate\r\n'))
  expect([page.status, page.text]).toEqual([503, expect.stringContaining('This service is starting')])
  expect((await first).status).toBe(200)
  await product.down()
})
