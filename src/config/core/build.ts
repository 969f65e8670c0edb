/** From settings (the shape of the file) to the configuration (the shape the program wants), and back. */
import { ms } from '../../kernel/time.ts'
import type { Config, RouteConfig, ServiceConfig, ServiceSource } from '../types.ts'
import { fromCache, fromServiceCache, toCache, toServiceCache } from './cache-keys.ts'
import { fromHealthConfig, toHealthConfig } from './check-keys.ts'
import { fromPolicies, toPolicies } from './policy-keys.ts'
import { givenRules } from './http-keys.ts'
import type { Settings, ServiceSettings } from './keys.ts'
import type { Draft } from './schema.ts'
import { firstHttp } from './listeners.ts'
import { fromAlerting, toAlerting } from './notifier-keys.ts'
import { fromOrigin, toOrigin } from './origin-keys.ts'
import { toWhen } from './route-keys.ts'
import { toStatusPage } from './status-keys.ts'
import { fromRules, toRules } from './rule-keys.ts'
import { toTls } from './tls-keys.ts'

/** What the surroundings add. */
export interface Surroundings {
  /** Absolute path of the file; undefined: none. */
  readonly file: string | undefined
  /** What relative paths start from: absolute. */
  readonly directory: string
  /** What `workers: auto` stands for. */
  readonly cores: number
  /** Joins two paths as this system does. */
  readonly resolve: (from: string, path: string) => string
}

export function toConfig(settings: Settings, around: Surroundings): Config {
  const { resolve } = around
  const data = resolve(around.directory, settings.data)
  const listeners = record(settings.listeners, ({ port, host, protocol, tls, proxyProtocol, http2 }) => ({
    ...(proxyProtocol && { proxyProtocol }),
    port,
    host,
    http2: http2 ?? (tls !== undefined && protocol === 'http'),
    ...(protocol === 'tcp' && { protocol }),
    ...(tls && { tls: toTls(tls, (path) => resolve(around.directory, path)) }),
  }))
  const { api, metrics, log, cluster, access } = settings
  const statusPage = toStatusPage(settings.statusPage)
  return deepFreeze({
    file: around.file,
    name: settings.name,
    region: settings.region,
    data,
    api: { port: api.port, host: api.host, corsOrigins: api.corsOrigins },
    metrics: { port: metrics.port === 'off' ? undefined : metrics.port, host: metrics.host },
    log: { level: log.level, directory: resolve(data, log.directory), ...(log.access !== 'off' && { access: log.access }) },
    ...(settings.tracing !== 'off' && { tracing: settings.tracing }),
    ...(settings.explain !== 'off' && { explain: settings.explain }),
    listeners,
    cluster: { workers: cluster.workers === 'auto' ? around.cores : cluster.workers, gracefulShutdownTimeout: cluster.gracefulShutdownTimeout },
    services: record(settings.services, (service, name) => toService(name, service, firstHttp(listeners) ?? '', around)),
    ...(settings.errorPages && { errorPages: record(settings.errorPages, (file) => resolve(around.directory, file)) }),
    access: { jwtSecret: access.jwtSecret, rateLimit: access.rateLimit },
    ...(settings.limits && { limits: settings.limits }),
    cache: toCache(settings.cache, (path) => resolve(around.directory, path)),
    ...(statusPage && { statusPage }),
    ...(settings.policies.length > 0 && { policies: toPolicies(settings.policies, (path) => resolve(around.directory, path)) }),
    ...(Object.values(settings.health).some((part) => Object.keys(part).length > 0) && { health: toHealthConfig(settings.health, (path) => resolve(around.directory, path)) }),
    alerting: { ...toRules(settings.alerting), ...toAlerting(settings.alerting) },
  })
}

