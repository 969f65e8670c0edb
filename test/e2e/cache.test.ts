/** The cache as its operator meets it: switched on by the configuration, seen, purged and cleared by the command line, off again without a request lost. */
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { CacheDescription } from '../../src/cli/cache-api.ts'
import { until } from '../chaos/wait.ts'
import { Product } from '../support/product.ts'

let product: Product

beforeEach(async () => {
  product = await Product.create()
})
afterEach(async () => {
  expect(await product.end()).toEqual([])
})

const status = async (path = '/'): Promise<string> => (await product.get(path)).headers.get('cache-status') ?? 'none'

/** Through the API: a command takes longer to start than all of this. */
async function call(method: string, path: string, body?: object): Promise<unknown> {
  const { url, token } = product.control!
  const headers = { Authorization: `Bearer ${token}`, ...(body && { 'Content-Type': 'application/json' }) }
  const response = await fetch(`${url}/api/infrastructure/cache${path}`, { method, headers, ...(body && { body: JSON.stringify(body) }) })
  const { data, error } = (await response.json()) as { readonly data?: unknown; readonly error?: { readonly code: string } }
  return error?.code ?? data
}

it('answers are kept when the configuration says so, and purged by the command line', async () => {
  product.configure({ web: { instances: 2, version: 'v1', cache: { defaultMaxAge: '60s' } } })
  await product.up()
  expect(await status()).toContain('fwd=uri-miss')
  const first = (await product.get('/')).text
  // Every worker has it, whoever answers.
  for (let i = 0; i < 8; i++) {
    const answer = await product.get('/')
    expect([answer.headers.get('cache-status'), answer.text]).toEqual([expect.stringMatching(/^holdfast; hit; ttl=\d+$/), first])
  }
  const stats = await until('the hits are counted', async () => {
    const now = await product.ask<CacheDescription>('/cache/stats')
    return now.responses?.services.web?.hit === 9 ? now : undefined
  })
  expect(stats.responses).toMatchObject({ hitRate: 90, store: { entries: 1 }, services: { web: { miss: 1, stored: 1 } } })

  expect((await product.must('cache', 'stats')).stdout).toMatch(/^answers {4}1 in .*; hit rate 90%$/m)

  expect((await product.must('cache', 'purge', `${product.url}/`)).stdout).toMatch(/^[01] answers? purged\n$/)
  expect(await status()).toContain('fwd=uri-miss')
  for (const what of [{ prefix: product.url }, { release: 'v1', service: 'web' }, { service: 'web' }, { all: true }]) {
    // How many depends on how far the last one has got on its way to the store of the machine.
    expect([what, await call('POST', '/purge', what)]).toEqual([what, { responses: expect.any(Number) as number }])
    expect(await status()).toContain('fwd=uri-miss')
  }
  expect(await call('POST', '/purge', { service: 'wbe' })).toBe('unknown_service')
  expect((await product.events('cache.purged')).map(({ data }) => data.by)).toEqual(['url', 'prefix', 'release', 'service', 'all'].toReversed())

  await product.must('cache', 'set', 'user:1/ü', '{"name":"John"}', '--tag', 'users')
  expect((await product.must('cache', 'get', 'user:1/ü')).stdout).toBe('{\n  "name": "John"\n}\n')
  expect(await call('POST', '/purge', { tags: ['users'] })).toEqual({ responses: 0 })
  expect(await call('GET', `/keys/${encodeURIComponent('user:1/ü')}`)).toBe('unknown_key')
  expect(await call('DELETE', '/clear')).toEqual({ responses: expect.any(Number) as number })
  expect(await status()).toContain('fwd=uri-miss')

  product.configure({ web: { instances: 2, version: 'v1' } })
  await product.must('up')
  expect(await status()).toBe('none')
  await product.down()
})
