/** How a service stands, in the words that API, CLI and events use: put together from configuration, supervisor, routing and traffic. Pure. */
import type { EndpointTelemetry, EndpointView } from '../balancer/index.ts'
import type { RouteConfig, ServiceConfig } from '../config/types.ts'
import { withLastWords } from '../supervisor/core/last-words.ts'
import type { EndpointStatus, EndpointTraffic, InstanceStatus, ServiceStatus, ServiceTraffic } from '../registry/types.ts'

export interface StatusInputs {
  readonly service: ServiceConfig
  readonly revision: number
  readonly desired: number
  readonly maintenance: boolean
  readonly instances: readonly InstanceStatus[]
  readonly endpoints: readonly EndpointStatus[]
  readonly traffic: ServiceTraffic
}

export function serviceStatus(inputs: StatusInputs): ServiceStatus {
  const { service, instances, endpoints } = inputs
  const isProcess = service.source.kind === 'process'
  const ready = isProcess
    ? instances.filter(({ phase }) => phase === 'ready').length
    : endpoints.filter(({ state, health }) => state === 'active' && health !== 'unhealthy').length
  const desired = isProcess ? inputs.desired : endpoints.length
  const { health, reason } = healthOf({ ...inputs, ready, desired })
  return {
    name: service.name,
    kind: service.source.kind,
    version: service.version,
    revision: inputs.revision,
    health,
    reason,
    desired,
    ready,
    maintenance: inputs.maintenance,
    routes: service.routes.map(routeText),
    dependsOn: service.dependsOn,
    instances,
    endpoints,
    traffic: inputs.traffic,
  }
}

function healthOf({
  service: {
    source: { kind },
  },
  maintenance,
  ready,
  desired,
  instances,
  endpoints,
}: StatusInputs & { readonly ready: number; readonly desired: number }): Pick<ServiceStatus, 'health' | 'reason'> {
  if (maintenance) return { health: 'maintenance', reason: 'switched off by hand' }
  if (kind === 'process' && desired === 0 && instances.length === 0) return { health: 'healthy', reason: scaledToZero }
  const complaint = instances.find(({ reason }) => reason !== undefined)?.reason ?? endpoints.find(({ reason }) => reason !== undefined)?.reason
  if (ready >= desired)
    return endpoints.some(({ role }) => role !== undefined) && !endpoints.some(({ role }) => role === 'primary')
      ? noPrimary(endpoints)
      : { health: 'healthy', reason: undefined }
  // More of what runs well already is on its way, by its first start or because it was scaled up: nothing is wrong.
  if (ready > 0 && instances.length >= desired && instances.every(isWell)) return { health: 'starting', reason: `${ready} of ${desired} ready` }
  if (ready > 0) return { health: 'degraded', reason: complaint ?? `${ready} of ${desired} ready` }
  if (instances.some(isOnTheWay) || (kind === 'process' && instances.length === 0)) return { health: 'starting', reason: complaint }
  return { health: 'unhealthy', reason: complaint ?? whyLastEnded(instances) ?? 'nothing is ready' }
}

/** Its databases can be reached, and none is known to be the one that is written to. */
function noPrimary(endpoints: readonly EndpointStatus[]): Pick<ServiceStatus, 'health' | 'reason'> {
  const refusal = endpoints.find(({ role, reason }) => role === 'unknown' && reason !== undefined)
  const why = refusal ? `no primary is known: ${refusal.id}: ${refusal.reason ?? ''}` : 'no primary is known'
  return { health: endpoints.some(({ role }) => role === 'replica') ? 'degraded' : 'unhealthy', reason: why }
}

/** What a service says that is wanted to have no instance. */
export const scaledToZero = 'scaled to 0'

/** Not one that is being tried again: it waits for its turn (whatever was before), or has not failed yet. */
function isOnTheWay({ phase, pid, restarts, lastExit }: InstanceStatus): boolean {
  return phase === 'starting' && (pid === undefined || restarts === 0 || lastExit === undefined)
}

/** Ready, or on its way there without ever having failed. */
function isWell({ phase, restarts, lastExit }: InstanceStatus): boolean {
  return phase === 'ready' || (phase === 'starting' && restarts === 0 && lastExit === undefined)
}

/** One that is being tried again has no complaint of its own yet; that of the attempt before it stands until it is ready. */
function whyLastEnded(instances: readonly InstanceStatus[]): string | undefined {
  const end = instances.find(({ lastExit }) => lastExit !== undefined)?.lastExit
  return end && withLastWords(end.reason, end)
}

export function routeText({ listener, host, path, methods }: RouteConfig): string {
  return `${listener}: ${methods ? `${methods.join(',')} ` : ''}${host ?? '*'}${path}`
}

export function endpointStatus(
  view: EndpointView,
  service: string,
  telemetry: EndpointTelemetry | undefined,
  traffic: EndpointTraffic,
  instance: string | undefined,
): EndpointStatus {
  return {
    id: view.id,
    service,
    host: view.host,
    port: view.port,
    version: view.revision,
    weight: view.weight,
    effectiveWeight: telemetry?.weight,
    weightReasons: telemetry?.reasons,
    state: view.state,
    health: telemetry?.health ?? 'pending',
    reason: telemetry?.reason ?? telemetry?.role?.reason,
    ejected: telemetry?.ejected,
    breaker: telemetry?.breaker,
    role: telemetry?.role?.role,
    lagMs: telemetry?.role?.lagMs,
    instance,
    reported: telemetry?.reported,
    traffic,
  }
}
