/** What balancer and control process are told of caching. */
import { readFileSync } from 'node:fs'
import type { CacheRedisView, CacheStoreView, CacheView } from '../balancer/core/cache-view.ts'
import type { CacheConfig, Config, RedisSentinelConfig, RedisTlsConfig, ServiceCacheConfig } from '../config/types.ts'
import { codeOf, HoldfastError, messageOf } from '../kernel/errors.ts'

/** `anyAge`: in place of a failure what is kept is never too old. */
export function cacheView(cache: ServiceCacheConfig, anyAge: boolean | undefined): CacheView {
  return {
    maxBodyBytes: cache.maxBodyBytes,
    graceMs: cache.grace,
    obeyClients: cache.requestDirectives,
    heuristic: cache.heuristic,
    ...(anyAge === true && { anyAge }),
    ...(cache.storeCookies && { storesCookies: true }),
    maxLifetimeMs: cache.maxAge,
    defaultLifetimeMs: cache.defaultMaxAge,
    defaultStaleWhileRevalidateMs: cache.staleWhileRevalidate,
  }
}

/** undefined: no service keeps anything. */
export function cacheStoreView({ cache, services }: Config, redis: CacheRedisView | undefined): CacheStoreView | undefined {
  if (!Object.values(services).some((service) => service.cache !== undefined)) return undefined
  return { ...cache.http, redis }
}

/** With the texts of its certificates. Throws `certificate_unusable`. */
export function redisView({ redis }: CacheConfig): CacheRedisView | undefined {
  if (redis === undefined) return undefined
  const { url, cluster, sentinel, prefix, tls, encryptionKeys } = redis
  return {
    ...(url !== undefined && { url }),
    ...(cluster && { cluster }),
    ...(sentinel && {
      sentinel: sentinelView(sentinel),
    }),
    ...(tls && { tls: tlsView(tls) }),
    prefix,
    encryption: encryptionKeys,
  }
}

const sentinelView = ({ name, nodes, ...credentials }: RedisSentinelConfig): NonNullable<CacheRedisView['sentinel']> => ({
  name,
  nodes,
  ...given(credentials),
})

const tlsView = ({ ca, cert, key, serverName }: RedisTlsConfig): NonNullable<CacheRedisView['tls']> =>
  given({ ca: pem('ca', ca), cert: pem('cert', cert), key: pem('key', key), servername: serverName })

function pem(name: string, file: string | undefined): string | undefined {
  if (file === undefined) return undefined
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new HoldfastError('certificate_unusable', `reading ${file} of cache.redis.tls.${name} failed: ${codeOf(error) ?? messageOf(error)}`, {
      hint: 'check that the file is there and may be read',
      details: { path: `cache.redis.tls.${name}`, file },
    })
  }
}

/** Without what is not there. */
function given<T extends object>(values: T): { [N in keyof T]?: Exclude<T[N], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as { [N in keyof T]?: Exclude<T[N], undefined> }
}
