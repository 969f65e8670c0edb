/** What the data plane is told of a rate limit. */
import type { RateLimitView } from '../balancer/core/routing-view.ts'
import type { Config, RateLimitConfig } from '../config/types.ts'

export function rateLimitView(limit: RateLimitConfig | undefined, config: Pick<Config, 'name' | 'limits'> | undefined): RateLimitView | undefined {
  if (limit === undefined) return undefined
  const { key, rate, burst } = limit
  const own = { key, rate: rate.count, periodMs: rate.per, burst }
  if (!limit.shared || config?.limits === undefined) return own
  const { redis, machines } = config.limits
  return { ...own, shared: { url: redis, prefix: `holdfast:limits:${config.name}:`, machines } }
}
