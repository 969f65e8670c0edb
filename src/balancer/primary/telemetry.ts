/** Adds up what the workers count. Counters outlive the workers; gauges are the sum over those that live. */
import { emptyHistogram, Histogram } from '../../kernel/histogram.ts'
import type { BreakerState } from '../../resilience/core/breaker.ts'
import type { InstanceReport } from '../../instance/types.ts'
import { addMirror, type MirrorTelemetry } from '../core/mirror.ts'
import { addCacheCounts, type CacheCounts, type CacheStoreStatus } from '../core/cache/counts.ts'
import { newTcpCounts, type TcpCounts } from '../core/tcp-counts.ts'
import type { QuarantinedRequest } from '../core/quarantine.ts'
import { routeLabel } from '../core/routes.ts'
import type { EndpointView, RoutingView } from '../core/routing-view.ts'
import type { TallyData } from '../core/tally.ts'
import { weigh, wellStanding, type Standing } from '../core/weight.ts'
import type { NodeCacheStatus } from './cache/node-cache.ts'
import type { WorkerDelta } from '../messages.ts'
import type { EndpointTelemetry, ProxyTelemetry, RoleStatus, ServiceTelemetry, LimitsStoreStatus } from '../port.ts'

interface ServiceTotals {
  requests: number
  readonly tally: TallySum
  readonly routes: Map<string, TallySum>
  retried: number
  parkedTotal: number
  shed: number
  lateSends: number
  limited: number
  queuedTotal: number
  readonly fallbacks: Record<string, number>
  readonly hedges: Record<string, number>
  mirror: MirrorTelemetry | undefined
  cache: CacheCounts | undefined
  requestBytes: number
  responseBytes: number
}

interface EndpointTotals {
  requests: number
  errors: number
  refused: number
  readonly answers: TallySum
  tcp: TcpCounts | undefined
}

/** Adds up what `core/tally.ts` counts. */
class TallySum {
  readonly #responses: Record<string, number> = {}
  readonly #duration = new Histogram()

