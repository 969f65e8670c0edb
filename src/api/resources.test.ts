/** What each endpoint answers; the brief's shapes to the letter. */
import type { FastifyInstance } from 'fastify'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { HoldfastError } from '../kernel/errors.ts'
import { seconds } from '../kernel/time.ts'
import { buildApi } from './app.ts'
import { apiBase } from './deps.ts'
import { startOfTime } from './testing/fake-operations.ts'
import { ask, harness, type Answer, type Harness, type Request } from './testing/harness.ts'

let h: Harness
let app: FastifyInstance
beforeEach(async () => {
  h = await harness()
  app = buildApi(h.deps)
})
afterEach(() => app.close())

const asAdmin = ({ url, ...rest }: Request): Promise<Answer> => ask(app, { token: h.tokens.admin, url: apiBase + url, ...rest })
const keysOf = (value: unknown): string[] => Object.keys(value as object).toSorted()

describe('GET /health', () => {
  it('has the shape of the brief, at both places', async () => {
    for (const url of ['/health', `${apiBase}/health`]) {
      const { status, body } = await ask(app, { url })
      expect(status).toBe(200)
      expect(body).toEqual({
        success: true,
        data: {
          status: 'healthy',
          timestamp: new Date(startOfTime).toISOString(),
          services: ['shop', 'chat'].map((service) => ({
            service,
            status: 'healthy',
            responseTime: 12,
            details: { uptime: 3_600, cpuUsage: 45, memoryUsage: expect.any(Number) as number, ready: 2, desired: 2, reason: null },
          })),
          system: {
            cpu: { usage: expect.any(Number) as number, cores: expect.any(Number) as number },
            memory: { total: expect.any(Number) as number, used: expect.any(Number) as number },
          },
          uptime: 3_600,
        },
      })
    }
  })

  it('answers 200 even when nothing works, for it speaks of the control process', async () => {
    h.operations.serviceList = h.operations.serviceList.map((one) => ({ ...one, health: 'unhealthy', ready: 0, instances: [] }))
    h.operations.proxyConnected = false
    expect(await ask(app, { url: '/health' })).toMatchObject({
      status: 200,
      body: { data: { services: [{ status: 'unhealthy', details: { uptime: 0, cpuUsage: null } }, {}] } },
    })
  })
})

describe('GET /ready', () => {
  const ready = () => ask(app, { url: '/ready' })

  it('is 200 when everything serves', async () => {
    expect(await ready()).toMatchObject({ status: 200, body: { data: { ready: true } } })
  })

  it('says every reason why not', async () => {
    h.operations.failure = new HoldfastError('unavailable', 'the disk is gone')
    h.operations.proxyConnected = false
    h.operations.serviceList = h.operations.serviceList.map((one) => ({
      ...one,
      ready: 0,
      reason: one.name === 'shop' ? 'exited with code 1' : undefined,
    }))
    const { status, body } = await ready()
    expect(status).toBe(503)
    expect(body.error).toMatchObject({
      code: 'not_ready',
      details: {
        reasons: [
          'the store cannot be read: the disk is gone',
          'the proxy is not connected',
          'shop: nothing of it is ready (exited with code 1)',
          'chat: nothing of it is ready',
        ],
      },
    })
  })

  it('does not wait for instances of a service that is scaled to 0, but for endpoints of one that has lost all', async () => {
    h.operations.serviceList = h.operations.serviceList.map((one) => (one.kind === 'process' ? { ...one, ready: 0, desired: 0 } : one))
    expect((await ready()).status).toBe(200)
    h.operations.serviceList = h.operations.serviceList.map((one) => ({ ...one, kind: 'static', ready: 0, desired: 0 }))
    expect((await ready()).status).toBe(503)
  })
})

