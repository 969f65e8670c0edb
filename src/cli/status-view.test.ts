import { describe, expect, it } from 'vitest'
import { wallTime } from '../kernel/time.ts'
import { emptyServiceTraffic } from '../registry/types.ts'
import { renderStatus } from './status-view.ts'
import { painter } from './style.ts'
import { anEndpoint, anInstance, anOverview, aService, now } from './testing/fixtures.ts'

const view = { columns: 80, paint: painter(false), now }

describe('renderStatus', () => {
  it('shows services, instances, why something is not well, and endpoints, in 80 columns', () => {
    const overview = anOverview(
      [
        aService({
          health: 'degraded',
          ready: 1,
          desired: 2,
          instances: [
            anInstance(),
            anInstance({
              id: 'shop-77aa01',
              phase: 'backoff',
              pid: undefined,
              port: 0,
              restarts: 4,
              reason: 'exited with code 1 after 320 ms',
              nextStartAt: wallTime(now + 4_000),
              resources: undefined,
            }),
          ],
        }),
        aService({
          name: 'legacy',
          kind: 'static',
          version: undefined,
          traffic: { ...emptyServiceTraffic, parked: 2 },
          endpoints: [
            anEndpoint(),
            anEndpoint({
              ...{ id: '10.0.0.6:3000', health: 'unhealthy', reason: 'connection refused', effectiveWeight: 0 },
              weightReasons: [{ factor: 'probes', value: 0, why: 'unhealthy: connection refused' }],
            }),
            anEndpoint({
              ...{ id: '10.0.0.7:3000', effectiveWeight: 25 },
              weightReasons: [{ factor: 'errors', value: 0.25, why: '50 % of its requests failed of late' }],
            }),
          ],
        }),
      ],
      { status: 'degraded' },
    )
    expect(renderStatus(overview, view)).toBe(
      `
demo (local) is degraded, up 3h 12m, holdfast 9.9.9, pid 4242
listener web: http://127.0.0.1:8080
proxy: pid 4250, 2 workers, 12 connections

SERVICE  HEALTH    READY  VERSION  REQ/S    P95  ERRORS
shop     degraded    1/2  v1.2.0     120  12 ms   0.02%
legacy   healthy     3/3  -            0      -      0%
  └ 2 requests parked

INSTANCE     PHASE      PID   PORT  CPU  MEMORY  UPTIME  RESTARTS
shop-3f2a9c  ready    12345  41001  12%  48 MiB  3h 12m         0
shop-77aa01  backoff      -      -    -       -       -         4
  └ exited with code 1 after 320 ms; next start in 4s

ENDPOINT       SERVICE  HEALTH     STATE   WEIGHT  ACTIVE  REQUESTS  ERRORS
10.0.0.5:3000  legacy   healthy    active     100       2     12.3k       3
10.0.0.6:3000  legacy   unhealthy  active       0       2     12.3k       3
  └ connection refused
10.0.0.7:3000  legacy   healthy    active      25       2     12.3k       3
  └ weight 25: 50 % of its requests failed of late
`.trim(),
    )
  })

  it('tells what concerns no service alone, versions where they differ, and what is on trial', () => {
    const endpoints = [
      anEndpoint({
        version: 'v1',
        effectiveWeight: 100,
        weightReasons: [{ factor: 'breaker', value: 1, why: 'its circuit breaker lets requests through on trial' }],
      }),
      anEndpoint({
        id: '10.0.0.6:3000',
        version: 'v2',
        effectiveWeight: 0,
        weightReasons: [{ factor: 'ejection', value: 0, why: 'ejected: 5 errors in a row, for 12 s more' }],
      }),
    ]
    const overview = anOverview([aService({ name: 'legacy', kind: 'static', endpoints, instances: [] })])
    const text = renderStatus(
      {
        ...overview,
        certificates: [
          { listener: 'secure', file: 'a.pem', hosts: ['a.test'], expiresAt: now + 2 * 86_400_000 },
          { listener: 'secure', file: 'b.pem', hosts: ['b.test'], expiresAt: now - 3_600_000 },
        ],
        proxy: { ...overview.proxy!, limitsStore: { up: false, reason: 'ECONNREFUSED' }, quarantined: [{ id: 'a' } as never] },
      },
      { ...view, columns: 100 },
    )
    expect(text.split('\n').slice(3, 7)).toEqual([
      'certificate of listener secure expires in 2d: a.pem',
      'certificate of listener secure has expired 1h ago: b.pem',
      'shared limits: their Redis is away (ECONNREFUSED), each machine goes by its part',
      'quarantine: 1 request that instances die of (holdfast quarantine)',
    ])
    expect(text).toContain('ENDPOINT       SERVICE  VERSION  HEALTH')
    expect(text).toContain('└ its circuit breaker lets requests through on trial')
    expect(text).toContain('└ weight 0: ejected: 5 errors in a row, for 12 s more')
  })

  it('keeps to 80 columns with long names, large numbers and colours', () => {
    const name = 'a-service-with-a-very-long-name-that-goes-on-and-on'
    const overview = anOverview([
      aService({
        name,
        version: 'v1.2.0-rc.1+build.20261121.081203',
        reason: 'because '.repeat(30),
        instances: [
          anInstance({
            id: `${name}-3f2a9c`,
            phase: 'crashLooping',
            pid: 4_194_303,
            restarts: 123_456,
            resources: { cpuPercent: 1_234.5, memoryBytes: 1_072_693_248 },
            startedAt: wallTime(now - 99 * 86_400_000 - 82_800_000),
          }),
        ],
        endpoints: [],
      }),
    ])
    for (const line of renderStatus(overview, view).split('\n')) expect(line.length, line).toBeLessThanOrEqual(80)
    const coloured = renderStatus(overview, { ...view, paint: painter(true) })
    // eslint-disable-next-line no-control-regex -- colours take no room
    expect(coloured.replace(/\u001b\[[0-9;]*m/g, '')).toBe(renderStatus(overview, view))
  })

  it('says why an instance died once, with the instance, and when it is tried again', () => {
    const reason = 'exited with code 1 after 58 ms, before it was ready; it wrote last: Error: DATABASE_URL is not set'
    const dead = anInstance({ id: 'shop-77aa01', phase: 'backoff', pid: undefined, port: 0, reason, nextStartAt: wallTime(now + 906) })
    const shown = renderStatus(anOverview([aService({ health: 'unhealthy', ready: 0, desired: 1, reason, instances: [dead] })]), view)
    expect(shown.match(/exited/g)).toHaveLength(1)
    expect(shown).toContain(
      '  └ exited with code 1 after 58 ms, before it was ready; it wrote last: Error:\n    DATABASE_URL is not set; next start in 1s',
    )
    // While it is tried again it has no complaint of its own.
    const again = { ...dead, phase: 'starting', reason: undefined, nextStartAt: undefined } as const
    expect(renderStatus(anOverview([aService({ health: 'unhealthy', reason, instances: [again] })]), view)).toContain('└ exited')
  })

  it('says that a service is scaled to 0 instead of how healthy nothing is', () => {
    const shown = renderStatus(anOverview([aService({ ready: 0, desired: 0, reason: 'scaled to 0' })]), view)
    expect(shown).toMatch(/^shop {5}scaled to 0 {4}0\/0 /m)
    expect(shown).not.toContain('└')
  })

  it('calls a normal boot a boot', () => {
    const booting = aService({ health: 'starting', ready: 0, reason: 'waits for its turn to start' })
    const headlineOf = (...services: readonly ReturnType<typeof aService>[]): string =>
      renderStatus(anOverview(services, { status: 'unhealthy' }), view).split(',')[0] ?? ''
    expect(headlineOf(booting, aService())).toBe('demo (local) is starting')
    expect(headlineOf(booting, aService({ health: 'unhealthy' }))).toBe('demo (local) is unhealthy')
  })

  it.each([60, 40])('fits %d columns: what matters least is left out, and reasons are wrapped', (columns) => {
    const reason = 'exited with code 1 after 58 ms, before it was ready; it wrote last: Error: DATABASE_URL is not set'
    const instances = [anInstance(), anInstance({ id: 'shop-77aa01', phase: 'crashLooping', pid: undefined, port: 0, reason, restarts: 12 })]
    const services = [aService({ instances }), aService({ name: 'legacy', kind: 'static', endpoints: [anEndpoint({ reason })] })]
    const shown = renderStatus(anOverview(services), { ...view, columns })
    for (const line of shown.split('\n')) expect(line.length, line).toBeLessThanOrEqual(columns)
    expect(shown).toMatch(columns === 60 ? /^INSTANCE +PHASE .*RESTARTS$/m : /^INSTANCE +PHASE /m)
    expect(shown).toContain('DATABASE_URL')
  })

  it('shows which instances were taken out of the traffic', () => {
    const instances = [anInstance(), anInstance({ id: 'shop-77aa01' })]
    const endpoints = [
      anEndpoint({ id: 'shop-3f2a9c', instance: 'shop-3f2a9c', state: 'maintenance' }),
      anEndpoint({ id: 'shop-77aa01', instance: 'shop-77aa01' }),
    ]
    const shown = renderStatus(anOverview([aService({ instances, endpoints })]), view)
    expect(shown).toContain('└ 1 of 2 out of the traffic')
    expect(shown).toMatch(/^shop-3f2a9c {2}ready \(maintenance\) /m)
    expect(shown).toMatch(/^shop-77aa01 {2}ready {2}/m)
  })

  it('says when the balancer is not there, and survives a service without anything', () => {
    const overview = anOverview([], { proxy: undefined, proxyConnected: false })
    expect(renderStatus(overview, view)).toContain('proxy: not connected')
  })

  it('takes no orders from the reasons it shows', () => {
    expect(renderStatus(anOverview([aService({ reason: 'x\u001b[2Jy\nz' })]), view)).toContain('└ xyz')
  })

  it('does not say that there are no workers before the proxy has heard of them', () => {
    const overview = anOverview([])
    const young = { ...overview, proxy: overview.proxy && { ...overview.proxy, workers: [] } }
    expect(renderStatus(young, view)).toContain('proxy: pid 4250, no readings of its workers yet')
  })
})
