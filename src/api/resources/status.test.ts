/** The status page over a made-up Holdfast: what it says, what it never says, and how it is cached. */
import { gunzipSync } from 'node:zlib'
import type { FastifyInstance, LightMyRequestResponse } from 'fastify'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Duration } from '../../kernel/time.ts'
import type { PublicIncident } from '../../status/types.ts'
import { buildApi } from '../app.ts'
import { startOfTime } from '../testing/fake-operations.ts'
import { harness, type Harness } from '../testing/harness.ts'

let h: Harness
let app: FastifyInstance
beforeEach(async () => {
  h = await harness()
  app = buildApi(h.deps)
})
afterEach(() => app.close())

const get = (url: string, headers: Record<string, string> = {}): Promise<LightMyRequestResponse> => app.inject({ method: 'GET', url, headers })

interface Summary {
  readonly page: { name: string }
  readonly status: { indicator: string; description: string }
  readonly components: readonly {
    id: string
    name: string
    status: string
    uptime: { percent: number | null; daily: readonly { state: string }[] }
  }[]
  readonly incidents: readonly {
    name: string
    status: string
    impact: string
    resolved_at: string | null
    components: readonly { name: string }[]
    incident_updates: readonly { body: string }[]
  }[]
  readonly scheduled_maintenances: readonly { status: string; components: readonly { name: string }[] }[]
}
const summary = async (): Promise<Summary> => (await get('/status/api/v2/summary.json')).json()

const incident = (changes: Partial<PublicIncident> = {}): PublicIncident => ({
  id: 'i1',
  byHand: false,
  impact: 'major',
  startedAt: startOfTime - 600_000,
  resolvedAt: undefined,
  services: ['shop', 'warehouse'],
  updates: [{ at: startOfTime - 600_000, status: 'investigating', text: 'We look <into> it.' }],
  ...changes,
})

