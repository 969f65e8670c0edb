/** What caches measure: the answers that the balancer keeps (layer `proxy`), and values in the control process (`memory`) and in Redis (`redis`). */
import type { CacheStoreStatus } from '../balancer/core/cache/counts.ts'
import type { ProxyTelemetry } from '../balancer/port.ts'
import type { CacheStats } from '../cache/index.ts'
import type { Sample } from './histograms.ts'

export interface CacheReadings {
  readonly values: CacheStats
  /** Bytes that values may take. */
  readonly maxBytes: number
}

export interface CacheMetric {
  readonly kind: 'counter' | 'gauge'
  readonly name: string
  readonly help: string
  readonly labels: readonly string[]
  readonly read: () => readonly Sample[]
}

type Counts = NonNullable<ProxyTelemetry['services'][string]['cache']>

const results = ['hit', 'stale', 'revalidated', 'miss', 'bypass'] as const

export function cacheMetrics(readings: () => CacheReadings | undefined, telemetry: () => ProxyTelemetry | undefined): readonly CacheMetric[] {
  const values = <T>(read: (readings: CacheReadings) => readonly T[]): readonly T[] => {
    const now = readings()
    return now === undefined ? [] : read(now)
  }
  const far = (read: (far: NonNullable<CacheStats['far']>) => number): (() => readonly Sample[]) => {
    return () => values((now) => (now.values.far === undefined ? [] : [[{ layer: 'values' }, read(now.values.far)] as const]))
  }
  const perService = (read: (service: string, counts: Counts) => readonly Sample[]): readonly Sample[] =>
    Object.entries(telemetry()?.services ?? {}).flatMap(([service, { cache }]) => (cache === undefined ? [] : read(service, cache)))
  const store = (read: (store: CacheStoreStatus) => readonly Sample[]): readonly Sample[] => {
    const status = telemetry()?.cache
    return status === undefined ? [] : read(status)
  }
  return [
    {
      kind: 'counter',
      name: 'holdfast_cache_requests_total',
      help: 'What became of requests to services that cache, and of asking for values, by layer. That a layer did not answer is an error, not a miss.',
      labels: ['layer', 'service', 'result'],
      read: () => [
        ...perService((service, counts) => results.map((result) => [{ layer: 'proxy', service, result }, counts[result]] as const)),
        ...values(({ values: stats }) => layersOf(stats)),
      ],
    },
    ...(['stored', 'collapsed', 'fenced'] as const).map((name): CacheMetric => ({
      kind: 'counter',
      name: `holdfast_cache_${name}_total`,
      help: helps[name],
      labels: ['service'],
      read: () => perService((service, counts) => [[{ service }, counts[name]]]),
    })),
    {
      kind: 'gauge',
      name: 'holdfast_cache_bytes',
      help: 'What is kept: by the machine (proxy), by its workers besides (worker), as values (memory).',
      labels: ['layer'],
      read: () => [
        ...store(({ bytes, workerBytes }) => [
          [{ layer: 'proxy' }, bytes],
          [{ layer: 'worker' }, workerBytes],
        ]),
        ...values(({ values: { bytes } }) => [[{ layer: 'memory' }, bytes] as const]),
      ],
    },
    {
      kind: 'gauge',
      name: 'holdfast_cache_max_bytes',
      help: 'What may be kept.',
      labels: ['layer'],
      read: () => [
        ...store(({ maxBytes }) => [[{ layer: 'proxy' }, maxBytes]]),
        ...values(({ maxBytes }) => [[{ layer: 'memory' }, maxBytes] as const]),
      ],
    },
    {
      kind: 'gauge',
      name: 'holdfast_cache_entries',
      help: 'How many are kept.',
      labels: ['layer'],
      read: () => [
        ...store(({ entries, workerEntries }) => [
          [{ layer: 'proxy' }, entries],
          [{ layer: 'worker' }, workerEntries],
        ]),
        ...values(({ values: { keys } }) => [[{ layer: 'memory' }, keys] as const]),
      ],
    },
    {
      kind: 'counter',
      name: 'holdfast_cache_evictions_total',
      help: 'Taken out for want of room.',
      labels: ['layer'],
      read: () => [
        ...store(({ evicted }) => [[{ layer: 'proxy' }, evicted]]),
        ...values(({ values: { evictions } }) => [[{ layer: 'memory' }, evictions] as const]),
      ],
    },
    {
      kind: 'counter',
      name: 'holdfast_cache_workers_cut_off_total',
      help: 'Workers that did not acknowledge an invalidation in time, and began anew.',
      labels: [],
      read: () => store(({ cutOff }) => [[{}, cutOff]]),
    },
    {
      kind: 'counter',
      name: 'holdfast_cache_store_unanswered_total',
      help: 'Times that a worker went on without the shared store, which did not answer in time.',
      labels: [],
      read: () => store(({ unanswered }) => [[{}, unanswered]]),
    },
    {
      kind: 'gauge',
      name: 'holdfast_cache_redis_up',
      help: '1 while the Redis of the cache answers and changes of others are heard: for values, and for the answers of services (proxy).',
      labels: ['layer'],
      read: () => [
        ...store(({ redis }) => (redis === undefined ? [] : [[{ layer: 'proxy' }, redis.up ? 1 : 0]])),
        ...far(({ up }) => (up ? 1 : 0))(),
      ],
    },
    {
      kind: 'gauge',
      name: 'holdfast_cache_redis_breaker_open',
      help: '1 while its circuit breaker is open, 0.5 while it tries.',
      labels: ['layer'],
      read: far(({ breaker }) => (breaker === 'open' || breaker === 'forcedOpen' ? 1 : breaker === 'halfOpen' ? 0.5 : 0)),
    },
    {
      kind: 'gauge',
      name: 'holdfast_cache_bus_lag_seconds',
      help: 'How long the last beat took from here to here over the bus of Redis.',
      labels: ['layer'],
      read: far(({ lagMs }) => lagMs / 1_000),
    },
    {
      kind: 'counter',
      name: 'holdfast_cache_bus_gaps_total',
      help: 'Times that messages of others were lost, or nothing was heard: what was kept before is forgotten.',
      labels: ['layer'],
      read: far(({ gaps }) => gaps),
    },
  ]
}

const helps = {
  stored: 'Answers that were stored.',
  collapsed: 'Requests that waited for what somebody else had asked for.',
  fenced: 'Answers that were not stored because they had been invalidated meanwhile.',
} as const

/** Memory is asked first, then Redis. */
function layersOf({ hits, staleHits, remoteHits, misses, remoteErrors, far }: CacheStats): readonly Sample[] {
  const of = (layer: string, result: string, count: number): Sample => [{ layer, result }, count]
  const memory = [of('memory', 'hit', hits), of('memory', 'stale', staleHits)]
  if (far === undefined) return [...memory, of('memory', 'miss', misses)]
  return [
    ...memory,
    of('memory', 'miss', remoteHits + misses + remoteErrors),
    of('redis', 'hit', remoteHits),
    of('redis', 'miss', misses),
    of('redis', 'error', remoteErrors),
  ]
}