  add({ responses, duration }: TallyData): void {
    addTo(this.#responses, responses)
    if (duration.count > 0) this.#duration.add(duration)
  }

  data(): TallyData {
    return { responses: { ...this.#responses }, duration: this.#duration.data() }
  }
}

const noAnswers: TallyData = { responses: {}, duration: emptyHistogram }

function addRoutes(sums: Map<string, TallySum>, routes: Readonly<Record<string, TallyData>>): void {
  for (const [label, data] of Object.entries(routes)) {
    const sum = sums.get(label) ?? new TallySum()
    sums.set(label, sum)
    sum.add(data)
  }
}

const newEndpointTotals = (): EndpointTotals => ({ requests: 0, errors: 0, refused: 0, answers: new TallySum(), tcp: undefined })

const newServiceTotals = (): ServiceTotals => ({
  requests: 0,
  tally: new TallySum(),
  routes: new Map(),
  retried: 0,
  parkedTotal: 0,
  shed: 0,
  lateSends: 0,
  limited: 0,
  queuedTotal: 0,
  fallbacks: {},
  hedges: {},
  mirror: undefined,
  cache: undefined,
  requestBytes: 0,
  responseBytes: 0,
})

const addTo = (counts: Record<string, number>, delta: Readonly<Record<string, number>>): void => {
  for (const [key, count] of Object.entries(delta)) counts[key] = (counts[key] ?? 0) + count
}

const addCounts = (to: TcpCounts, { received, sent, cut }: TcpCounts): void => {
  to.received += received
  to.sent += sent
  to.cut += cut
}

/** What the snapshot must know besides counts. */
export interface SnapshotContext {
  readonly at: number
  readonly pid: number
  readonly startedAt: number
  readonly viewVersion: number
  readonly quarantined?: readonly QuarantinedRequest[] | undefined
  readonly limitsStore?: LimitsStoreStatus | undefined
  readonly cache?: NodeCacheStatus | undefined
  readonly endpoints: ReadonlyMap<string, EndpointFacts>
}

/** What is known of an endpoint at this moment. */
export interface EndpointFacts {
  readonly service: string
  readonly view: EndpointView
  readonly healthy: boolean
  readonly reason: string | undefined
  readonly reported?: InstanceReport | undefined
  readonly ejected?: string | undefined
  readonly breaker?: BreakerState | undefined
  readonly breakerWhy?: string | undefined
  /** Requests that it may have at a time; undefined: any number. */
  readonly limit?: number | undefined
  readonly role?: RoleStatus | undefined
  readonly standing?: Standing | undefined
  /** Part of its slow start that is over; undefined: all. */
  readonly warm?: number | undefined
}

export class TelemetrySums {
  readonly #services = new Map<string, ServiceTotals>()
  readonly #endpoints = new Map<string, EndpointTotals>()
  readonly #refused: Record<string, number> = {}
  readonly #latest = new Map<number, WorkerDelta>()
  readonly #observed = { accessLines: 0, accessDropped: 0, spans: 0, spansDropped: 0 }
  #accepted = 0
  #unanswered = 0

  /** `alive`: its gauges count until it exits; the last report may come after that. */
  add(pid: number, delta: WorkerDelta, alive: boolean): void {
    if (alive) this.#latest.set(pid, delta)
    this.#accepted += delta.accepted
    addTo(this.#refused, delta.refused)
    this.#unanswered += delta.cache?.unanswered ?? 0
    if (delta.observed) addTo(this.#observed, { ...delta.observed })
    for (const [name, service] of Object.entries(delta.services)) {
      const totals = this.#services.get(name) ?? newServiceTotals()
      this.#services.set(name, totals)
      totals.requests += service.requests
      totals.tally.add(service)
      addRoutes(totals.routes, service.routes)
      totals.retried += service.retried
      totals.parkedTotal += service.parkedTotal
      totals.shed += service.shed
      totals.lateSends += service.lateSends
      totals.limited += service.limited
      totals.queuedTotal += service.queuedTotal
      addTo(totals.fallbacks, service.fallbacks)
      addTo(totals.hedges, service.hedges)
      if (service.cache) totals.cache = addCacheCounts(totals.cache, service.cache)
      if (service.mirror) totals.mirror = addMirror(totals.mirror, service.mirror)
      totals.requestBytes += service.requestBytes
      totals.responseBytes += service.responseBytes
    }
    for (const [id, endpoint] of Object.entries(delta.endpoints)) {
      const totals = this.#endpoints.get(id) ?? newEndpointTotals()
      this.#endpoints.set(id, totals)
      totals.requests += endpoint.requests
      totals.errors += endpoint.errors
      totals.refused += endpoint.refused
      totals.answers.add({ responses: endpoint.responses, duration: endpoint.firstByte })
      if (endpoint.tcp) addCounts((totals.tcp ??= newTcpCounts()), endpoint.tcp)
    }
  }

  /** The worker has ended: its gauges no longer count. */
  workerExited(pid: number): void {
    this.#latest.delete(pid)
  }

  /** Forgets services, routes and endpoints that are in the view no more. */
  retain({ services }: RoutingView): void {
    const labels = new Map(services.map(({ name, routes }) => [name, new Set(routes.map(routeLabel))]))
    for (const [name, { routes }] of this.#services) {
      const known = labels.get(name)
      if (known === undefined) this.#services.delete(name)
      else for (const label of routes.keys()) if (!known.has(label)) routes.delete(label)
    }
    const endpoints = new Set(services.flatMap((service) => service.endpoints.map(({ id }) => id)))
    for (const id of this.#endpoints.keys()) if (!endpoints.has(id)) this.#endpoints.delete(id)
  }

  #cache(latest: readonly (readonly [number, WorkerDelta])[]): Pick<CacheStoreStatus, 'workerEntries' | 'workerBytes' | 'unanswered'> {
    const gauge = (name: 'workerEntries' | 'workerBytes'): number => sum(latest, ([, { cache }]) => cache?.[name] ?? 0)
    return { workerEntries: gauge('workerEntries'), workerBytes: gauge('workerBytes'), unanswered: this.#unanswered }
  }

  snapshot(context: SnapshotContext): ProxyTelemetry {
    const latest = [...this.#latest]
    const services: Record<string, ServiceTelemetry> = {}
    for (const [name, { tally, routes, ...totals }] of this.#services) {
      const gauge = (key: 'active' | 'parked' | 'queued' | 'tunnels'): number => sum(latest, ([, delta]) => delta.services[name]?.[key] ?? 0)
      services[name] = {
        ...totals,
        ...tally.data(),
        routes: Object.fromEntries([...routes].map(([label, sum]) => [label, sum.data()])),
        active: gauge('active'),
        parked: gauge('parked'),
        queued: gauge('queued'),
        fallbacks: { ...totals.fallbacks },
        hedges: { ...totals.hedges },
        tunnels: gauge('tunnels'),
      }
    }
    const endpoints: Record<string, EndpointTelemetry> = {}
    const largest = largestWeights(context.endpoints.values())
    for (const [id, facts] of context.endpoints) {
      const { service, view, healthy, reason, reported, ejected, breaker, breakerWhy, limit, role, standing = wellStanding, warm = 1 } = facts
      const readings = latest.flatMap(([, delta]) => delta.endpoints[id] ?? [])
      const answered = readings.filter((reading) => reading.ewmaMs > 0)
      const totals = this.#endpoints.get(id)
      const answers = totals?.answers.data() ?? noAnswers
      endpoints[id] = {
        service,
        address: `${view.host}:${view.port}`,
        active: sum(readings, (reading) => reading.active),
        requests: totals?.requests ?? 0,
        errors: totals?.errors ?? 0,
        refused: totals?.refused ?? 0,
        responses: answers.responses,
        firstByte: answers.duration,
        ewmaMs: answered.length === 0 ? undefined : sum(answered, (reading) => reading.ewmaMs) / answered.length,
        health: healthy ? 'healthy' : 'unhealthy',
        reason,
        reported,
        ejected,
        breaker,
        role,
        tcp: totals?.tcp && { ...totals.tcp },
        limit,
        ...weigh({ view, largest: largest.get(service)!, standing, warm, healthy, unhealthyWhy: reason, ejected, breaker, breakerWhy }),
      }
    }
    return {
      at: context.at,
      pid: context.pid,
      startedAt: context.startedAt,
      viewVersion: context.viewVersion,
      workers: latest.map(([pid, delta]) => ({ pid, connections: delta.connections, memoryBytes: delta.memoryBytes })),
      connections: { active: sum(latest, ([, delta]) => delta.connections), accepted: this.#accepted },
      refused: { ...this.#refused },
      observed: { ...this.#observed },
      services,
      endpoints,
      quarantined: context.quarantined,
      limitsStore: context.limitsStore,
      cache: context.cache && { ...context.cache, ...this.#cache(latest) },
    }
  }
}

/** The configured weight that counts as 100, by service. */
function largestWeights(endpoints: Iterable<EndpointFacts>): ReadonlyMap<string, number> {
  const largest = new Map<string, number>()
  for (const { service, view } of endpoints) largest.set(service, Math.max(largest.get(service) ?? 1e-9, view.weight))
  return largest
}

const sum = <T>(items: readonly T[], value: (item: T) => number): number => items.reduce((total, item) => total + value(item), 0)
