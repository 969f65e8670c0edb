import { expect, it } from 'vitest'
import { buildApi } from '../app.ts'
import { apiBase } from '../deps.ts'
import { ask, harness } from '../testing/harness.ts'

it('tells what needs what, what goes down with something, and what is down because of what', async () => {
  const h = await harness()
  const app = buildApi(h.deps)
  const get = (path: string) => ask(app, { token: h.tokens.viewer, url: `${apiBase}/dependencies${path}` })
  const { body } = await get('')
  expect(body.data).toMatchObject({
    nodes: [{ name: 'shop', because: 'database' }, { name: 'chat' }, { name: 'database', kind: 'check', because: null }],
    edges: [
      { from: 'shop', to: 'database', evidence: [{ kind: 'configured' }] },
      { from: 'chat', to: 'shop', evidence: [{ kind: 'calls', count: 1_204, share: 0.5 }] },
    ],
    calls: { told: 2_000, traced: 1_204 },
  })
  expect((await get('/database/impact')).body.data).toMatchObject({ summary: 'database down: affects shop, chat; 2 of 2 services' })
  expect(await get('/nobody/impact')).toMatchObject({ status: 404, body: { error: { code: 'unknown_node' } } })
  expect((await get('/causes')).body.data).toMatchObject([{ name: 'database', explains: ['shop'] }])
  expect((await ask(app, { url: `${apiBase}/dependencies` })).status).toBe(401)
  await app.close()
})
