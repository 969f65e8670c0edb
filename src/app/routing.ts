/**
 * The routing as the control process sees it: out of the configuration, the instances that the supervisor admits, the
 * endpoints added by hand and the switches set by hand, it makes the view that every proxy worker reads.
 *
 *   change ──▶ dirty ──▶ view made and applied (one at a time; changes meanwhile wait for the next) ──▶ told
 *
 * A change is done when every worker routes by it; so what the caller does next (a signal, a kill) cannot meet a request
 * that was sent by the old view. While the proxy is away, changes wait for it.
 */
import type { Proxy } from '../balancer/index.ts'
import type { CacheRedisView } from '../balancer/core/cache-view.ts'
import type { EndpointView, RoutingView, ServiceView } from '../balancer/index.ts'
import type { Config, ServiceConfig } from '../config/types.ts'
import { codeOf } from '../kernel/errors.ts'
import { machineNow } from '../kernel/system.ts'
import { after, ms, sleep, type Clock } from '../kernel/time.ts'
import { proxyEndpointId, staticEndpointId } from '../registry/index.ts'
import type { Expectation, RoutedInstance, Router } from '../supervisor/ports.ts'
import { cacheStoreView, cacheView, redisView } from './cache-view.ts'
import { observeView } from './observe-view.ts'
import { mirrorView, sessionView } from './session-view.ts'
import { tcpViews } from './tcp-view.ts'
import { noCertificates, type LoadedCertificates } from './certificates.ts'
import type { PageView } from '../balancer/core/rules/view.ts'
import { readFallback, readPages, type AllPages, type Pages } from './pages.ts'
import { parkingView } from './parking-view.ts'
import { rateLimitView } from './rate-view.ts'

export interface RoutingOptions {
  readonly clock: Clock
  readonly proxy: Proxy
}

/** An endpoint that somebody added through the API. */
export interface AddedEndpoint {
  readonly id: string
  readonly service: string
  readonly host: string
  readonly port: number
  readonly weight: number
  /** undefined: as the service. */
  readonly version?: string | undefined
}

/** What was switched by hand, and outlives the control process. */
export interface Switches {
  readonly added: readonly AddedEndpoint[]
  /** Ids of configured endpoints that were removed. */
  readonly removed: readonly string[]
  readonly maintenanceServices: readonly string[]
  readonly maintenanceEndpoints: readonly string[]
  /** Shares set by hand, by service and version; they go before those of the configuration. */
  readonly splits?: Readonly<Record<string, Readonly<Record<string, number>>>> | undefined
}

export const noSwitches: Switches = { added: [], removed: [], maintenanceServices: [], maintenanceEndpoints: [] }

/** Between two attempts to give the view to a proxy that is away. */
const retryMs = 100

interface Admitted {
  readonly instance: RoutedInstance
  readonly draining: boolean
}

export class Routing implements Router {
  readonly #options: RoutingOptions
  #config: Config | undefined
  #switches: Switches = noSwitches
  /** What the pages of a configuration held when it was applied first: a file that is gone since does not keep us from going back to it. */
  readonly #pages = new WeakMap<Config, AllPages>()
  #certificates = noCertificates
  /** The same with the bodies of fallbacks. */
  readonly #fallbacks = new WeakMap<ServiceConfig, PageView>()
  /** And with the certificates for Redis. */
  readonly #redis = new WeakMap<Config, CacheRedisView | undefined>()
  /** Answers to ACME challenges under way, by token. */
  readonly #challenges = new Map<string, string>()
  readonly #admitted = new Map<string, Admitted>()
  readonly #expected = new Map<string, Expectation & { readonly readyAtMachineMs: number | undefined }>()
  #version = 0
  #queued: Promise<void> | undefined
  #running: Promise<void> = Promise.resolve()
  #held: { readonly opened: Promise<void>; readonly open: () => void } | undefined
  #closed = false

  constructor(options: RoutingOptions) {
    this.#options = options
  }

  /** The view as it stands; what the workers have, or are about to get. */
  get view(): RoutingView | undefined {
    return this.#config && this.#makeView(this.#config)
  }

  get switches(): Switches {
    return this.#switches
  }

