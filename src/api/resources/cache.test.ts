import type { FastifyInstance } from 'fastify'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { buildApi } from '../app.ts'
import { apiBase } from '../deps.ts'
import { ask, harness, type Answer, type Harness, type Request } from '../testing/harness.ts'

let h: Harness
let app: FastifyInstance
beforeEach(async () => {
  h = await harness()
  app = buildApi(h.deps)
})
afterEach(() => app.close())

const as = (role: 'viewer' | 'operator', { url, ...rest }: Request): Promise<Answer> =>
  ask(app, { token: h.tokens[role], url: `${apiBase}/cache${url}`, ...rest })
const fieldsOf = ({ body }: Answer): unknown => (body.error?.details as { fields: unknown }).fields

describe('GET /cache/stats', () => {
  it('has the shape of the brief, and layers beside', async () => {
    const { body } = await as('viewer', { url: '/stats' })
    expect(body.data).toMatchObject({
      hits: 10_000,
      misses: 1_000,
      hitRate: 90.91,
      keys: 0,
      memory: { used: 262_144, available: 1_048_576, percentage: 25 },
    })
    expect(body.data).toMatchObject({
      redis: { up: false, reason: 'connect ECONNREFUSED' },
      responses: { hitRate: 80, store: null, services: { shop: { hit: 6 } } },
    })
  })

  it('is in the dashboard', async () => {
    const { body } = await ask(app, { token: h.tokens.viewer, url: `${apiBase}/dashboard` })
    expect(body.data).toMatchObject({ cache: { hits: 10_000 }, alerts: [] })
  })
})

describe('/cache/keys/:key', () => {
  it.each(['user:123', 'a/b?c#d%', 'schlüssel ✓', 'k'.repeat(1_024)])('%s', async (key) => {
    const url = `/keys/${encodeURIComponent(key)}`
    expect(await as('viewer', { url })).toMatchObject({ status: 404, body: { error: { code: 'unknown_key' } } })
    const value = { name: 'John', roles: ['admin'], none: null }
    const set = await as('operator', { url, method: 'POST', payload: { value, ttl: 60, tags: ['users'] } })
    expect(set).toMatchObject({ status: 200, body: { data: { key, ttl: 60, tags: ['users'], layers: ['memory'] } } })
    expect((await as('viewer', { url })).body.data).toEqual({ key, value })
    expect((await as('operator', { url, method: 'DELETE' })).body.data).toEqual({ key, deleted: true })
    expect((await as('operator', { url, method: 'DELETE' })).status).toBe(404)
  })

  it('says what is wrong with a value', async () => {
    const bad = await as('operator', { url: '/keys/a', method: 'POST', payload: { ttl: 0, tags: ['x', ''], tll: 5 } })
    expect(bad.status).toBe(400)
    expect(fieldsOf(bad)).toEqual([
      { field: 'body.value', message: 'must be there, got nothing' },
      { field: 'body.ttl', message: 'must be at least 0.001, got 0' },
      { field: 'body.tags.1', message: 'must have at least 1 character, got ""' },
      { field: 'body.tll', message: 'is not known here' },
    ])
    expect(await as('operator', { url: '/keys/a', method: 'POST', payload: { value: 'x'.repeat(1_100_000) } })).toMatchObject({ status: 413 })
    expect((await as('operator', { url: `/keys/${'k'.repeat(1_025)}` })).status).toBe(414)
  })

  it('a viewer only looks', async () => {
    expect((await as('viewer', { url: '/keys/a', method: 'POST', payload: { value: 1 } })).status).toBe(403)
    expect((await as('viewer', { url: '/clear', method: 'DELETE' })).status).toBe(403)
    expect(h.operations.journal).toEqual([])
  })
})

describe('purging', () => {
  const purge = (payload: object): Promise<Answer> => as('operator', { url: '/purge', method: 'POST', payload })

  it.each([
    [{ tags: ['a', 'b'] }, { by: 'tag', tags: ['a', 'b'] }],
    [
      { url: 'https://a/b?c', soft: true },
      { by: 'url', url: 'https://a/b?c', soft: true },
    ],
    [{ prefix: 'https://a/b' }, { by: 'prefix', prefix: 'https://a/b' }],
    [{ release: 'v2' }, { by: 'release', release: 'v2' }],
    [
      { release: 'v2', service: 'shop' },
      { by: 'release', release: 'v2', service: 'shop' },
    ],
    [{ service: 'shop' }, { by: 'service', service: 'shop' }],
    [{ all: true }, { by: 'all' }],
  ])('%j', async (body, order) => {
    expect(await purge(body)).toMatchObject({ status: 200, body: { data: { responses: 2 } } })
    expect(h.operations.journal).toEqual([`purge ${JSON.stringify(order)} by operator`])
  })

  it.each([[{}], [{ tags: ['a'], url: 'https://a/' }], [{ all: true, service: 'shop' }], [{ all: false }], [{ tags: [] }], [{ url: '/products' }]])(
    'not %j',
    async (body) => {
      expect((await purge(body)).status).toBe(400)
      expect(h.operations.journal).toEqual([])
    },
  )

  it('clears everything, and it is recorded who did', async () => {
    expect((await as('operator', { url: '/clear', method: 'DELETE' })).body.data).toEqual({ responses: 2 })
    expect(h.operations.journal).toEqual(['clear by operator'])
    expect(h.operations.stored.map(({ event }) => event.message)).toEqual([
      'operator may DELETE /api/infrastructure/cache/clear',
      'operator: DELETE /api/infrastructure/cache/clear, done',
    ])
  })
})