describe('the status page', () => {
  it('shows every service with routes, in plain HTML that may load nothing', async () => {
    const { statusCode, headers, body } = await get('/status')
    expect(statusCode).toBe(200)
    expect(headers['content-type']).toBe('text/html; charset=utf-8')
    expect(headers['content-security-policy']).toMatch(/^default-src 'none'; style-src 'sha256-[\w+/]{43}='; base-uri 'none'/)
    expect(body).toContain('All Systems Operational')
    expect(body).toContain('<h3>shop</h3>')
    expect(body).not.toContain('<script')
    expect(body).not.toContain('style="')
  })

  it('says what fails in the words of Statuspage', async () => {
    const [shop] = h.operations.serviceList
    h.operations.serviceList = [
      { ...shop!, health: 'unhealthy', ready: 0, reason: 'connect ECONNREFUSED 10.1.2.3:30001' },
      h.operations.serviceList[1]!,
    ]
    expect(await summary()).toMatchObject({
      page: { name: 'test' },
      status: { indicator: 'major', description: 'Partial System Outage' },
      components: [
        { name: 'shop', status: 'major_outage', uptime: { percent: null } },
        { name: 'chat', status: 'operational' },
      ],
    })
  })

  it('says nothing of addresses, processes, paths and errors', async () => {
    const secret = 'connect ECONNREFUSED 10.1.2.3:30001 /srv/shop/server.js'
    h.operations.serviceList = h.operations.serviceList.map((one) => ({ ...one, health: 'unhealthy', ready: 0, reason: secret, maintenance: false }))
    h.operations.incidents = [incident()]
    for (const path of [
      '/status',
      '/status.json',
      '/status/api/v2/summary.json',
      '/status/api/v2/incidents.json',
      '/status/api/v2/components.json',
    ]) {
      const { body } = await get(path)
      expect(body).not.toMatch(/ECONNREFUSED|10\.1\.2\.3|127\.0\.0\.1|3000[12]|400[12]|\/srv|server\.js|warehouse|0\.1\.0|"pid"/)
    }
  })

  it('shows an incident that goes on, then that it is over, then nothing of it', async () => {
    h.operations.incidents = [incident()]
    expect(await summary()).toMatchObject({
      status: { indicator: 'major' },
      incidents: [{ name: 'Trouble with shop', status: 'investigating', impact: 'major', resolved_at: null, components: [{ name: 'shop' }] }],
    })
    const { body } = await get('/status')
    expect(body).toContain('We look &lt;into&gt; it.')
    h.operations.now += 2_000
    h.operations.incidents = [incident({ resolvedAt: startOfTime, updates: [{ at: startOfTime, status: 'resolved', text: 'It is over.' }] })]
    expect(await summary()).toMatchObject({ status: { indicator: 'none' }, incidents: [] })
    expect((await get('/status')).body).toMatch(/Past incidents[\s\S]*lasted 10 min/)
    h.operations.now += 15 * 86_400_000
    expect((await get('/status/api/v2/incidents.json')).json()).toMatchObject({ incidents: [] })
  })

  it('shows an incident of what is not on the page only if somebody wrote about it', async () => {
    h.operations.incidents = [incident({ services: ['warehouse'] })]
    expect(await summary()).toMatchObject({ status: { indicator: 'none' }, incidents: [] })
    h.operations.now += 2_000
    h.operations.incidents = [incident({ services: ['warehouse'], byHand: true })]
    expect(await summary()).toMatchObject({
      status: { indicator: 'major' },
      incidents: [{ name: 'Trouble with a part of the system', components: [] }],
    })
    expect((await get('/status.json')).body).not.toContain('warehouse')
  })

  it('shows maintenance since it was switched on', async () => {
    const [shop, chat] = h.operations.serviceList
    h.operations.serviceList = [{ ...shop!, maintenance: true, health: 'maintenance' }, chat!]
    h.operations.stored.length = 0
    const id = h.operations.emit('service.maintenanceChanged', {
      message: 'alice: shop switched off',
      service: 'shop',
      data: { enabled: true, actor: 'alice' },
    })
    const { status, scheduled_maintenances: maintenances } = await summary()
    expect(status).toEqual({ indicator: 'maintenance', description: 'Service Under Maintenance' })
    expect(maintenances).toMatchObject([
      {
        status: 'in_progress',
        started_at: new Date(h.operations.stored.find((one) => one.id === id)!.time).toISOString(),
        components: [{ name: 'shop' }],
      },
    ])
    expect(JSON.stringify(maintenances)).not.toContain('alice')
  })

  it('shows maintenance that is planned, and what comes of it as that', async () => {
    const begin = (Math.floor(startOfTime / 60_000) + 2) * 60_000
    const duration = 600_000 as Duration
    h.operations.maintenanceWindows = [
      { services: ['shop'], from: begin, duration, comment: 'db01 moves to 10.1.2.3', published: true },
      { services: ['chat'], from: begin, duration, published: false },
      { services: [], from: begin + 8 * 86_400_000, duration, published: true },
      { services: ['warehouse'], from: begin, duration, published: true },
    ]
    const planned = {
      name: 'Maintenance of shop',
      status: 'scheduled',
      scheduled_for: new Date(begin).toISOString(),
      scheduled_until: new Date(begin + duration).toISOString(),
      components: [{ name: 'shop' }],
      incident_updates: [{ status: 'scheduled' }],
    }
    expect(await summary()).toMatchObject({ status: { indicator: 'none' }, scheduled_maintenances: [planned] })
    const { body } = await get('/status')
    expect(body).toMatch(/Maintenance of shop[\s\S]*Scheduled · from <time[^>]*>[^<]*UTC<\/time> until <time/)
    expect((await get('/status/api/v2/scheduled-maintenances/active.json')).json()).toMatchObject({ scheduled_maintenances: [] })

    h.operations.now = begin
    h.operations.serviceList = h.operations.serviceList.map((one) => ({ ...one, health: 'unhealthy', ready: 0 }))
    const { components } = await summary()
    expect(components.map(({ status }) => status)).toEqual(['under_maintenance', 'major_outage'])
    expect((await get('/status/api/v2/scheduled-maintenances/active.json')).json()).toMatchObject({
      scheduled_maintenances: [{ status: 'in_progress' }],
    })
    expect((await get('/status/api/v2/scheduled-maintenances/upcoming.json')).json()).toMatchObject({ scheduled_maintenances: [] })
    for (const path of ['/status', '/status.json', '/status/history.atom']) expect((await get(path)).body).not.toMatch(/db01|10\.1\.2\.3|warehouse/)
    h.operations.now = begin + duration
    expect((await summary()).scheduled_maintenances).toEqual([])
  })

  it('is a feed, too', async () => {
    h.operations.incidents = [incident({ updates: [{ at: startOfTime, status: 'monitoring', text: 'We <b>look</b> & see\u0000\ud800' }] })]
    const { headers, body } = await get('/status/history.atom')
    expect(headers['content-type']).toBe('application/atom+xml; charset=utf-8')
    expect(body).toContain('<title>Trouble with shop</title>')
    expect(body).toContain(`<updated>${new Date(startOfTime).toISOString()}</updated>`)
    expect(body).toContain('monitoring: We &lt;b&gt;look&lt;/b&gt; &amp; see</content>')
    expect(body.match(/<(\w+)[^>]*[^/]>/g)?.length).toBe(body.match(/<\/\w+>/g)?.length ?? 0)
  })

  it('shows uptime by day, with what is not known as unknown', async () => {
    const day = new Date(startOfTime).toISOString().slice(0, 10)
    h.operations.uptime = { days: (service) => (service === 'shop' ? [{ day, good: 9_999, bad: 1, unknownMs: 0, downMs: 0 }] : []) }
    const { components } = await summary()
    expect(components[0]?.uptime).toMatchObject({ days: 90, percent: 99.99 })
    expect(components[0]?.uptime.daily.filter(({ state }) => state === 'unknown')).toHaveLength(89)
    expect(components[1]?.uptime.percent).toBeNull()
    const { body } = await get('/status')
    expect(body).toContain('99.99 % uptime')
    expect(body).toContain('no data yet')
  })
})

