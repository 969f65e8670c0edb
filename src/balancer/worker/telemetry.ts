/** What a worker has counted since it last told: read and set back. The primary adds up over all workers. */
import { newCacheCounts } from '../core/cache/counts.ts'
import { newTcpCounts } from '../core/tcp-counts.ts'
import type { EndpointDelta, ServiceDelta } from '../messages.ts'
import type { ServiceRuntime } from './service.ts'
import type { EndpointPool } from './upstream.ts'

/** `parkedConnections`: of a TCP service. */
export function takeServiceDelta(service: ServiceRuntime, parkedConnections: number): ServiceDelta {
  const { counters } = service
  const delta: ServiceDelta = {
    requests: counters.requests,
    active: service.active,
    retried: counters.retried,
    parked: service.lot.size + parkedConnections,
    parkedTotal: counters.parked,
    shed: counters.shed,
    lateSends: counters.lateSends,
    limited: counters.limited,
    queued: service.queued,
    queuedTotal: counters.queued,
    fallbacks: counters.fallbacks,
    hedges: counters.hedges,
    mirror: service.mirror?.take(),
    cache: service.view.cache && counters.cache,
    tunnels: service.tunnels,
    requestBytes: counters.requestBytes,
    responseBytes: counters.responseBytes,
    ...service.tally.take(),
    routes: service.takeRoutes(),
  }
  counters.requests = 0
  counters.retried = 0
  counters.parked = 0
  counters.shed = 0
  counters.lateSends = 0
  counters.limited = 0
  counters.queued = 0
  counters.fallbacks = {}
  counters.hedges = {}
  if (service.view.cache !== undefined) counters.cache = newCacheCounts()
  counters.requestBytes = 0
  counters.responseBytes = 0
  return delta
}

export function takeEndpointDelta(endpoint: EndpointPool): EndpointDelta {
  const { responses, duration: firstByte } = endpoint.takeAnswers()
  const delta: EndpointDelta = {
    active: endpoint.active + endpoint.tunnels,
    requests: endpoint.requests,
    errors: endpoint.errors,
    ewmaMs: endpoint.ewmaMs,
    tcp: endpoint.tcp,
    latency: endpoint.adaptive?.take(),
    responses,
    firstByte,
    refused: endpoint.refused,
  }
  endpoint.tcp &&= newTcpCounts()
  endpoint.requests = 0
  endpoint.errors = 0
  endpoint.refused = 0
  return delta
}
