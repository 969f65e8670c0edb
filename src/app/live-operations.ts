/** `Operations` over the running parts: every question answered from what they know now, every action carried out by the part it concerns. */
import { noMirrorCounts } from '../balancer/core/mirror.ts'
import type { EndpointView, QuarantinedRequest } from '../balancer/index.ts'
import { configTag, explainConfig, showConfig, type Config, type ServiceConfig } from '../config/index.ts'
import { HoldfastError } from '../kernel/errors.ts'
import type { AnyEvent, EventOf } from '../kernel/events.ts'
import { elapsed } from '../kernel/time.ts'
import { counted } from '../kernel/words.ts'
import type { PrometheusMetrics } from '../metrics/index.ts'
import { proxyEndpointId, staticEndpointId } from '../registry/index.ts'
import type { EndpointStatus, InstanceStatus, ServiceStatus } from '../registry/types.ts'
import type { EventQuery } from '../store/index.ts'
import type { AlertRules } from './alert-rules.ts'
import type { Caches } from './caches.ts'
import type { MetricsOperations } from './metrics-operations.ts'
import type { HealthChecks } from './checks.ts'
import type { Profiling } from './profiling.ts'
import type { Dependencies } from './dependencies.ts'
import { explanationOf, type Explanation } from './explaining.ts'
import type { Holdfast } from './holdfast.ts'
import type {
  Actor,
  ConfigChange,
  ConfigOrigin,
  LogLine,
  LogQuery,
  NewServer,
  Operations,
  Overview,
  RestartReport,
  ScalingRecord,
  MirrorReport,
  Split,
} from './operations.ts'
import type { Notifications } from './notifications.ts'
import type { PublicStatus } from './status-page.ts'
import type { Switches } from './routing.ts'
import { endpointStatus, serviceStatus } from './service-status.ts'
import { checkShares, splitOf, withSplit } from './splits.ts'
import { saveSwitches } from './switches.ts'

/** Endpoints that may be added by hand, in all. */
const addedEndpointsMax = 1_000
/** The newest events, among which the one that is to be explained is looked for. */
const explainedEventsMax = 1_000

export class LiveOperations implements Operations {
  readonly #holdfast: Holdfast
  readonly #metrics: PrometheusMetrics
  readonly #version: string

  get cache(): Caches {
    return this.#holdfast.caches
  }

  policies(): ReturnType<Operations['policies']> {
    return this.#holdfast.watching.policies.list()
  }

  get health(): HealthChecks {
    return this.#holdfast.watching.checks
  }

  get alerting(): Notifications {
    return this.#holdfast.watching.notifications
  }

  get statusPage(): PublicStatus {
    return this.#holdfast.watching.statusPage
  }

  get rules(): AlertRules {
    return this.#holdfast.watching.rules
  }

  get history(): MetricsOperations {
    return this.#holdfast.watching.seeing.operations
  }

  get profiles(): Profiling {
    return this.#holdfast.watching.profiling
  }

  get dependencies(): Dependencies {
    return this.#holdfast.watching.dependencies
  }

  constructor(holdfast: Holdfast, metrics: PrometheusMetrics, version: string) {
    this.#holdfast = holdfast
    this.#metrics = metrics
    this.#version = version
  }

  // --- configuration ----------------------------------------------------------------------------------------------

  config(): Config {
    return this.#holdfast.config
  }