describe('asking for the status page', () => {
  it('under any name, without being counted, from any page', async () => {
    const { statusCode, headers } = await get('/status.json', { host: 'status.example.com', origin: 'https://elsewhere.example' })
    expect(statusCode).toBe(200)
    expect(headers['access-control-allow-origin']).toBe('*')
    expect(headers.ratelimit).toBeUndefined()
    expect((await get('/health', { host: 'status.example.com' })).statusCode).toBe(403)
  })

  it('gets no body when it has not changed, and gzip when it is wanted', async () => {
    const plain = await get('/status')
    const { etag } = plain.headers
    expect(plain.headers['cache-control']).toBe('public, max-age=5, stale-while-revalidate=30, stale-if-error=600')
    const same = await get('/status', { 'if-none-match': `"x", W/${String(etag)}` })
    expect([same.statusCode, same.body, same.headers.etag]).toEqual([304, '', etag])
    const zipped = await get('/status', { 'accept-encoding': 'br, gzip' })
    expect(zipped.headers['content-encoding']).toBe('gzip')
    expect(zipped.headers.etag).not.toBe(etag)
    expect(gunzipSync(zipped.rawPayload).toString()).toBe(plain.body)
    const shared = await get('/status', { 'accept-encoding': 'gzip', via: '1.1 cache' })
    expect([String(shared.headers.vary).includes('encoding'), shared.headers.etag, shared.body]).toEqual([false, etag, plain.body])
    expect((await get('/status', { 'accept-encoding': 'gzip;q=0, br' })).headers['content-encoding']).toBeUndefined()
  })

  it('makes it at most once a second', async () => {
    const before = await get('/status')
    h.operations.serviceList = h.operations.serviceList.map((one) => ({ ...one, health: 'unhealthy', ready: 0 }))
    h.operations.now += 999
    expect((await get('/status')).headers.etag).toBe(before.headers.etag)
    h.operations.now += 1
    const { body, headers } = await get('/status')
    expect(headers.etag).not.toBe(before.headers.etag)
    expect(body).toContain('Major Service Outage')
  })

  it('is 404 when it is switched off', async () => {
    h.operations.statusPageOn = false
    const { statusCode, body } = await get('/status')
    expect([statusCode, body]).toEqual([404, expect.stringContaining('switched off')])
  })
})
