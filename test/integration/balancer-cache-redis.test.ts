/** Two nodes and a program that share a Redis: what one has fetched the other need not fetch, and what any of them invalidates is so for all. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { CacheView } from '../../src/balancer/core/cache-view.ts'
import { createCache, type Cache } from '../../src/cache/index.ts'
import {
  ask,
  eventually,
  get,
  Origin,
  pause,
  plain,
  post,
  service,
  startProxy,
  type RunningProxy,
  type SeenRequest,
} from '../support/balancer-harness.ts'
import { hasRedis, Redis } from '../support/databases.ts'

const cache: CacheView = { maxBodyBytes: 2_000_000, graceMs: 0, obeyClients: true, heuristic: 0 }
const prefix = 'shared:'

let redis: Redis
let nodes: RunningProxy[] = []
let library: Cache
let origin: Origin
let asked: SeenRequest[] = []
let path = ''
let count = 0
let version = 0

const fields = (more = ''): string => `Cache-Control: max-age=60\r\nCache-Tag: product:${count}\r\n${more}`
let answer: (request: SeenRequest) => string = () => plain(String(version), fields())

async function isUp(node: RunningProxy, up: boolean): Promise<void> {
  const end = performance.now() + 10_000
  while ((await node.telemetry()).cache?.redis?.up !== up) {
    if (performance.now() > end) throw new Error(`the second tier is not ${up ? 'up' : 'away'}`)
    await pause(20)
  }
}

/** The other nodes hear of it when Redis has told them. */
async function reads(expected: string): Promise<void> {
  const end = performance.now() + 5_000
  for (const node of [0, 1]) {
    let found = await read(node)
    while (found !== expected && performance.now() < end) found = await read(node)
    expect(found).toBe(expected)
  }
}

const read = async (node: number, request = get(path)): Promise<string> => (await ask(nodes[node]!.port, request)).body.toString()

describe.runIf(hasRedis())('the second tier', () => {
  beforeAll(async () => {
    redis = await Redis.start()
    origin = await Origin.start((request) => {
      asked.push(request)
      if (request.method === 'POST') version++
      request.socket.write(request.method === 'POST' ? plain('done') : answer(request))
    })
    nodes = await Promise.all([startProxy(1), startProxy(1)])
    const url = `redis://127.0.0.1:${redis.port}`
    for (const { apply, port } of nodes) {
      await apply({
        listeners: [{ name: 'web', host: '127.0.0.1', port }],
        services: [service([origin], { cache, retries: { attempts: 0, budget: 0.2 } })],
        cache: { maxBytes: 16_000_000, workerBytes: 4_000_000, redis: { url, prefix, encryption: [] } },
      })
    }
    library = createCache({ redis: { url, prefix, readTimeoutMs: 500 } })
    for (const node of nodes) await isUp(node, true)
  })

  afterAll(async () => {
    await library.close()
    for (const node of nodes) await node.stop()
    await origin.stop()
    await redis.end()
  })

  beforeEach(() => {
    path = `/${++count}`
    asked = []
    answer = () => plain(String(version), fields())
  })

  /** What was fetched at this path has come there: entries, and what says on what they depend. */
  async function inRedis(keys: number): Promise<void> {
    await eventually('it is given to the second tier', () => redis.cli('keys', `${prefix}*http:http://a.test${path}*`).split('\n').length >= keys)
  }

  /** Both keep it. */
  async function kept(): Promise<void> {
    await read(0)
    await inRedis(1)
    await read(1)
  }

  it('has for one node what the other has fetched, by variant, and says how old it is', async () => {
    answer = (request) => plain(request.head.includes('fr') ? 'fr' : 'de', fields('Vary: Accept-Language\r\nAge: 20\r\n'))
    for (const language of ['de', 'fr']) await read(0, get(path, `Accept-Language: ${language}\r\n`))
    await inRedis(3)
    for (const language of ['de', 'fr']) expect(await read(1, get(path, `Accept-Language: ${language}\r\n`))).toBe(language)
    expect(asked).toHaveLength(2)
    const again = await ask(nodes[1]!.port, get(path, 'Accept-Language: de\r\n'))
    expect(Number(again.fields.find(([name]) => name === 'age')?.[1])).toBeGreaterThanOrEqual(20)
    expect(Number(again.fields.find(([name]) => name === 'age')?.[1])).toBeLessThan(25)
  })

  it('forgets everywhere what was changed through one node', async () => {
    await kept()
    await ask(nodes[0]!.port, post('x', '', path), 'POST')
    const now = String(version)
    expect(await read(0)).toBe(now)
    await reads(now)
  })

  it('is purged by a program that invalidates a tag, and the other way round', async () => {
    await kept()
    version++
    await library.invalidateTags(`product:${count}`)
    await reads(String(version))
    await library.set('name', 'old', { tags: [`product:${count}`] })
    version++
    await nodes[0]!.client.purge({ by: 'tag', tags: [`product:${count}`] })
    await reads(String(version))
    await eventually('the program has heard', () => library.peek('name') === undefined)
    expect(await library.get('name')).toBeUndefined()
  })

  it.each([
    ['a URL', () => ({ by: 'url', url: `http://a.test${path}` }) as const],
    ['a prefix', () => ({ by: 'prefix', prefix: `http://a.test${path}` }) as const],
    ['a service', () => ({ by: 'service', service: 'api' }) as const],
    ['everything', () => ({ by: 'all' }) as const],
    ['a URL, softly', () => ({ by: 'url', url: `http://a.test${path}`, soft: true }) as const],
  ])('is purged by %s in all nodes', async (_what, order) => {
    await kept()
    version++
    await nodes[0]!.client.purge(order())
    await reads(String(version))
  })

  it('goes on without it, quickly, and trusts nothing that was kept meanwhile when it is back', async () => {
    await kept()
    redis.signal('SIGSTOP')
    const began = performance.now()
    path += '/away'
    for (let i = 0; i < 10; i++) await read(i % 2, get(`${path}/${i}`))
    expect(performance.now() - began).toBeLessThan(3_000)
    await isUp(nodes[0]!, false)
    await isUp(nodes[1]!, false)
    const before = await read(1)
    version++
    await nodes[0]!.client.purge({ by: 'url', url: `http://a.test${path}` })
    expect(await read(1)).toBe(before)
    redis.signal('SIGCONT')
    for (const node of nodes) await isUp(node, true)
    await reads(String(version))
  })
})
