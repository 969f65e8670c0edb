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
import { ProxyClient, type ProxyIdentity, type ProxySignal } from '../balancer/index.ts'
import { configTag, diffConfig, loadConfig, parseConfig, problemsOf, type Config, type ConfigDifference, type LoadedConfig } from '../config/index.ts'
import { codeOf, HoldfastError, messageOf } from '../kernel/errors.ts'
import { aborted } from '../kernel/lifecycle.ts'
import { makePrivateDirectory, writeFileAtomic } from '../kernel/files.ts'
import { newId, systemClock, systemRandom } from '../kernel/system.ts'
import { PrometheusMetrics } from '../metrics/index.ts'
import { publicEndpointId } from '../registry/index.ts'
import type { ServiceStatus } from '../registry/types.ts'
import { SqliteEventLog, SqliteStore, StateFile, type SetAside } from '../store/index.ts'
import { Supervisor, type Settlement } from '../supervisor/index.ts'
import { EventBus } from './event-bus.ts'
import { openLog, type Log } from './log.ts'
import { LiveOperations } from './live-operations.ts'
import { Routing, type Switches } from './routing.ts'
import { loadSwitches, pruneSwitches, saveSwitches } from './switches.ts'
import { Traffic } from './traffic.ts'
import type { Actor } from './operations.ts'

export interface HoldfastOptions {
  readonly loaded: LoadedConfig
  readonly env: NodeJS.ProcessEnv
  readonly version: string
  /** Something the operator should know that is no error. */
  readonly onWarning: (text: string) => void
  readonly onStep: (text: string) => void
  /** Somebody ordered `down` through the API. */
  readonly onDown: () => void
  /** The last step of a start: tells where it is to be reached. A start whose last step fails has failed. */
  readonly publish: (holdfast: Holdfast) => Promise<void>
}

