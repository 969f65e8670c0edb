/** Caches as JSON. */
import { z } from 'zod'
import { apiLimits } from '../deps.ts'
import { lineOfText, serviceName } from './common.ts'

/** As in the library (`core/options.ts` of the cache). */
const [tagsMax, tagCharactersMax] = [64, 128]
/** Redis keeps nothing for longer. */
const ttlMostSeconds = 30 * 86_400

export const cacheKey = z.string().min(1).max(apiLimits.cacheKeyCharactersMax).describe('Percent-encoded, slashes too (`%2F`).')
const tags = z.array(lineOfText(tagCharactersMax)).max(tagsMax)

/** The shape of the brief, for both reading and the CLI. */
const count = z.number().int()

const layerSchema = z
  .object({ up: z.boolean(), reason: z.string().nullable().describe('Why not; null: it is up, or has not answered yet.') })
  .nullable()

const responseCounts = z.object({
  hit: count.describe('Answered from the store, fresh.'),
  stale: count.describe('Answered from the store, stale: while it was validated, or in place of a failure.'),
  miss: count.describe('Nothing stored suited: asked for.'),
  revalidated: count.describe('Answered from the store after the service had said that it is right still.'),
  bypass: count.describe('Could not be answered from any store.'),
  collapsed: count.describe('Of the hits: waited for what somebody else asked for.'),
  stored: count.describe('Answers that were stored.'),
  fenced: count.describe('Answers not stored because they had been invalidated meanwhile.'),
})

export const cacheStatsSchema = z
  .object({
    hits: count.describe('Of values, since the control process started.'),
    misses: count,
    hitRate: z.number().describe('Percent.'),
    keys: count.describe('Values in memory.'),
    memory: z.object({
      used: z.number().describe('Bytes, of values.'),
      available: z.number().describe('Bytes they may take: `cache.memory.maxBytes`.'),
      percentage: z.number(),
    }),
    errors: count.describe('Times that Redis did not answer, or not in time: never counted as misses.'),
    evictions: count.describe('Values taken out for want of room.'),
    redis: layerSchema.describe('Null: `cache.redis` is not configured.'),
    responses: z
      .object({
        hitRate: z.number().describe('Percent of the requests that could be answered from a store: hit, stale or revalidated.'),
        store: z
          .object({
            entries: count.describe('In the store that all workers share.'),
            bytes: z.number(),
            maxBytes: z.number(),
            evicted: count,
            workerEntries: count.describe('In the workers, together.'),
            workerBytes: z.number(),
            cutOff: count.describe('Workers that did not acknowledge an invalidation in time, and began anew.'),
            unanswered: count.describe('Times that a worker went on without the shared store.'),
            redis: layerSchema,
          })
          .nullable(),
        services: z.record(z.string(), responseCounts),
      })
      .nullable()
      .describe('Answers that the balancer keeps; null: no service asks for it.'),
  })
  .meta({ id: 'CacheStats' })

export const cachedValueSchema = z.object({ key: z.string(), value: z.unknown() }).meta({ id: 'CachedValue' })

export const setValueSchema = z.strictObject({
  // The body was JSON. A schema that says so would refer to itself, which the document could not name.
  value: z
    .unknown()
    .refine((value) => value !== undefined, 'must be there')
    .describe('Any JSON.'),
  ttl: z.number().min(0.001).max(ttlMostSeconds).optional().describe('Seconds; default: `cache.redis.ttl` or `cache.memory.ttl`.'),
  tags: tags.optional().describe('By which it can be purged with others.'),
})

export const storedValueSchema = z
  .object({
    key: z.string(),
    ttl: z.number().describe('Seconds.'),
    tags: z.array(z.string()),
    layers: z.array(z.enum(['memory', 'redis'])).describe('Where it is now.'),
  })
  .meta({ id: 'StoredValue' })

const url = z
  .string()
  .max(8_192)
  .regex(/^https?:\/\/[^\s/]+\S*$/, 'must be a URL such as https://shop.example.com/products')
const ways = ['tags', 'url', 'prefix', 'release', 'service', 'all'] as const

export const purgeSchema = z
  .strictObject({
    tags: tags.min(1).optional().describe('Values and answers that carry one of them.'),
    url: url.optional().describe('Answers to it, all variants.'),
    prefix: url.optional().describe('Answers to all URLs that begin so.'),
    release: lineOfText(256).optional().describe('Answers of endpoints of this version; with `service` of that one only.'),
    service: serviceName.optional().describe('All answers of it.'),
    all: z.literal(true).optional().describe('All answers.'),
    soft: z.boolean().optional().describe('They become stale, and still stand in for failures. Values are left alone.'),
  })
  .refine((order) => waysOf(order).length === 1, `must have exactly one of ${ways.join(', ')} (release may have a service)`)

type Purge = z.output<typeof purgeSchema>

export function waysOf(order: Partial<Record<(typeof ways)[number], unknown>>): readonly (typeof ways)[number][] {
  const given = ways.filter((way) => order[way] !== undefined)
  return order.release === undefined ? given : given.filter((way) => way !== 'service')
}

export type { Purge }
