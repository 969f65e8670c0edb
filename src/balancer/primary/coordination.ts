/**
 * What the workers of a data plane know and share together: verdicts of probes, weights, ejections, breakers, limits over all workers,
 * quarantined requests, and the sums of what they count. Each part has a file of its own; here they are joined to the workers' messages.
 * It runs in the primary of a proxy, and beside the only worker of a balancer within a program.
 */
import { systemClock, systemRandom } from '../../kernel/system.ts'
import { quotasOf } from '../core/parking-quotas.ts'
import type { RoutingView, ServiceView } from '../core/routing-view.ts'
import type { RequestTrail } from '../core/trail.ts'
import type { BreakerAction, PrimaryToWorker, WorkerToPrimary } from '../messages.ts'
import type { ProxySignal, ProxyTelemetry } from '../port.ts'
import { asksNothing, strictest, whyOut, type AskedState } from '../../instance/core/asked-state.ts'
import { AskedStates } from './asked-states.ts'
import type { BreakerRecord } from './breaker-records.ts'
import { Breakers } from './breakers.ts'
import { ConcurrencyLimits } from './concurrency.ts'
import { Drains } from './drains.ts'
import { Explaining } from './explaining.ts'
import { InstanceReports } from './instance-reports.ts'
import { Outliers, type OutlierRecord } from './outliers.ts'
import type { Peer } from './peer.ts'
import { Prober } from './prober.ts'
import type { NodeCacheStatus } from './cache/node-cache.ts'
import { Quarantines, type SavedQuarantine } from './quarantines.ts'
import { RoleKeeper } from './roles/role-keeper.ts'
import { Quotas } from './quotas.ts'
import { Readings } from './readings.ts'
import type { RateLevels } from './rate-levels.ts'
import { Rates } from './rates.ts'
import { SharedRates } from './shared-rates.ts'
import { Standings } from './standings.ts'
import { TelemetrySums, type EndpointFacts } from './telemetry.ts'

/** The workers, as those speak with them who do not start them. */
export interface Company {
  /** All that carry traffic. */
  readonly everyone: readonly Peer[]
  has(peer: Peer): boolean
}

/** What outlives the process that coordinates. */
export interface CoordinationState {
  /** Services whose breakers an operator holds open. */
  readonly isolated?: readonly string[] | undefined
  /** Breakers that are open, or were so lately. */
  readonly breakers?: readonly BreakerRecord[] | undefined
  /** Endpoints that are out as outliers. */
  readonly ejected?: readonly OutlierRecord[] | undefined
  /** Requests that kill instances. */
  readonly quarantined?: readonly SavedQuarantine[] | undefined
}

export interface CoordinationOptions {
  readonly company: Company
  /** Workers that share the limits. */
  readonly workers: number
  readonly signal: (signal: ProxySignal) => void
  /** Its `state` has changed. */
  readonly onStateChange: () => void
  /** What is to be said of the store of the node. */
  readonly cache?: () => NodeCacheStatus | undefined
  /** Where instances tell of themselves; undefined: nowhere. */
  readonly instancesSocket?: string | undefined
  readonly saved?: CoordinationState | undefined
}

/** undefined: all; one that asks for none is out by other means. */
const askedShareOf = ({ weight }: AskedState): number | undefined => (weight === 100 || weight === 0 ? undefined : weight / 100)

export class Coordination {
  readonly #options: CoordinationOptions
  readonly #startedAt = systemClock.wallTime()
  readonly #prober: Prober
  readonly #reports: InstanceReports | undefined
  readonly #asked: AskedStates
  /** They ask for no requests, as the workers were told. */
  readonly #askedOut = new Set<string>()
  readonly #drains = new Drains()
  readonly #explaining = new Explaining(systemClock)
  readonly #readings = new Readings()
  readonly #outliers: Outliers
  readonly #roles: RoleKeeper
  readonly #standings: Standings
  readonly #breakers: Breakers
  readonly #quarantines: Quarantines
  readonly #quotas: Quotas
  readonly #slots: ConcurrencyLimits
  readonly #rates: Rates
  readonly #sharedRates: SharedRates
  readonly #sums = new TelemetrySums()
  #view: RoutingView | undefined

