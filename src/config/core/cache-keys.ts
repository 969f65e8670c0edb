/** The declaration of caches: of a service's answers, and of what processes keep and share; what no single key can know; the way to the configuration and back. */
import { minutes, seconds } from '../../kernel/time.ts'
import type { CacheConfig, RedisCacheConfig, ServiceCacheConfig } from '../types.ts'
import { address, serverName } from './addresses.ts'
import type { Report } from './checks.ts'
import { redisUrl } from './redis-url.ts'
import { boolean, duration, filled, integer, percent, size, text } from './scalars.ts'
import { key, list, object, optional, type Draft, type Scalar, type Value } from './schema.ts'

const [mebi, gibi] = [1_024 ** 2, 1_024 ** 3]
const lifetime = duration(seconds(1))
const stretch = duration(seconds(0))
/** More than that is not held in one piece. */
const bodyMost = 256 * mebi

export const serviceCache = object(
  {
    enabled: key(boolean, { doc: 'Whether answers are kept.', default: true }),
    maxAge: optional(lifetime, {
      doc: 'The longest that an answer is fresh after it came, whatever it says of itself; then it is asked for again.',
      without: 'as long as it says',
    }),
    defaultMaxAge: optional(lifetime, {
      doc: 'How long an answer is fresh that does not say so itself. `no-store`, `private`, `Set-Cookie` and `Authorization` keep it from being kept all the same.',
      without: 'it is asked for again each time, by its `ETag` or `Last-Modified` where it has one',
    }),
    maxBodyBytes: key(size(0, bodyMost), { doc: 'Answers with a longer body are not kept.', default: mebi }),
    grace: key(stretch, {
      doc: 'For so long a stale answer stands in when the service fails, as with `stale-if-error` by RFC 5861; `must-revalidate` and the like forbid it all the same.',
      default: seconds(0),
    }),
    staleWhileRevalidate: optional(stretch, {
      doc: 'For so long a stale answer is given at once while it is made anew, where it does not say itself.',
      without: 'only where it says so',
    }),
    heuristic: key(percent, {
      doc: 'Of the time since `Last-Modified`, so much is an answer fresh that says nothing, at most a day; RFC 9111 suggests 10%. It goes before `defaultMaxAge`.',
      default: 0,
    }),
    storeCookies: key(boolean, {
      doc: '`true`: answers with `Set-Cookie` are kept like others, cookie and all; else only those that say `public` or `s-maxage`. For services whose cookies are nobody’s own.',
      default: false,
    }),
    requestDirectives: key(boolean, {
      doc: '`false`: what clients say in `Cache-Control` and `Pragma` of how fresh an answer must be does not count, so that nobody can make every request a miss.',
      default: true,
    }),
  },
  { short: ['enabled'] },
)

const encryptionKey: Scalar<string> = {
  ...text('key', { max: 64, expected: 'a key of 32 bytes, in hex or base64, such as `openssl rand -base64 32` makes' }),
  read: (text) => (/^(?:[0-9A-Fa-f]{64}|[A-Za-z0-9+/]{43}=)$/.test(text.trim()) ? text.trim() : undefined),
}
const keyPrefix = text('text', { max: 128, expected: 'a text without spaces and braces', matching: /^[^\s{}\p{Cc}]+$/u })
const word = filled('text', 'a text', { max: 256 })
const file = filled('path', 'a path')

const redis = object({
  url: optional(redisUrl, { doc: 'A Redis alone.', without: 'one of `url`, `cluster` and `sentinel` is required' }),
  cluster: optional(list(redisUrl, { min: 1 }), { doc: 'URLs of some nodes of a cluster; the others are found.', without: 'one of the three' }),
  sentinel: optional(
    object({
      name: key(word, { doc: 'Of the master, as the sentinels know it.' }),
      nodes: key(list(address, { min: 1 }), { doc: 'Addresses of the sentinels.' }),
      username: optional(word, { doc: 'For the servers behind them.', without: 'none' }),
      password: optional(word, { doc: 'The same, best as `${file:PATH}`.', without: 'none', secret: true }),
      sentinelUsername: optional(word, { doc: 'For the sentinels themselves.', without: 'none' }),
      sentinelPassword: optional(word, { doc: 'The same.', without: 'none', secret: true }),
    }),
    { doc: 'Sentinels that know which server is the master.', without: 'one of the three' },
  ),
  ttl: optional(lifetime, { doc: 'How long a value is kept that is set without a time of its own.', without: 'as `cache.memory.ttl`' }),
  prefix: optional(keyPrefix, { doc: 'Of all its keys: whoever has the same, and the same Redis, shares the cache.', without: '`holdfast:cache:`' }),
  tls: optional(
    object({
      ca: optional(file, { doc: 'PEM: the authorities that are believed.', without: 'the authorities that Node.js knows' }),
      cert: optional(file, { doc: 'PEM: our certificate for servers that ask for one.', without: 'none is shown' }),
      key: optional(file, { doc: 'PEM: its private key, without a passphrase.', without: 'none' }),
      serverName: optional(serverName, { doc: 'The name that must be in the certificate.', without: 'the host of the URL' }),
    }),
    { doc: 'TLS to the servers, with `rediss://` or without.', without: 'only with `rediss://`' },
  ),
  encryptionKey: optional(encryptionKey, {
    doc: 'Values lie there encrypted with it (AES-256-GCM), best as `${file:PATH}`.',
    without: 'they lie there as they are',
    secret: true,
  }),
  formerEncryptionKeys: key(list(encryptionKey), { doc: 'What they encrypted is still read.', default: [], secret: true }),
})