describe('the load balancer', () => {
  it('has the statistics of the brief', async () => {
    const { body } = await asAdmin({ url: '/loadbalancer/stats' })
    expect(body.data).toMatchObject({
      totalRequests: 2_000,
      totalConnections: 5_000,
      activeConnections: 150,
      averageResponseTime: 250,
      errorRate: 0.01,
      algorithm: 'p2c-ewma',
      algorithms: { shop: 'p2c-ewma', chat: 'least-connections' },
    })
    const [server] = (body.data as { servers: unknown[] }).servers
    expect(server).toEqual({
      id: 'shop-000001',
      host: '127.0.0.1',
      port: 30_001,
      weight: 1,
      version: null,
      status: 'active',
      health: 'healthy',
      connections: 3,
      responseTime: 12.5,
      service: 'shop',
      instance: 'shop-000001',
      requests: 1_000,
      errors: 10,
      reason: null,
    })
  })

  it('without a proxy, zero is zero and not NaN', async () => {
    const overview = h.operations.overview()
    h.operations.overview = () => ({ ...overview, proxy: undefined })
    expect((await asAdmin({ url: '/loadbalancer/stats' })).body.data).toMatchObject({ totalRequests: 0, averageResponseTime: 0, errorRate: 0 })
  })

  it('takes a server as the brief writes it', async () => {
    const { status, body } = await asAdmin({ method: 'POST', url: '/loadbalancer/servers', payload: { host: 'localhost', port: 3000, weight: 1 } })
    expect(status).toBe(201)
    expect(body.data).toMatchObject({
      id: 'localhost:3000',
      host: 'localhost',
      port: 3000,
      weight: 1,
      status: 'active',
      health: 'pending',
      connections: 0,
      responseTime: null,
    })
    expect(h.operations.journal).toEqual(['add {"host":"localhost","port":3000,"weight":1} by admin'])
  })

  it.each(['http://a', 'a/b', 'a b', 'a:80', '', '-a', 'a@b', 'x'.repeat(254), 'a\r\nb'])('refuses the host %j', async (host) => {
    expect((await asAdmin({ method: 'POST', url: '/loadbalancer/servers', payload: { host, port: 80 } })).status).toBe(400)
  })

  it.each(['10.0.0.5', '::1', '[2001:db8::1]', 'db-1.internal', 'a'])('takes the host %j', async (host) => {
    expect((await asAdmin({ method: 'POST', url: '/loadbalancer/servers', payload: { host, port: 80 } })).status).toBe(201)
  })

  it.each([0, 65_536, -1, 1.5, '80', null])('refuses the port %j', async (port) => {
    expect((await asAdmin({ method: 'POST', url: '/loadbalancer/servers', payload: { host: 'a', port } })).status).toBe(400)
  })

  it('removes a server and switches its maintenance, by an id with a colon', async () => {
    expect((await asAdmin({ method: 'DELETE', url: '/loadbalancer/servers/shop-000001' })).body.data).toEqual({ id: 'shop-000001', removed: true })
    expect(await asAdmin({ method: 'DELETE', url: '/loadbalancer/servers/10.0.0.9%3A80' })).toMatchObject({
      status: 404,
      body: { error: { code: 'unknown_endpoint' } },
    })
    const put = await asAdmin({ method: 'PUT', url: '/loadbalancer/servers/shop-000002/maintenance', payload: { maintenance: true } })
    expect(put).toMatchObject({ status: 200, body: { data: { id: 'shop-000002' } } })
    expect(h.operations.journal.at(-1)).toBe('maintenance {"endpoint":"shop-000002"} true by admin')
  })
})

describe('scaling', () => {
  it('has the events of the brief, in pages', async () => {
    const { body } = await asAdmin({ url: '/scaling/events' })
    const [first] = body.data as unknown[]
    expect(keysOf(first)).toEqual(['from', 'id', 'reason', 'service', 'success', 'timestamp', 'to', 'trigger', 'type'])
    expect(first).toMatchObject({ type: 'scale-up', from: 2, to: 4, trigger: 'manual', success: true })
    expect((await asAdmin({ url: '/scaling/events?after=s-2&limit=5' })).body.data).toMatchObject([{ id: 's-1' }])
  })

  it('scales as the brief asks', async () => {
    const payload = { service: 'shop', instances: 5, reason: 'High load expected' }
    expect((await asAdmin({ method: 'POST', url: '/scaling/scale', payload })).body.data).toMatchObject({ type: 'scale-up', from: 2, to: 5 })
    expect(h.operations.journal).toEqual(['scale shop 5 (High load expected) by admin'])
    expect((await asAdmin({ method: 'POST', url: '/scaling/scale', payload: { ...payload, service: 'shoe' } })).status).toBe(404)
  })
})

