import { describe, expect, it } from 'vitest'
import { InfrastructureService, type HealthChange, type InfrastructureAlert, type ServiceHealth } from './infrastructure-service.ts'

const health = (status: ServiceHealth['status'], service = 'auth'): ServiceHealth => ({
  service,
  status,
  timestamp: new Date(0),
  responseTime: 50,
  details: { uptime: 3_600 },
  dependencies: [],
})

function watched(): { service: InfrastructureService; changes: HealthChange[]; alerts: InfrastructureAlert[] } {
  const service = new InfrastructureService()
  const changes: HealthChange[] = []
  const alerts: InfrastructureAlert[] = []
  service.on('healthChange', (change) => changes.push(change))
  service.on('alert', (alert) => alerts.push(alert))
  return { service, changes, alerts }
}

describe('services registered by hand', () => {
  it('are a change only when their status is another', () => {
    const { service, changes, alerts } = watched()
    service.registerService('auth', health('healthy'))
    service.registerService('auth', health('healthy'))
    expect(changes).toEqual([])
    service.registerService('auth', health('degraded'))
    service.registerService('auth', health('unhealthy'))
    service.registerService('auth', health('healthy'))
    expect(changes).toEqual([
      { serviceName: 'auth', from: 'healthy', to: 'degraded' },
      { serviceName: 'auth', from: 'degraded', to: 'unhealthy' },
      { serviceName: 'auth', from: 'unhealthy', to: 'healthy' },
    ])
    expect(alerts.map(({ type, title, status }) => [type, title, status])).toEqual([
      ['warning', 'Service degraded', 'active'],
      ['critical', 'Service unhealthy', 'active'],
    ])
    expect(service.getActiveAlerts()).toEqual([])
    expect(service.getAlerts().map(({ status }) => status)).toEqual(['resolved', 'resolved'])
  })

  it('alert when they are bad from the beginning', () => {
    const { service, changes, alerts } = watched()
    service.registerService('auth', health('unhealthy'))
    expect(changes).toEqual([])
    expect(alerts).toHaveLength(1)
    service.unregisterService('auth')
    expect(service.getActiveAlerts()).toEqual([])
  })

  it.each([
    [[], 'healthy'],
    [['healthy', 'healthy'], 'healthy'],
    [['healthy', 'starting'], 'healthy'],
    [['healthy', 'degraded'], 'degraded'],
    [['healthy', 'unhealthy'], 'degraded'],
    [['unhealthy', 'unhealthy'], 'unhealthy'],
  ] as const)('make the whole: %j is %s', async (statuses, whole) => {
    const { service } = watched()
    statuses.forEach((status, index) => service.registerService(`s${index}`, health(status)))
    const { status, services, system } = await service.getHealthStatus()
    expect(status).toBe(whole)
    expect(services).toHaveLength(statuses.length)
    expect(system.cpu.cores).toBeGreaterThan(0)
  })
})

it('without a Holdfast nothing is scaled, and that is said', async () => {
  const { service } = watched()
  expect(service.getScalingEvents(50)).toEqual([])
  await expect(service.scaleService('auth', 2)).rejects.toMatchObject({ code: 'not_available' })
})
