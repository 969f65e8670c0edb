import type { Overview } from '../../app/operations.ts'
import { wallTime } from '../../kernel/time.ts'
import { emptyServiceTraffic, type EndpointStatus, type InstanceStatus, type ServiceStatus } from '../../registry/types.ts'

/** The wall time of a new VirtualClock. */
export const now = 1_700_000_000_000

export function anInstance(over: Partial<InstanceStatus> = {}): InstanceStatus {
  return {
    id: 'shop-3f2a9c',
    service: 'shop',
    revision: 1,
    version: undefined,
    phase: 'ready',
    pid: 12_345,
    host: '127.0.0.1',
    port: 41_001,
    startedAt: wallTime(now - 11_520_000),
    readyAt: wallTime(now - 11_519_000),
    restarts: 0,
    reason: undefined,
    nextStartAt: undefined,
    lastExit: undefined,
    resources: { cpuPercent: 12.4, memoryBytes: 50_331_648 },
    ...over,
  }
}

export function anEndpoint(over: Partial<EndpointStatus> = {}): EndpointStatus {
  return {
    id: '10.0.0.5:3000',
    service: 'legacy',
    host: '10.0.0.5',
    port: 3_000,
    weight: 1,
    effectiveWeight: 100,
    state: 'active',
    health: 'healthy',
    reason: undefined,
    instance: undefined,
    traffic: { active: 2, requests: 12_345, errors: 3, responseTimeMs: 12 },
    ...over,
  }
}

export function aService(over: Partial<ServiceStatus> = {}): ServiceStatus {
  return {
    name: 'shop',
    kind: 'process',
    version: 'v1.2.0',
    revision: 1,
    health: 'healthy',
    reason: undefined,
    desired: 3,
    ready: 3,
    maintenance: false,
    routes: ['web /'],
    dependsOn: [],
    instances: [],
    endpoints: [],
    traffic: { ...emptyServiceTraffic, requestRate: 120.43, errorRate: 0.0002, p95Ms: 12.3 },
    ...over,
  }
}

export function anOverview(services: readonly ServiceStatus[] = [aService()], over: Partial<Overview> = {}): Overview {
  return {
    status: 'healthy',
    name: 'demo',
    region: 'local',
    version: '9.9.9',
    pid: 4_242,
    uptime: 11_520,
    services,
    proxy: {
      at: now,
      pid: 4_250,
      startedAt: now - 11_520_000,
      viewVersion: 1,
      workers: [
        { pid: 4_251, connections: 5, memoryBytes: 1 },
        { pid: 4_252, connections: 7, memoryBytes: 1 },
      ],
      connections: { active: 12, accepted: 100 },
      refused: {},
      observed: { accessLines: 0, accessDropped: 0, spans: 0, spansDropped: 0 },
      services: {},
      endpoints: {},
    },
    proxyConnected: true,
    listeners: [{ name: 'web', url: 'http://127.0.0.1:8080' }],
    ...over,
  }
}