describe('GET /dashboard', () => {
  it('has the parts of the brief', async () => {
    const { body } = await asAdmin({ url: '/dashboard' })
    expect(keysOf(body.data)).toEqual(['alerts', 'cache', 'cluster', 'health', 'loadBalancer', 'scaling'])
    expect(body.data).toMatchObject({
      alerts: [],
      cluster: { workerCount: 1, workers: [{ connections: 150 }] },
    })
  })
})

describe('services', () => {
  it('are listed, in pages by name', async () => {
    expect((await asAdmin({ url: '/services?limit=1' })).body.data).toMatchObject([{ name: 'shop' }])
    expect((await asAdmin({ url: '/services?limit=1&after=shop' })).body.data).toMatchObject([{ name: 'chat' }])
    expect((await asAdmin({ url: '/services?after=chat' })).body.data).toEqual([])
  })

  it('lose nothing of their status on the way', async () => {
    const { body } = await asAdmin({ url: '/services/shop' })
    expect(body.data).toEqual(JSON.parse(JSON.stringify(h.operations.service('shop'))))
    expect((await asAdmin({ url: '/overview' })).body.data).toEqual(JSON.parse(JSON.stringify(h.operations.overview())))
    expect((await asAdmin({ url: '/services/shop/instances' })).body.data).toEqual(JSON.parse(JSON.stringify(h.operations.instances('shop'))))
  })

  it('keep what is known of a crash', async () => {
    const exit = {
      at: startOfTime,
      code: 1,
      signal: undefined,
      class: 'crash',
      uptime: 320,
      reason: 'exited with code 1 after 320 ms',
      stderrTail: ['boom'],
    } as never
    const [shop] = h.operations.serviceList
    if (!shop) throw new Error('there is a shop')
    h.operations.serviceList = [
      { ...shop, instances: shop.instances.map((one) => ({ ...one, phase: 'crashLooping', lastExit: exit, nextStartAt: startOfTime as never })) },
    ]
    expect((await asAdmin({ url: '/services/shop' })).body.data).toMatchObject({
      instances: [{ phase: 'crashLooping', lastExit: { stderrTail: ['boom'] } }, {}],
    })
  })

  it.each(['', '/instances', '/logs', '/metrics', '/logs?follow=true'])('unknown ones are 404: /services/x%s', async (path) => {
    expect(await asAdmin({ url: `/services/x${path}` })).toMatchObject({
      status: 404,
      body: { error: { code: 'unknown_service', hint: 'there are: shop, chat' } },
    })
  })

  it('have their traffic in numbers', async () => {
    expect((await asAdmin({ url: '/services/shop/metrics' })).body.data).toMatchObject({
      service: 'shop',
      traffic: { p95Ms: 30 },
      instances: [{ cpuPercent: 45 }, {}],
      endpoints: [{ active: 3 }, {}],
    })
  })

  it('are restarted', async () => {
    expect((await asAdmin({ method: 'POST', url: '/services/shop/restart', payload: {} })).body.data).toEqual({
      service: 'shop',
      replaced: [{ from: 'shop-000001', to: 'shop-000003' }],
    })
  })

  it.each([
    ['10m', startOfTime - 600_000],
    ['2023-11-14T22:00:00Z', Date.parse('2023-11-14T22:00:00Z')],
    ['1700000000000', 1_700_000_000_000],
  ])('show their lines since %s', async (since, moment) => {
    h.operations.logLines = [{ time: startOfTime, service: 'shop', instance: 'shop-000001', stream: 'stdout', text: 'hello' }]
    expect((await asAdmin({ url: `/services/shop/logs?since=${since}&grep=hel&limit=5&instance=shop-000001` })).body.data).toEqual(
      h.operations.logLines,
    )
    expect(h.operations.journal).toEqual([`logs shop ${JSON.stringify({ limit: 5, instance: 'shop-000001', grep: 'hel', since: moment })}`])
  })
})