function toService(name: string, settings: ServiceSettings, firstListener: string, around: Surroundings): ServiceConfig {
  const { version, dependsOn, start, stop, restart, resources, balance } = settings
  const source = toSource(settings, around)
  const { min, max } = settings.instances
  const cache = toServiceCache(settings.cache)
  const origin = settings.origin && toOrigin(settings.origin, (path) => around.resolve(around.directory, path))
  return {
    name,
    source,
    version,
    instances: source.kind === 'static' ? { min: source.endpoints.length, max: source.endpoints.length } : { min, max: max ?? min },
    dependsOn,
    start: { timeout: start.timeout },
    stop,
    restart,
    ...(resources && { resources: { memory: resources.memory } }),
    health: toHealth(settings.health),
    ...(settings.tcp && { tcp: settings.tcp }),
    ...(origin && { origin }),
    routes: settings.routes.map((route) => toRoute(route, firstListener)),
    http: givenRules(settings),
    pages: toPages(settings, around),
    balance: {
      algorithm: balance.algorithm,
      hashHeader: balance.hashHeader,
      slowStart: balance.slowStart,
      weights: balance.weights,
      ...(balance.sticky && { sticky: balance.sticky }),
    },
    ...(settings.split && { split: settings.split }),
    ...(settings.splitBy && { splitBy: settings.splitBy }),
    ...(settings.mirror && { mirror: settings.mirror }),
    ...(cache && { cache }),
    resilience: toResilience(settings, source.kind === 'process' || settings.tcp !== undefined, around),
  }
}

function toRoute(route: ServiceSettings['routes'][number], firstListener: string): RouteConfig {
  const { listener = firstListener, host, path, methods, stripPath, when, rateLimit } = route
  const limit = rateLimit === 'off' ? undefined : toRateLimit(rateLimit)
  return { listener, host, path, methods, stripPath, ...(when && { when: toWhen(when) }), ...(limit && { rateLimit: limit }), http: givenRules(route) }
}

function toPages({ errorPages, maintenancePage }: ServiceSettings, { resolve, directory }: Surroundings): ServiceConfig['pages'] {
  if (errorPages === undefined && maintenancePage === undefined) return undefined
  return {
    errors: record(errorPages ?? {}, (file) => resolve(directory, file)),
    maintenance: maintenancePage === undefined ? undefined : resolve(directory, maintenancePage),
  }
}

function toSource({ command, endpoints, cwd, env, port, user }: ServiceSettings, { resolve, directory }: Surroundings): ServiceSource {
  if (command !== undefined) {
    const own = { kind: 'process', command, cwd: resolve(directory, cwd), env: record(env, (value) => value), port } as const
    return user === undefined ? own : { ...own, user }
  }
  return { kind: 'static', endpoints: (endpoints ?? []).map(({ address, weight, version }) => ({ host: address.host, port: address.port, weight, ...(version !== undefined && { version }) })) }
}

function toHealth(health: ServiceSettings['health']): ServiceConfig['health'] {
  if (health === undefined) return undefined
  const { expect, agent, ...rest } = health
  return { ...rest, ...(agent && { agent }), expect: { statusMin: expect.status.min, statusMax: expect.status.max, body: expect.body } }
}

/** What waiting requests may use, unless told otherwise: of `command` services, which are restarted by us, and of TCP services, whose next primary is on its way. */
const usualParking = { timeout: ms(30_000), requests: 256, bytes: 16 * 1_024 ** 2 } as const

const usualQuarantine = { expires: ms(3_600_000) } as const

function toResilience({ resilience }: ServiceSettings, parks: boolean, around: Surroundings): ServiceConfig['resilience'] {
  const { timeout, connectTimeout, retries, hedge, parking, breaker, ejection, rateLimit, concurrency, queue, fallback, quarantine } = resilience
  const unset = parks ? usualParking : undefined
  const on = <T>(value: T | 'off' | undefined): T | undefined => (value === 'off' ? undefined : value)
  return { timeout, connectTimeout, retries, hedge: on(hedge), parking: parking === 'off' ? undefined : (parking ?? unset), breaker: on(breaker), ejection: on(ejection), concurrency: concurrency === 'off' ? undefined : concurrency, queue, fallback: toFallback(on(fallback), around), rateLimit: toRateLimit(on(rateLimit)), quarantine: quarantine === 'off' ? undefined : (quarantine ?? usualQuarantine) }
}