  shownConfig(): unknown {
    return showConfig(this.#holdfast.loaded)
  }

  explainConfig(): readonly ConfigOrigin[] {
    return explainConfig(this.#holdfast.loaded)
  }

  configTag(): string {
    return configTag(this.#holdfast.config)
  }

  previewConfig(text?: string): Promise<readonly ConfigChange[]> {
    return this.#holdfast.previewConfig(text)
  }

  applyConfig({ text, actor, ifMatch }: { text?: string; actor: Actor; ifMatch?: string }): Promise<readonly ConfigChange[]> {
    return this.#holdfast.applyConfig(text, actor, ifMatch)
  }

  // --- questions --------------------------------------------------------------------------------------------------

  overview(): Overview {
    const { config, traffic, proxy, clock, startedAt, listeners } = this.#holdfast
    const services = this.services()
    const expiring = this.#holdfast.certificates.expiring
    const bad = services.filter(({ health, ready }) => health === 'unhealthy' || (health === 'starting' && ready === 0)).length
    const status = bad > 0 && bad === services.length ? 'unhealthy' : services.every(({ health }) => health === 'healthy') ? 'healthy' : 'degraded'
    return {
      status: proxy.connected ? status : 'unhealthy',
      name: config.name,
      region: config.region,
      version: this.#version,
      pid: process.pid,
      uptime: Math.floor(elapsed(startedAt, clock.now()) / 1_000),
      services,
      proxy: traffic.latest,
      proxyConnected: proxy.connected,
      listeners,
      certificates: expiring.length === 0 ? undefined : expiring,
    }
  }

  services(): readonly ServiceStatus[] {
    return Object.values(this.config().services).map((service) => this.#status(service))
  }

  service(name: string): ServiceStatus {
    return this.#status(this.#serviceConfig(name))
  }

  instances(service: string): readonly InstanceStatus[] {
    this.#serviceConfig(service)
    return this.#holdfast.supervisor.instances(service)
  }

  endpoints(): readonly EndpointStatus[] {
    return Object.values(this.config().services).flatMap((service) => this.#endpointsOf(service))
  }

  #serviceConfig(name: string): ServiceConfig {
    const service = this.config().services[name]
    if (service) return service
    const known = Object.keys(this.config().services).join(', ')
    throw new HoldfastError('unknown_service', `looked for service ${name}, found no such service`, {
      hint: known === '' ? 'there are none' : `there are: ${known}`,
    })
  }

  #status(service: ServiceConfig): ServiceStatus {
    const { supervisor, routing, traffic } = this.#holdfast
    const revision = supervisor.revision(service.name)
    return serviceStatus({
      service,
      revision: revision?.number ?? 1,
      // For a moment when everything starts, the supervisor does not know it yet.
      desired: revision === undefined ? service.instances.min : supervisor.desired(service.name),
      maintenance: routing.switches.maintenanceServices.includes(service.name),
      instances: supervisor.instances(service.name),
      endpoints: this.#endpointsOf(service),
      traffic: traffic.service(service.name),
    })
  }

  #endpointsOf(service: ServiceConfig): readonly EndpointStatus[] {
    return this.#holdfast.routing.endpointViews(service).map((view) => this.#endpointStatus(view, service.name))
  }

  #endpointStatus(view: EndpointView, service: string): EndpointStatus {
    const { traffic, routing } = this.#holdfast
    const id = proxyEndpointId(service, view.id)
    const instance = routing.isAdmitted(view.id) ? view.id : undefined
    return endpointStatus(view, service, traffic.latest?.endpoints[id], traffic.endpoint(id), instance)
  }

  // --- actions ----------------------------------------------------------------------------------------------------

  async scale(name: string, instances: number, { reason = 'by hand', actor }: { reason?: string; actor: Actor }): Promise<ScalingRecord> {
    const service = this.#supervised(name)
    const { supervisor, events } = this.#holdfast
    const from = supervisor.desired(service.name)
    await supervisor.scale(service.name, instances)
    const id = events.emit('service.scaled', {
      message: `${actor.name} scaled ${name} from ${from} to ${counted(instances, 'instance')}: ${reason}`,
      service: name,
      cause: actor.cause,
      data: { from, to: instances, trigger: 'manual', reason, actor: actor.name },
    })
    return scalingRecord({
      id,
      service: name,
      time: this.#holdfast.clock.wallTime(),
      data: { from, to: instances, trigger: 'manual', reason, actor: actor.name },
    })
  }

  scalingEvents(limit: number): readonly ScalingRecord[] {
    return this.events({ type: 'service.scaled', limit }).map((event) => scalingRecord(event as EventOf<'service.scaled'>))
  }

  async restart(name: string, { actor }: { actor: Actor }): Promise<RestartReport> {
    const service = this.#supervised(name)
    const { supervisor, events } = this.#holdfast
    const instances = supervisor.desired(service.name)
    const announce = (replaced: number, error?: string): void => {
      events.emit('service.restarted', {
        message:
          error === undefined
            ? `${actor.name} restarted ${name}: ${counted(replaced, 'instance')} replaced`
            : `${actor.name} tried to restart ${name}: ${error}`,
        level: error === undefined ? 'info' : 'error',
        service: name,
        cause: actor.cause,
        data: { actor: actor.name, instances, replaced, ...(error !== undefined && { error }) },
      })
    }
    try {
      const replaced = await supervisor.restart(service.name)
      announce(replaced.length)
      return { service: name, replaced }
    } catch (error) {
      announce(0, error instanceof Error ? error.message : String(error))
      throw error
    }
  }

  #supervised(name: string): ServiceConfig {
    const service = this.#serviceConfig(name)
    if (service.source.kind === 'process') return service
    throw new HoldfastError('invalid_input', `${name} has endpoints that somebody else runs; holdfast does not start or stop them`, {
      hint: 'give it a command instead of endpoints, or take single endpoints out with maintenance',
    })
  }

