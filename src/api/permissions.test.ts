/** The permission matrix, made from the routes themselves: every route × every role × nobody. */
import type { FastifyInstance } from 'fastify'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { includesRole, permissions, roles, type Role } from '../access/index.ts'
import { buildApi } from './app.ts'
import { apiBase } from './deps.ts'
import type { Method } from './route.ts'
import { ask, harness, routesOf, type FoundRoute, type Harness } from './testing/harness.ts'

let h: Harness
let app: FastifyInstance
let routes: readonly FoundRoute[]
beforeAll(async () => {
  h = await harness({ access: { jwtSecret: 'x'.repeat(32), rateLimit: { count: 1_000_000, per: 60_000 as never } } })
  app = buildApi(h.deps)
  routes = await routesOf(app)
})
afterAll(() => app.close())

const openRoutes = [
  '/-/healthy',
  '/-/ready',
  '/',
  '/health',
  '/metrics',
  '/ready',
  '/status',
  '/status.json',
  ...['summary', 'status', 'components', 'incidents', 'incidents/unresolved'].map((name) => `/status/api/v2/${name}.json`),
  ...['', '/upcoming', '/active'].map((name) => `/status/api/v2/scheduled-maintenances${name}.json`),
  '/status/history.atom',
  ...['/health', '/metrics', '/ready'].map((path) => apiBase + path),
]

/** A request that gets as far as validation on any route. */
const probe = async (route: FoundRoute, headers: Record<string, string>, address: string) => {
  const url = route.url.replace(/:\w+/g, 'shop').replace('*', 'x')
  const payload = route.method === 'GET' || route.method === 'HEAD' ? {} : { payload: { surprise: true } }
  return ask(app, { method: route.method as Method, url: /\/(stream|live)$/.test(url) ? `${url}?after=x` : url, headers, address, ...payload })
}

describe('the permission matrix', () => {
  it('there are routes to look at, and each says who may use it', () => {
    expect(routes.length).toBeGreaterThan(80)
    expect(routes.filter(({ policy }) => policy === undefined)).toEqual([])
  })

  it('what is open without a credential is exactly this, and only to read', () => {
    const open = routes.filter(({ policy, url }) => policy?.permission === 'open' && !url.startsWith('/api/docs') && url !== '*')
    expect([...new Set(open.map(({ url }) => url))].toSorted()).toEqual(openRoutes.toSorted())
    expect(open.filter(({ method }) => method !== 'GET' && method !== 'HEAD')).toEqual([])
  })

  it('whatever changes something is recorded', () => {
    const silent = routes.filter(({ method, policy, hidden }) => !['GET', 'HEAD', 'OPTIONS'].includes(method) && policy?.audited !== true && !hidden)
    expect(silent.map(({ method, url }) => `${method} ${url}`).toSorted()).toEqual([
      `POST ${apiBase}/alerts/routes/test`,
      `POST ${apiBase}/alerts/rules/backtest`,
      `POST ${apiBase}/config/check`,
      `POST ${apiBase}/health/checks/:name/heartbeat`,
      'POST /api/v2/alerts',
    ])
  })

  it('nobody gets in anywhere without a credential', async () => {
    let closed = 0
    for (const [i, route] of routes.entries()) {
      if (route.policy?.permission === 'open') continue
      closed++
      const { status, body, headers } = await probe(route, {}, `10.0.${i >> 8}.${i & 255}`)
      expect([route.method, route.url, status]).toEqual([route.method, route.url, 401])
      expect(headers['www-authenticate']).toContain('Bearer')
      if (route.method !== 'HEAD') expect(body).toMatchObject({ success: false, error: { code: 'unauthorized' } })
    }
    expect(closed).toBeGreaterThan(70)
    expect(h.operations.journal).toEqual([])
  })

  it.each(roles)('a %s gets in exactly where the table says', async (role: Role) => {
    for (const route of routes) {
      const permission = route.policy?.permission
      if (permission === undefined || permission === 'open') continue
      const { status } = await probe(route, { authorization: `Bearer ${h.tokens[role]}` }, '10.1.0.1')
      const allowed = includesRole(role, permissions[permission].from)
      expect([route.method, route.url, status === 403]).toEqual([route.method, route.url, !allowed])
      expect(status).not.toBe(401)
    }
  })

  it('an anonymous login exchange is let in by its body alone', async () => {
    const url = `${apiBase}/auth/token`
    const { code } = h.access.createLoginCode()
    for (const payload of [{}, { role: 'admin' }, { login: code, role: 'admin' }, { login: 5 }, [], 'x', { LOGIN: code }]) {
      expect(
        (await ask(app, { method: 'POST', url, payload, headers: { 'content-type': 'application/json' }, address: '10.2.0.1' })).status,
      ).toBeOneOf([400, 401])
    }
    const done = await ask(app, { method: 'POST', url, payload: { login: code }, address: '10.2.0.1' })
    expect(done).toMatchObject({ status: 200, body: { data: { role: 'admin' } } })
  })
})
