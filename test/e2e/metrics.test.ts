/** What Prometheus itself says of our metrics: `promtool` (Debian: prometheus) parses and lints the page of a product that has served. */
import { spawnSync } from 'node:child_process'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Product } from '../support/product.ts'
import { until } from '../chaos/wait.ts'

let product: Product

beforeEach(async () => {
  product = await Product.create()
})
afterEach(async () => {
  expect(await product.end()).toEqual([])
})

const check = (page: string) => spawnSync('promtool', ['check', 'metrics'], { input: page, encoding: 'utf8' })
const hasPromtool = check('').error === undefined
if (!hasPromtool) console.log('skipped: the metrics before promtool (it is not installed; on Debian: apt-get install prometheus)')

describe.runIf(hasPromtool)('promtool check metrics', () => {
  it('finds nothing to complain about, neither in form nor in style', async () => {
    const resilience = {
      ...{ breaker: {}, ejection: {}, rateLimit: { rate: '1000/s' }, concurrency: 8, queue: { size: 10, timeout: '1s' } },
      fallback: { service: 'a-name' },
    }
    const web = {
      instances: 2,
      version: 'v1',
      resilience,
      split: { v1: '100%' },
      balance: { sticky: 'hf' },
      mirror: { service: 'a-name', share: '100%' },
      cache: { defaultMaxAge: '60s' },
    }
    product.configure(
      {
        web,
        'a-name': { routes: [{ path: '/other' }] },
        none: { instances: 0, routes: [{ path: '/none' }] },
        dead: { endpoints: ['127.0.0.1:1', '127.0.0.1:2'], routes: ['/dead'], health: { path: '/', agent: true } },
      },
      { log: { access: {} }, tracing: { endpoint: 'http://127.0.0.1:1/v1/traces', sample: '100%' }, explain: { sample: '100%' } },
    )
    await product.up()
    for (const path of ['/', '/other', '/none', '/dead', '/nowhere', '/']) await product.get(path)
    const url = `http://127.0.0.1:${product.ports.metrics}/metrics`
    const page = await until('the requests are counted', async () => {
      const text = await (await fetch(url)).text()
      return /requests_total\{[^}]*service="web"[^}]*\} [1-9]/.test(text) ? text : undefined
    })
    expect(page).toMatch(/^holdfast_cache_requests_total\{layer="memory",result="hit"\} 0$/m)
    const { status, stdout, stderr } = check(page)
    expect([status, stdout, stderr]).toEqual([0, '', ''])
    await product.down()
  })

  it('would complain about a page that is wrong', () => {
    expect(check('# TYPE a counter\na{ 1\n').status).not.toBe(0)
  })
})
