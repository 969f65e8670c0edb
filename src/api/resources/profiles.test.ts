import { expect, it } from 'vitest'
import { buildApi } from '../app.ts'
import { apiBase } from '../deps.ts'
import { ask, harness } from '../testing/harness.ts'

it('a profile is ordered, listed, read and removed, by operators only', async () => {
  const h = await harness()
  const app = buildApi(h.deps)
  const call = (method: 'GET' | 'POST' | 'DELETE', path: string, payload?: object) =>
    ask(app, { token: h.tokens.operator, url: `${apiBase}${path}`, method, ...(payload && { payload }) })
  expect(await call('POST', '/services/shop/profiles', {})).toMatchObject({
    status: 202,
    body: { data: { id: 'p0', kind: 'cpu', durationMs: 10_000, state: 'running' } },
  })
  await call('POST', '/services/shop/profiles', { kind: 'gc', durationMs: 500, instance: 'shop-000002' })
  expect(h.operations.journal).toEqual(expect.arrayContaining([expect.stringMatching(/^profile shop shop-000002 gc 500/)]))
  expect((await call('GET', '/profiles')).body.data).toMatchObject([
    { kind: 'gc', startedAt: expect.stringContaining('T') as string },
    { kind: 'cpu', pid: 4_001, error: null },
  ])
  expect((await call('GET', '/profiles/p0/flame')).body.data).toMatchObject({ root: { name: '(root)', totalMs: 10 } })
  const download = await app.inject({ url: `${apiBase}/profiles/p0`, headers: { authorization: `Bearer ${h.tokens.operator}` } })
  expect([download.statusCode, download.headers['content-disposition']]).toEqual([200, 'attachment; filename="shop-000001-p0.cpuprofile"'])
  expect((await call('DELETE', '/profiles/p0')).body.data).toEqual({ id: 'p0', removed: true })
  expect((await call('GET', '/profiles/p0/flame')).status).toBe(404)
  expect(await call('POST', '/services/shop/profiles', { kind: 'cpu', durationMs: 1 })).toMatchObject({ status: 400 })
  expect((await ask(app, { token: h.tokens.viewer, url: `${apiBase}/profiles` })).status).toBe(403)
  await app.close()
})
