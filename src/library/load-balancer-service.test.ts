import { describe, expect, it } from 'vitest'
import { Prng } from '../kernel/random.ts'
import { VirtualClock } from '../kernel/testing/virtual-clock.ts'
import { LoadBalancerService } from './load-balancer-service.ts'
import type { LoadBalancerOptions } from './infrastructure-config.ts'

const made = (options: LoadBalancerOptions = {}, ...weights: readonly number[]): LoadBalancerService => {
  const service = new LoadBalancerService(options, { clock: new VirtualClock(), random: new Prng(1) })
  weights.forEach((weight, index) => service.addServer('10.0.0.1', 3_000 + index, weight))
  return service
}

const picks = (service: LoadBalancerService, count: number, client?: string): Record<string, number> => {
  const counts: Record<string, number> = {}
  for (let i = 0; i < count; i++) {
    const { id } = service.getNextServer(client)!
    counts[id] = (counts[id] ?? 0) + 1
  }
  return counts
}

describe('choosing a server', () => {
  it('gives nothing when there is nothing to choose from', () => {
    const service = made({}, 1)
    expect(new LoadBalancerService().getNextServer()).toBeUndefined()
    service.setServerMaintenance('10.0.0.1:3000', true)
    expect(service.getNextServer()).toBeUndefined()
    service.setServerMaintenance('10.0.0.1:3000', false)
    expect(service.getNextServer()?.port).toBe(3_000)
  })

  it('goes by turns', () => {
    expect(picks(made({ algorithm: 'round-robin' }, 1, 1), 10)).toEqual({ '10.0.0.1:3000': 5, '10.0.0.1:3001': 5 })
  })

  it('goes by weight', () => {
    expect(picks(made({ algorithm: 'weighted' }, 1, 3), 40)).toEqual({ '10.0.0.1:3000': 10, '10.0.0.1:3001': 30 })
  })

  it('goes by the connections that the caller counts', () => {
    const service = made({ algorithm: 'least-connections' }, 1, 1)
    service.updateServerConnections('10.0.0.1:3000', 1)
    expect(picks(service, 5)).toEqual({ '10.0.0.1:3001': 5 })
    service.updateServerConnections('10.0.0.1:3000', -5)
    expect(service.getServers()[0]?.connections).toBe(0)
  })

  it('keeps a client with its server', () => {
    const service = made({ algorithm: 'ip-hash' }, 1, 1, 1)
    expect(Object.values(picks(service, 20, '192.0.2.7'))).toEqual([20])
  })

  it('passes over what is unhealthy while something else is there', () => {
    const service = made({}, 1, 1)
    service.setServerHealth('10.0.0.1:3000', false, 'it said so')
    expect(picks(service, 4)).toEqual({ '10.0.0.1:3001': 4 })
    expect(service.getServers()[0]).toMatchObject({ health: 'unhealthy', reason: 'it said so' })
    service.removeServer('10.0.0.1:3001')
    expect(service.getNextServer()?.port).toBe(3_000)
  })

  it('leaves alone for a moment what has refused', () => {
    const clock = new VirtualClock()
    const service = new LoadBalancerService({}, { clock, random: new Prng(1) })
    const { id } = service.addServer('10.0.0.1', 3_000)
    service.reportServerError(id, { refused: true })
    expect(service.getNextServer()).toBeUndefined()
    service.updateServerResponseTime(id, 5)
    expect(service.getNextServer()?.id).toBe(id)
  })
})

describe('servers', () => {
  it('are known by address, once', () => {
    const service = made({}, 1)
    expect(() => service.addServer('10.0.0.1', 3_000)).toThrow('the server 10.0.0.1:3000 is there already')
    expect(service.removeServer('10.0.0.1:3000')).toBe(true)
    expect(service.removeServer('10.0.0.1:3000')).toBe(false)
  })

  it.each([
    ['', 1, 1],
    ['a', 0, 1],
    ['a', 1.5, 1],
    ['a', 1, 0],
    ['a', 1, Number.NaN],
  ])('are refused that cannot be: %j %d %d', (host, port, weight) => {
    expect(() => made().addServer(host, port, weight)).toThrow(/a server needs/)
  })

  it('that are not there change nothing, and it is said', () => {
    const service = made({}, 1)
    expect(service.updateServerConnections('x:1', 1)).toBe(false)
    expect(service.updateServerResponseTime('x:1', 1)).toBe(false)
    expect(service.setServerMaintenance('x:1', true)).toBe(false)
    expect(service.reportServerError('x:1')).toBe(false)
    expect(service.getStats()).toMatchObject({ totalRequests: 0, totalConnections: 0, errorRate: 0 })
  })
})

it('counts what it was told', () => {
  const service = made({ algorithm: 'round-robin' }, 1, 1)
  const { id } = service.getNextServer()!
  service.getNextServer()
  service.updateServerConnections(id, 1)
  service.updateServerResponseTime(id, 100)
  service.updateServerResponseTime(id, 300)
  service.reportServerError(id)
  expect(service.getStats()).toMatchObject({
    totalRequests: 2,
    totalConnections: 1,
    activeConnections: 1,
    averageResponseTime: 200,
    errorRate: 0.5,
    algorithm: 'round-robin',
  })
})

it('an algorithm that there is not is refused at once', () => {
  expect(() => new LoadBalancerService({ algorithm: 'best' as 'random' })).toThrow(/no algorithm "best"/)
})
