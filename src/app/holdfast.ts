/**
 * The whole control plane, put together: the only place that knows every part. It opens the store, finds or starts the
 * data plane, opens the listeners, lets the supervisor take over what runs and start what is missing, and serves
 * the API. A start that fails leaves nothing running that it began.
 *
 *   idle ──start──▶ running ──down──▶ drained and stopped
 *                      └──letGo / kill -9──▶ services and proxy go on; the next start adopts them
 */
import { hostname } from 'node:os'
import { join } from 'node:path'
import { Access } from '../access/index.ts'
import { ApiServer, MetricsServer } from '../api/index.ts'
import { ProxyClient, type ProxyIdentity } from '../balancer/index.ts'
import type { Config, ConfigDifference, LoadedConfig } from '../config/index.ts'
import { impactOf } from '../dependencies/core/impact.ts'
import { HoldfastError, messageOf } from '../kernel/errors.ts'
import type { AnyEvent } from '../kernel/events.ts'
import { aborted } from '../kernel/lifecycle.ts'
import { makePrivateDirectory } from '../kernel/files.ts'
import { after, ms } from '../kernel/time.ts'
import { newId, systemClock, systemRandom } from '../kernel/system.ts'
import { PrometheusMetrics } from '../metrics/index.ts'
import { SqliteEventLog, SqliteStore, StateFile, type SetAside } from '../store/index.ts'
import { Supervisor, type Settlement } from '../supervisor/index.ts'
import { BalancerSignals } from './balancer-signals.ts'
import { Acme } from './acme.ts'
import { Caches } from './caches.ts'
import { redisView } from './cache-view.ts'
import { Values } from './values.ts'
import { AlertRules } from './alert-rules.ts'
import { HealthChecks } from './checks.ts'
import { Certificates, lookMs } from './certificates.ts'
import { Configuration } from './configuration.ts'
import { Dependencies } from './dependencies.ts'
import { checkSource } from './dependency-facts.ts'
import { EventBus } from './event-bus.ts'
import { HealthChanges } from './health-changes.ts'
import { logEvent, openLog, type Log } from './log.ts'
import { LiveOperations } from './live-operations.ts'
import { SeeingMetrics } from './seeing-metrics.ts'
import { Notifications } from './notifications.ts'
import { Policies } from './policies.ts'
import { nameOwner } from './port-conflict.ts'
import { Profiling } from './profiling.ts'
import { Routing } from './routing.ts'
import { PublicStatus } from './status-page.ts'
import { loadSwitches, pruneSwitches } from './switches.ts'
import { Traffic } from './traffic.ts'
import type { Actor, ConfigChange } from './operations.ts'
import { withBacktests } from './rule-preview.ts'

export interface HoldfastOptions {
  readonly loaded: LoadedConfig
  readonly env: NodeJS.ProcessEnv
  readonly version: string
  /** Something the operator should know that is no error. */
  readonly onWarning: (text: string) => void
  readonly onStep: (text: string) => void
  /** Told of every event, after the log. */
  readonly onEvent: (event: AnyEvent) => void
  /** Somebody ordered `down` through the API. */
  readonly onDown: () => void
  /** The last step of a start: tells where it is to be reached. A start whose last step fails has failed. */
  readonly publish: (holdfast: Holdfast) => Promise<void>
}

/** How long a part may take to stop when a start has failed. */
const failedStartMs = 5_000

/** Exits among which the last words of an instance are looked for. */
const recentExits = 50

export class Holdfast {
  readonly #options: HoldfastOptions
  readonly clock = systemClock
  readonly startedAt = systemClock.now()
  readonly proxy: ProxyClient
  readonly routing: Routing
  readonly traffic = new Traffic()
  readonly store: SqliteStore
  readonly events: EventBus
  readonly access: Access
  readonly supervisor: Supervisor
  readonly caches: Caches
  readonly statusPage: PublicStatus
  readonly seeing: SeeingMetrics
  readonly checks: HealthChecks
  readonly policies: Policies
  readonly notifications: Notifications
  readonly rules: AlertRules
  readonly #values: Values
  readonly operations: LiveOperations
  readonly profiling: Profiling
  /** What needs what. */
  readonly dependencies: Dependencies
  readonly #eventLog: SqliteEventLog
  readonly #log: Log
  readonly #api: ApiServer
  readonly #metricsServer: MetricsServer
  readonly #configuration: Configuration
  readonly certificates: Certificates
  readonly #acme: Acme
  #certificatesTimer: Disposable | undefined
  readonly #healthChanges: HealthChanges
  readonly #signals: BalancerSignals
  readonly #setAside: SetAside[] = []
  #adopted = 0
  #changing: Promise<unknown> = Promise.resolve()
  #stopping = false
  /** Undoes what `start` has done so far, last first. */
  #undo: (() => Promise<void> | void)[] = []

