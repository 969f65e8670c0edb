/** Everything Holdfast measures, as Prometheus text. The only file that knows prom-client. */
import { collectDefaultMetrics, Counter, Gauge, Registry, type MetricObjectWithValues, type MetricValue } from 'prom-client'
import type { ProxyTelemetry } from '../balancer/port.ts'
import type { ObserverCounts } from '../balancer/core/observe-view.ts'
import type { TallyData } from '../balancer/core/tally.ts'
import type { HistogramData } from '../kernel/histogram.ts'
import { publicEndpointId } from '../registry/index.ts'
import { instancePhases, type ServiceStatus } from '../registry/types.ts'
import { cacheMetrics, type CacheReadings } from './cache-metrics.ts'
import { alertMetrics, type AlertReadings } from './alert-metrics.ts'
import { checkMetrics, type CheckReadings } from './check-metrics.ts'
import { machineMetrics, type MachineReadings } from './machine-metrics.ts'
import { histogramValues, type Labels, type Sample } from './histograms.ts'

/** What is read at each scrape. */
export interface MetricsSource {
  services(): readonly ServiceStatus[]
  telemetry(): ProxyTelemetry | undefined
  certificates(): readonly { readonly listener: string; readonly file: string; readonly expiresAt: number }[]
  /** undefined: not known. */
  cache?(): CacheReadings
  /** undefined: not known. */
  machine?(): MachineReadings | undefined
  /** undefined: not known. */
  checks?(): CheckReadings | undefined
  /** undefined: not known. */
  alerts?(): AlertReadings | undefined
  readonly version: string
}

/** Reads the telemetry, if there is one. */
type Telemetry = <T>(read: (telemetry: ProxyTelemetry) => T, otherwise: T) => T

export class PrometheusMetrics {
  readonly #registry = new Registry()

