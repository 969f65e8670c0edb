/** The keys of what machines share of their limits, and what no single key of it can know. */
import { redisUrl } from './redis-url.ts'
import { integer } from './scalars.ts'
import { key, object, optional, type Draft } from './schema.ts'
import type { Report } from './checks.ts'
import type { ServiceSettings } from './service-keys.ts'

export const limits = object({
  redis: key(redisUrl, { doc: 'Where the rate limits with `shared: true` are counted. The package `redis` must be installed.' }),
  machines: optional(integer(1, 10_000), {
    doc: 'How many machines share them: while Redis does not answer, each goes by an equal part.',
    without: 'as many as Redis has heard of in the last 5 s; 2 while nothing is known',
  }),
})

type RateLimit = NonNullable<NonNullable<Draft<ServiceSettings>>['resilience']>['rateLimit']

/** `stored`: there is somewhere to count. */
export function checkShared(path: string, limit: RateLimit, stored: boolean, report: Report): void {
  if (limit === undefined || limit === 'off' || limit.shared !== true || stored) return
  report.problem(`${path}.shared`, { message: 'needs a Redis that all machines use', hint: 'set limits.redis at the top of the file, such as limits: { redis: "redis://10.0.0.9:6379" }' })
}