  constructor(options: HoldfastOptions) {
    const { loaded } = options
    const { config } = loaded
    const clock = this.clock
    this.#options = options
    this.#log = openLog(config.log, (error) => {
      options.onWarning(`writing the log failed: ${messageOf(error)}`)
    })
    const problem = (what: string) => (error: unknown) => {
      this.#log.logger.error({ err: error }, what)
    }
    const file = new StateFile({ directory: config.data, clock, onSetAside: (setAside) => void this.#setAside.push(setAside) })
    this.store = new SqliteStore({ file })
    this.#eventLog = new SqliteEventLog({ file })
    this.events = new EventBus({
      log: this.#eventLog,
      clock,
      region: config.region,
      newId,
      onListenerError: problem('a listener of events failed'),
      onLogError: problem('the event log cannot be written'),
    })
    this.events.on('*', (event) => {
      logEvent(this.#log.logger, event)
      options.onEvent(event)
    })
    this.proxy = new ProxyClient({ directory: config.data, clock, workers: config.cluster.workers })
    this.routing = new Routing({ clock, proxy: this.proxy })
    this.access = new Access({ config, store: this.store, events: this.events, clock, onError: problem('access') })
    this.supervisor = new Supervisor({
      clock,
      random: systemRandom,
      store: this.store,
      events: this.events,
      router: this.routing,
      directory: config.data,
      logDirectory: join(config.data, 'logs', 'services'),
      env: options.env,
      onProblem: problem('the supervisor worked around a problem'),
    })
    this.certificates = new Certificates({ clock, events: this.events })
    const { events, store, routing, supervisor } = this
    const exclusive: Holdfast['exclusive'] = (change) => this.exclusive(change)
    this.#configuration = new Configuration(
      { env: options.env, events, store, routing, supervisor, certificates: this.certificates, exclusive },
      loaded,
    )
    this.#acme = new Acme({
      clock,
      random: systemRandom,
      events,
      config: () => this.config,
      challenge: (token, answer) => routing.challenge(token, answer),
      takeUp: () => this.exclusive(() => this.#configuration.lookAtCertificates()),
    })
    this.#values = new Values(config.cache, events)
    this.caches = new Caches({ values: this.#values, proxy: this.proxy, events, services: () => Object.keys(this.config.services) })
    this.#signals = new BalancerSignals({
      clock,
      events,
      routing,
      supervisor,
      lastWords: (instance) => lastWordsOf(events.query({ type: 'instance.exited', limit: recentExits }), instance),
      isStopping: () => this.#stopping,
      onFlows: (flows) => {
        this.dependencies.hear(flows)
      },
    })
    this.#healthChanges = new HealthChanges(events)
    this.statusPage = new PublicStatus({
      clock,
      config: () => this.config,
      services: () => this.operations.services(),
      maintenanceEvents: (service) => events.query({ type: 'service.maintenanceChanged', service, limit: 1 }),
      incidents: { published: () => this.notifications.published() },
      uptime: { days: (service, count) => this.seeing.uptime.days(service, count) },
    })
    const metrics = new PrometheusMetrics({
      services: () => this.operations.services(),
      telemetry: () => this.traffic.latest,
      certificates: () => this.certificates.statuses,
      cache: () => this.caches.report(),
      machine: () => this.seeing.machine(),
      checks: () => ({ checks: this.checks.checks(), network: this.checks.network() }),
      alerts: () => this.notifications.readings(),
      version: options.version,
    })
    this.operations = new LiveOperations(this, metrics, options.version)
    this.seeing = new SeeingMetrics({
      clock,
      events,
      directory: config.data,
      services: () => this.operations.services(),
      telemetry: () => this.traffic.latest,
      proxyConnected: () => this.proxy.connected,
      onError: problem('reading the metrics'),
    })
    this.checks = new HealthChecks({
      clock,
      random: systemRandom,
      events,
      store,
      config: () => this.config,
      services: () => this.operations.services(),
      traffic: this.traffic,
      alerts: () => this.notifications.notifier,
      onProblem: problem('a check could not be carried on'),
    })
    this.seeing.register(this.checks)
    this.policies = new Policies({
      clock,
      events,
      store,
      config: () => this.config,
      operations: () => this.operations,
      onProblem: problem('a policy could not be carried out'),
    })
    events.on('*', (event) => {
      this.policies.hear(event)
    })
    events.on('config.applied', () => {
      this.checks.apply()
      this.rules.configure()
    })
    this.profiling = new Profiling({
      ...{ clock, events },
      proxy: this.proxy,
      directory: config.data,
      service: (name) => this.operations.service(name),
      onError: problem('keeping a profile'),
    })
    this.dependencies = new Dependencies({
      ...{ clock, events, store },
      config: () => this.config,
      services: () => this.operations.services(),
      checks: checkSource(this.checks, () => this.config),
      onError: problem('finding out what needs what'),
    })
    for (const type of ['check.changed', 'check.suspected'] as const)
      events.on(type, () => {
        this.dependencies.look(this.operations.services())
      })
    this.notifications = new Notifications({
      clock,
      random: systemRandom,
      store,
      events,
      newId,
      apiUrl: () => this.apiUrl,
      config: () => this.config,
      suppressor: this.dependencies,
      maintenance: {
        inMaintenance: (labels) =>
          (labels.service !== undefined && routing.switches.maintenanceServices.includes(labels.service)) || this.rules.inMaintenance(labels),
      },
      onProblem: problem('telling of alerts'),
    })
    this.rules = new AlertRules({
      clock,
      store,
      events,
      seeing: this.seeing,
      config: () => this.config.alerting,
      incidents: () => this.notifications.incidents(),
      sink: this.dependencies.sink(this.notifications.notifier),
      onFirst: () => {
        this.notifications.notifier.settled()
      },
      certificates: () => this.certificates.statuses,
      services: () => Object.keys(this.config.services),
      checks: () => (this.config.health?.checks ?? []).map(({ name }) => name),
      dependants: (service) => impactOf(this.dependencies.graph, service)?.affected.map(({ name }) => name) ?? [],
      checkSeverity: (check) => this.checks.checks().find(({ name }) => name === check)?.severity,
      onError: problem('a rule could not be carried on'),
    })
    const log = this.#log.logger
    this.#api = new ApiServer({
      operations: this.operations,
      access: this.access,
      events: { sink: this.events },
      config,
      log,
      version: options.version,
    })
    this.#metricsServer = new MetricsServer({ operations: this.operations, config, log })
  }

  /** What is in force: the file's configuration, except for keys that need a restart of Holdfast to change. */
  get config(): Config {
    return this.#configuration.effective
  }

  get loaded(): LoadedConfig {
    return this.#configuration.loaded
  }

  get apiUrl(): string {
    return this.#api.url
  }

  /** Instances that were running before. */
  get adopted(): number {
    return this.#adopted
  }

  /** Where clients reach a listener from this machine. */
  get listeners(): readonly { readonly name: string; readonly url: string }[] {
    return Object.entries(this.config.listeners).map(([name, { host, port, tls }]) => ({
      name,
      url: `${tls ? 'https' : 'http'}://${reachable(host)}:${port}`,
    }))
  }

  /** Resolves when API, balancer and supervisor work; services may still be starting (`settled`). */
  async start(): Promise<void> {
    try {
      // What the API is asked to change meanwhile waits until there is something to change.
      await this.exclusive(() => this.#start())
    } catch (error) {
      this.#stopping = true
      for (const undo of this.#undo.splice(0).reverse())
        await Promise.resolve(undo()).catch((cause: unknown) => this.#log.logger.error({ err: cause }, 'undoing a failed start'))
      await this.#log.close()
      throw nameOwner(error)
    }
  }

  async #start(): Promise<void> {
    const { onStep } = this.#options
    const { data } = this.config
    const stopSoon = (): AbortSignal => AbortSignal.timeout(failedStartMs)
    await makePrivateDirectory(data)
    onStep('opening the store')
    await this.store.start()
    this.#undo.push(() => this.store.stop(stopSoon()))
    await this.#eventLog.start()
    this.#undo.push(() => this.#eventLog.stop(stopSoon()))
    for (const { file, reason } of this.#setAside) {
      this.events.emit('store.setAside', {
        message: `the state store was damaged and has been set aside as ${file}: ${reason}`,
        level: 'critical',
        data: { file, reason },
      })
      this.#options.onWarning(`the state store was damaged (${reason}); it was set aside as ${file} and a new one begun`)
    }
    await this.notifications.start()
    this.#undo.push(() => this.notifications.stop())
    await this.access.start()
    this.#undo.push(() => this.access.stop())
    this.#values.start(redisView(this.config.cache))
    this.#undo.push(() => this.#values.stop())
    await this.seeing.start()
    this.#undo.push(() => {
      this.seeing.stop()
    })
    await this.dependencies.start()
    this.#undo.push(() => this.dependencies.stop())
    await this.profiling.start()
    this.#undo.push(() => {
      this.profiling.stop()
    })
    onStep('starting the API')
    await this.#api.start()
    this.#undo.push(() => this.#api.stop(stopSoon()))
    await this.#metricsServer.start()
    this.#undo.push(() => this.#metricsServer.stop(stopSoon()))
    onStep('starting the balancer')
    const proxy = await this.#startProxy()
    await this.#startServices(proxy)
    await this.checks.start()
    await this.policies.start()
    this.#undo.push(() => {
      this.checks.stop()
      this.policies.stop()
    })
    await this.rules.start()
    this.#undo.push(() => this.rules.stop())
    this.#watchCertificates()
    this.events.emit('holdfast.started', {
      message: `holdfast ${this.#options.version} started on ${hostname()}${this.#adopted > 0 ? ` and took over ${this.#adopted} running instances` : ''}`,
      data: { pid: process.pid, version: this.#options.version, adopted: this.#adopted },
    })
    this.#undo = []
  }

  async #startProxy(): Promise<ProxyIdentity> {
    this.proxy.onTelemetry((telemetry) => {
      this.traffic.add(telemetry)
      this.caches.look(telemetry)
      this.#announceHealth()
    })
    this.proxy.onSignal((signal) => {
      this.#signals.onSignal(signal)
    })
    const proxy = await this.proxy.connect()
    this.#undo.push(async () => {
      this.routing.close()
      if (proxy.adopted) this.proxy.disconnect()
      else await this.proxy.shutdown(0)
    })
    const { pid, workers } = proxy
    this.events.emit(proxy.adopted ? 'proxy.adopted' : 'proxy.started', {
      message: `the balancer ${proxy.adopted ? 'was running and goes on' : 'started'} (pid ${pid}, ${workers} workers)`,
      data: { pid, workers },
    })
    return proxy
  }

  async #startServices(proxy: ProxyIdentity): Promise<void> {
    this.routing.configure(this.config, pruneSwitches(await loadSwitches(this.store), this.config))
    const certificates = await this.certificates.load(this.config)
    this.routing.certify(certificates)
    this.certificates.use(certificates)
    this.#options.onStep('opening the listeners')
    // A proxy that is new opens its listeners first: a port in use is known before anything is started. One that was running
    // keeps its view until all that it routes to has been adopted.
    if (proxy.adopted) this.routing.hold()
    else await this.routing.publish()
    this.#options.onStep('starting the services')
    await this.supervisor.start()
    this.#undo.push(() => this.supervisor.stop(AbortSignal.timeout(failedStartMs)))
    this.supervisor.onChange(() => {
      this.#announceHealth()
    })
    const services = Object.values(this.config.services)
    const { adopted } = this.supervisor.apply(services, { drainTimeout: this.config.cluster.gracefulShutdownTimeout })
    this.#adopted = adopted
    this.#undo.push(async () => {
      // Whoever was here before us stays; what we began goes.
      if (adopted === 0) await this.supervisor.stopAll(AbortSignal.timeout(failedStartMs))
    })
    if (proxy.adopted) await this.supervisor.whenRecognised()
    await this.routing.release()
    await this.#options.publish(this)
  }

  /** Again and again, each time a while after the last look was done. */
  #watchCertificates(): void {
    this.#certificatesTimer = this.clock.schedule(after(this.clock.now(), ms(lookMs)), () => {
      void this.#acme.look()
      void this.exclusive(() => this.#configuration.lookAtCertificates()).then(
        () => {
          this.#watchCertificates()
        },
        // Only when everything stops.
        () => undefined,
      )
    })
  }

  #announceHealth(): void {
    if (this.#stopping) return
    const services = this.operations.services()
    this.#healthChanges.look(services)
    this.dependencies.look(services)
  }

  /** Resolves when every service is ready or has come to rest without being so. */
  settled(): Promise<readonly Settlement[]> {
    return this.supervisor.whenSettled()
  }

  // --- changing the configuration -----------------------------------------------------------------------------------

  /** What applying the file, or `text`, would change, and what changed rules would have told. Rejects with what reading a configuration throws. */
  async previewConfig(text?: string): Promise<readonly ConfigChange[]> {
    const { differences, next } = this.#configuration.preview(text)
    const rules = { before: this.config.alerting.rules, after: next.alerting.rules }
    return withBacktests(differences, rules, (order) => this.rules.backtest(order))
  }

  /**
   * Applies the file, or `text`, which then becomes the file. One at a time; one that is bad or cannot be written changes nothing.
   *
   * @param ifTag - the tag that the configuration in force must have when its turn comes; rejects with `stale` when it has another.
   */
  applyConfig(text: string | undefined, actor: Actor, ifTag?: string): Promise<readonly ConfigDifference[]> {
    return this.#configuration.apply(text, actor, ifTag)
  }

  /** Runs what changes configuration or switches, one after the other, so that each begins with what the one before it has left. */
  exclusive<T>(change: () => Promise<T>): Promise<T> {
    const done = this.#changing.then(() => {
      if (this.#stopping) throw new HoldfastError('unavailable', 'tried to change something while holdfast stops')
      return change()
    })
    this.#changing = done.catch(() => undefined)
    return done
  }

  // --- ending -----------------------------------------------------------------------------------------------------

  /** Somebody ordered `down` through the API. */
  orderDown(): void {
    this.#options.onDown()
  }

  /** Drains the balancer, then stops every service, dependants first. `force` cuts the drain short. */
  async down(force: AbortSignal, onStep: (text: string) => void): Promise<void> {
    this.#stopping = true
    this.checks.stop()
    this.policies.stop()
    await this.rules.stop()
    const { gracefulShutdownTimeout } = this.config.cluster
    this.events.emit('holdfast.stopped', { message: 'holdfast was told to stop everything', data: { reason: 'ordered' } })
    onStep('draining the balancer')
    this.routing.close()
    await Promise.race([this.proxy.shutdown(force.aborted ? 0 : gracefulShutdownTimeout), aborted(force)])
    // Before the services go, or what is in flight would be parked for instances that nobody starts again.
    if (force.aborted) await this.proxy.shutdown(0)
    onStep('stopping the services')
    const longest = Math.max(0, ...Object.values(this.config.services).map(({ stop }) => stop.timeout))
    const deadline = AbortSignal.any([force, AbortSignal.timeout(gracefulShutdownTimeout + longest + 5_000)])
    let failure: unknown
    try {
      await this.supervisor.stopAll(deadline)
    } catch (error) {
      failure = error
    }
    await this.#stopParts()
    if (failure !== undefined) throw failure as Error
  }

  /** All of them, whatever becomes of one: what could not be written down is told, and is no reason to leave anything running. */
  async #stopParts(): Promise<void> {
    const deadline = AbortSignal.timeout(failedStartMs)
    this.#certificatesTimer?.[Symbol.dispose]()
    this.#acme.stop()
    const parts: readonly (readonly [string, () => unknown])[] = [
      ['checks', () => this.checks.stop()],
      ['policies', () => this.policies.stop()],
      ['rules', () => this.rules.stop()],
      ['history', () => this.seeing.stop()],
      ['dependencies', () => this.dependencies.stop()],
      ['profiling', () => this.profiling.stop()],
      ['API', () => this.#api.stop(deadline)],
      ['metrics', () => this.#metricsServer.stop(deadline)],
      ['supervisor', () => this.supervisor.stop(deadline)],
      ['notifications', () => Promise.race([this.notifications.stop(), aborted(deadline)])],
      ['access', () => this.access.stop()],
      ['cache', () => Promise.race([this.#values.stop(), aborted(deadline)])],
      ['event log', () => this.#eventLog.stop(deadline)],
      ['store', () => this.store.stop(deadline)],
    ]
    for (const [name, stop] of parts) {
      try {
        await stop()
      } catch (error) {
        this.#log.logger.error({ err: error }, `stopping: ${name}`)
        this.#options.onWarning(`stopping: ${name}: ${messageOf(error)}`)
      }
    }
    await this.#log.close()
  }
}

/** An address of this machine that a wildcard listener answers at. */
export function reachable(host: string): string {
  if (host === '0.0.0.0' || host === '') return '127.0.0.1'
  if (host === '::') return '[::1]'
  return host.includes(':') ? `[${host}]` : host
}

function lastWordsOf(exits: readonly AnyEvent[], id: string): readonly string[] {
  const exit = exits.find((event) => event.instance === id)
  return exit?.type === 'instance.exited' ? exit.data.stderrTail : []
}
