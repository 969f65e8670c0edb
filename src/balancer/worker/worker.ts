/**
 * A proxy worker: accepts from the shared listening sockets and carries requests by its routing view. It decides
 * nothing about the fleet; it is told views, exits and verdicts by the primary, and tells what it counts and suspects.
 * When the primary dies it goes on serving by itself (see `orphan.ts`).
 */
import { randomBytes } from 'node:crypto'
import { machineNow, systemClock, systemRandom } from '../../kernel/system.ts'
import { instant, type Instant } from '../../kernel/time.ts'
import { latin1 } from '../http1/bytes.ts'
import { Head, requestHeadBytesMax } from '../http1/head.ts'
import { warmTogether } from '../core/endpoint.ts'
import { childrenLeft } from '../core/resend.ts'
import type { RateGrant } from '../core/rate-share.ts'
import { listenerRoutes, type ListenerRoutes } from '../core/routes.ts'
import { listenerAddress, type ListenerView, type RoutingView } from '../core/routing-view.ts'
import type { BreakerAction, EndpointDelta, LeaseMessage, PrimaryToWorker, ServiceDelta, WorkerDelta, WorkerToPrimary } from '../messages.ts'
import { BodyBuffers } from './body-buffers.ts'
import { Connections, type WorkerListener } from './connections.ts'
import { InputBlocks } from './client-input.ts'
import { DeathNews } from './death-news.ts'
import { Dispatcher } from './dispatcher.ts'
import { WorkerDrains } from './drains.ts'
import { Leases } from './leases.ts'
import { watchesNothing, type ObserveView } from '../core/observe-view.ts'
import type { RequestTrail } from '../core/trail.ts'
import type { Standing } from '../core/weight.ts'
import { Observer } from './observe/observer.ts'
import { Outgoing } from './outgoing.ts'
import { ServiceRuntime } from './service.ts'
import { SessionSigner } from './sessions/signer.ts'
import { Slab } from './slab.ts'
import { newTcpCounts } from '../core/tcp-counts.ts'
import { TcpFront } from '../tcp/front.ts'
import { Suspicion } from './suspicion.ts'
import type { EndpointPool } from './upstream.ts'
import { lateSendMs, lotSweepMs, suspectMs, sweepMs, telemetryMs } from './limits.ts'

/** What must be added to `performance.now()` for the machine's monotonic clock, which all processes share. */
const machineMsOffset = (): number => machineNow() - performance.now()

/** Somewhere where requests or connections wait. */
interface WaitingLot {
  /** Others who wait, besides those in the lot. */
  readonly queued?: number
  readonly lot: { readonly size: number }
  sweep(now: number): void
  wake(now: number): void
}