function toFallback(
  fallback: Exclude<ServiceSettings['resilience']['fallback'], 'off'>,
  { resolve, directory }: Surroundings,
): ServiceConfig['resilience']['fallback'] {
  return fallback && { ...fallback, body: fallback.body === undefined ? undefined : resolve(directory, fallback.body) }
}

function toRateLimit(limit: Exclude<ServiceSettings['resilience']['rateLimit'], 'off'>): ServiceConfig['resilience']['rateLimit'] {
  return limit && { ...limit, burst: limit.burst ?? Math.max(1, limit.rate.count) }
}

/** The way back: every setting written out, with holes for what means nothing. `toConfig` of it is the same configuration. */
export function toSettings(config: Config): NonNullable<Draft<Settings>> {
  const { name, region, data, api, metrics, log, listeners, cluster, access } = config
  return {
    name,
    region,
    data,
    api,
    metrics: { port: metrics.port ?? 'off', host: metrics.host },
    log: { ...log, access: log.access ?? 'off' },
    tracing: config.tracing ?? 'off',
    explain: config.explain ?? 'off',
    listeners,
    cluster,
    services: record(config.services, fromService),
    errorPages: config.errorPages,
    access,
    limits: config.limits,
    cache: fromCache(config.cache),
    statusPage: config.statusPage ?? 'off',
    store: { sqlite: {} },
    policies: fromPolicies(config.policies ?? []),
    health: fromHealthConfig(config.health ?? { checks: [], canaries: [] }),
    alerting: { ...fromRules(config.alerting), ...fromAlerting(config.alerting) },
  }
}

function fromService(config: ServiceConfig): NonNullable<Draft<ServiceSettings>> {
  const { version, dependsOn, health, balance, resilience, routes, tcp } = config
  return {
    ...fromSource(config),
    version,
    dependsOn,
    health: health && {
      ...health,
      agent: health.agent ?? false,
      expect: { status: { min: health.expect.statusMin, max: health.expect.statusMax }, body: health.expect.body },
    },
    tcp,
    origin: fromOrigin(config.origin),
    routes: routes.map(({ http, ...route }) => ({ ...route, methods: route.methods as RouteMethods, ...http })),
    ...config.http,
    errorPages: config.pages?.errors,
    maintenancePage: config.pages?.maintenance,
    balance,
    split: config.split,
    splitBy: config.splitBy,
    mirror: config.mirror && { ...config.mirror, methods: config.mirror.methods as RouteMethods },
    cache: fromServiceCache(config.cache),
    resilience: { ...resilience, parking: resilience.parking ?? 'off', concurrency: resilience.concurrency ?? 'off', quarantine: config.source.kind === 'process' ? (resilience.quarantine ?? 'off') : undefined },
  }
}

function fromSource({ source, instances, resources, start, stop, restart }: ServiceConfig): NonNullable<Draft<ServiceSettings>> {
  switch (source.kind) {
    case 'process':
      return { command: source.command, cwd: source.cwd, env: source.env, port: source.port, user: source.user, instances, resources, start, stop, restart }
    case 'static':
      return { endpoints: source.endpoints.map(({ host, port, weight, version }) => ({ address: { host, port }, weight, version })) }
  }
}

/** The configuration holds methods as plain texts; they were checked when it was made. */
type RouteMethods = ServiceSettings['routes'][number]['methods'] & RouteConfig['methods']

/** Without a prototype: a service may be called `constructor`, and asking for one that is not there gives undefined. */
function record<T, U>(values: Readonly<Record<string, T>>, change: (value: T, name: string) => U): Readonly<Record<string, U>> {
  const changed = Object.create(null) as Record<string, U>
  for (const [name, value] of Object.entries(values)) changed[name] = change(value, name)
  return changed
}

export function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    Object.values(value).forEach(deepFreeze)
  }
  return value
}
