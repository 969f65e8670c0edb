import { describe, expect, it } from 'vitest'
import type { CacheDescription } from '../cache-api.ts'
import type { Api } from '../client.ts'
import { jsonOf, runCli } from '../testing/run-cli.ts'

const counts = { hit: 6, stale: 1, miss: 2, revalidated: 1, bypass: 0, collapsed: 3, stored: 2, fenced: 0 }
const stats: CacheDescription = {
  hits: 9,
  misses: 1,
  hitRate: 90,
  keys: 2,
  memory: { used: 1_024, available: 1_048_576, percentage: 0.1 },
  errors: 4,
  evictions: 0,
  redis: { up: false, reason: 'connect ECONNREFUSED' },
  responses: {
    hitRate: 80,
    store: { entries: 2, bytes: 2_048, maxBytes: 1_048_576, evicted: 0, workerEntries: 2, workerBytes: 1_024, cutOff: 0, unanswered: 0, redis: null },
    services: { shop: counts },
  },
}

/** Remembers what it was asked. */
function recorder() {
  const asked: unknown[][] = []
  const remember =
    <T>(name: string, answer: T) =>
    (...args: unknown[]): Promise<T> => {
      asked.push([name, ...args])
      return Promise.resolve(answer)
    }
  const api: Partial<Api> = {
    cacheStats: remember('stats', stats),
    cached: remember('get', { name: 'John' }),
    cache: remember('set', { key: 'k', ttl: 60, tags: [], layers: ['memory', 'redis'] as const }),
    uncache: remember('del', undefined),
    clearCache: remember('clear', { responses: 1 }),
    purge: remember('purge', { responses: 3 }),
  }
  return { api, asked }
}

describe('cache', () => {
  it('stats tells of every layer', async () => {
    const { api } = recorder()
    const { stdout } = await runCli(['cache', 'stats'], { api })
    expect(stdout.split('\n').map((line) => line.trimEnd())).toEqual([
      'values     2 in 1.0 KiB of 1.0 MiB; 9 hits, 1 misses (90%)',
      'redis      does not answer: connect ECONNREFUSED; 4 times without an answer',
      'answers    2 in 2.0 KiB of 1.0 MiB, workers 1.0 KiB besides; hit rate 80%',
      'SERVICE  HIT  STALE  MISS  REVALIDATED  BYPASS  COLLAPSED  STORED',
      'shop       6      1     2            1       0          3       2',
      '',
    ])
    expect(jsonOf(await runCli(['cache', 'stats', '--json'], { api })).data).toEqual(stats)
  })

  it('values are JSON where they look so', async () => {
    const { api, asked } = recorder()
    expect((await runCli(['cache', 'get', 'user:1'], { api })).stdout).toBe('{\n  "name": "John"\n}\n')
    expect((await runCli(['cache', 'set', 'k', '{"a":[1]}', '--ttl', '1m', '--tag', 'x', 'y'], { api })).stdout).toBe(
      'k is kept for 60 s, in memory and redis\n',
    )
    await runCli(['cache', 'set', 'k', 'hello'], { api })
    await runCli(['cache', 'set', 'k', '00501', '--text'], { api })
    await runCli(['cache', 'del', 'k'], { api })
    expect((await runCli(['cache', 'clear'], { api })).stdout).toBe('the cache is empty; 1 answer purged\n')
    expect(asked).toEqual([
      ['get', 'user:1'],
      ['set', 'k', { a: [1] }, { ttl: 60, tags: ['x', 'y'] }],
      ['set', 'k', 'hello', { tags: [] }],
      ['set', 'k', '00501', { tags: [] }],
      ['del', 'k'],
      ['clear'],
    ])
  })

  it.each([
    [['--tag', 'a', '--tag', 'b'], { tags: ['a', 'b'] }],
    [['https://a/b', '--soft'], { url: 'https://a/b', soft: true }],
    [['--prefix', 'https://a/'], { prefix: 'https://a/' }],
    [['--release', 'v2', '--service', 'shop'], { release: 'v2', service: 'shop' }],
    [['--service', 'shop'], { service: 'shop' }],
    [['--all'], { all: true }],
  ])('purge %j', async (words, order) => {
    const { api, asked } = recorder()
    expect((await runCli(['cache', 'purge', ...words], { api })).stdout).toContain('3 answers')
    expect(asked).toEqual([['purge', order]])
  })

  it.each([[[]], [['--all', '--tag', 'a']], [['https://a/', '--prefix', 'https://a/']]])('purge needs one thing, not %j', async (words) => {
    const { api, asked } = recorder()
    expect(await runCli(['cache', 'purge', ...words], { api })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('exactly one of') as string,
    })
    expect(asked).toEqual([])
  })
})