export class Worker {
  requestHead = new Head()
  readonly #spareHeads: Head[] = []
  readonly dispatcher = new Dispatcher()
  readonly responseHead = new Head()
  readonly slab = new Slab()
  readonly outgoing = new Outgoing(this.slab)
  readonly inputBlocks = new InputBlocks()
  readonly bodyBuffers = new BodyBuffers()
  readonly headBytesMax = requestHeadBytesMax
  readonly pseudonym: string
  readonly via: Buffer
  /** Monotonic milliseconds, read once per event. */
  now = performance.now()
  draining = false
  view: RoutingView | undefined
  /** Watches requests; undefined: nobody does. */
  observer: Observer | undefined
  readonly #tell: (message: WorkerToPrimary) => void
  readonly #workers: number
  readonly #leases: Leases
  readonly suspicion: Suspicion
  readonly connections = new Connections(this, () => {
    this.connectionLeft()
  })
  readonly #services = new Map<string, ServiceRuntime>()
  #endpoints = new Map<string, EndpointPool>()
  /** In no view any more, but with requests under way. */
  readonly #leaving = new Map<string, EndpointPool>()
  /** By the listener's name, and by its address. */
  readonly #routes = new Map<string, ListenerRoutes<ServiceRuntime>>()
  readonly #routesAt = new Map<string, ListenerRoutes<ServiceRuntime>>()
  /** Connections of TCP services. */
  readonly tcp: TcpFront
  readonly #deathNews = new DeathNews(() => {
    this.tick()
    return this.now
  })
  readonly drains: WorkerDrains
  readonly #lots = new Set<WaitingLot>()
  readonly #suspectedAt = new Map<string, number>()
  #signer = new SessionSigner()
  #refused: Record<string, number> = {}
  readonly #idPrefix = randomBytes(5).toString('hex')
  #idCount = 0
  #timers: NodeJS.Timeout[] = []
  #lotTimer: NodeJS.Timeout | undefined

  constructor(options: { readonly pseudonym: string; readonly tell: (message: WorkerToPrimary) => void; readonly workers?: number }) {
    this.pseudonym = options.pseudonym
    this.via = latin1(`Via: 1.1 ${options.pseudonym}\r\n`)
    this.#tell = options.tell
    this.#workers = options.workers ?? 1
    this.#leases = new Leases(options.tell)
    this.drains = new WorkerDrains(options.tell)
    this.tcp = new TcpFront(this, this.#leases)
    this.suspicion = new Suspicion({
      tell: options.tell,
      service: (name) => this.#services.get(name),
      endpoint: (id) => this.#endpoints.get(id),
    })
  }

  start(): void {
    // The first readings must not be without this worker.
    this.#tell({ type: 'telemetry', delta: this.#delta() })
    this.#timers = [
      setInterval(() => {
        this.#sweep()
      }, sweepMs),
      setInterval(() => {
        this.#tell({ type: 'telemetry', delta: this.#delta() })
      }, telemetryMs),
    ]
  }

  /** Tells at once what it has counted since the last report. */
  report(): void {
    this.#tell({ type: 'telemetry', delta: this.#delta() })
  }

  tick(): void {
    this.now = performance.now()
  }

  get wallTime(): number {
    return systemClock.wallTime()
  }

  get instant(): Instant {
    return instant(this.now)
  }

  /** Gives the head that was just parsed to whoever will still need it when others are parsed; comes back with `spareHead`. */
  keepHead(): Head {
    const kept = this.requestHead
    this.requestHead = this.#spareHeads.pop() ?? new Head()
    return kept
  }

  spareHead(head: Head): void {
    this.#spareHeads.push(head)
  }

  /** For the `Date` field of our own answers. */
  httpDate(): string {
    return new Date(systemClock.wallTime()).toUTCString()
  }

  newRequestId(): string {
    return `${this.#idPrefix}${(this.#idCount++).toString(36).padStart(7, '0')}`
  }

  // --- connections ----------------------------------------------------------------------------------------------------

  closeListener(which: ListenerView): void {
    this.connections.close(which)
    this.#tell({ type: 'closed', name: which.name, host: which.host, port: which.port })
  }

  serviceNamed(name: string): ServiceRuntime | undefined {
    return this.#services.get(name)
  }

  setSessionKeys(keys: Buffer): void {
    this.#signer = new SessionSigner(keys)
    for (const service of this.#services.values()) service.keepSessions(this.#signer)
  }

  /** A connection of a client is gone. */
  connectionLeft(): void {
    if (this.draining && this.connections.count === 0) this.#onEmpty?.()
  }

  routesOf(listener: WorkerListener): ListenerRoutes<ServiceRuntime> | undefined {
    // Whoever came in at an address is routed by the listener that has it now: a listener may have been renamed meanwhile, or moved.
    return this.#routesAt.get(listener.address) ?? this.#routes.get(listener.name)
  }

  countRefused(reason: string): void {
    this.#refused[reason] = (this.#refused[reason] ?? 0) + 1
  }

  // --- news -----------------------------------------------------------------------------------------------------

  applyView(view: RoutingView, unhealthy: ReadonlySet<string>): void {
    this.tick()
    const removed = new Set(this.#services.keys())
    const endpoints = new Map<string, EndpointPool>()
    for (const serviceView of view.services) {
      removed.delete(serviceView.name)
      let service = this.#services.get(serviceView.name)
      if (!service) {
        service = new ServiceRuntime(serviceView, systemRandom, this.#leases, this.#tell, this.#workers)
        service.marks = this.suspicion.marksOf(serviceView.name)
        this.#services.set(serviceView.name, service)
      }
      service.swap(serviceView, this.now)
      service.keepSessions(this.#signer)
      for (const endpoint of service.endpoints) {
        endpoint.healthy = !unhealthy.has(endpoint.id)
        endpoints.set(endpoint.id, endpoint)
      }
    }
    for (const name of removed) this.#retire(name)
    for (const service of this.#services.values()) service.keepMirror((name) => this.#services.get(name))
    // What a removed endpoint still has under way must be found by the drain that follows.
    for (const [id, endpoint] of this.#endpoints) {
      if (endpoints.get(id) !== endpoint && endpoint.active + endpoint.tunnels > 0) this.#leaving.set(id, endpoint)
    }
    this.#endpoints = endpoints
    this.view = view
    this.#observe(view.observe)
    this.#routes.clear()
    this.#routesAt.clear()
    for (const listener of view.listeners) {
      const routes = listenerRoutes(
        listener.name,
        view.services,
        (service) => this.#services.get(service.name)!,
        (service, label) => service.routeTally(label),
      )
      this.#routes.set(listener.name, routes)
      this.#routesAt.set(listenerAddress(listener), routes)
    }
    for (const service of this.#services.values()) service.wake(this.now)
    this.tcp.applyView(view, this.#services)
    this.connections.viewChanged()
    this.#tell({ type: 'viewApplied', version: view.version })
  }

  #observe(view: ObserveView | undefined): void {
    if (view === undefined || watchesNothing(view)) {
      void this.observer?.close()
      this.observer = undefined
      return
    }
    if (this.observer) this.observer.apply(view)
    else {
      this.observer = new Observer(view, {
        random: systemRandom,
        wallTime: () => systemClock.wallTime(),
        now: () => performance.now(),
        log: (message) => process.stderr.write(`${message}\n`),
      })
    }
  }

  /** What is remembered of the request with this id. */
  trailsOf(request: string): readonly RequestTrail[] {
    return this.observer?.trailsOf(request) ?? []
  }

  /** The service is gone from the view: what waits for it is told so. */
  #retire(name: string): void {
    const service = this.#services.get(name)
    if (!service) return
    service.swap({ ...service.view, endpoints: [], managed: false, coming: false }, this.now)
    service.wake(this.now)
    service.close()
    this.#services.delete(name)
  }

  /** The endpoint's process has exited. */
  gone(id: string, reason: string, exitedAtMachineMs: number): void {
    this.tick()
    const endpoint = this.#endpoints.get(id) ?? this.#leaving.get(id)
    if (endpoint?.exitedAt !== Infinity) return
    endpoint.gone = reason
    // While other processes of its group live, one of them may have taken what was sent.
    if (!reason.endsWith(childrenLeft)) endpoint.exitedAt = exitedAtMachineMs - machineMsOffset()
    // What was sent between the exit and these news met a closed socket, not a process; how often that happens is measured.
    if (endpoint.lastSentAt > endpoint.exitedAt + lateSendMs) this.#services.get(endpoint.service)?.lateSent()
    endpoint.closeIdle()
    this.tcp.gone(endpoint)
    this.#deathNews.came(endpoint)
  }

  health(id: string, healthy: boolean, why?: string): void {
    this.tick()
    const endpoint = this.#endpoints.get(id)
    if (!endpoint) return
    endpoint.healthy = healthy
    endpoint.unhealthyWhy = why
    if (healthy) endpoint.welcome()
    if (healthy) this.#wake(endpoint)
  }

  /** The primary has taken it out as an outlier, or let it in again (0). */
  ejected(id: string, forMs: number, why?: string): void {
    this.tick()
    const endpoint = this.#endpoints.get(id)
    if (!endpoint) return
    const service = this.#services.get(endpoint.service)
    if (forMs > 0) service?.verdicts?.ejected(endpoint, forMs, this.now, why)
    else endpoint.ejectedUntil = 0
    if (forMs === 0) this.#wake(endpoint)
  }

  #wake(endpoint: EndpointPool): void {
    this.#services.get(endpoint.service)?.wake(this.now)
    if (this.tcp.size > 0) this.tcp.wake()
  }

  endpoint(id: string): EndpointPool | undefined {
    return this.#endpoints.get(id)
  }

  /** Another worker has opened its breaker. */
  trip(id: string): void {
    this.tick()
    this.#endpoints.get(id)?.breaker?.trip(this.now)
  }

  verdict(message: Extract<PrimaryToWorker, { type: 'verdict' }>): void {
    this.tick()
    this.suspicion.verdict(message)
  }

  breakerOrder(name: string, action: BreakerAction): void {
    this.tick()
    const service = this.#services.get(name)
    service?.verdicts?.order(action, service.endpoints, this.now)
  }

  /** What is known of an endpoint over all workers. */
  setStanding(id: string, standing: Standing): void {
    const endpoint = this.#endpoints.get(id)
    if (endpoint) endpoint.standing = standing
  }

  /** Its slow start begins, or is over. */
  warm(id: string, windowMs: number, ageMs: number): void {
    this.tick()
    const endpoint = this.#endpoints.get(id)
    if (!endpoint) return
    endpoint.warm(this.now, windowMs, ageMs)
    warmTogether(this.#services.get(endpoint.service)?.endpoints ?? [])
  }

  /** Calls back when the endpoint is known to be gone, or after `waitMs`. */
  whenGone(endpoint: EndpointPool, waitMs: number, resume: () => void): void {
    this.#deathNews.wait(endpoint, waitMs, resume)
  }

  /** `handshake`: why it came to no secure connection. */
  reportSuspect(endpoint: EndpointPool, reason: string, handshake?: string): void {
    if (endpoint.gone !== undefined) return
    if (this.now - (this.#suspectedAt.get(endpoint.id) ?? -Infinity) < suspectMs) return
    this.#suspectedAt.set(endpoint.id, this.now)
    this.#tell({ type: 'suspect', endpoint: endpoint.id, service: endpoint.service, reason, handshake })
  }

  // --- limits that hold over all workers ------------------------------------------------------------------------------

  leased(message: LeaseMessage): void {
    this.tick()
    this.#leases.granted(message, this.now)
  }

  recalled(quota: string): void {
    this.#leases.recalled(quota)
  }

  rateGiven(service: string, grants: readonly RateGrant[]): void {
    this.tick()
    this.#services.get(service)?.rate?.given(grants)
  }

  slotsGiven({ service, endpoint, amount, keep }: Extract<PrimaryToWorker, { readonly type: 'slotsGiven' }>): void {
    this.tick()
    const { concurrency } = this.#services.get(service) ?? {}
    if (concurrency) concurrency.given(endpoint, amount, keep, this.now)
    else if (amount > 0) this.#tell({ type: 'slots', endpoint, back: amount })
  }

  heldSlots(): Record<string, number> {
    return Object.assign({}, ...[...this.#services.values()].map(({ concurrency }) => concurrency?.held())) as Record<string, number>
  }

  heldLeases(): Record<string, number> {
    return this.#leases.held()
  }

  // --- draining -------------------------------------------------------------------------------------------------

  drain(id: number, endpointId: string, deadlineMs: number): void {
    this.tick()
    const endpoint = this.#endpoints.get(endpointId) ?? this.#leaving.get(endpointId)
    if (!endpoint) {
      this.#tell({ type: 'drained', id, remaining: 0 })
      return
    }
    this.drains.begin(id, endpoint, this.now, deadlineMs)
    this.tcp.drain(endpoint, this.now + deadlineMs)
    this.maybeDrained(endpoint)
  }

  /** A request at the endpoint has ended. */
  freed(endpoint: EndpointPool): void {
    if (endpoint.slots !== undefined) this.#services.get(endpoint.service)?.concurrency?.freed(endpoint, this.now)
  }

  /** Something at an endpoint has ended. */
  maybeDrained(endpoint: EndpointPool): void {
    this.freed(endpoint)
    if (endpoint.active + endpoint.tunnels > 0) return
    if (endpoint.reserved) this.suspicion.quiet(endpoint)
    if (this.#mayComeBack(endpoint)) return
    if (this.#leaving.get(endpoint.id) === endpoint) this.#leaving.delete(endpoint.id)
    this.drains.done(endpoint)
  }

  /** Clients that belong to it stay until the deadline: that none of them asks just now means nothing. */
  #mayComeBack(endpoint: EndpointPool): boolean {
    return this.drains.running && endpoint.gone === undefined && this.#services.get(endpoint.service)?.view.sticky?.drain === true
  }

  watchLot(lot: WaitingLot): void {
    this.#lots.add(lot)
    this.#lotTimer ??= setInterval(() => {
      this.#sweepLots()
    }, lotSweepMs)
  }

  #sweepLots(): void {
    this.tick()
    for (const lot of this.#lots) {
      lot.sweep(this.now)
      lot.wake(this.now)
      if (lot.lot.size === 0 && (lot.queued ?? 0) === 0) this.#lots.delete(lot)
    }
    this.#leases.sweep(this.now)
    if (this.#lots.size > 0) return
    clearInterval(this.#lotTimer)
    this.#lotTimer = undefined
  }

  #sweep(): void {
    this.tick()
    this.connections.sweep(this.now)
    for (const service of this.#services.values()) service.sweep(this.now)
    this.#leases.sweep(this.now)
    this.suspicion.sweep(this.now)
    this.drains.sweep(this.now)
    if (this.tcp.size > 0) this.tcp.sweep(this.now)
    this.observer?.flush()
  }

  #onEmpty: (() => void) | undefined
  #ending: Promise<void> | undefined
  #cutTimer: NodeJS.Timeout | undefined

  /**
   * Stops accepting, lets what runs finish until the deadline, then cuts. Resolves when nothing is left.
   * `succeeded`: somebody else serves from now on. Then idle connections wait for one more request, whose answer closes
   * them, and tunnels end one after the other; otherwise there is nothing to come back to and both end at once.
   * Said again, it moves the deadline.
   */
  shutdown(deadlineMs: number, succeeded: boolean): Promise<void> {
    if (this.#ending) this.#cutAfter(deadlineMs)
    this.#ending ??= this.#end(deadlineMs, succeeded)
    return this.#ending
  }

  async #end(deadlineMs: number, succeeded: boolean): Promise<void> {
    this.draining = true
    for (const listener of this.connections.listeners) this.closeListener(listener)
    this.tick()
    this.connections.leave(succeeded)
    this.drains.leave(this.now, succeeded ? deadlineMs : 0)
    this.tcp.shutdown(this.now + deadlineMs, succeeded)
    if (this.connections.count > 0) {
      await new Promise<void>((resolve) => {
        this.#onEmpty = resolve
        this.#cutAfter(deadlineMs)
      })
      clearTimeout(this.#cutTimer)
    }
    this.connections.destroy()
    this.tcp.destroy()
    for (const timer of this.#timers) clearInterval(timer)
    clearInterval(this.#lotTimer)
    for (const service of this.#services.values()) service.rate?.close()
    await this.observer?.close()
    this.#tell({ type: 'telemetry', delta: this.#delta() })
  }

  #cutAfter(deadlineMs: number): void {
    clearTimeout(this.#cutTimer)
    this.#cutTimer = setTimeout(() => this.#onEmpty?.(), deadlineMs)
  }

  // --- counting -------------------------------------------------------------------------------------------------

  #delta(): WorkerDelta {
    const services: Record<string, ServiceDelta> = {}
    for (const service of this.#services.values()) services[service.name] = serviceDelta(service, service.lot.size + this.tcp.parked(service))
    const endpoints: Record<string, EndpointDelta> = {}
    for (const endpoint of this.#endpoints.values()) {
      const { responses, duration: firstByte } = endpoint.takeAnswers()
      endpoints[endpoint.id] = {
        active: endpoint.active + endpoint.tunnels,
        requests: endpoint.requests,
        errors: endpoint.errors,
        ewmaMs: endpoint.ewmaMs,
        tcp: endpoint.tcp,
        latency: endpoint.adaptive?.take(),
        responses,
        firstByte,
        refused: endpoint.refused,
      }
      endpoint.tcp &&= newTcpCounts()
      endpoint.requests = 0
      endpoint.errors = 0
      endpoint.refused = 0
    }
    for (const id of this.#suspectedAt.keys()) if (!this.#endpoints.has(id)) this.#suspectedAt.delete(id)
    const delta: WorkerDelta = {
      connections: this.connections.established,
      accepted: this.connections.takeAccepted(),
      memoryBytes: process.memoryUsage.rss(),
      refused: this.#refused,
      observed: this.observer?.takeCounts(),
      services,
      endpoints,
    }
    this.#refused = {}
    return delta
  }
}

function serviceDelta(service: ServiceRuntime, parked: number): ServiceDelta {
  const { counters } = service
  const delta: ServiceDelta = {
    requests: counters.requests,
    active: service.active,
    retried: counters.retried,
    parked,
    parkedTotal: counters.parked,
    shed: counters.shed,
    lateSends: counters.lateSends,
    limited: counters.limited,
    queued: service.queued,
    queuedTotal: counters.queued,
    fallbacks: counters.fallbacks,
    hedges: counters.hedges,
    mirror: service.mirror?.take(),
    tunnels: service.tunnels,
    requestBytes: counters.requestBytes,
    responseBytes: counters.responseBytes,
    ...service.tally.take(),
    routes: service.takeRoutes(),
  }
  counters.requests = 0
  counters.retried = 0
  counters.parked = 0
  counters.shed = 0
  counters.lateSends = 0
  counters.limited = 0
  counters.queued = 0
  counters.fallbacks = {}
  counters.hedges = {}
  counters.requestBytes = 0
  counters.responseBytes = 0
  return delta
}