describe('PUT /maintenance', () => {
  it.each([
    [{ service: 'shop', enabled: true }, '{"service":"shop"} true', 'service shop'],
    [{ endpoint: '10.0.0.5:80', enabled: false }, '{"endpoint":"10.0.0.5:80"} false', 'endpoint 10.0.0.5:80'],
    [{ enabled: true }, '"all" true', 'everything'],
  ])('%j', async (payload, journal, target) => {
    expect((await asAdmin({ method: 'PUT', url: '/maintenance', payload })).body.data).toEqual({ target, enabled: payload.enabled })
    expect(h.operations.journal).toEqual([`maintenance ${journal} by admin`])
  })

  it('of both a service and an endpoint is not clear', async () => {
    expect(
      (await asAdmin({ method: 'PUT', url: '/maintenance', payload: { service: 'a', endpoint: 'b', enabled: true } })).body.error?.message,
    ).toContain('not both')
  })
})

describe('the configuration', () => {
  it('is shown without secrets, with a tag', async () => {
    const { body, headers } = await asAdmin({ url: '/config' })
    expect(body.data).toEqual({ name: 'test', access: { jwtSecret: '***' } })
    expect(headers.etag).toBe('"tag-1"')
    expect((await asAdmin({ url: '/config?format=explain' })).body.data).toEqual([
      { path: 'name', value: 'test', source: 'file', where: 'holdfast.yml:1:7' },
    ])
  })

  it.each(['text/yaml', 'application/yaml', 'application/x-yaml', 'text/yaml; charset=utf-8'])('is replaced by %s', async (type) => {
    const { status } = await asAdmin({ method: 'PUT', url: '/config', payload: 'services: {}\n', headers: { 'content-type': type } })
    expect([status, h.operations.journal]).toEqual([200, ['apply services: {}\n by admin']])
  })

  it.each([
    [undefined, 200, 'apply a: 1 by admin'],
    ['"tag-1"', 200, 'apply a: 1 if tag-1 by admin'],
    ['"old", "tag-1"', 200, 'apply a: 1 if tag-1 by admin'],
    ['*', 200, 'apply a: 1 by admin'],
    ['"old"', 412, undefined],
    ['W/"tag-1"', 412, undefined],
    ['tag-1', 412, undefined],
  ])('with If-Match %s: %i', async (ifMatch, status, journal) => {
    const answer = await asAdmin({
      method: 'PUT',
      url: '/config',
      payload: { text: 'a: 1' },
      headers: ifMatch === undefined ? {} : { 'if-match': ifMatch },
    })
    expect([answer.status, h.operations.journal[0]]).toEqual([status, journal])
  })

  it('a bad one says every problem', async () => {
    h.operations.failure = new HoldfastError('config_invalid', '1 problem', { details: { problems: [{ path: 'services.web.instnces', line: 7 }] } })
    expect(await asAdmin({ method: 'PUT', url: '/config', payload: { text: 'x' } })).toMatchObject({
      status: 400,
      body: { error: { code: 'config_invalid', details: { problems: [{ line: 7 }] } } },
    })
  })

  it('is checked as text, in JSON, or as it lies in its file', async () => {
    const check = (payload: string | object | undefined, type = 'application/json') =>
      asAdmin({
        method: 'POST',
        url: '/config/check',
        headers: payload === undefined ? {} : { 'content-type': type },
        ...(payload !== undefined && { payload }),
      })
    for (const answer of [await check('a: 1', 'text/yaml'), await check({ text: 'a: 1' }), await check({}), await check(undefined)]) {
      expect(answer.body.data).toEqual([{ path: 'services.shop.instances', from: 2, to: 3, effect: 'starts 1 instance' }])
    }
    expect(h.operations.journal).toEqual(['preview a: 1', 'preview a: 1', 'preview file', 'preview file'])
  })

  it('is read again from its file', async () => {
    expect((await asAdmin({ method: 'POST', url: '/config/reload', payload: {} })).status).toBe(200)
    expect(h.operations.journal).toEqual(['apply file by admin'])
  })
})

