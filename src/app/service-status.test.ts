import { describe, expect, it } from 'vitest'
import { parseConfig } from '../config/index.ts'
import { ms, wallTime } from '../kernel/time.ts'
import { emptyServiceTraffic, type ExitReport, type InstanceStatus, type ServiceStatus } from '../registry/types.ts'
import { serviceStatus } from './service-status.ts'

const crash: ExitReport = {
  at: wallTime(0),
  code: 1,
  signal: undefined,
  class: 'startFailed',
  uptime: ms(60),
  reason: 'exited with code 1 after 60 ms, before it was ready',
  stderrTail: ['reading settings', 'Error: no database'],
}

const anInstance = (over: Partial<InstanceStatus>): InstanceStatus => ({
  id: 'shop-3f2a9c',
  service: 'shop',
  revision: 1,
  version: undefined,
  phase: 'starting',
  pid: undefined,
  host: '127.0.0.1',
  port: 0,
  startedAt: undefined,
  readyAt: undefined,
  restarts: 0,
  reason: undefined,
  nextStartAt: undefined,
  lastExit: undefined,
  resources: undefined,
  ...over,
})

function standing(desired: number, ...instances: readonly Partial<InstanceStatus>[]): Pick<ServiceStatus, 'health' | 'reason'> {
  const { config } = parseConfig('services: { shop: { command: node server.js, routes: [{ path: / }] } }')
  const service = config.services.shop
  if (!service) throw new Error('the configuration has no shop')
  const { health, reason } = serviceStatus({
    service,
    revision: 1,
    desired,
    maintenance: false,
    instances: instances.map(anInstance),
    endpoints: [],
    traffic: emptyServiceTraffic,
  })
  return { health, reason }
}

describe('the health of a service', () => {
  it('is starting on a normal boot, also where an earlier life was full of restarts', () => {
    const reason = 'waits for its turn to start'
    expect(standing(1, { reason })).toEqual({ health: 'starting', reason })
    expect(standing(1, { reason, restarts: 7, lastExit: crash })).toEqual({ health: 'starting', reason })
    expect(standing(1)).toEqual({ health: 'starting', reason: undefined })
    expect(standing(1, { pid: 4_242 })).toEqual({ health: 'starting', reason: undefined })
  })

  it('is no complaint while some of it is ready and the rest starts for the first time', () => {
    const ready = { phase: 'ready', pid: 4_242 } as const
    expect(standing(2, ready, { reason: 'waits for its turn to start' })).toEqual({ health: 'starting', reason: '1 of 2 ready' })
    expect(standing(2, ready, { pid: 4_243, restarts: 1, lastExit: crash })).toMatchObject({ health: 'degraded' })
    expect(standing(2, ready)).toEqual({ health: 'degraded', reason: '1 of 2 ready' })
  })

  it('stays unhealthy for the old reason while one that died is tried again', () => {
    const reason = 'exited with code 1 after 60 ms, before it was ready; it wrote last: Error: no database'
    expect(standing(1, { phase: 'backoff', restarts: 1, lastExit: crash, reason })).toEqual({ health: 'unhealthy', reason })
    expect(standing(1, { pid: 4_242, restarts: 1, lastExit: crash })).toEqual({ health: 'unhealthy', reason })
  })

  it('is no complaint where no instance is wanted', () => {
    expect(standing(0)).toEqual({ health: 'healthy', reason: 'scaled to 0' })
  })

  it('is healthy without a word when all are ready', () => {
    expect(standing(1, { phase: 'ready', pid: 4_242 })).toEqual({ health: 'healthy', reason: undefined })
  })
})
