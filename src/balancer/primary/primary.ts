/**
 * The proxy's own supervisor: keeps the workers running and the listening sockets open, hands every worker the view, probes, lends
 * out what all workers share, adds up what they count, and speaks with the control process. It forwards no traffic itself. Control
 * processes come and go; without one it serves by the last view.
 *
 *   starting ──first view──▶ serving ──shutdown──▶ draining ──▶ ended
 */
import { openSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { randomBytes } from 'node:crypto'
import { HoldfastError, codeOf, messageOf } from '../../kernel/errors.ts'
import { makePrivateDirectory } from '../../kernel/files.ts'
import { systemClock, systemRandom } from '../../kernel/system.ts'
import { after, ms } from '../../kernel/time.ts'
import type { RoutingView, ServiceView } from '../core/routing-view.ts'
import { protocolVersion, type ControlToPrimary, type WorkerToPrimary } from '../messages.ts'
import { proxyLogFile, socketPath } from '../paths.ts'
import type { ProxyTelemetry } from '../port.ts'
import { ControlSocket, type ControlChannel } from './control-socket.ts'
import { Breakers } from './breakers.ts'
import { ConcurrencyLimits } from './concurrency.ts'
import { Crew } from './crew.ts'
import { Drains } from './drains.ts'
import { Explaining } from './explaining.ts'
import { Listeners, type InheritedListener } from './listeners.ts'
import { OrphanLink } from './orphan-link.ts'
import { Outliers } from './outliers.ts'
import type { Peer } from './peer.ts'
import { InstanceReports } from './instance-reports.ts'
import { Prober } from './prober.ts'
import { Quarantines, type SavedQuarantine } from './quarantines.ts'
import { RoleKeeper } from './roles/role-keeper.ts'
import { Quotas } from './quotas.ts'
import { Rates } from './rates.ts'
import { SessionKeys } from './session-keys.ts'
import { TicketKeys } from '../tls/ticket-keys.ts'
import { loadState, removeState, saveState } from './saved-state.ts'
import { Standings } from './standings.ts'
import { TelemetrySums, type EndpointFacts } from './telemetry.ts'
import { Views } from './views.ts'

const telemetryMs = 1_000

const aboutSuspects = ['caught', 'askTrial', 'trialOver', 'cleared', 'quiet'] as const
type AboutSuspects = Extract<WorkerToPrimary, { readonly type: (typeof aboutSuspects)[number] }>
const isAboutSuspects = (message: WorkerToPrimary): message is AboutSuspects => (aboutSuspects as readonly string[]).includes(message.type)
/** An heir without a view to whom nobody speaks for so long was started when the proxy was just shut down: it is not needed. */
const lonelyMs = 5_000

export interface PrimaryOptions {
  readonly directory: string
  /** 0: as many as the proxy before us had. */
  readonly workers: number
  readonly inherited: readonly InheritedListener[]
}

/** What there is once the number of workers is known. */
interface Parts {
  readonly pseudonym: string
  readonly crew: Crew
  readonly listeners: Listeners
  readonly views: Views
  readonly breakers: Breakers
  readonly slots: ConcurrencyLimits
  readonly ticketKeys: TicketKeys
  readonly quarantines: Quarantines
  readonly sessionKeys: SessionKeys
}

export class Primary {
  readonly #options: PrimaryOptions
  readonly #startedAt = systemClock.wallTime()
  readonly #aloneUntil = after(systemClock.now(), ms(lonelyMs))
  readonly #socket: ControlSocket
  readonly #prober: Prober
  readonly #reports: InstanceReports
  readonly #drains = new Drains()
  readonly #explaining = new Explaining(systemClock)
  readonly #outliers = new Outliers({
    random: systemRandom,
    now: () => systemClock.now(),
    onChange: (endpoint, service, ejection) => {
      this.#parts?.crew.tell({ type: 'ejected', endpoint, forMs: ejection?.forMs ?? 0 })
      this.#socket.signal(ejection ? { type: 'endpointEjected', endpoint, service, ...ejection } : { type: 'endpointReinstated', endpoint, service })
      const view = this.#parts?.views.current
      if (view) void this.#save(view, this.#running)
    },
    onRestored: (endpoint, forMs) => {
      this.#parts?.crew.tell({ type: 'ejected', endpoint, forMs })
    },
  })
  readonly #roles = new RoleKeeper({
    clock: systemClock,
    onRoles: (roles) => {
      this.#parts?.crew.tell({ type: 'roles', roles })
    },
    onSignal: (signal) => {
      this.#socket.signal(signal)
    },
  })
  readonly #standings = new Standings({
    now: () => systemClock.now(),
    tellAll: (message) => this.#parts?.crew.tell(message),
    circumstances: (endpoint) => ({
      lagMs: this.#reports.lagOf(endpoint),
      heapShare: this.#reports.heapShareOf(endpoint),
      ...this.#prober.failing(endpoint),
    }),
  })
  readonly #sums = new TelemetrySums()
  readonly #orphans = new Map<ControlChannel, OrphanLink>()
  #parts: Parts | undefined
  #stopping = false
  #timer: NodeJS.Timeout | undefined

  constructor(options: PrimaryOptions) {
    this.#options = options
    this.#socket = new ControlSocket({
      path: socketPath(options.directory, 'proxy'),
      onMessage: (channel, message) => {
        this.#onOrder(channel, message)
      },
      onClosed: (channel) => {
        const orphan = this.#orphans.get(channel)
        this.#orphans.delete(channel)
        if (orphan) this.#parts?.crew.orphanEnded(orphan)
      },
    })
    this.#prober = new Prober({
      clock: systemClock,
      random: systemRandom,
      onVerdict: (endpoint, service, healthy, reason) => {
        this.#onVerdict(endpoint, service, healthy && this.#reports.isReady(endpoint), reason)
      },
      onWavering: (endpoint) => {
        this.#standings.look(endpoint)
      },
    })
    this.#reports = new InstanceReports({
      path: socketPath(options.directory, 'instances'),
      onLag: (endpoint) => {
        this.#standings.look(endpoint)
      },
      onReadiness: (endpoint) => {
        this.#onReadiness(endpoint)
      },
    })
  }

  /** Resolves once the control socket answers; `false` when another primary already serves this directory. */
  async start(): Promise<boolean> {
    const { directory, inherited, workers } = this.#options
    await makePrivateDirectory(join(directory, 'run'))
    const log = proxyLogFile(directory)
    await makePrivateDirectory(dirname(log))
    const logDescriptor = openSync(log, 'a', 0o600)
    const saved = inherited.length > 0 ? loadState(directory) : undefined
    const size = workers > 0 ? workers : (saved?.workers ?? 1)
    this.#parts = this.#compose(
      size,
      saved?.pseudonym ?? `holdfast-${randomBytes(4).toString('hex')}`,
      logDescriptor,
      saved?.isolated,
      saved?.quarantined,
    )
    this.#outliers.inherit(saved?.ejected ?? [], systemClock.wallTime())
    if (!(await this.#socket.open())) return false
    await this.#reports.open()
    if (saved?.view) await this.#running.views.apply(saved.view)
    this.#timer = setInterval(() => {
      this.#publish()
      this.#rotateKeys()
      this.#endIfLonely()
      this.#outliers.sweep()
      this.#running.quarantines.sweep()
      this.#standings.sweep()
    }, telemetryMs)
    return true
  }

  #rotateKeys(): void {
    const { crew, ticketKeys, sessionKeys } = this.#running
    const now = systemClock.wallTime()
    if (ticketKeys.rotate(now)) crew.tell({ type: 'ticketKeys', keys: ticketKeys.keys })
    if (sessionKeys.rotate(now)) crew.tell({ type: 'sessionKeys', keys: sessionKeys.keys })
  }

  #endIfLonely(): void {
    const isAlone = this.#options.inherited.length > 0 && this.#running.views.current === undefined
    if (!isAlone || this.#socket.connected || this.#orphans.size > 0 || systemClock.now() < this.#aloneUntil) return
    void this.shutdown(0)
  }

  #compose(size: number, pseudonym: string, logDescriptor: number, isolated?: readonly string[], quarantined?: readonly SavedQuarantine[]): Parts {
    const ticketKeys = new TicketKeys(this.#options.directory, systemClock.wallTime())
    const sessionKeys = new SessionKeys(this.#options.directory, systemClock.wallTime())
    const crew: Crew = new Crew(size, {
      logDescriptor,
      welcome: (index) => ({ type: 'start', index, workers: size, directory: this.#options.directory, pseudonym }),
      inherited: () => listeners.inheritedDescriptors,
      onReady: (worker) => {
        worker.send({ type: 'ticketKeys', keys: ticketKeys.keys })
        worker.send({ type: 'sessionKeys', keys: sessionKeys.keys })
        views.sendTo(worker)
        worker.send({ type: 'roles', roles: this.#roles.roles })
        listeners.handTo(worker)
        this.#standings.tell(worker)
        this.#outliers.tell(worker)
        breakers.tell(worker)
        quarantines.tell(worker)
        quotas.join(worker)
      },
      onMessage: (peer, message) => {
        if (message.type === 'slots') slots.hear(peer, message)
        else if (message.type === 'takeRate' || message.type === 'returnRate') rates.hear(peer, message)
        else if (message.type === 'breaker') breakers.hear(peer, message)
        else if (isAboutSuspects(message)) {
          // What the dead still say is heard late: nobody waits for the answer.
          if (crew.has(peer)) quarantines.hear(peer, message)
        } else this.#onReport(crew, { quotas, slots }, peer, message)
      },
      onLeft: (peer) => {
        this.#sums.workerExited(peer.pid)
        this.#drains.left(peer)
        this.#explaining.left(peer)
        quotas.left(peer)
        slots.left(peer)
        breakers.left(peer)
        quarantines.left(peer)
      },
      onExit: (pid, code, signal) => {
        this.#socket.signal({ type: 'workerExited', pid, code, signal })
      },
    })
    const listeners = new Listeners(crew, this.#options.inherited)
    const quotas = new Quotas(size)
    const slots = new ConcurrencyLimits(size, () => systemClock.now())
    const rates = new Rates({ workers: size, now: () => systemClock.now() })
    const breakers = new Breakers(
      {
        everyone: () => crew.everyone,
        onChange: (change) => {
          this.#socket.signal({ type: 'breakerChanged', ...change })
        },
      },
      isolated,
    )
    const quarantines = new Quarantines(
      {
        everyone: () => crew.everyone,
        now: () => systemClock.now(),
        wallTime: () => systemClock.wallTime(),
        onConvicted: (request) => {
          this.#socket.signal({ type: 'requestQuarantined', request })
          this.#publish()
          if (views.current) void this.#save(views.current, this.#running)
        },
      },
      quarantined,
    )
    const views = new Views({
      crew,
      listeners,
      quotas,
      rates,
      slots,
      prober: this.#prober,
      unhealthy: () => this.#unhealthy,
      onApplied: (view) => this.#onApplied(view, { crew, pseudonym, breakers, quarantines }),
    })
    return { pseudonym, crew, listeners, views, breakers, slots, sessionKeys, ticketKeys, quarantines }
  }

  /** The socket answers only after the parts are there. */
  get #running(): Parts {
    if (!this.#parts) throw new HoldfastError('proxy_unreachable', 'the proxy is still starting')
    return this.#parts
  }

  // --- orders ---------------------------------------------------------------------------------------------------

  #onOrder(channel: ControlChannel, message: ControlToPrimary): void {
    const { crew, views } = this.#running
    switch (message.type) {
      case 'hello':
        this.#welcome(channel, message)
        return
      case 'view':
        views.apply(message.view).then(
          () => {
            channel.send({ type: 'done', id: message.id })
          },
          (error: unknown) => {
            const hint = error instanceof HoldfastError ? error.hint : undefined
            channel.send({ type: 'failed', id: message.id, code: codeOf(error) ?? 'failed', message: messageOf(error), hint })
          },
        )
        return
      case 'gone':
        this.#running.quarantines.gone(message.endpoint, message.reason)
        crew.tell({ type: 'gone', endpoint: message.endpoint, reason: message.reason, exitedAt: message.exitedAt })
        return
      case 'drain':
        this.#drains.start(
          crew.everyone.filter((peer) => peer.ready),
          message.endpoint,
          message.deadlineMs,
          (remaining) => {
            channel.send({ type: 'done', id: message.id, remaining })
          },
        )
        return
      case 'breaker':
        this.#running.breakers.order(message.service, message.action)
        channel.send({ type: 'done', id: message.id })
        this.#publish()
        if (views.current) void this.#save(views.current, this.#running)
        return
      case 'forgetQuarantined':
        this.#forget(channel, message.id, message.request)
        return
      case 'explain':
        this.#explaining.ask(
          crew.everyone.filter((peer) => peer.ready),
          message.request,
          (trails) => {
            channel.send({ type: 'explained', id: message.id, trails })
          },
        )
        return
      case 'shutdown':
        void this.shutdown(message.deadlineMs)
        return
      case 'fromOrphan': {
        const orphan = this.#orphans.get(channel)
        if (orphan) crew.hear(orphan, message.message, undefined)
        return
      }
    }
  }

  #forget(channel: ControlChannel, id: number, request: string): void {
    const { quarantines, views } = this.#running
    if (!quarantines.forget(request)) {
      channel.send({ type: 'failed', id, code: 'unknown_id', message: `tried to forget ${request}: no request of this id is quarantined` })
      return
    }
    this.#publish()
    if (views.current) void this.#save(views.current, this.#running)
    channel.send({ type: 'done', id })
  }

  #welcome(channel: ControlChannel, { role, pid }: Extract<ControlToPrimary, { readonly type: 'hello' }>): void {
    const { crew, views } = this.#running
    channel.send({
      type: 'welcome',
      protocol: protocolVersion,
      pid: process.pid,
      workers: role === 'control' || views.served ? crew.size : 0,
      viewVersion: views.current?.version ?? -1,
      startedAt: this.#startedAt,
    })
    if (role === 'control') {
      this.#socket.subscribe(channel)
      channel.send({ type: 'telemetry', telemetry: this.#snapshot() })
      return
    }
    // It says hello again and again until our own workers serve; the first time it joins those that are told.
    if (this.#orphans.has(channel)) return
    const orphan = new OrphanLink(pid, channel)
    this.#orphans.set(channel, orphan)
    crew.adopt(orphan)
    views.sendTo(orphan)
  }

  async #onApplied(view: RoutingView, parts: Pick<Parts, 'crew' | 'pseudonym' | 'breakers' | 'quarantines'>): Promise<void> {
    const { breakers, quarantines } = parts
    this.#standings.setView(view)
    this.#outliers.setView(view)
    this.#roles.apply(view)
    breakers.setView(view)
    quarantines.setView(view)
    this.#sums.retain(
      new Set(view.services.map(({ name }) => name)),
      new Set(view.services.flatMap(({ endpoints }) => endpoints.map(({ id }) => id))),
    )
    this.#publish()
    await this.#save(view, parts)
  }

  async #save(
    view: RoutingView,
    { crew, pseudonym, breakers, quarantines }: Pick<Parts, 'crew' | 'pseudonym' | 'breakers' | 'quarantines'>,
  ): Promise<void> {
    await saveState(this.#options.directory, {
      workers: crew.size,
      pseudonym,
      view,
      isolated: breakers.isolated,
      ejected: this.#outliers.saved(systemClock.wallTime()),
      quarantined: quarantines.quarantined,
    })
  }

  // --- reports --------------------------------------------------------------------------------------------------

  #onReport(
    crew: Crew,
    { quotas, slots }: { readonly quotas: Quotas; readonly slots: ConcurrencyLimits },
    peer: Peer,
    message: WorkerToPrimary,
  ): void {
    switch (message.type) {
      case 'drained':
        this.#drains.answered(peer, message.id, message.remaining)
        return
      case 'explained':
        this.#explaining.answered(peer, message.id, message.trails)
        return
      case 'outlier':
        this.#outliers.hear(message)
        return
      case 'suspect':
        this.#prober.suspect(message.endpoint)
        this.#roles.suspect(message.service, message.endpoint)
        this.#socket.signal({ ...message, type: 'endpointSuspect' })
        return
      case 'telemetry':
        this.#sums.add(peer.pid, message.delta, crew.has(peer))
        this.#outliers.counted(message.delta)
        if (crew.has(peer)) slots.counted(peer, message.delta)
        this.#standings.counted(message.delta)
        return
      case 'ask':
      case 'giveBack':
      case 'holds':
        // What the dead still say is heard late: their lease is free already.
        if (!crew.has(peer)) return
        quotas.hear(peer, message)
        if (message.type === 'holds') slots.claimed(peer, message.slots)
        return
      case 'ready':
      case 'caught':
      case 'askTrial':
      case 'trialOver':
      case 'cleared':
      case 'quiet':
      case 'breaker':
      case 'slots':
      case 'takeRate':
      case 'returnRate':
      case 'opened':
      case 'openFailed':
      case 'closed':
      case 'viewApplied':
        return
    }
  }

  #onVerdict(endpoint: string, service: string, healthy: boolean, reason: string | undefined): void {
    this.#running.crew.tell({ type: 'health', endpoint, healthy })
    if (healthy) {
      this.#outliers.recovered(endpoint)
      this.#standings.revived(endpoint)
    }
    this.#socket.signal(
      healthy
        ? { type: 'endpointRecovered', endpoint, service }
        : { type: 'endpointUnhealthy', endpoint, service, reason: reason ?? this.#reports.reasonOf(endpoint) ?? 'probe failed' },
    )
  }

  #onReadiness(endpoint: string): void {
    const service = this.#parts?.views.current?.services.find(({ endpoints }) =>
      endpoints.some(({ id, state }) => id === endpoint && state === 'active'),
    )
    if (service && this.#prober.isHealthy(endpoint))
      this.#onVerdict(endpoint, service.name, this.#reports.isReady(endpoint), this.#reports.reasonOf(endpoint))
  }

  #isHealthy(endpoint: string): boolean {
    return this.#prober.isHealthy(endpoint) && this.#reports.isReady(endpoint)
  }

  /** By its probes, or by its own word. */
  get #unhealthy(): readonly string[] {
    return [...new Set([...this.#prober.unhealthy, ...this.#reports.unready])]
  }

  #publish(): void {
    this.#socket.publish(() => this.#snapshot())
  }

  #snapshot(): ProxyTelemetry {
    const view = this.#running.views.current
    const endpoints = new Map((view?.services ?? []).flatMap((service) => this.#endpointFacts(service)))
    return this.#sums.snapshot({
      at: systemClock.wallTime(),
      pid: process.pid,
      startedAt: this.#startedAt,
      viewVersion: view?.version ?? -1,
      endpoints,
      quarantined: this.#running.quarantines.quarantined,
    })
  }

  #endpointFacts(service: ServiceView): (readonly [string, EndpointFacts])[] {
    const { name, breaker } = service
    const warmth = this.#standings.warmth(service)
    return service.endpoints.map((view) => {
      const { id } = view
      return [
        id,
        {
          service: name,
          view,
          healthy: this.#isHealthy(id),
          reason: this.#prober.reasonOf(id) ?? this.#reports.reasonOf(id),
          reported: this.#reports.latestOf(id),
          ejected: this.#outliers.ejectionOf(id)?.reason,
          breaker: breaker && this.#running.breakers.stateOf(id),
          limit: this.#running.slots.limitOf(id),
          role: this.#roles.statusOf(name, id),
          standing: this.#standings.standingOf(id),
          warm: warmth.get(id),
        },
      ]
    })
  }

  // --- ending ---------------------------------------------------------------------------------------------------

  /** Said again, it moves the deadline. */
  async shutdown(deadlineMs: number): Promise<void> {
    // Told to end before it has begun.
    if (!this.#parts) process.exit(0)
    const { crew, listeners, views } = this.#parts
    crew.tell({ type: 'shutdown', deadlineMs })
    if (this.#stopping) return
    this.#stopping = true
    views.stop()
    clearInterval(this.#timer)
    this.#prober.stop()
    this.#roles.stop()
    this.#reports.close()
    this.#running.quarantines.stop()
    listeners.end()
    await crew.end(deadlineMs)
    this.#publish()
    this.#socket.close()
    removeState(this.#options.directory)
    process.exit(0)
  }
}
