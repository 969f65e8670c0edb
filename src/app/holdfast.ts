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
import { HoldfastError, messageOf } from '../kernel/errors.ts'
import type { AnyEvent } from '../kernel/events.ts'
import { aborted } from '../kernel/lifecycle.ts'
import { makePrivateDirectory } from '../kernel/files.ts'
import { after, ms } from '../kernel/time.ts'
import { newId, systemClock, systemRandom } from '../kernel/system.ts'
import { counted } from '../kernel/words.ts'
import { PrometheusMetrics } from '../metrics/index.ts'
import { SqliteEventLog, SqliteStore, StateFile, type SetAside } from '../store/index.ts'
import { Supervisor, type Settlement } from '../supervisor/index.ts'
import { BalancerSignals } from './balancer-signals.ts'
import { Acme } from './acme.ts'
import { Caches } from './caches.ts'
import { redisView } from './cache-view.ts'
import { Values } from './values.ts'
import { Certificates, lookMs } from './certificates.ts'
import { Configuration } from './configuration.ts'
import { EventBus } from './event-bus.ts'
import { HealthChanges } from './health-changes.ts'
import { logEvent, openLog, type Log } from './log.ts'
import { LiveOperations } from './live-operations.ts'
import { Parts } from './parts.ts'
import { nameOwner } from './port-conflict.ts'
import { Routing } from './routing.ts'
import { loadSwitches, pruneSwitches } from './switches.ts'
import { Traffic } from './traffic.ts'
import { Watching } from './watching.ts'
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

/** How long the parts may take to stop, all of them together. */
const partsStopMs = 5_000

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
  readonly watching: Watching
  readonly operations: LiveOperations
  readonly #values: Values
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
  readonly #parts = new Parts((part, error) => {
    this.#log.logger.error({ err: error }, `stopping: ${part}`)
    this.#options.onWarning(`stopping: ${part}: ${messageOf(error)}`)
  })

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
        this.watching.dependencies.hear(flows)
      },
    })
    this.#healthChanges = new HealthChanges(events)
    const metrics = new PrometheusMetrics({
      services: () => this.operations.services(),
      telemetry: () => this.traffic.latest,
      certificates: () => this.certificates.statuses,
      cache: () => this.caches.report(),
      machine: () => this.watching.seeing.machine(),
      checks: () => ({ checks: this.watching.checks.checks(), network: this.watching.checks.network() }),
      alerts: () => this.watching.notifications.readings(),
      version: options.version,
    })
    this.operations = new LiveOperations(this, metrics, options.version)
    this.watching = new Watching({
      ...{ clock, random: systemRandom, newId, store, events, problem },
      ...{ traffic: this.traffic, proxy: this.proxy, directory: config.data },
      config: () => this.config,
      operations: () => this.operations,
      switches: () => routing.switches,
      certificates: () => this.certificates.statuses,
      apiUrl: () => this.apiUrl,
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
      await this.#parts.stop(partsStopMs)
      await this.#log.close()
      throw nameOwner(error)
    }
  }

  async #start(): Promise<void> {
    const { onStep } = this.#options
    const { data } = this.config
    const parts = this.#parts
    await makePrivateDirectory(data)
    onStep('opening the store')
    await this.store.start()
    parts.started('store', (deadline) => this.store.stop(deadline))
    await this.#eventLog.start()
    parts.started('event log', (deadline) => this.#eventLog.stop(deadline))
    this.#tellSetAside()
    await this.watching.start(parts)
    await this.access.start()
    parts.started('access', () => this.access.stop())
    this.#values.start(redisView(this.config.cache))
    parts.started('cache', (deadline) => Promise.race([this.#values.stop(), aborted(deadline)]))
    onStep('starting the API')
    await this.#api.start()
    parts.started('API', (deadline) => this.#api.stop(deadline))
    await this.#metricsServer.start()
    parts.started('metrics', (deadline) => this.#metricsServer.stop(deadline))
    onStep('starting the balancer')
    const proxy = await this.#startProxy()
    await this.#startServices(proxy)
    await this.watching.judge(parts)
    this.#watchCertificates()
    parts.started('certificates', () => {
      this.#certificatesTimer?.[Symbol.dispose]()
      this.#acme.stop()
    })
    this.events.emit('holdfast.started', {
      message: `holdfast ${this.#options.version} started on ${hostname()}${this.#adopted > 0 ? ` and took over ${counted(this.#adopted, 'running instance')}` : ''}`,
      data: { pid: process.pid, version: this.#options.version, adopted: this.#adopted },
    })
    parts.complete()
  }

  #tellSetAside(): void {
    for (const { file, reason } of this.#setAside) {
      this.events.emit('store.setAside', {
        message: `the state store was damaged and has been set aside as ${file}: ${reason}`,
        level: 'critical',
        data: { file, reason },
      })
      this.#options.onWarning(`the state store was damaged (${reason}); it was set aside as ${file} and a new one begun`)
    }
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
    this.#parts.begun('balancer', async () => {
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
    this.#parts.started('supervisor', (deadline) => this.supervisor.stop(deadline))
    this.supervisor.onChange(() => {
      this.#announceHealth()
    })
    const services = Object.values(this.config.services)
    const { adopted } = this.supervisor.apply(services, { drainTimeout: this.config.cluster.gracefulShutdownTimeout })
    this.#adopted = adopted
    this.#parts.begun('services', async (deadline) => {
      // Whoever was here before us stays; what we began goes.
      if (adopted === 0) await this.supervisor.stopAll(deadline)
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
    this.watching.dependencies.look(services)
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
    return withBacktests(differences, rules, (order) => this.watching.rules.backtest(order))
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
    await this.watching.cease()
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
    await this.#parts.stop(partsStopMs)
    await this.#log.close()
    if (failure !== undefined) throw failure as Error
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