/** How long a part may take to stop when a start has failed. */
const failedStartMs = 5_000

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
  readonly operations: LiveOperations
  readonly #eventLog: SqliteEventLog
  readonly #log: Log
  readonly #api: ApiServer
  readonly #metricsServer: MetricsServer
  readonly #health = new Map<string, ServiceStatus['health']>()
  readonly #setAside: SetAside[] = []
  #loaded: LoadedConfig
  #effective: Config
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
    this.#loaded = loaded
    this.#effective = config
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
    const metrics = new PrometheusMetrics({
      services: () => this.operations.services(),
      telemetry: () => this.traffic.latest,
      version: options.version,
    })
    this.operations = new LiveOperations(this, metrics, options.version)
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
    return this.#effective
  }

  get loaded(): LoadedConfig {
    return { ...this.#loaded, config: this.#effective }
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
    return Object.entries(this.#effective.listeners).map(([name, { host, port }]) => ({ name, url: `http://${reachable(host)}:${port}` }))
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
      throw error
    }
  }

  async #start(): Promise<void> {
    const { onStep } = this.#options
    const { data } = this.#effective
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
    await this.access.start()
    this.#undo.push(() => this.access.stop())
    onStep('starting the API')
    await this.#api.start()
    this.#undo.push(() => this.#api.stop(stopSoon()))
    await this.#metricsServer.start()
    this.#undo.push(() => this.#metricsServer.stop(stopSoon()))
    onStep('starting the balancer')
    const proxy = await this.#startProxy()
    onStep('starting the services')
    await this.#startServices(proxy)
    this.events.emit('holdfast.started', {
      message: `holdfast ${this.#options.version} started on ${hostname()}${this.#adopted > 0 ? ` and took over ${this.#adopted} running instances` : ''}`,
      data: { pid: process.pid, version: this.#options.version, adopted: this.#adopted },
    })
    this.#undo = []
  }

  async #startProxy(): Promise<ProxyIdentity> {
    this.proxy.onTelemetry((telemetry) => {
      this.traffic.add(telemetry)
      this.#announceHealth()
    })
    this.proxy.onSignal((signal) => {
      this.#onSignal(signal)
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
    this.routing.configure(this.#effective, pruneSwitches(await loadSwitches(this.store), this.#effective))
    // A proxy that is new opens its listeners first: a port in use is known before anything is started. One that was running
    // keeps its view until all that it routes to has been adopted.
    if (proxy.adopted) this.routing.hold()
    else await this.routing.publish()
    await this.supervisor.start()
    this.#undo.push(() => this.supervisor.stop(AbortSignal.timeout(failedStartMs)))
    this.supervisor.onChange(() => {
      this.#announceHealth()
    })
    const services = Object.values(this.#effective.services)
    const { adopted } = this.supervisor.apply(services, { drainTimeout: this.#effective.cluster.gracefulShutdownTimeout })
    this.#adopted = adopted
    this.#undo.push(async () => {
      // Whoever was here before us stays; what we began goes.
      if (adopted === 0) await this.supervisor.stopAll(AbortSignal.timeout(failedStartMs))
    })
    await this.routing.release()
    await this.#options.publish(this)
  }

  /** Resolves when every service is ready or has come to rest without being so. */
  settled(): Promise<readonly Settlement[]> {
    return this.supervisor.whenSettled()
  }

  // --- changing the configuration -----------------------------------------------------------------------------------

  /** Reads the configuration file (or takes `text` in its place). Throws what `loadConfig` throws. */
  readConfig(text?: string): LoadedConfig {
    const file = this.#loaded.config.file
    if (file === undefined && text === undefined) return this.#loaded
    const { env } = this.#options
    return text === undefined ? loadConfig({ file, env, cwd: process.cwd() }) : parseConfig(text, { file, env })
  }

  /** What applying would change. */
  previewConfig(text?: string): readonly ConfigDifference[] {
    return diffConfig({ config: this.#effective, origins: this.#loaded.origins }, this.readConfig(text))
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

  /**
   * Applies the file, or `text`, which then becomes the file. One at a time; one that is bad or cannot be written changes nothing.
   *
   * @param ifTag - the tag that the configuration in force must have when its turn comes; rejects with `stale` when it has another.
   */
  applyConfig(text: string | undefined, actor: Actor, ifTag?: string): Promise<readonly ConfigDifference[]> {
    return this.exclusive(() => {
      if (ifTag !== undefined && ifTag !== configTag(this.#effective)) {
        throw new HoldfastError('stale', 'the configuration has changed since it was read', { hint: 'read it again, and apply your change to that' })
      }
      return this.#applyNow(text, actor)
    })
  }

  async #applyNow(text: string | undefined, actor: Actor): Promise<readonly ConfigDifference[]> {
    let next: LoadedConfig
    try {
      next = this.readConfig(text)
    } catch (error) {
      this.#refused(error, actor)
      throw error
    }
    const differences = diffConfig({ config: this.#effective, origins: this.#loaded.origins }, next)
    const before = this.#effective
    const switchesBefore = this.routing.switches
    const effective = withoutRestartKeys(before, next.config)
    const switches = pruneSwitches(switchesBefore, effective)
    try {
      if (differences.length > 0) {
        this.routing.configure(effective, switches)
        await this.routing.publish()
      }
      await this.#writeDown(text, switches, switchesBefore)
    } catch (error) {
      this.routing.configure(before, switchesBefore)
      await this.routing.publish()
      this.#refused(error, actor)
      throw error
    }
    this.#loaded = next
    this.#effective = effective
    const cause = this.#announceApplied(differences, actor)
    // Also without a difference: `up` means "try again" to what has come to rest.
    const report = this.supervisor.apply(Object.values(effective.services), { drainTimeout: effective.cluster.gracefulShutdownTimeout })
    for (const service of report.added) this.events.emit('service.added', { message: `${service} was added`, service, cause, data: {} })
    for (const service of report.removed) this.events.emit('service.removed', { message: `${service} was removed`, service, cause, data: {} })
    for (const { service, revision } of report.changed) {
      const changes = differences.filter(({ path }) => path.startsWith(`services.${service}.`)).map(({ path }) => path)
      this.events.emit('service.changed', { message: `${service} becomes revision ${revision}`, service, cause, data: { revision, changes } })
    }
    return differences
  }

  /** The switches that are left, then the file. Rejects with `config_unwritable`; both are then as they were. */
  async #writeDown(text: string | undefined, switches: Switches, before: Switches): Promise<void> {
    const { file } = this.#loaded.config
    try {
      if (switches !== before) await saveSwitches(this.store, switches)
      if (text === undefined || file === undefined) return
      try {
        await writeFileAtomic(file, text, 0o644)
      } catch (error) {
        if (switches !== before) await saveSwitches(this.store, before)
        throw error
      }
    } catch (cause) {
      throw new HoldfastError(
        'config_unwritable',
        `writing the new configuration${file === undefined ? '' : ` to ${file}`} failed: ${messageOf(cause)}`,
        {
          cause,
          hint: 'nothing has changed; make room on the disk, or let the user that runs holdfast write there, and try again',
        },
      )
    }
  }

  #refused(error: unknown, actor: Actor): void {
    const problems = codeOf(error) === 'config_invalid' ? problemsOf(error).map((problem) => problem.message) : [messageOf(error)]
    this.events.emit('config.refused', {
      message: `a changed configuration was refused and nothing changed: ${problems[0] ?? ''}`,
      level: 'error',
      cause: actor.cause,
      data: { file: this.#loaded.config.file, problems },
    })
  }

  #announceApplied(differences: readonly ConfigDifference[], actor: Actor): string | undefined {
    if (differences.length === 0) return actor.cause
    return this.events.emit('config.applied', {
      message: `${actor.name} applied ${differences.length} changes of the configuration`,
      cause: actor.cause,
      data: { file: this.#loaded.config.file, changes: differences.map(({ path }) => path) },
    })
  }

  // --- what the data plane tells --------------------------------------------------------------------------------------

  #onSignal(signal: ProxySignal): void {
    switch (signal.type) {
      case 'endpointSuspect':
        this.supervisor.check(signal.endpoint)
        return
      case 'endpointUnhealthy':
      case 'endpointRecovered':
        this.#onVerdict(signal)
        return
      case 'workerExited':
        this.events.emit('proxy.workerExited', {
          message: `a proxy worker (pid ${signal.pid}) ended ${signal.signal === undefined ? `with code ${signal.code ?? '?'}` : `by ${signal.signal}`}; another takes its place`,
          level: 'error',
          data: {
            pid: signal.pid,
            ...(signal.code !== undefined && { code: signal.code }),
            ...(signal.signal !== undefined && { signal: signal.signal }),
          },
        })
        return
      case 'disconnected':
        if (this.#stopping) return
        this.events.emit('proxy.disconnected', {
          message: `the connection to the balancer broke: ${signal.reason}`,
          level: 'error',
          data: { reason: signal.reason },
        })
        return
      case 'connected':
        this.events.emit(signal.adopted ? 'proxy.adopted' : 'proxy.started', {
          message: `the balancer is back (pid ${signal.pid})`,
          data: { pid: signal.pid, workers: signal.workers },
        })
        return
    }
  }

  #onVerdict(signal: Extract<ProxySignal, { type: 'endpointUnhealthy' | 'endpointRecovered' }>): void {
    const { endpoint, service } = signal
    if (this.routing.isAdmitted(endpoint)) {
      if (signal.type === 'endpointUnhealthy') this.supervisor.reportHealth(endpoint, 'unhealthy', signal.reason)
      else this.supervisor.reportHealth(endpoint, 'healthy')
      return
    }
    const address = publicEndpointId(service, endpoint)
    if (signal.type === 'endpointUnhealthy') {
      this.events.emit('endpoint.unhealthy', {
        message: `${address} of ${service} is unhealthy: ${signal.reason}`,
        level: 'warning',
        service,
        data: { address, reason: signal.reason },
      })
    } else this.events.emit('endpoint.recovered', { message: `${address} of ${service} is healthy again`, service, data: { address } })
  }

  #announceHealth(): void {
    if (this.#stopping) return
    for (const { name, health, reason } of this.operations.services()) {
      const before = this.#health.get(name)
      if (before === health) continue
      this.#health.set(name, health)
      if (before === undefined) continue
      const worse = health === 'unhealthy' || health === 'degraded'
      this.events.emit('service.healthChanged', {
        message: `${name} changed from ${before} to ${health}${reason === undefined ? '' : `: ${reason}`}`,
        level: health === 'unhealthy' ? 'error' : worse ? 'warning' : 'info',
        service: name,
        data: { from: before, to: health },
      })
    }
  }

  // --- ending -----------------------------------------------------------------------------------------------------

  /** Somebody ordered `down` through the API. */
  orderDown(): void {
    this.#options.onDown()
  }

  /** Drains the balancer, then stops every service, dependants first. `force` cuts the drain short. */
  async down(force: AbortSignal, onStep: (text: string) => void): Promise<void> {
    this.#stopping = true
    const { gracefulShutdownTimeout } = this.#effective.cluster
    this.events.emit('holdfast.stopped', { message: 'holdfast was told to stop everything', data: { reason: 'ordered' } })
    onStep('draining the balancer')
    this.routing.close()
    await Promise.race([this.proxy.shutdown(force.aborted ? 0 : gracefulShutdownTimeout), aborted(force)])
    // Before the services go, or what is in flight would be parked for instances that nobody starts again.
    if (force.aborted) await this.proxy.shutdown(0)
    onStep('stopping the services')
    const longest = Math.max(0, ...Object.values(this.#effective.services).map(({ stop }) => stop.timeout))
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

  async #stopParts(): Promise<void> {
    const deadline = AbortSignal.timeout(failedStartMs)
    await this.#api.stop(deadline)
    await this.#metricsServer.stop(deadline)
    await this.supervisor.stop(deadline)
    await this.access.stop()
    await this.#eventLog.stop(deadline)
    await this.store.stop(deadline)
    await this.#log.close()
  }
}

/** An address of this machine that a wildcard listener answers at. */
export function reachable(host: string): string {
  if (host === '0.0.0.0' || host === '') return '127.0.0.1'
  if (host === '::') return '[::1]'
  return host.includes(':') ? `[${host}]` : host
}

/** The new configuration with the old values of keys that are read only once. */
function withoutRestartKeys(before: Config, next: Config): Config {
  const { api, data, log, metrics, region, name } = before
  const cluster = { ...next.cluster, workers: before.cluster.workers }
  return { ...next, api, data, log, metrics, region, name, cluster, access: before.access }
}
