/** `holdfast cache …`: how it does, values by key, and purging. */
import { defineCommand, flag, optional, required, rest, text, type Reader } from '../command.ts'
import type { CacheDescription, PurgeBody } from '../cache-api.ts'
import { usageError } from '../errors.ts'
import { formatCount, formatSize } from '../format.ts'
import { duration } from '../readers.ts'
import { printable } from '../style.ts'
import { renderTable, type Column } from '../table.ts'

const anyText: Reader<string> = (raw) => raw
const key = required('<key>', 'the key', text)

const columns: readonly Column[] = [
  { title: 'SERVICE', shrinkTo: 12 },
  { title: 'HIT', align: 'right' },
  { title: 'STALE', align: 'right' },
  { title: 'MISS', align: 'right' },
  { title: 'REVALIDATED', align: 'right' },
  { title: 'BYPASS', align: 'right' },
  { title: 'COLLAPSED', align: 'right' },
  { title: 'STORED', align: 'right' },
]

export const cacheStats = defineCommand({
  name: 'cache stats',
  summary: 'how the cache does: values, and the answers of services that the balancer keeps',
  description: 'Values are counted since the control process started, answers since the balancer did.',
  examples: ['holdfast cache stats', 'holdfast cache stats --json'],
  async run(context) {
    const api = await context.connect()
    const stats = await api.cacheStats()
    const { columns: width, paint } = context.out
    const services = Object.entries(stats.responses?.services ?? {})
    const table = renderTable(
      columns,
      services.map(([name, counts]) => [
        printable(name, false),
        ...[counts.hit, counts.stale, counts.miss, counts.revalidated, counts.bypass, counts.collapsed, counts.stored].map(formatCount),
      ]),
      width,
      (title) => paint('dim', title),
    )
    return { data: stats, text: [...linesOf(stats), ...(services.length === 0 ? [] : [table])].join('\n') }
  },
})

function linesOf(stats: CacheDescription): readonly string[] {
  const { hits, misses, hitRate, keys, memory, errors, redis, responses } = stats
  const store = responses?.store
  return [
    `values     ${formatCount(keys)} in ${formatSize(memory.used)} of ${formatSize(memory.available)}; ${formatCount(hits)} hits, ${formatCount(misses)} misses (${hitRate}%)`,
    ...(redis === null ? [] : [`redis      ${redisText(redis)}${errors === 0 ? '' : `; ${formatCount(errors)} times without an answer`}`]),
    ...(responses === null
      ? ['answers    no service asks for them to be kept']
      : [
          store
            ? `answers    ${formatCount(store.entries)} in ${formatSize(store.bytes)} of ${formatSize(store.maxBytes)}, workers ${formatSize(store.workerBytes)} besides; hit rate ${responses.hitRate}%`
            : `answers    hit rate ${responses.hitRate}%`,
        ]),
  ]
}

const redisText = ({ up, reason }: NonNullable<CacheDescription['redis']>): string =>
  up ? 'up' : reason === null ? 'has not answered yet' : `does not answer: ${printable(reason, false)}`

export const cacheGet = defineCommand({
  name: 'cache get',
  summary: 'a value by its key',
  description: 'A text is printed as it is, anything else as JSON. Exit code 1 when there is none.',
  arguments: { key },
  examples: ['holdfast cache get user:123'],
  async run(context, { key }) {
    const api = await context.connect()
    const value = await api.cached(key)
    return { data: { key, value }, text: typeof value === 'string' ? printable(value, true) : JSON.stringify(value, undefined, 2) }
  },
})

export const cacheSet = defineCommand({
  name: 'cache set',
  summary: 'set a value',
  description: 'What is JSON is kept as such; anything else, and everything with --text, as a text.',
  arguments: { key, value: required('<value>', 'JSON, or a text', anyText) },
  options: {
    ttl: optional('--ttl <duration>', 'how long it is kept, such as 90s or 1h', duration),
    tags: rest('--tag <tag...>', 'by which it can be purged with others', text),
    asText: flag('--text', 'the value is a text, also when it looks like JSON'),
  },
  examples: [`holdfast cache set user:123 '{"name":"John"}' --ttl 1h --tag users`, 'holdfast cache set zip 00501 --text'],
  async run(context, { key, value, ttl, tags, asText }) {
    const api = await context.connect()
    const stored = await api.cache(key, asText ? value : valueOf(value), { ...(ttl !== undefined && { ttl: ttl / 1_000 }), tags })
    return { data: stored, text: `${printable(key, false)} is kept for ${stored.ttl} s, in ${stored.layers.join(' and ')}` }
  },
})

function valueOf(raw: string): unknown {
  try {
    return JSON.parse(raw) as unknown
  } catch {
    return raw
  }
}

export const cacheDel = defineCommand({
  name: 'cache del',
  summary: 'delete a value',
  arguments: { key },
  examples: ['holdfast cache del user:123'],
  async run(context, { key }) {
    const api = await context.connect()
    await api.uncache(key)
    return { data: { key, deleted: true }, text: `${printable(key, false)} is deleted` }
  },
})

export const cacheClear = defineCommand({
  name: 'cache clear',
  summary: 'forget all values and all answers',
  examples: ['holdfast cache clear'],
  async run(context) {
    const api = await context.connect()
    const purged = await api.clearCache()
    return { data: purged, text: `the cache is empty; ${answers(purged.responses)} purged` }
  },
})

export const cachePurge = defineCommand({
  name: 'cache purge',
  summary: 'purge answers by URL, prefix, version or service, or values and answers by tag',
  description:
    'Ends when no worker gives any of them any more. Tags are those that services send in `Cache-Tag` or `Surrogate-Key`, and those that values were set with.',
  arguments: { url: optional('[url]', 'the answers to this URL, all variants', text) },
  options: {
    tags: rest('--tag <tag...>', 'what carries one of these tags', text),
    prefix: optional('--prefix <url>', 'the answers to all URLs that begin so', text),
    release: optional('--release <version>', 'what endpoints of this version have answered; with --service of that one only', text),
    service: optional('--service <service>', 'all answers of this service', text),
    all: flag('--all', 'all answers'),
    soft: flag('--soft', 'they become stale, and still stand in for failures'),
  },
  examples: [
    'holdfast cache purge --tag product:7',
    'holdfast cache purge --release v1.3.0 --service shop',
    'holdfast cache purge https://shop.example.com/products --soft',
  ],
  async run(context, { tags, all, soft, ...ways }) {
    const order: PurgeBody = { ...ways, tags: tags.length === 0 ? undefined : tags, all: all || undefined, soft: soft || undefined }
    const given = [order.tags, order.url, order.prefix, order.release ?? order.service, order.all].filter((way) => way !== undefined)
    if (given.length !== 1) throw usageError('expected exactly one of a URL, --tag, --prefix, --release, --service and --all')
    const api = await context.connect()
    const purged = await api.purge(order)
    return { data: purged, text: `${answers(purged.responses)} ${soft ? 'made stale' : 'purged'}` }
  },
})

const answers = (count: number): string => `${formatCount(count)} ${count === 1 ? 'answer' : 'answers'}`