  /** Keeps changes back until `release`, so that a fleet that is being adopted appears at once and not one by one. */
  hold(): void {
    if (this.#held) return
    let open = (): void => undefined
    const opened = new Promise<void>((resolve) => {
      open = resolve
    })
    this.#held = { opened, open }
  }

  /** Publishes what has gathered; resolves when every worker has it. */
  release(): Promise<void> {
    this.#held?.open()
    this.#held = undefined
    return this.publish()
  }

  /** Nothing is published any more; what waits for the proxy gives up. */
  close(): void {
    this.#closed = true
    this.#held?.open()
  }

  /** Throws `page_unreadable` or `certificate_unusable`, and nothing has changed. */
  configure(config: Config, switches: Switches): void {
    if (!this.#pages.has(config)) this.#pages.set(config, readPages(config))
    if (!this.#redis.has(config)) this.#redis.set(config, redisView(config.cache))
    for (const service of Object.values(config.services)) {
      const page = this.#fallbacks.has(service) ? undefined : readFallback(service)
      if (page) this.#fallbacks.set(service, page)
    }
    this.#config = config
    this.#switches = switches
  }

  certify(certificates: LoadedCertificates): void {
    this.#certificates = certificates
  }

  /** An ACME authority will ask for it; undefined: no longer. Resolves when every worker knows. */
  challenge(token: string, answer: string | undefined): Promise<void> {
    if (answer === undefined) this.#challenges.delete(token)
    else this.#challenges.set(token, answer)
    return this.publish()
  }

  /** Resolves when every worker routes by all that was changed before this call. */
  publish(): Promise<void> {
    this.#queued ??= this.#running.then(() => this.#applyNext())
    return this.#queued
  }

  async #applyNext(): Promise<void> {
    if (this.#held) await this.#held.opened
    const applied = this.#apply()
    this.#queued = undefined
    this.#running = applied.catch(() => undefined)
    await applied
  }

  async #apply(): Promise<void> {
    const { clock, proxy } = this.#options
    for (;;) {
      if (this.#closed || !this.#config) return
      try {
        this.#version = Math.max(this.#version + 1, clock.wallTime())
        await proxy.apply(this.#makeView(this.#config))
        return
      } catch (error) {
        // A listener that cannot be opened is for whoever changed the configuration; a proxy that is away comes back.
        if (codeOf(error) !== 'proxy_unreachable') throw error
        await sleep(clock, ms(retryMs))
      }
    }
  }

  // --- Router -----------------------------------------------------------------------------------------------------

  async admit(instance: RoutedInstance): Promise<void> {
    this.#admitted.set(instance.id, { instance, draining: false })
    await this.publish()
  }

  async drain(instance: RoutedInstance, deadlineMs: number): Promise<{ readonly remaining: number }> {
    const { clock, proxy } = this.#options
    const deadline = after(clock.now(), ms(deadlineMs))
    // Also one that was never admitted here: a proxy that was running before may route to it by the view it holds.
    this.#admitted.set(instance.id, { instance, draining: true })
    await this.publish()
    while (!this.#closed) {
      const leftMs = Math.max(0, deadline - clock.now())
      try {
        return await proxy.drained(instance.id, leftMs)
      } catch (error) {
        if (codeOf(error) !== 'proxy_unreachable' || leftMs === 0) throw error
        await sleep(clock, ms(Math.min(leftMs, retryMs)))
      }
    }
    return { remaining: 0 }
  }

  gone(instance: RoutedInstance, reason: string): void {
    this.#options.proxy.gone(instance.id, reason)
    if (!this.#admitted.delete(instance.id)) return
    void this.publish().catch(() => undefined)
  }

  expect(service: string, expectation: Expectation): void {
    const { coming, bootMs, bootP95Ms, readyAt } = expectation
    const before = this.#expected.get(service)
    if (before?.coming === coming && before.bootMs === bootMs && before.bootP95Ms === bootP95Ms && before.readyAt === readyAt) return
    // The workers have a monotonic clock in common with us, but not its beginning.
    const readyAtMachineMs = readyAt === undefined ? undefined : machineNow() + (readyAt - this.#options.clock.now())
    this.#expected.set(service, { ...expectation, readyAtMachineMs })
    void this.publish().catch(() => undefined)
  }

  isAdmitted(instance: string): boolean {
    return this.#admitted.has(instance)
  }

  // --- the view ---------------------------------------------------------------------------------------------------

  #makeView(config: Config): RoutingView {
    const pages = this.#pages.get(config)
    return {
      version: this.#version,
      observe: observeView(config),
      cache: cacheStoreView(config, this.#redis.get(config)),
      ...(this.#challenges.size > 0 && { challenges: Object.fromEntries(this.#challenges) }),
      ...(pages?.unrouted && { pages: pages.unrouted }),
      listeners: Object.entries(config.listeners).map(([name, { host, port, http2, protocol, proxyProtocol }]) => ({
        name,
        host,
        port,
        tls: this.#certificates.listeners.get(name)?.view,
        http2,
        ...(proxyProtocol && { proxyFrom: proxyProtocol.from }),
        ...(protocol === 'tcp' && { protocol }),
      })),
      services: Object.values(config.services).map((service) => this.#serviceView(service, pages?.services.get(service.name))),
    }
  }

  #serviceView(service: ServiceConfig, pages: Pages | undefined): ServiceView {
    const { name, balance, resilience, health, source } = service
    const expected = this.#expected.get(name)
    const supervised = source.kind === 'process'
    const http2 = service.origin?.protocol === 'h2' ? { http2: true } : undefined
    return {
      name,
      routes: service.routes.map(({ http, rateLimit, ...route }) => ({
        ...route,
        ...(http && { rules: http }),
        ...(rateLimit && { rateLimit: rateLimitView(rateLimit, this.#config) }),
      })),
      rules: (service.http ?? pages) && { ...service.http, pages },
      // A connection is no request: there is no time to its answer that could be measured.
      algorithm: service.tcp && balance.algorithm === 'p2c-ewma' ? 'least-connections' : balance.algorithm,
      hashHeader: balance.hashHeader,
      slowStartMs: balance.slowStart,
      ...(balance.weights === 'configured' && { configuredWeights: true }),
      ...sessionView(service, this.#switches),
      mirror: mirrorView(service),
      timeoutMs: resilience.timeout,
      connectTimeoutMs: resilience.connectTimeout,
      ...resilienceView(resilience),
      rateLimit: rateLimitView(resilience.rateLimit, this.#config),
      fallback: this.#fallback(service),
      cache: service.cache && cacheView(service.cache, resilience.fallback?.stale),
      parking: resilience.parking && parkingView(resilience.parking, expected?.bootP95Ms),
      // Until the supervisor says that nothing comes, what it runs is worth waiting for; for others the operator said so by asking for parking.
      managed: supervised ? (expected?.coming ?? true) || this.#hasInstance(name) : resilience.parking !== undefined,
      ...(supervised && resilience.quarantine && { quarantine: true, quarantineMs: resilience.quarantine.expires }),
      coming: supervised && (expected?.coming ?? true),
      bootMs: expected?.bootMs,
      ...(expected?.readyAtMachineMs !== undefined && { readyAtMachineMs: expected.readyAtMachineMs }),
      maintenance: this.#switches.maintenanceServices.includes(name),
      agent: health?.agent === true || undefined,
      probe: health && {
        path: health.path ?? '',
        grpc: health.grpc,
        intervalMs: health.interval,
        timeoutMs: health.timeout,
        fall: health.fall,
        rise: health.rise,
        statusMin: health.expect.statusMin,
        statusMax: health.expect.statusMax,
        body: health.expect.body,
      },
      ...(service.tcp && tcpViews(service.tcp, supervised, this.#certificates.origins.get(name))),
      origin: this.#originView(service),
      endpoints: this.endpointViews(service).map((view) => ({ ...view, id: proxyEndpointId(name, view.id), ...http2 })),
    }
  }

  #originView({ name, origin, tcp }: ServiceConfig): ServiceView['origin'] {
    return (
      origin && { tls: tcp ? undefined : this.#certificates.origins.get(name), ...(origin.proxyProtocol && { proxyProtocol: origin.proxyProtocol }) }
    )
  }

  #fallback(service: ServiceConfig): ServiceView['fallback'] {
    const page = this.#fallbacks.get(service)
    const { fallback } = service.resilience
    if (fallback?.service !== undefined) return { service: fallback.service }
    return page && fallback && { status: fallback.status, page }
  }

  #hasInstance(service: string): boolean {
    return [...this.#admitted.values()].some(({ instance, draining }) => instance.service === service && !draining)
  }

  /** The endpoints of a service, by the ids that users know: its instances, or its configured addresses, and what was added by hand. */
  endpointViews({ name, source, version }: ServiceConfig): readonly EndpointView[] {
    const views: EndpointView[] = []
    if (source.kind === 'static') {
      for (const { host, port, weight, version: revision = version } of source.endpoints) {
        const id = staticEndpointId(host, port)
        if (!this.#switches.removed.includes(id)) views.push({ id, host, port, weight, revision, state: 'active' })
      }
    }
    for (const { instance, draining } of this.#admitted.values()) {
      if (instance.service === name)
        views.push({
          id: instance.id,
          host: instance.host,
          port: instance.port,
          weight: 1,
          revision: instance.version,
          restarts: instance.restarts,
          process: instance.process,
          state: draining ? 'draining' : 'active',
        })
    }
    for (const { id, service, host, port, weight, version: revision = version } of this.#switches.added) {
      if (service === name) views.push({ id, host, port, weight, revision, state: 'active' })
    }
    return views.map((view) =>
      view.state === 'active' && this.#switches.maintenanceEndpoints.includes(view.id) ? { ...view, state: 'maintenance' } : view,
    )
  }
}

function resilienceView({
  retries,
  hedge,
  breaker,
  ejection,
  concurrency,
  queue,
}: ServiceConfig['resilience']): Pick<ServiceView, 'retries' | 'hedge' | 'breaker' | 'ejection' | 'concurrency'> {
  const { attempts, budget, on = [] } = retries
  const statuses = on.filter((each) => each !== 'timeout')
  return {
    retries: {
      attempts,
      budget,
      statuses: attempts === 0 || statuses.length === 0 ? undefined : statuses,
      onTimeout: on.includes('timeout') || undefined,
    },
    hedge: hedge && { delayMs: hedge.delay, budget: hedge.budget },
    breaker: breaker && { errorRate: breaker.errorRate, windowMs: breaker.window, minimumRequests: breaker.minimumRequests, openMs: breaker.openFor },
    ejection: ejection && {
      consecutiveErrors: ejection.consecutiveErrors,
      consecutiveFailures: ejection.consecutiveFailures,
      baseMs: ejection.baseTime,
      maxMs: Math.max(ejection.baseTime, ejection.maxTime),
    },
    concurrency:
      concurrency === undefined || queue === undefined
        ? undefined
        : { limit: concurrency, queue: { requests: queue.size, timeoutMs: queue.timeout } },
  }
}