describe('access', () => {
  it('an admin makes a token, for somebody or for themselves', async () => {
    const made = await asAdmin({ method: 'POST', url: '/auth/token', payload: { role: 'operator', ttl: '2h', subject: 'bob' } })
    expect(made).toMatchObject({
      status: 200,
      headers: { 'cache-control': 'no-store' },
      body: { data: { subject: 'bob', role: 'operator', expiresAt: new Date(startOfTime + 7_200_000).toISOString() } },
    })
    expect((await asAdmin({ method: 'POST', url: '/auth/token', payload: { role: 'viewer', ttl: 60_000 } })).body.data).toMatchObject({
      subject: 'admin',
    })
    const { token } = made.body.data as { token: string }
    expect((await ask(app, { method: 'POST', url: `${apiBase}/services/shop/restart`, token })).status).toBe(200)
  })

  it.each(['0s', '25h', 'soon', -1, 0.5])('not for %j', async (ttl) => {
    expect((await asAdmin({ method: 'POST', url: '/auth/token', payload: { role: 'viewer', ttl } })).status).toBe(400)
  })

  it('whoever asks is told who they are and what they may', async () => {
    expect((await asAdmin({ url: '/auth/self' })).body.data).toMatchObject({
      role: 'admin',
      renewableUntil: null,
      permissions: expect.arrayContaining(['stop:system']) as string[],
    })
    const { code } = h.access.createLoginCode('alice', 'viewer')
    const { token } = (await asAdmin({ method: 'POST', url: '/auth/token', payload: { login: code } })).body.data as { token: string }
    expect((await asAdmin({ url: '/auth/self', token })).body.data).toMatchObject({
      name: 'alice',
      role: 'viewer',
      renewableUntil: expect.any(String) as string,
    })
    expect((await asAdmin({ method: 'POST', url: '/auth/renew', token })).body.data).toMatchObject({ subject: 'alice', role: 'viewer' })
    expect(await asAdmin({ method: 'POST', url: '/auth/renew' })).toMatchObject({ status: 409, body: { error: { code: 'not_renewable' } } })
  })

  it('keys are made, listed, used and revoked', async () => {
    const made = await asAdmin({ method: 'POST', url: '/auth/api-keys', payload: { name: 'ci', role: 'viewer', ttl: '30d' } })
    const { id, key, ...rest } = made.body.data as { id: string; key: string }
    expect([made.status, rest]).toMatchObject([
      201,
      { name: 'ci', role: 'viewer', createdBy: 'admin', lastUsedAt: null, expiresAt: new Date(startOfTime + 30 * 86_400_000).toISOString() },
    ])
    expect((await ask(app, { url: `${apiBase}/services`, headers: { 'x-api-key': key } })).status).toBe(200)
    const listed = await asAdmin({ url: '/auth/api-keys' })
    expect(listed.body.data).toMatchObject([{ id, name: 'ci' }])
    expect(JSON.stringify(listed.body)).not.toContain(key.split('_')[2])
    expect((await asAdmin({ method: 'DELETE', url: `/auth/api-keys/${id}` })).body.data).toEqual({ id, revoked: true })
    expect((await ask(app, { url: `${apiBase}/services`, headers: { 'x-api-key': key } })).status).toBe(401)
    expect((await asAdmin({ method: 'DELETE', url: `/auth/api-keys/${id}` })).status).toBe(404)
  })

  it('the page at / exchanges exactly what the login link carries', async () => {
    const { body } = await ask(app, { url: '/' })
    expect(String(body.data)).toContain("get('login')")
    expect(String(body.data)).toContain('JSON.stringify({ login: code })')
  })
})

