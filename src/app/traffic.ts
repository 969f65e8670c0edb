/** Rates and quantiles over the last seconds, out of the growing counts that the data plane reports once a second. */
import type { ProxyTelemetry, ServiceTelemetry } from '../balancer/index.ts'
import { difference, emptyHistogram, Histogram, quantile } from '../kernel/histogram.ts'
import { Ring } from '../kernel/ring.ts'
import type { VersionTraffic } from './operations.ts'
import { emptyServiceTraffic, type EndpointTraffic, type ServiceTraffic } from '../registry/types.ts'

/** Readings kept: with one a second, rates are over ten seconds. */
const windowReadings = 11

export class Traffic {
  readonly #readings = new Ring<ProxyTelemetry>(windowReadings)

  add(telemetry: ProxyTelemetry): void {
    // Another proxy counts from zero: what the one before it counted says nothing about its rates.
    const last = this.latest
    if (last && (last.pid !== telemetry.pid || last.startedAt !== telemetry.startedAt)) this.#readings.clear()
    this.#readings.push(telemetry)
  }

  get latest(): ProxyTelemetry | undefined {
    return this.#readings.last()
  }

  service(name: string): ServiceTraffic {
    const now = this.latest?.services[name]
    const first = this.#readings.first()
    if (!now || !first) return emptyServiceTraffic
    const before = first.services[name]
    const seconds = (this.latest.at - first.at) / 1_000
    const recent = seconds > 0 ? difference(now.duration, before?.duration ?? emptyHistogram) : emptyHistogram
    const requests = now.requests - (before?.requests ?? 0)
    const errors = errorsOf(now) - (before ? errorsOf(before) : 0)
    const ms = (q: number): number | undefined => {
      const us = quantile(recent, q)
      return us === undefined ? undefined : us / 1_000
    }
    return {
      requests: now.requests,
      active: now.active,
      errors: errorsOf(now),
      retried: now.retried,
      parked: now.parked,
      parkedTotal: now.parkedTotal,
      shed: now.shed,
      limited: now.limited,
      queued: now.queued,
      queuedTotal: now.queuedTotal,
      fallbacks: Object.values(now.fallbacks).reduce((sum, count) => sum + count, 0),
      tunnels: now.tunnels,
      requestRate: seconds > 0 ? requests / seconds : 0,
      errorRate: requests > 0 ? Math.min(1, errors / requests) : 0,
      p50Ms: ms(0.5),
      p95Ms: ms(0.95),
      p99Ms: ms(0.99),
    }
  }

  /** Requests of the last milliseconds, as far back as is kept (10 s); undefined: nothing is known of that time. */
  recent(name: string, withinMs: number): { readonly requests: number; readonly failed: number } | undefined {
    const now = this.latest
    const after = now?.services[name]
    if (!now || !after) return undefined
    const first = this.#readings.toArray().find(({ at }) => now.at - at <= withinMs)
    const before = first?.services[name]
    if (!before || first === now) return undefined
    return { requests: after.requests - before.requests, failed: errorsOf(after) - errorsOf(before) }
  }

  /** Some endpoints together, by the ids that they have in the data plane. */
  together(ids: readonly string[]): VersionTraffic {
    const [now, first] = [this.latest, this.#readings.first()]
    const seconds = now && first ? (now.at - first.at) / 1_000 : 0
    const firstBytes = new Histogram()
    const sums = { requests: 0, errors: 0, recent: 0, failed: 0 }
    for (const id of ids) {
      const to = now?.endpoints[id]
      if (!to) continue
      const from = first?.endpoints[id]
      sums.requests += to.requests
      sums.errors += to.errors
      sums.recent += to.requests - (from?.requests ?? 0)
      sums.failed += to.errors - (from?.errors ?? 0)
      firstBytes.add(difference(to.firstByte, from?.firstByte ?? emptyHistogram))
    }
    const p95Us = quantile(firstBytes.data(), 0.95)
    return {
      requests: sums.requests,
      errors: sums.errors,
      requestRate: seconds > 0 ? sums.recent / seconds : 0,
      errorRate: sums.recent > 0 ? Math.min(1, sums.failed / sums.recent) : 0,
      p95Ms: p95Us === undefined ? undefined : p95Us / 1_000,
    }
  }

  /** By the id that it has in the data plane. */
  endpoint(id: string): EndpointTraffic {
    const now = this.latest?.endpoints[id]
    return {
      active: now?.active ?? 0,
      requests: now?.requests ?? 0,
      errors: now?.errors ?? 0,
      responseTimeMs: now?.ewmaMs,
      receivedBytes: now?.tcp?.received,
      sentBytes: now?.tcp?.sent,
    }
  }
}

const errorsOf = (service: ServiceTelemetry): number => service.responses['5xx'] ?? 0
