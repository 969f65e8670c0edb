/**
 * Move 4: a request that kills instances kills two of them. First one such request, again and again; then many different ones in the middle of
 * traffic, of which nobody may be taken for one of them.
 */
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { until } from '../chaos/wait.ts'
import type { Product } from '../support/product.ts'
import { atLeast, atMost, exactly, fact, none, type Figure, type Move, type Scale } from './move.ts'
import { underLoad, type Traffic } from './traffic.ts'

const command = `${process.execPath} ${fileURLToPath(new URL('../fixtures/crashing.mjs', import.meta.url))}`
const instances = 3
const requestsPerSecond = 200
const killsMax = 2
const atOnce = 10
/** Ten minutes of many different ones; an instance may crash by them a hundred times in that time and start again at once. */
const many = { poisons: 120, everyMs: 5_000 }
const few = { poisons: 4, everyMs: 0 }

export const poison: Move = {
  number: 4,
  name: 'poison',
  title: 'requests that kill whoever they are sent to',
  async run(product, scale): Promise<readonly Figure[]> {
    return [...(await sendAgainAndAgain(product, scale)), ...(await mixIn(product, scale))]
  },
}

async function begin(product: Product): Promise<void> {
  product.write('hits', '')
  product.configure({ web: { command, instances, env: { HITS_FILE: product.path('hits'), SERVICE_MS: '20' } } })
  await product.up()
  await product.settled(instances)
}

/** A request that reaches an instance ends it. */
const kills = (product: Product, path: string): number =>
  readFileSync(product.path('hits'), 'utf8')
    .split('\n')
    .filter((line) => line.split(' ')[2] === path).length

async function send(product: Product, path: string, init: RequestInit = {}): Promise<number> {
  const response = await fetch(`${product.url}${path}`, init)
  await response.arrayBuffer()
  return response.status
}

async function sendAgainAndAgain(product: Product, { full, signal }: Scale): Promise<Figure[]> {
  const wanted = full ? 1_000 : 100
  await begin(product)
  const statuses = new Map<number, number>()
  let sent = 0
  const count = (status: number): void => void statuses.set(status, (statuses.get(status) ?? 0) + 1)
  const traffic = await underLoad(product, requestsPerSecond, async () => {
    count(await send(product, '/crash'))
    for (sent = 1; sent < wanted && !signal.aborted; sent += atOnce) {
      const some = Math.min(atOnce, wanted - sent)
      ;(await Promise.all(Array.from({ length: some }, () => send(product, '/crash')))).forEach(count)
    }
    // What an error would have left behind shows now.
    await sleep(full ? 5_000 : 500)
  })
  const killed = kills(product, '/crash')
  await product.down()
  return [
    atLeast(
      'times that the same crashing GET was sent',
      [...statuses.values()].reduce((sum, each) => sum + each, 0),
      wanted,
    ),
    fact('answered', [...statuses].map(([status, times]) => `${status}: ${times}`).join(', ')),
    atMost('instances that it killed', killed, killsMax, `of ${instances}`),
    ...besides(traffic),
  ]
}

/** Others fail only as a POST that was in flight at a crash. */
const besides = (traffic: Traffic): Figure[] => [
  fact('other requests beside it; p99', `${traffic.requests}; ${traffic.p99Ms.toFixed(0)} ms`),
  none('of them failed GET', traffic.failedGet),
  fact('of them failed POST: in flight at a crash', `${traffic.failedPost} ${traffic.failures}`.trim()),
]

/** At once, after a while, and as a POST, which its client sends again. */
const kinds = [
  (product: Product, i: number) => send(product, `/crash/${i}`),
  (product: Product, i: number) => send(product, `/crash/${i}?after=30`),
  async (product: Product, i: number) => {
    const body = JSON.stringify({ order: i, item: 'poison' })
    await send(product, `/crash/${i}`, { method: 'POST', body })
    return send(product, `/crash/${i}`, { method: 'POST', body })
  },
  (product: Product, i: number) => send(product, `/crash/${i}?after=150`),
]

async function mixIn(product: Product, { full, signal }: Scale): Promise<Figure[]> {
  const { poisons, everyMs } = full ? many : few
  await begin(product)
  const answers: number[] = []
  const traffic = await underLoad(product, requestsPerSecond, async () => {
    const beganAt = performance.now()
    for (let i = 0; i < poisons && !signal.aborted; i++) {
      await sleep(Math.max(0, beganAt + i * everyMs - performance.now()))
      const kind = kinds[i % kinds.length]
      const first = (await kind?.(product, i)) ?? 0
      // Its client tries again, as clients do.
      answers.push(first === 502 ? ((await kind?.(product, i)) ?? 0) : first)
      await until('the service is whole again', async () => ((await product.service()).ready === instances ? true : undefined))
    }
  })
  const quarantined = await product.ask<readonly { readonly request: string }[]>('/quarantine')
  const killed = readFileSync(product.path('hits'), 'utf8')
    .split('\n')
    .filter((line) => line.includes('/crash')).length
  await product.down()
  return [
    exactly('different crashing requests that were answered 500', answers.filter((status) => status === 500).length, poisons),
    atMost('instances that they killed', killed, poisons * killsMax, `of ${poisons * instances}`),
    exactly('of them quarantined', quarantined.filter(({ request }) => request.includes('/crash')).length, poisons),
    none('others quarantined', quarantined.filter(({ request }) => !request.includes('/crash')).length),
    ...besides(traffic),
  ]
}