describe('the rest', () => {
  it('going down is an order that is taken', async () => {
    expect(await asAdmin({ method: 'POST', url: '/system/down' })).toMatchObject({ status: 202, body: { data: { stopping: true } } })
    expect(h.operations.journal).toEqual(['down by admin'])
  })

  it('metrics are text, for anybody', async () => {
    const { headers, body } = await ask(app, { url: '/metrics' })
    expect([headers['content-type'], body.data]).toEqual(['text/plain; version=0.0.4; charset=utf-8', '# TYPE holdfast_up gauge\nholdfast_up 1\n'])
  })

  it('what is not built yet says so by name', async () => {
    expect(await asAdmin({ url: '/backups' })).toMatchObject({
      status: 501,
      body: { success: false, error: { code: 'not_available_yet', details: { part: 'backups' } } },
    })
  })

  it('events carry the words of the brief and ours', async () => {
    const cause = h.operations.emit('service.healthChanged', {
      service: 'shop',
      message: 'shop changed from degraded to healthy',
      data: { from: 'degraded', to: 'healthy' },
    })
    h.operations.emit('config.applied', { message: 'applied', data: { file: undefined, changes: [] }, cause })
    const { body } = await asAdmin({ url: '/events' })
    const [second, first] = body.data as unknown[]
    expect(first).toEqual({
      id: cause,
      seq: expect.any(Number) as number,
      type: 'service.healthChanged',
      category: 'health',
      service: 'shop',
      message: 'shop changed from degraded to healthy',
      level: 'info',
      timestamp: expect.stringMatching(/^2023-11-14T22:13:20\.\d{3}Z$/) as string,
      time: expect.any(Number) as number,
      region: 'local',
      data: { from: 'degraded', to: 'healthy' },
    })
    expect(second).toMatchObject({ category: 'configuration', cause })
  })

  it('a filter that names nothing there is is refused, with what there is', async () => {
    for (const url of ['/events?type=foo', '/events/stream?type=foo']) {
      expect(await asAdmin({ url })).toMatchObject({
        status: 400,
        body: {
          error: { code: 'invalid_input', message: 'no event has the type "foo"', hint: expect.stringMatching(/^nouns are: .*instance, /) as string },
        },
      })
    }
    expect((await asAdmin({ url: '/events?type=instance.exit' })).body.error).toMatchObject({
      hint: expect.stringMatching(/^did you mean "instance\.exited"\? types are: instance\.started, /) as string,
    })
    expect(await asAdmin({ url: '/events?service=nope' })).toMatchObject({ status: 404, body: { error: { code: 'unknown_service' } } })
    expect((await asAdmin({ url: '/events?type=instance.exited&service=shop' })).status).toBe(200)
    // What was removed has left its events.
    h.operations.emit('service.removed', { service: 'gone', message: 'gone was removed', data: {} })
    expect((await asAdmin({ url: '/events?service=gone&type=instance' })).status).toBe(200)
  })

  it('an instance that neither is nor has lines is refused, with those there are', async () => {
    const nobody = { status: 404, body: { error: { code: 'unknown_instance', hint: expect.stringMatching(/^there are: shop-000001, /) as string } } }
    expect(await asAdmin({ url: '/services/shop/logs?instance=foo' })).toMatchObject(nobody)
    expect(await asAdmin({ url: '/services/shop/logs?instance=foo&follow=true' })).toMatchObject(nobody)
    expect((await asAdmin({ url: '/services/shop/logs?instance=shop-000001&grep=nothing' })).status).toBe(200)
  })

  it('events are filtered and come in pages', async () => {
    for (let i = 0; i < 5; i++) {
      await h.clock.advance(seconds(1))
      h.operations.emit('service.healthChanged', {
        service: i % 2 ? 'shop' : 'chat',
        level: i === 4 ? 'error' : 'info',
        message: `m${i}`,
        data: { from: 'a', to: 'b' },
      })
    }
    const messages = async (query: string) =>
      ((await asAdmin({ url: `/events?${query}` })).body.data as { message: string }[]).map(({ message }) => message)
    const [newest] = (await asAdmin({ url: '/events?limit=1' })).body.data as { seq: number }[]
    expect(await messages('limit=2')).toEqual(['m4', 'm3'])
    expect(await messages(`limit=2&after=${(newest?.seq ?? 0) - 1}`)).toEqual(['m2', 'm1'])
    expect(await messages(`order=ascending&after=${newest?.seq ?? 0}`)).toEqual([])
    expect(await messages('service=shop')).toEqual(['m3', 'm1'])
    expect(await messages('level=warning')).toEqual(['m4'])
    expect(await messages('type=service')).toHaveLength(5)
    expect(await messages('type=instance')).toEqual([])
  })
})