  constructor(source: MetricsSource) {
    collectDefaultMetrics({ register: this.#registry, prefix: 'holdfast_control_' })
    // Gauges that call themselves totals: `promtool check metrics` is right to refuse them.
    for (const name of ['handles', 'requests', 'resources']) this.#registry.removeSingleMetric(`holdfast_control_nodejs_active_${name}_total`)
    this.#register(source)
  }

  text(): Promise<string> {
    return this.#registry.metrics()
  }

  #register(source: MetricsSource): void {
    const telemetry: Telemetry = (read, otherwise) => {
      const now = source.telemetry()
      return now ? read(now) : otherwise
    }
    const perService = (read: (service: ProxyTelemetry['services'][string]) => number): (() => Sample[]) => {
      return () => telemetry((now) => Object.entries(now.services).map(([service, counts]) => [{ service }, read(counts)] as const), [])
    }
    const perEndpoint = (read: (endpoint: ProxyTelemetry['endpoints'][string]) => number): (() => Sample[]) => {
      return () =>
        telemetry(
          (now) =>
            Object.entries(now.endpoints).map(([id, counts]) => {
              const { service } = counts
              return [{ service, endpoint: publicEndpointId(service, id) }, read(counts)] as const
            }),
          [],
        )
    }
    this.#gauge('holdfast_build_info', 'Always 1; the version is a label.', ['version'], () => [[{ version: source.version }, 1]])
    this.#counter(
      'holdfast_requests_total',
      'Requests that finished, by status class; aborted: cut, or left by the client.',
      ['service', 'code'],
      () =>
        telemetry(
          (now) =>
            Object.entries(now.services).flatMap(([service, { responses }]) =>
              Object.entries(responses).map(([code, count]) => [{ service, code }, count] as const),
            ),
          [],
        ),
    )
    this.#histogram('holdfast_request_duration_seconds', 'From the head of a request to the end of its answer, waiting and retries included.', () =>
      telemetry((now) => Object.entries(now.services).map(([service, { duration }]) => [{ service }, duration] as const), []),
    )
    this.#routes(telemetry)
    this.#answers(telemetry)
    this.#gauge(
      'holdfast_requests_in_flight',
      'Requests that have begun and not finished, tunnels included.',
      ['service'],
      perService(({ active }) => active),
    )
    this.#counter(
      'holdfast_request_retries_total',
      'Requests sent again after an endpoint failed.',
      ['service'],
      perService(({ retried }) => retried),
    )
    this.#gauge(
      'holdfast_requests_parked',
      'Requests that wait for an endpoint now.',
      ['service'],
      perService(({ parked }) => parked),
    )
    this.#counter(
      'holdfast_requests_parked_total',
      'Requests that had to wait for an endpoint.',
      ['service'],
      perService(({ parkedTotal }) => parkedTotal),
    )
    this.#counter(
      'holdfast_requests_shed_total',
      'Requests refused because too many waited, or one too long.',
      ['service'],
      perService(({ shed }) => shed),
    )
    this.#counter(
      'holdfast_requests_limited_total',
      'Requests refused by the rate limit.',
      ['service'],
      perService(({ limited }) => limited),
    )
    this.#gauge(
      'holdfast_requests_queued',
      'Requests that wait now because all endpoints are at their limits.',
      ['service'],
      perService(({ queued }) => queued),
    )
    this.#counter(
      'holdfast_requests_queued_total',
      'Requests that had to wait because all endpoints were at their limits.',
      ['service'],
      perService(({ queuedTotal }) => queuedTotal),
    )
    this.#counter('holdfast_fallback_total', 'Requests answered by the fallback, by what kept the service from it.', ['service', 'reason'], () =>
      telemetry(
        (now) =>
          Object.entries(now.services).flatMap(([service, { fallbacks }]) =>
            Object.entries(fallbacks).map(([reason, count]) => [{ service, reason }, count] as const),
          ),
        [],
      ),
    )
    this.#counter('holdfast_hedges_total', 'Requests made at a second endpoint while the first was late, by who won.', ['service', 'won'], () =>
      telemetry(
        (now) =>
          Object.entries(now.services).flatMap(([service, { hedges }]) =>
            Object.entries(hedges).map(([won, count]) => [{ service, won }, count] as const),
          ),
        [],
      ),
    )
    this.#counter('holdfast_mirror_total', 'Copies of requests for the mirror of the service, by what came of them.', ['service', 'result'], () =>
      telemetry(
        (now) =>
          Object.entries(now.services).flatMap(([service, { mirror }]) =>
            Object.entries(mirror?.counts ?? {}).map(([result, count]) => [{ service, result }, count] as const),
          ),
        [],
      ),
    )
    this.#counter(
      'holdfast_endpoint_late_sends_total',
      'Endpoints to which something was sent later than 1 ms after the exit of their process.',
      ['service'],
      perService(({ lateSends }) => lateSends),
    )
    this.#gauge(
      'holdfast_tunnels',
      'Open WebSockets and other upgraded connections.',
      ['service'],
      perService(({ tunnels }) => tunnels),
    )
    this.#counter(
      'holdfast_request_body_bytes_total',
      'Body bytes from clients.',
      ['service'],
      perService(({ requestBytes }) => requestBytes),
    )
    this.#counter(
      'holdfast_response_body_bytes_total',
      'Body bytes to clients.',
      ['service'],
      perService(({ responseBytes }) => responseBytes),
    )
    this.#counter('holdfast_requests_refused_total', 'Requests refused before they had a service, by reason.', ['reason'], () =>
      telemetry((now) => Object.entries(now.refused).map(([reason, count]) => [{ reason }, count] as const), []),
    )
    this.#observed(telemetry)
    this.#counter(
      'holdfast_endpoint_requests_total',
      'Requests sent to the endpoint.',
      ['service', 'endpoint'],
      perEndpoint(({ requests }) => requests),
    )
    this.#counter(
      'holdfast_endpoint_errors_total',
      'Answers 5xx and attempts without an answer.',
      ['service', 'endpoint'],
      perEndpoint(({ errors }) => errors),
    )
    this.#gauge(
      'holdfast_endpoint_up',
      '1 unless the probes say it is unhealthy.',
      ['service', 'endpoint'],
      perEndpoint(({ health }) => (health === 'unhealthy' ? 0 : 1)),
    )
    this.#gauge(
      'holdfast_endpoint_weight',
      'How much of the traffic it should get beside the others: 0 to 100.',
      ['service', 'endpoint'],
      perEndpoint(({ weight }) => weight),
    )
    this.#gauge(
      'holdfast_endpoint_ejected',
      '1 while it is out as an outlier.',
      ['service', 'endpoint'],
      perEndpoint(({ ejected }) => (ejected === undefined ? 0 : 1)),
    )
    this.#gauge(
      'holdfast_endpoint_breaker_open',
      '1 while its circuit breaker is open, 0.5 while it tries.',
      ['service', 'endpoint'],
      perEndpoint(({ breaker }) => (breaker === 'open' || breaker === 'forcedOpen' ? 1 : breaker === 'halfOpen' ? 0.5 : 0)),
    )
    this.#gauge('holdfast_endpoint_concurrency_limit', 'Requests that the endpoint may have at a time.', ['service', 'endpoint'], () =>
      telemetry(
        (now) =>
          Object.entries(now.endpoints).flatMap(([id, { service, limit }]) =>
            limit === undefined ? [] : [[{ service, endpoint: publicEndpointId(service, id) }, limit] as const],
          ),
        [],
      ),
    )
    this.#gauge(
      'holdfast_endpoint_loop_lag_seconds',
      'How long its event loop keeps others waiting, as it reports itself.',
      ['service', 'endpoint'],
      () =>
        telemetry(
          (now) =>
            Object.entries(now.endpoints).flatMap(([id, { service, reported }]) =>
              reported ? [[{ service, endpoint: publicEndpointId(service, id) }, reported.lagMs / 1_000] as const] : [],
            ),
          [],
        ),
    )
    this.#gauge('holdfast_quarantined_requests', 'Requests that killed two instances and are sent to none.', ['service'], () =>
      telemetry(
        (now) =>
          Object.keys(now.services).map((service) => [{ service }, now.quarantined?.filter((each) => each.service === service).length ?? 0] as const),
        [],
      ),
    )
    this.#databases(telemetry)
    this.#gauge('holdfast_proxy_connections', 'Open client connections.', [], () => telemetry((now) => [[{}, now.connections.active] as const], []))
    this.#counter('holdfast_proxy_connections_accepted_total', 'Client connections accepted.', [], () =>
      telemetry((now) => [[{}, now.connections.accepted] as const], []),
    )
    this.#gauge('holdfast_proxy_worker_memory_bytes', 'Resident memory of a proxy worker.', ['pid'], () =>
      telemetry((now) => now.workers.map(({ pid, memoryBytes }) => [{ pid: String(pid) }, memoryBytes] as const), []),
    )
    this.#gauge(
      'holdfast_certificate_expiry_timestamp_seconds',
      'When the certificate of a listener ends, in seconds since 1970.',
      ['listener', 'file'],
      () => source.certificates().map(({ listener, file, expiresAt }) => [{ listener, file }, expiresAt / 1_000] as const),
    )
    this.#instances(source)
    const more = [
      ...cacheMetrics(
        () => source.cache?.(),
        () => source.telemetry(),
      ),
      ...checkMetrics(() => source.checks?.()),
      ...machineMetrics(() => source.machine?.()),
      ...alertMetrics(() => source.alerts?.()),
    ]
    for (const { kind, name, help, labels, read } of more) {
      if (kind === 'counter') this.#counter(name, help, labels, read)
      else this.#gauge(name, help, labels, read)
    }
  }

  #observed(telemetry: Telemetry): void {
    const total = (read: (counts: ObserverCounts) => number): (() => Sample[]) => {
      return () => telemetry((now) => [[{}, read(now.observed)] as const], [])
    }
    const counters = [
      ['holdfast_access_log_lines_total', 'Lines written to the access log.', (counts) => counts.accessLines],
      [
        'holdfast_access_log_lines_dropped_total',
        'Lines of the access log that were lost: the disk did not keep up, or failed.',
        (counts) => counts.accessDropped,
      ],
      ['holdfast_spans_total', 'Spans that the collector took.', (counts) => counts.spans],
      ['holdfast_spans_dropped_total', 'Spans that were lost: the collector did not keep up, or failed.', (counts) => counts.spansDropped],
    ] satisfies readonly (readonly [string, string, (counts: ObserverCounts) => number])[]
    for (const [name, help, read] of counters) this.#counter(name, help, [], total(read))
  }

  /** Only routes of the configuration are labels, never what a client sends. */
  #routes(telemetry: Telemetry): void {
    const perRoute = <T>(read: (labels: Labels, tally: TallyData) => readonly T[]): (() => T[]) => {
      const ofService = ([service, { routes }]: [string, ProxyTelemetry['services'][string]]): T[] =>
        Object.entries(routes).flatMap(([route, tally]) => read({ service, route }, tally))
      return () => telemetry((now) => Object.entries(now.services).flatMap(ofService), [])
    }
    this.#counter(
      'holdfast_route_requests_total',
      'Requests that finished, by route and status class.',
      ['service', 'route', 'code'],
      perRoute((labels, { responses }) => Object.entries(responses).map(([code, count]) => [{ ...labels, code }, count] as const)),
    )
    this.#histogram(
      'holdfast_route_duration_seconds',
      'From the head of a request to the end of its answer, by route.',
      perRoute((labels, { duration }) => [[labels, duration] as const]),
    )
  }

  /** What endpoints answered, and how fast. */
  #answers(telemetry: Telemetry): void {
    const perEndpoint = <T>(read: (labels: Labels, endpoint: ProxyTelemetry['endpoints'][string]) => readonly T[]): (() => T[]) => {
      const each = ([id, endpoint]: [string, ProxyTelemetry['endpoints'][string]]): readonly T[] =>
        read({ service: endpoint.service, endpoint: publicEndpointId(endpoint.service, id) }, endpoint)
      return () => telemetry((now) => Object.entries(now.endpoints).flatMap(each), [])
    }
    this.#counter(
      'holdfast_endpoint_responses_total',
      'Answers of the endpoint by status class, those included in whose place another endpoint was asked.',
      ['service', 'endpoint', 'code'],
      perEndpoint((labels, { responses }) => Object.entries(responses).map(([code, count]) => [{ ...labels, code }, count] as const)),
    )
    this.#counter(
      'holdfast_endpoint_connect_errors_total',
      'Connections to the endpoint that were refused, or did not come about in time.',
      ['service', 'endpoint'],
      perEndpoint((labels, { refused }) => [[labels, refused] as const]),
    )
    this.#histogram(
      'holdfast_endpoint_first_byte_seconds',
      'From sending a request to the endpoint to the head of its answer.',
      perEndpoint((labels, { firstByte }) => [[labels, firstByte] as const]),
    )
  }

  /** TCP services, and the roles of databases. */
  #databases(telemetry: Telemetry): void {
    const perEndpoint = (read: (endpoint: ProxyTelemetry['endpoints'][string]) => Sample | undefined): (() => Sample[]) => {
      return () =>
        telemetry(
          (now) =>
            Object.entries(now.endpoints).flatMap(([id, endpoint]) => {
              const sample = read(endpoint)
              const { service } = endpoint
              return sample ? [[{ service, endpoint: publicEndpointId(service, id), ...sample[0] }, sample[1]] as const] : []
            }),
          [],
        )
    }
    this.#gauge(
      'holdfast_endpoint_role',
      'Always 1; the role of a database is a label: primary, replica, lagging, stale or unknown.',
      ['service', 'endpoint', 'role'],
      perEndpoint(({ role }) => role && [{ role: role.role }, 1]),
    )
    this.#gauge(
      'holdfast_endpoint_replication_lag_seconds',
      'How far a replica is behind its primary.',
      ['service', 'endpoint'],
      perEndpoint(({ role }) => (role?.lagMs === undefined ? undefined : [{}, role.lagMs / 1_000])),
    )
    this.#counter(
      'holdfast_tcp_received_bytes_total',
      'Bytes from clients of a TCP service.',
      ['service', 'endpoint'],
      perEndpoint(({ tcp }) => tcp && [{}, tcp.received]),
    )
    this.#counter(
      'holdfast_tcp_sent_bytes_total',
      'Bytes to clients of a TCP service.',
      ['service', 'endpoint'],
      perEndpoint(({ tcp }) => tcp && [{}, tcp.sent]),
    )
    this.#counter(
      'holdfast_tcp_connections_cut_total',
      'Connections ended by the balancer: idle, drained, or to a primary that was demoted.',
      ['service', 'endpoint'],
      perEndpoint(({ tcp }) => tcp && [{}, tcp.cut]),
    )
  }

  #instances(source: MetricsSource): void {
    this.#gauge('holdfast_service_instances_desired', 'Instances that should run.', ['service'], () =>
      source.services().map(({ name, desired }) => [{ service: name }, desired]),
    )
    this.#gauge('holdfast_service_instances', 'Instances by phase.', ['service', 'phase'], () =>
      source
        .services()
        .flatMap(({ name, instances }) =>
          instancePhases.map((phase) => [{ service: name, phase }, instances.filter((instance) => instance.phase === phase).length] as const),
        ),
    )
    this.#counter('holdfast_instance_restarts_total', 'Restarts after an exit nobody ordered.', ['service'], () =>
      source.services().map(({ name, instances }) => [{ service: name }, instances.reduce((sum, { restarts }) => sum + restarts, 0)]),
    )
    this.#gauge('holdfast_instance_memory_bytes', 'Resident memory of the instance and its children.', ['service', 'instance'], () =>
      source
        .services()
        .flatMap(({ name, instances }) =>
          instances.flatMap(({ id, resources }) => (resources ? [[{ service: name, instance: id }, resources.memoryBytes] as const] : [])),
        ),
    )
    this.#gauge(
      'holdfast_instance_cpu_percent',
      'Share of one core that the instance and its children use, in percent.',
      ['service', 'instance'],
      () =>
        source
          .services()
          .flatMap(({ name, instances }) =>
            instances.flatMap(({ id, resources }) => (resources ? [[{ service: name, instance: id }, resources.cpuPercent] as const] : [])),
          ),
    )
  }

  #gauge(name: string, help: string, labelNames: readonly string[], read: () => readonly Sample[]): void {
    const gauge: Gauge = new Gauge({
      ...this.#options(name, help, labelNames),
      collect: () => {
        gauge.reset()
        for (const [labels, value] of read()) gauge.set(labels, value)
      },
    })
  }

  #counter(name: string, help: string, labelNames: readonly string[], read: () => readonly Sample[]): void {
    const counter: Counter = new Counter({
      ...this.#options(name, help, labelNames),
      collect: () => {
        counter.reset()
        for (const [labels, value] of read()) counter.inc(labels, value)
      },
    })
  }

  #options(name: string, help: string, labelNames: readonly string[]): { name: string; help: string; labelNames: string[]; registers: Registry[] } {
    return { name, help, labelNames: [...labelNames], registers: [this.#registry] }
  }

  #histogram(name: string, help: string, read: () => readonly (readonly [Labels, HistogramData])[]): void {
    const metric = {
      name,
      get(): Promise<MetricObjectWithValues<MetricValue<string>>> {
        const values = read().flatMap(([labels, data]) => histogramValues(name, labels, data))
        return Promise.resolve({ name, help, type: 'histogram', values, aggregator: 'sum' } as unknown as MetricObjectWithValues<MetricValue<string>>)
      },
      reset: () => undefined,
    }
    this.#registry.registerMetric(metric as never)
  }
}