export const cacheKeys = object({
  memory: key(
    object({
      maxEntries: key(integer(1, 100_000_000), { doc: 'How many values are kept; the least recently used go first.', default: 10_000 }),
      maxBytes: key(size(mebi, 1_024 * gibi), { doc: 'How much they may take together.', default: 256 * mebi }),
      ttl: key(lifetime, { doc: 'How long a value is kept that is set without a time of its own.', default: minutes(60) }),
    }),
    { doc: 'The values of `holdfast cache` and of `/cache/keys`, in the control process.', change: 'restartHoldfast' },
  ),
  redis: optional(redis, {
    doc: 'Where machines and programs share what is kept: values, and the answers of services. The package `redis` must be installed.',
    without: 'each machine has its own',
    change: 'restartHoldfast',
  }),
  http: key(
    object({
      maxBytes: key(size(mebi, 1_024 * gibi), { doc: 'Of the machine, shared by all workers; what is used least goes first.', default: 256 * mebi }),
      workerBytes: key(size(mebi, 64 * gibi), { doc: 'Of each worker besides: what it answers without asking anybody.', default: 64 * mebi }),
    }),
    { doc: 'How much of the answers of services is kept in memory.', change: 'routing' },
  ),
})

export type ServiceCacheSettings = Value<typeof serviceCache>
type CacheSettings = Value<typeof cacheKeys>
type RedisSettings = NonNullable<CacheSettings['redis']>

const forms = ['url', 'cluster', 'sentinel'] as const

/** Of the top of the file. */
export function checkCache(cache: Draft<CacheSettings>, report: Report): void {
  const path = 'cache.redis'
  if (cache?.redis === undefined) return
  const given = (name: string): boolean => report.given(`${path}.${name}`)
  const [first, second] = forms.filter(given)
  if (first === undefined) report.keyProblem(path, { message: 'does not say where Redis is', hint: 'give it url: redis://10.0.0.9:6379, or cluster, or sentinel' })
  else if (second !== undefined) report.keyProblem(`${path}.${second}`, { message: `cannot be combined with ${first}`, hint: 'leave one of them out' })
  if (given('tls.cert') !== given('tls.key')) {
    const [there, missing] = given('tls.cert') ? ['cert', 'key'] : ['key', 'cert']
    report.keyProblem(`${path}.tls.${there}`, { message: `needs ${missing}`, hint: 'a certificate and its private key go together' })
  }
  if ((cache.redis.formerEncryptionKeys ?? []).length > 0 && !given('encryptionKey')) {
    report.keyProblem(`${path}.formerEncryptionKeys`, { message: 'means nothing without encryptionKey', hint: 'give the key that encrypts now' })
  }
}

/** Of a service that carries connections. */
export function checkTcpCache(path: string, report: Report): void {
  if (report.given(path)) report.keyProblem(path, { message: 'means nothing for tcp', hint: 'leave it out: connections have no answers that could be kept' })
}

export function toServiceCache(settings: ServiceCacheSettings | undefined): ServiceCacheConfig | undefined {
  if (settings?.enabled !== true) return undefined
  const { maxAge, defaultMaxAge, heuristic, maxBodyBytes, grace, staleWhileRevalidate, storeCookies, requestDirectives } = settings
  return { ...(maxAge !== undefined && { maxAge }), ...(defaultMaxAge !== undefined && { defaultMaxAge }), heuristic, maxBodyBytes, grace, ...(staleWhileRevalidate !== undefined && { staleWhileRevalidate }), storeCookies, requestDirectives }
}

export const fromServiceCache = (cache: ServiceCacheConfig | undefined): Draft<ServiceCacheSettings> => cache && { enabled: true, ...cache }

export function toCache({ memory, redis, http }: CacheSettings, resolve: (path: string) => string): CacheConfig {
  return { memory, http, ...(redis && { redis: toRedis(redis, resolve) }) }
}

function toRedis({ encryptionKey, formerEncryptionKeys, tls, prefix = 'holdfast:cache:', ...rest }: RedisSettings, resolve: (path: string) => string): RedisCacheConfig {
  const path = (name: string | undefined): string | undefined => (name === undefined ? undefined : resolve(name))
  return {
    ...rest,
    prefix,
    ...(tls && { tls: { ca: path(tls.ca), cert: path(tls.cert), key: path(tls.key), serverName: tls.serverName?.toLowerCase() } }),
    encryptionKeys: encryptionKey === undefined ? [] : [encryptionKey, ...formerEncryptionKeys],
  }
}

export function fromCache({ memory, redis, http }: CacheConfig): Draft<CacheSettings> {
  if (redis === undefined) return { memory, http }
  const { encryptionKeys, ...rest } = redis
  const [encryptionKey, ...formerEncryptionKeys] = encryptionKeys
  return { memory, http, redis: { ...rest, encryptionKey, formerEncryptionKeys } }
}
