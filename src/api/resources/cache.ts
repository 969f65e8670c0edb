/** The cache: how it does, values by key, and purging what it holds. The shapes of `/cache/stats` and `/cache/keys` are the brief's; what goes beyond stands beside. */
import { z } from 'zod'
import type { CacheReport, PurgeOrder, RedisLayer, ResponsesReport } from '../../app/cache-operations.ts'
import { unreachable } from '../../kernel/errors.ts'
import type { ApiDeps } from '../deps.ts'
import { route, type Immutable, type Route } from '../route.ts'
import {
  cachedValueSchema,
  cacheKey,
  cacheStatsSchema,
  purgeSchema,
  setValueSchema,
  storedValueSchema,
  waysOf,
  type Purge,
} from '../schemas/cache.ts'

const params = z.strictObject({ key: cacheKey })
const purged = z.object({ responses: z.number().int().describe('How many answers the balancer held of them.') })
const tag = 'Cache'

export function cacheRoutes({ operations }: ApiDeps): readonly Route[] {
  return [
    route({
      method: 'GET',
      path: '/cache/stats',
      tag,
      summary: 'How the cache does: values, and answers that the balancer keeps',
      permission: 'read:cache',
      data: cacheStatsSchema,
      handler: () => cacheStats(operations.cache.report()),
    }),
    route({
      method: 'GET',
      path: '/cache/keys/:key',
      tag,
      summary: 'A value by its key',
      permission: 'read:cache',
      params,
      data: cachedValueSchema,
      handler: async ({ params: { key } }) => ({ key, value: await operations.cache.get(key) }),
    }),
    route({
      method: 'POST',
      path: '/cache/keys/:key',
      tag,
      summary: 'Set a value',
      permission: 'change:cache',
      params,
      body: setValueSchema,
      data: storedValueSchema,
      handler: ({ params: { key }, body: { value, ...options } }) => operations.cache.set(key, value, options),
    }),
    route({
      method: 'DELETE',
      path: '/cache/keys/:key',
      tag,
      summary: 'Delete a value',
      permission: 'change:cache',
      params,
      data: z.object({ key: z.string(), deleted: z.literal(true) }),
      handler: async ({ params: { key } }) => {
        await operations.cache.delete(key)
        return { key, deleted: true as const }
      },
    }),
    route({
      method: 'DELETE',
      path: '/cache/clear',
      tag,
      summary: 'Forget all values and all answers',
      permission: 'change:cache',
      data: purged,
      handler: ({ actor }) => operations.cache.clear({ actor }),
    }),
    route({
      method: 'POST',
      path: '/cache/purge',
      tag,
      summary: 'Purge answers by URL, prefix, version or service, or values and answers by tag',
      description: 'Answered when no worker gives any of them any more.',
      permission: 'change:cache',
      body: purgeSchema,
      data: purged,
      handler: ({ body, actor }) => operations.cache.purge(orderOf(body), { actor }),
    }),
  ]
}

export function cacheStats({ values, maxBytes, redis, responses }: CacheReport): Immutable<z.input<typeof cacheStatsSchema>> {
  return {
    hits: values.hits + values.staleHits + values.remoteHits,
    misses: values.misses,
    hitRate: values.hitRate,
    keys: values.keys,
    memory: { used: values.bytes, available: maxBytes, percentage: percentOf(values.bytes, maxBytes) },
    errors: values.remoteErrors,
    evictions: values.evictions,
    redis: layer(redis),
    responses: responses === undefined ? null : responsesOf(responses),
  }
}

function responsesOf({ store, services }: ResponsesReport): NonNullable<ReturnType<typeof cacheStats>['responses']> {
  const all = Object.values(services)
  const given = all.reduce((sum, { hit, stale, revalidated }) => sum + hit + stale + revalidated, 0)
  const asked = all.reduce((sum, { miss }) => sum + miss, given)
  return { hitRate: percentOf(given, asked), store: store ? { ...store, redis: layer(store.redis) } : null, services }
}

const layer = (redis: RedisLayer | undefined): { up: boolean; reason: string | null } | null =>
  redis === undefined ? null : { up: redis.up, reason: redis.reason ?? null }

const percentOf = (part: number, whole: number): number => (whole === 0 ? 0 : Math.round((part / whole) * 10_000) / 100)

function orderOf(body: Purge): PurgeOrder {
  const { tags = [], url = '', prefix = '', release = '', service, soft } = body
  const [way = 'all'] = waysOf(body)
  switch (way) {
    case 'tags':
      return { by: 'tag', tags, soft }
    case 'url':
      return { by: 'url', url, soft }
    case 'prefix':
      return { by: 'prefix', prefix, soft }
    case 'release':
      return { by: 'release', release, service, soft }
    case 'service':
      return { by: 'service', service: service ?? '', soft }
    case 'all':
      return { by: 'all', soft }
    default:
      return unreachable(way)
  }
}
