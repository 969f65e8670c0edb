/**
 * What the data plane did between its last two reports: rates, shares and quantiles of that second, and what holds now. Its counts grow since it
 * started; another proxy (another pid or start) begins at zero. A report that was read already gives its values again, but no count twice; one that is
 * old gives none, so that a balancer that is out of reach is a gap and not a flat line.
 */
import type { EndpointTelemetry, ProxyTelemetry, ServiceTelemetry } from '../../balancer/port.ts'
import type { CacheCounts } from '../../balancer/core/cache/counts.ts'
import { difference, emptyHistogram, quantile, type HistogramData } from '../../kernel/histogram.ts'
import type { Labels } from '../../kernel/labels.ts'
import { publicEndpointId } from '../../registry/index.ts'
import type { Sample, SampleSource } from '../types.ts'
import type { ServiceCounts, Totals } from '../core/uptime-book.ts'
import { StableLabels } from './stable-labels.ts'

/** It reports once a second. */
const staleMs = 3_500

/** A balancer that is met for the first time after it has run for longer has no rates yet. */
const freshMs = 5_000

export interface TrafficReaderDeps {
  readonly telemetry: () => ProxyTelemetry | undefined
  readonly wallTime: () => number
  /** Takes what the balancer has counted; gives what of it is new. */
  readonly count: (totals: Totals) => ReadonlyMap<string, ServiceCounts>
}

export class TrafficReader implements SampleSource {
  readonly #deps: TrafficReaderDeps
  readonly #labels = new StableLabels()
  #last: ProxyTelemetry | undefined
  /** Of the last interval, without what is counted. */
  #samples: readonly Sample[] = []

  constructor(deps: TrafficReaderDeps) {
    this.#deps = deps
  }

  /** The balancer has reported lately. */
  get known(): boolean {
    const now = this.#deps.telemetry()
    return now !== undefined && Math.abs(this.#deps.wallTime() - now.at) <= staleMs
  }

  samples(): readonly Sample[] {
    const now = this.#deps.telemetry()
    if (now === undefined || !this.known) return []
    if (now === this.#last || now.at === this.#last?.at) return this.#samples
    const before = sameProxy(now, this.#last) ? this.#last : undefined
    this.#last = now
    this.#labels.turn()
    const counts = this.#deps.count(totalsOf(now))
    const seconds = (now.at - (before?.at ?? now.startedAt)) / 1_000
    const lasting: Sample[] = []
    const counted: Sample[] = []
    for (const [service, { good, bad }] of counts) {
      const labels = this.#labels.of(service)
      counted.push({ metric: 'requests_good', labels, value: good }, { metric: 'requests_bad', labels, value: bad })
    }
    if (before === undefined && now.at - now.startedAt > freshMs) {
      this.#samples = []
      return counted
    }
    for (const [name, service] of Object.entries(now.services)) this.#service(name, service, before?.services[name], seconds, lasting)
    for (const [id, endpoint] of Object.entries(now.endpoints)) this.#endpoint(id, endpoint, before?.endpoints[id], seconds, lasting)
    lasting.push({ metric: 'proxy_connections', labels: noLabels, value: now.connections.active })
    lasting.push({ metric: 'proxy_memory', labels: noLabels, value: now.workers.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0) })
    this.#samples = lasting
    return [...lasting, ...counted]
  }

  #service(name: string, now: ServiceTelemetry, before: ServiceTelemetry | undefined, seconds: number, lasting: Sample[]): void {
    const labels = this.#labels.of(name)
    const push = (metric: string, value: number): void => {
      lasting.push({ metric, labels, value })
    }
    const rate = (read: (service: ServiceTelemetry) => number): number => perSecond(read(now) - (before ? read(before) : 0), seconds)
    const [total, earlier] = [countsOf(now), before ? countsOf(before) : { good: 0, bad: 0 }]
    const [good, bad] = [Math.max(0, total.good - earlier.good), Math.max(0, total.bad - earlier.bad)]
    push(
      'request_rate',
      rate(({ requests }) => requests),
    )
    if (good + bad > 0) push('error_rate', ratio(bad, good + bad))
    const times = difference(now.duration, before?.duration ?? emptyHistogram)
    for (const [metric, q] of quantiles) pushQuantile(lasting, metric, labels, times, q)
    push('active', now.active)
    push('parked', now.parked)
    push('queued', now.queued)
    push(
      'shed_rate',
      rate(({ shed }) => shed),
    )
    push(
      'limited_rate',
      rate(({ limited }) => limited),
    )
    push(
      'retry_rate',
      rate(({ retried }) => retried),
    )
    const hits = cacheHits(now.cache, before?.cache)
    if (hits !== undefined) push('cache_hit_rate', hits)
  }

  #endpoint(id: string, now: EndpointTelemetry, before: EndpointTelemetry | undefined, seconds: number, samples: Sample[]): void {
    const { service } = now
    const labels = this.#labels.of(service, 'endpoint', publicEndpointId(service, id))
    const push = (metric: string, value: number): void => {
      samples.push({ metric, labels, value })
    }
    const requests = now.requests - (before?.requests ?? 0)
    if (now.health !== 'pending') push('endpoint_healthy', now.health === 'healthy' ? 1 : 0)
    push('endpoint_request_rate', perSecond(requests, seconds))
    if (requests > 0) push('endpoint_error_rate', Math.min(1, ratio(now.errors - (before?.errors ?? 0), requests)))
    pushQuantile(samples, 'endpoint_p95', labels, difference(now.firstByte, before?.firstByte ?? emptyHistogram), 0.95)
    push('endpoint_weight', now.weight)
    if (now.reported === undefined) return
    const instance = this.#labels.of(service, 'instance', publicEndpointId(service, id))
    samples.push({ metric: 'instance_lag', labels: instance, value: now.reported.lagMs })
    samples.push({ metric: 'instance_heap', labels: instance, value: now.reported.heapUsedBytes })
  }
}