  constructor(options: CoordinationOptions) {
    const { workers, company, signal, onStateChange, saved, instancesSocket } = options
    const now = (): number => systemClock.now()
    const everyone = (): readonly Peer[] => company.everyone
    this.#options = options
    this.#quotas = new Quotas(workers)
    this.#slots = new ConcurrencyLimits(workers, now)
    this.#sharedRates = new SharedRates({
      workers,
      clock: systemClock,
      onChange: (up, reason) => {
        signal({ type: 'limitsStoreChanged', up, reason })
      },
    })
    this.#rates = new Rates({
      workers,
      now,
      wallTime: () => systemClock.wallTime(),
      shared: (scope, view, shared) => this.#sharedRates.open(scope, view, shared),
    })
    this.#outliers = new Outliers({
      random: systemRandom,
      now,
      onChange: (endpoint, service, ejection) => {
        this.#tellAll({ type: 'ejected', endpoint, forMs: ejection?.forMs ?? 0, reason: ejection?.reason })
        signal(ejection ? { type: 'endpointEjected', endpoint, service, ...ejection } : { type: 'endpointReinstated', endpoint, service })
        onStateChange()
      },
      onRestored: (endpoint, forMs, reason) => {
        this.#tellAll({ type: 'ejected', endpoint, forMs, reason })
      },
    })
    this.#outliers.inherit(saved?.ejected ?? [], systemClock.wallTime())
    this.#roles = new RoleKeeper({
      clock: systemClock,
      onRoles: (roles) => {
        this.#tellAll({ type: 'roles', roles })
      },
      onSignal: signal,
    })
    this.#standings = new Standings({
      now,
      tellAll: (message) => {
        this.#tellAll(message)
      },
      circumstances: (endpoint) => ({
        lagMs: this.#reports?.lagOf(endpoint) ?? 0,
        heapShare: this.#reports?.heapShareOf(endpoint) ?? 0,
        askedShare: askedShareOf(this.#askedOf(endpoint)),
        ...this.#prober.failing(endpoint),
      }),
    })
    this.#breakers = new Breakers(
      {
        everyone,
        now,
        wallTime: () => systemClock.wallTime(),
        onChange: (change) => {
          signal({ type: 'breakerChanged', ...change })
          onStateChange()
        },
      },
      saved?.isolated,
      saved?.breakers,
    )
    this.#quarantines = new Quarantines(
      {
        everyone,
        now,
        wallTime: () => systemClock.wallTime(),
        onConvicted: (request) => {
          signal({ type: 'requestQuarantined', request })
          onStateChange()
        },
      },
      saved?.quarantined,
    )
    this.#prober = new Prober({
      clock: systemClock,
      random: systemRandom,
      onVerdict: (endpoint, service, healthy, reason) => {
        this.#onVerdict(endpoint, service, healthy && this.#isReady(endpoint), reason)
      },
      onWavering: (endpoint) => {
        this.#standings.look(endpoint)
      },
      onSaid: (endpoint, line) => {
        this.#asked.hear(endpoint, line)
      },
    })
    this.#asked = new AskedStates({
      onChange: (endpoint) => {
        this.#onAsked(endpoint)
      },
      onSaid: (said) => {
        this.#tellAll({ type: 'asked', said })
      },
    })
    this.#reports =
      instancesSocket === undefined
        ? undefined
        : new InstanceReports({
            path: instancesSocket,
            onLag: (endpoint) => {
              this.#standings.look(endpoint)
            },
            onReadiness: (endpoint) => {
              this.#onReadiness(endpoint)
            },
            onAsked: (endpoint) => {
              this.#onAsked(endpoint)
            },
          })
  }

  /** Resolves when instances can report. */
  async open(): Promise<void> {
    await this.#reports?.open()
  }

  stop(): void {
    this.#prober.stop()
    this.#roles.stop()
    this.#reports?.close()
    this.#quarantines.stop()
    this.#rates.close()
  }

  get state(): CoordinationState {
    return {
      isolated: this.#breakers.isolated,
      breakers: this.#breakers.records,
      ejected: this.#outliers.saved(systemClock.wallTime()),
      quarantined: this.#quarantines.quarantined,
    }
  }

  /** How far the quotas of rate limits are used up. */
  get rateLevels(): RateLevels {
    return this.#rates.levels(systemClock.wallTime())
  }

  /** Before the first view: what the primary before knew of them. */
  inheritRates(levels: RateLevels): void {
    this.#rates.inherit(levels)
  }

  /** Once a second. */
  sweep(): void {
    this.#outliers.sweep()
    this.#quarantines.sweep()
    this.#standings.sweep()
  }

  #tellAll(message: PrimaryToWorker): void {
    for (const peer of this.#options.company.everyone) peer.send(message)
  }

  get #ready(): readonly Peer[] {
    return this.#options.company.everyone.filter(({ ready }) => ready)
  }

  // --- views --------------------------------------------------------------------------------------------------------

  /** Before the workers know of a view: whoever asks is answered. */
  prepare(view: RoutingView): void {
    this.#view = view
    this.#rates.setView(view)
    this.#slots.setView(view)
    this.#prober.apply(view)
  }

  /** The view that was prepared is on its way: what is said now is heard right behind it. */
  sent(): void {
    this.#breakers.viewSent()
  }

  /** The workers route by the view that was prepared. `own`: those that are to be lent of its limits. */
  routed(view: RoutingView, own: readonly Peer[]): void {
    this.#quotas.setLimits(quotasOf(view), own)
    this.#standings.setView(view)
    this.#outliers.setView(view)
    this.#asked.setView(view)
    this.#roles.apply(view)
    this.#breakers.setView(view)
    this.#quarantines.setView(view)
    this.#sums.retain(view)
  }

  /** Endpoints that are not to be picked while others are: by their probes, or by their own word. */
  get unhealthy(): readonly string[] {
    return [...new Set([...this.#prober.unhealthy, ...(this.#reports?.unready ?? []), ...this.#askedOut])]
  }

  // --- workers ------------------------------------------------------------------------------------------------------

  /** What a worker that begins must know, behind its view. */
  welcome(worker: Peer): void {
    worker.send({ type: 'roles', roles: this.#roles.roles })
    worker.send({ type: 'asked', said: this.#asked.said })
    for (const endpoint of this.unhealthy)
      worker.send({ type: 'health', endpoint, healthy: false, reason: this.#whyUnhealthy(endpoint, this.#prober.reasonOf(endpoint)) })
    this.#standings.tell(worker)
    this.#outliers.tell(worker)
    this.#breakers.tell(worker)
    this.#quarantines.tell(worker)
    this.#quotas.join(worker)
  }

  /** It has ended. */
  left(peer: Peer): void {
    this.#sums.workerExited(peer.pid)
    this.#drains.left(peer)
    this.#explaining.left(peer)
    this.#readings.left(peer)
    this.#quotas.left(peer)
    this.#slots.left(peer)
    this.#breakers.left(peer)
    this.#quarantines.left(peer)
  }

  /** The last words of one that has ended may be heard late: then nobody waits for an answer, and its leases are free already. */
  hear(peer: Peer, message: WorkerToPrimary): void {
    const lives = this.#options.company.has(peer)
    switch (message.type) {
      case 'drained':
        this.#drains.answered(peer, message.id, message.remaining)
        return
      case 'explained':
        this.#explaining.answered(peer, message.id, message.trails)
        return
      case 'reported':
        this.#readings.reported(peer, message.id)
        return
      case 'outlier':
        this.#outliers.hear(message)
        return
      case 'asks':
        if (lives) this.#asked.hear(message.endpoint, message.said)
        return
      case 'suspect':
        this.#prober.suspect(message.endpoint)
        this.#roles.suspect(message.service, message.endpoint)
        this.#options.signal({ ...message, type: 'endpointSuspect' })
        return
      case 'breaker':
        this.#breakers.hear(peer, message)
        return
      case 'telemetry':
        this.#sums.add(peer.pid, message.delta, lives)
        if (message.delta.flows) this.#options.signal({ type: 'flows', flows: message.delta.flows })
        this.#outliers.counted(message.delta)
        this.#standings.counted(message.delta)
        if (lives) this.#slots.counted(peer, message.delta)
        return
      case 'ask':
      case 'giveBack':
        if (lives) this.#quotas.hear(peer, message)
        return
      case 'holds':
        if (!lives) return
        this.#quotas.hear(peer, message)
        this.#slots.claimed(peer, message.slots)
        return
      case 'slots':
        this.#slots.hear(peer, message)
        return
      case 'takeRate':
      case 'returnRate':
        this.#rates.hear(peer, message)
        return
      case 'caught':
      case 'askTrial':
      case 'trialOver':
      case 'trialBroke':
      case 'cleared':
      case 'quiet':
        if (lives) this.#quarantines.hear(peer, message)
        return
      // For whoever starts workers and opens listeners.
      case 'ready':
      case 'opened':
      case 'openFailed':
      case 'closed':
      case 'viewApplied':
        return
    }
  }

  // --- orders -------------------------------------------------------------------------------------------------------

  gone(endpoint: string, reason: string, exitedAt: number): void {
    this.#quarantines.gone(endpoint, reason)
    this.#tellAll({ type: 'gone', endpoint, reason, exitedAt })
  }

  /** Calls back with what is left when all have answered. */
  drain(endpoint: string, deadlineMs: number, answer: (remaining: number) => void): void {
    this.#drains.start(this.#ready, endpoint, deadlineMs, answer)
  }

  explain(request: string, answer: (trails: readonly RequestTrail[]) => void): void {
    this.#explaining.ask(this.#ready, request, answer)
  }

  /** Calls back when every worker has told what it has counted until now. */
  read(answer: () => void): void {
    this.#readings.ask(this.#ready, answer)
  }

  breaker(service: string, action: BreakerAction): void {
    this.#breakers.order(service, action)
    this.#options.onStateChange()
  }

  /** Returns false when no request of this id is quarantined. */
  forgetQuarantined(request: string): boolean {
    const forgotten = this.#quarantines.forget(request)
    if (forgotten) this.#options.onStateChange()
    return forgotten
  }

  /** Says something to a process of an instance. Returns false when none of them reports. */
  instruct(endpoint: string, line: string): boolean {
    return this.#reports?.instruct(endpoint, line) ?? false
  }

  // --- what is known of endpoints -----------------------------------------------------------------------------------

  #onVerdict(endpoint: string, service: string, healthy: boolean, reason: string | undefined): void {
    this.#tellAll({ type: 'health', endpoint, healthy, reason: healthy ? undefined : this.#whyUnhealthy(endpoint, reason) })
    if (healthy) {
      this.#outliers.recovered(endpoint)
      this.#standings.revived(endpoint)
      this.#options.signal({ type: 'endpointRecovered', endpoint, service })
    } else {
      this.#options.signal({ type: 'endpointUnhealthy', endpoint, service, reason: this.#whyUnhealthy(endpoint, reason) })
    }
  }

  #whyUnhealthy(endpoint: string, reason: string | undefined): string {
    return reason ?? this.#whyUnready(endpoint) ?? 'probe failed'
  }

  #onReadiness(endpoint: string): void {
    const service = this.#view?.services.find(({ endpoints }) => endpoints.some(({ id, state }) => id === endpoint && state === 'active'))
    if (service && this.#prober.isHealthy(endpoint)) this.#onVerdict(endpoint, service.name, this.#isReady(endpoint), this.#whyUnready(endpoint))
  }

  #isReady(endpoint: string): boolean {
    return this.#whyUnready(endpoint) === undefined
  }

  #whyUnready(endpoint: string): string | undefined {
    return this.#reports?.reasonOf(endpoint) ?? whyOut(this.#askedOf(endpoint))
  }

  /** What it asks for in its answers, and over the socket of reports. */
  #askedOf(endpoint: string): AskedState {
    return strictest(this.#asked.of(endpoint) ?? asksNothing, this.#reports?.askedOf(endpoint) ?? asksNothing)
  }

  #onAsked(endpoint: string): void {
    const asked = this.#askedOf(endpoint)
    const out = whyOut(asked) !== undefined
    this.#standings.look(endpoint)
    this.#slots.cap(endpoint, asked.maxconn, this.#view?.services ?? [])
    if (out === this.#askedOut.has(endpoint)) return
    if (out) this.#askedOut.add(endpoint)
    else this.#askedOut.delete(endpoint)
    this.#onReadiness(endpoint)
  }

  snapshot(): ProxyTelemetry {
    const view = this.#view
    return this.#sums.snapshot({
      at: systemClock.wallTime(),
      pid: process.pid,
      startedAt: this.#startedAt,
      viewVersion: view?.version ?? -1,
      endpoints: new Map((view?.services ?? []).flatMap((service) => this.#factsOf(service))),
      quarantined: this.#quarantines.quarantined,
      limitsStore: this.#sharedRates.status,
      cache: this.#options.cache?.(),
    })
  }

  #factsOf(service: ServiceView): (readonly [string, EndpointFacts])[] {
    const { name, breaker } = service
    const warmth = this.#standings.warmth(service)
    return service.endpoints.map((view) => {
      const { id } = view
      const ejection = this.#outliers.ejectionOf(id)
      return [
        id,
        {
          service: name,
          view,
          healthy: this.#prober.isHealthy(id) && this.#isReady(id),
          reason: this.#prober.reasonOf(id) ?? this.#whyUnready(id),
          reported: this.#reports?.latestOf(id),
          ejected: ejection && `${ejection.reason}, for ${Math.ceil(ejection.forMs / 1_000)} s more`,
          breaker: breaker && this.#breakers.stateOf(id),
          breakerWhy: breaker && this.#breakers.whyOpen(id, systemClock.now()),
          limit: this.#slots.limitOf(id),
          role: this.#roles.statusOf(name, id),
          standing: this.#standings.standingOf(id),
          warm: warmth.get(id),
        },
      ]
    })
  }
}