  async orderBreaker(name: string, action: 'isolate' | 'close' | 'reset', { actor }: { actor: Actor }): Promise<void> {
    const service = this.#serviceConfig(name)
    if (service.resilience.breaker === undefined) {
      throw new HoldfastError('invalid_input', `tried to ${action} the breaker of ${name}, which has none`, {
        hint: `give it one: services.${name}.resilience.breaker: {}`,
      })
    }
    await this.#holdfast.proxy.breaker(name, action)
    this.#holdfast.events.emit('breaker.ordered', {
      message: `${actor.name}: ${action} the breaker of ${name}`,
      service: name,
      cause: actor.cause,
      data: { action, actor: actor.name },
    })
  }

  quarantined(): readonly QuarantinedRequest[] {
    return this.#holdfast.proxy.telemetry()?.quarantined ?? []
  }

  async forgetQuarantined(id: string, { actor }: { actor: Actor }): Promise<void> {
    await this.#holdfast.proxy.forgetQuarantined(id)
    this.#holdfast.events.emit('request.forgotten', {
      message: `${actor.name}: the request ${id} is no longer quarantined`,
      cause: actor.cause,
      data: { id, actor: actor.name },
    })
  }

  async setMaintenance(target: { service: string } | { endpoint: string } | 'all', enabled: boolean, { actor }: { actor: Actor }): Promise<void> {
    const { events } = this.#holdfast
    const word = enabled ? 'switched off for maintenance' : 'switched on again'
    if (target !== 'all' && 'endpoint' in target) {
      const { endpoint: id } = target
      const endpoint = this.#endpoint(id)
      await this.#switch((switches) => ({ ...switches, maintenanceEndpoints: toggled(switches.maintenanceEndpoints, [id], enabled) }))
      events.emit('endpoint.maintenanceChanged', {
        message: `${actor.name}: endpoint ${id} of ${endpoint.service} ${word}`,
        service: endpoint.service,
        cause: actor.cause,
        data: { address: staticEndpointId(endpoint.host, endpoint.port), enabled, actor: actor.name },
      })
      return
    }
    const names = target === 'all' ? Object.keys(this.config().services) : [this.#serviceConfig(target.service).name]
    await this.#switch((switches) => ({ ...switches, maintenanceServices: toggled(switches.maintenanceServices, names, enabled) }))
    for (const service of names) {
      events.emit('service.maintenanceChanged', {
        message: `${actor.name}: ${service} ${word}`,
        service,
        cause: actor.cause,
        data: { enabled, actor: actor.name },
      })
    }
  }

  split(name: string): Split {
    const service = this.#serviceConfig(name)
    const { routing, traffic } = this.#holdfast
    return splitOf(service, routing.switches, routing.endpointViews(service), (ids) => traffic.together(ids))
  }

  async setSplit(name: string, shares: Readonly<Record<string, number>> | undefined, { actor }: { actor: Actor }): Promise<Split> {
    const { versions } = this.split(name)
    if (shares) checkShares(name, shares, versions)
    await this.#switch((switches) => withSplit(switches, name, shares))
    const said = Object.entries(shares ?? {}).map(([version, share]) => `${version} ${Number((share * 100).toFixed(4))}%`)
    this.#holdfast.events.emit('service.splitChanged', {
      message: `${actor.name} divided the clients of ${name}: ${shares ? said.join(', ') : 'as configured'}`,
      service: name,
      cause: actor.cause,
      data: { shares: shares ?? null, actor: actor.name },
    })
    return this.split(name)
  }

  mirror(name: string): MirrorReport {
    const { mirror } = this.#serviceConfig(name)
    const { counts = noMirrorCounts, differences = [] } = this.#holdfast.traffic.latest?.services[name]?.mirror ?? {}
    return { service: name, mirror: mirror?.service, counts, differences }
  }

  async addServer({ host, port, weight = 1, service, version }: NewServer, { actor }: { actor: Actor }): Promise<EndpointStatus> {
    const target = service === undefined ? this.#defaultService() : this.#serviceConfig(service)
    const id = staticEndpointId(host, port)
    await this.#switch((switches) => {
      if (this.endpoints().some((endpoint) => staticEndpointId(endpoint.host, endpoint.port) === id)) {
        throw new HoldfastError('conflict', `tried to add ${id} to ${target.name}: it is an endpoint already`)
      }
      if (switches.added.length >= addedEndpointsMax)
        throw new HoldfastError('conflict', `tried to add ${id}: there are ${addedEndpointsMax} added endpoints already`)
      const configured = target.source.kind === 'static' && target.source.endpoints.some((each) => staticEndpointId(each.host, each.port) === id)
      if (configured) return { ...switches, removed: switches.removed.filter((each) => each !== id) }
      return { ...switches, added: [...switches.added, { id, service: target.name, host, port, weight, version }] }
    })
    this.#holdfast.events.emit('endpoint.added', {
      message: `${actor.name} added ${id} to ${target.name}`,
      service: target.name,
      cause: actor.cause,
      data: { address: id, actor: actor.name },
    })
    return this.#endpoint(id)
  }

  /** The only service with configured endpoints, else the first. */
  #defaultService(): ServiceConfig {
    const services = Object.values(this.config().services)
    const [only, ...more] = services.filter(({ source }) => source.kind === 'static')
    const service = only !== undefined && more.length === 0 ? only : services[0]
    if (!service)
      throw new HoldfastError('invalid_input', 'tried to add a server: there is no service to add it to', {
        hint: 'add a service to the configuration first',
      })
    return service
  }

  async removeServer(id: string, { actor }: { actor: Actor }): Promise<void> {
    const endpoint = this.#endpoint(id)
    if (endpoint.instance !== undefined) {
      throw new HoldfastError('conflict', `tried to remove ${id}: it is an instance that holdfast runs`, {
        hint: `scale ${endpoint.service} down, or switch the endpoint off with maintenance`,
      })
    }
    await this.#switch((switches) => {
      // Somebody may have removed it while this waited for its turn.
      this.#endpoint(id)
      const added = switches.added.some((each) => each.id === id)
      return added ? { ...switches, added: switches.added.filter((each) => each.id !== id) } : { ...switches, removed: [...switches.removed, id] }
    })
    this.#holdfast.events.emit('endpoint.removed', {
      message: `${actor.name} removed ${id} from ${endpoint.service}`,
      service: endpoint.service,
      cause: actor.cause,
      data: { address: id, actor: actor.name },
    })
  }

  #endpoint(id: string): EndpointStatus {
    const endpoint = this.endpoints().find((each) => each.id === id)
    if (endpoint) return endpoint
    throw new HoldfastError('unknown_endpoint', `looked for endpoint ${id}, found no such endpoint`, { hint: 'see: holdfast status' })
  }

  /** One change at a time: written down, then every worker routes by it. */
  #switch(change: (switches: Switches) => Switches): Promise<void> {
    const { routing, store } = this.#holdfast
    return this.#holdfast.exclusive(async () => {
      const switches = change(routing.switches)
      await saveSwitches(store, switches)
      routing.configure(this.config(), switches)
      await routing.publish()
    })
  }

  // --- events and logs ----------------------------------------------------------------------------------------------

  events(query: EventQuery): readonly AnyEvent[] {
    return this.#holdfast.events.query(query)
  }

  async explain(id: string): Promise<Explanation> {
    const requests = await this.#holdfast.proxy.explain(id)
    return explanationOf(id, requests, this.events({ limit: explainedEventsMax }))
  }

  onEvent(listener: (event: AnyEvent) => void): Disposable {
    return this.#holdfast.events.on('*', listener)
  }

  logs(service: string, query: LogQuery): Promise<readonly LogLine[]> {
    return Promise.resolve().then(() => {
      this.#supervised(service)
      return this.#holdfast.supervisor.logs.read(service, query)
    })
  }

  followLogs(service: string, query: LogQuery, onLine: (line: LogLine) => void): Disposable {
    this.#supervised(service)
    return this.#holdfast.supervisor.logs.follow(service, query, onLine)
  }

  async checkStore(): Promise<void> {
    try {
      await this.#holdfast.store.get('switches')
    } catch (cause) {
      throw new HoldfastError('unavailable', 'the state store cannot be read', { cause })
    }
  }

  metrics(): Promise<string> {
    return this.#metrics.text()
  }

  down(): Promise<void> {
    this.#holdfast.orderDown()
    return Promise.resolve()
  }
}

function toggled(list: readonly string[], names: readonly string[], enabled: boolean): readonly string[] {
  const others = list.filter((each) => !names.includes(each))
  return enabled ? [...others, ...names] : others
}

function scalingRecord({ id, service, time, data }: Pick<EventOf<'service.scaled'>, 'id' | 'service' | 'time' | 'data'>): ScalingRecord {
  return {
    id,
    type: data.to >= data.from ? 'scale-up' : 'scale-down',
    trigger: data.trigger,
    service: service ?? '',
    from: data.from,
    to: data.to,
    reason: data.reason,
    timestamp: new Date(time).toISOString(),
    success: true,
  }
}