const noLabels: Labels = {}
const quantiles = [
  ['p50', 0.5],
  ['p95', 0.95],
  ['p99', 0.99],
] as const

const sameProxy = (now: ProxyTelemetry, before: ProxyTelemetry | undefined): boolean =>
  now.pid === before?.pid && now.startedAt === before.startedAt && now.at > before.at

/** Answers since the balancer started. What clients left is neither good nor bad. */
function countsOf({ responses }: ServiceTelemetry): ServiceCounts {
  const of = (name: string): number => responses[name] ?? 0
  return { good: of('1xx') + of('2xx') + of('3xx') + of('4xx'), bad: of('5xx') }
}

function totalsOf({ pid, startedAt, at, services }: ProxyTelemetry): Totals {
  return { pid, startedAt, at, services: Object.fromEntries(Object.entries(services).map(([name, service]) => [name, countsOf(service)])) }
}

function cacheHits(now: CacheCounts | undefined, before: CacheCounts | undefined): number | undefined {
  if (now === undefined) return undefined
  const since = (name: keyof CacheCounts): number => Math.max(0, now[name] - (before?.[name] ?? 0))
  const given = since('hit') + since('stale') + since('revalidated')
  return given + since('miss') === 0 ? undefined : ratio(given, given + since('miss'))
}

function pushQuantile(samples: Sample[], metric: string, labels: Labels, times: HistogramData, q: number): void {
  const us = quantile(times, q)
  if (us !== undefined) samples.push({ metric, labels, value: us / 1_000 })
}

const perSecond = (count: number, seconds: number): number => (seconds > 0 ? Math.max(0, Math.round((count / seconds) * 1_000) / 1_000) : 0)
const ratio = (part: number, whole: number): number => Math.round((part / whole) * 1e6) / 1e6
