import { describe, expect, it } from 'vitest'
import type { ProxyTelemetry } from '../balancer/port.ts'
import type { CacheStats } from '../cache/index.ts'
import { cacheMetrics } from './cache-metrics.ts'

const stats: CacheStats = {
  ...{ hits: 5, staleHits: 1, remoteHits: 3, misses: 2, hitRate: 80, collapsed: 0, factoryCalls: 0, factoryFailures: 0, factoryMs: 0, fenced: 0 },
  ...{ remoteErrors: 4, evictions: 6, keys: 7, bytes: 800, far: { up: false, breaker: 'halfOpen', lagMs: 2, gaps: 9 } },
}
const counts = { hit: 10, stale: 1, miss: 2, revalidated: 3, bypass: 4, collapsed: 5, stored: 6, fenced: 7 }
const telemetry = {
  services: { shop: { cache: counts }, plain: {} },
  cache: { entries: 1, bytes: 100, maxBytes: 1_000, evicted: 2, workerEntries: 3, workerBytes: 50, cutOff: 4, unanswered: 5, redis: { up: true } },
} as unknown as ProxyTelemetry

/** `name{label=value,…} number`, by name. */
function linesOf(values: CacheStats | undefined, now: ProxyTelemetry | undefined): Record<string, readonly string[]> {
  const metrics = cacheMetrics(
    () => values && { values, maxBytes: 2_000 },
    () => now,
  )
  return Object.fromEntries(
    metrics.map(({ name, read }) => [
      name.replace('holdfast_cache_', ''),
      read().map(([labels, value]) => `${Object.values(labels).join(' ')} ${value}`.trim()),
    ]),
  )
}

describe('metrics of caches', () => {
  it('tell of every layer; what Redis did not answer is no miss', () => {
    const lines = linesOf(stats, telemetry)
    expect(lines.requests_total).toEqual([
      ...['proxy shop hit 10', 'proxy shop stale 1', 'proxy shop revalidated 3', 'proxy shop miss 2', 'proxy shop bypass 4'],
      ...['memory hit 5', 'memory stale 1', 'memory miss 9', 'redis hit 3', 'redis miss 2', 'redis error 4'],
    ])
    expect([lines.stored_total, lines.collapsed_total, lines.fenced_total]).toEqual([['shop 6'], ['shop 5'], ['shop 7']])
    expect([lines.bytes, lines.max_bytes]).toEqual([
      ['proxy 100', 'worker 50', 'memory 800'],
      ['proxy 1000', 'memory 2000'],
    ])
    expect([lines.entries, lines.evictions_total]).toEqual([
      ['proxy 1', 'worker 3', 'memory 7'],
      ['proxy 2', 'memory 6'],
    ])
    expect([lines.workers_cut_off_total, lines.store_unanswered_total]).toEqual([['4'], ['5']])
    expect([lines.redis_up, lines.redis_breaker_open, lines.bus_lag_seconds, lines.bus_gaps_total]).toEqual([
      ['proxy 1', 'values 0'],
      ['values 0.5'],
      ['values 0.002'],
      ['values 9'],
    ])
  })

  it('have no samples of what is not there', () => {
    expect(Object.values(linesOf(undefined, undefined)).flat()).toEqual([])
    expect(linesOf({ ...stats, far: undefined }, undefined).requests_total).toEqual(['memory hit 5', 'memory stale 1', 'memory miss 2'])
  })
})
