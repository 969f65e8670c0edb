/**
 * Move 8: no request meets a connection that its origin is just closing. What makes the race is a connection that has been idle
 * for as long as the origin keeps it; so requests come in waves, with a pause of about that length between two of them.
 * Each wave on 500 connections makes 500 chances, so two minutes make as many as a day of one client.
 */
import { Agent, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { Prng } from '../../src/kernel/random.ts'
import type { Product } from '../support/product.ts'
import { fact, none, type Figure, type Move } from './move.ts'

interface Variant {
  readonly name: string
  readonly env: Readonly<Record<string, string>>
  /** Between two waves, in milliseconds. */
  readonly gap: readonly [number, number]
}

const variants: readonly Variant[] = [
  { name: 'default', env: {}, gap: [4_000, 6_000] },
  { name: 'one-second', env: { KEEP_ALIVE_MS: '1000' }, gap: [800, 1_200] },
  { name: 'two-seconds', env: { KEEP_ALIVE_MS: '2000' }, gap: [800, 1_200] },
  { name: 'no-hint', env: { KEEP_ALIVE_MS: '1000', NO_HINT: '1' }, gap: [900, 1_100] },
]

/** The requests of a wave are spread over this, so that each finds its connection at another age. */
const waveMs = 60

export const keepAlive: Move = {
  number: 8,
  name: 'keep-alive',
  title: 'requests on connections that have been idle for as long as their origin keeps them',
  async run(product, { full, signal }): Promise<readonly Figure[]> {
    const seconds = full ? 120 : 8
    const lanes = full ? 500 : 100
    product.configure(Object.fromEntries(variants.map(({ name, env }) => [name, { env, routes: [{ path: `/${name}` }] }])))
    await product.up()
    const endsAt = performance.now() + seconds * 1_000
    const goesOn = (): boolean => performance.now() < endsAt && !signal.aborted
    const results = await Promise.all(variants.map(async (variant, index) => judge(variant, await waves(product, variant, lanes, goesOn, index + 1))))
    return results.flat()
  },
}

interface Seen {
  waves: number
  requests: number
  readonly failures: Map<string, number>
}

function judge({ name, gap }: Variant, { waves, requests, failures }: Seen): Figure[] {
  const failed = [...failures.values()].reduce((sum, count) => sum + count, 0)
  const kinds = [...failures].map(([kind, count]) => `${count} × ${kind}`).join(', ')
  return [
    fact(`${name}: requests, half POST, gaps of ${gap.join('–')} ms`, `${requests} in ${waves} waves`),
    none(`${name}: failed ${kinds}`.trim(), failed),
  ]
}

async function waves(product: Product, { name, gap }: Variant, lanes: number, goesOn: () => boolean, seed: number): Promise<Seen> {
  const random = new Prng(seed)
  const agents = Array.from({ length: lanes }, () => new Agent({ keepAlive: true, maxSockets: 1 }))
  const seen: Seen = { waves: 0, requests: 0, failures: new Map() }
  while (goesOn()) {
    seen.waves++
    await Promise.all(
      agents.map(async (agent, lane) => {
        await sleep(random.next() * waveMs)
        const outcome = await ask(agent, product.ports.web, `/${name}`, lane % 2 === 0 ? 'GET' : 'POST')
        seen.requests++
        if (outcome !== undefined) seen.failures.set(outcome, (seen.failures.get(outcome) ?? 0) + 1)
      }),
    )
    await sleep(gap[0] + random.next() * (gap[1] - gap[0]))
  }
  for (const agent of agents) agent.destroy()
  return seen
}

/** Resolves with what failed; undefined: nothing. */
function ask(agent: Agent, port: number, path: string, method: 'GET' | 'POST'): Promise<string | undefined> {
  return new Promise((resolve) => {
    const asking = request({ host: '127.0.0.1', port, agent, path, method }, (response) => {
      const status = response.statusCode ?? 0
      response.resume().once('close', () => {
        resolve(response.complete && status === 200 ? undefined : `${method} ${status} ${String(response.headers['proxy-status'] ?? '')}`.trim())
      })
    })
    asking.once('error', (error: NodeJS.ErrnoException) => {
      resolve(`${method} ${error.code ?? error.message}`)
    })
    asking.end(method === 'POST' ? 'x'.repeat(200) : undefined)
  })
}
