/**
 * A proxy worker: accepts from the shared listening sockets and carries requests by its routing view. It decides
 * nothing about the fleet; it is told views, exits and verdicts by the primary, and tells what it counts and suspects.
 * When the primary dies it goes on serving by itself (see `orphan.ts`).
 */
import { FastPath } from './cache/fast-path.ts'
import { ResponseStore } from './cache/store.ts'
import { randomBytes } from 'node:crypto'
import { systemClock, systemRandom } from '../../kernel/system.ts'
import { instant, type Instant } from '../../kernel/time.ts'
import { latin1 } from '../http1/bytes.ts'
import { Head, requestHeadBytesMax } from '../http1/head.ts'
import { listenerRoutes, type ListenerRoutes } from '../core/routes.ts'
import type { CacheStoreView } from '../core/cache-view.ts'
import { listenerAddress, type ListenerView, type RoutingView } from '../core/routing-view.ts'
import type { LeaseMessage, WorkerDelta, WorkerToPrimary } from '../messages.ts'
import { BodyBuffers } from './body-buffers.ts'
import { Connections, type WorkerListener } from './connections.ts'
import { InputBlocks } from './client-input.ts'
import { Dispatcher } from './dispatcher.ts'
import { Fleet } from './fleet.ts'
import { Flows } from './flows.ts'
import { Leases } from './leases.ts'
import { Lots } from './lots.ts'
import { watchesNothing, type ObserveView } from '../core/observe-view.ts'
import type { RequestTrail } from '../core/trail.ts'
import { Observer } from './observe/observer.ts'
import { Outgoing } from './outgoing.ts'
import { type ServiceRuntime } from './service.ts'
import { Slab } from './slab.ts'
import { TcpFront } from '../tcp/front.ts'
import { sweepMs, telemetryMs } from './limits.ts'

const digits36 = '0123456789abcdefghijklmnopqrstuvwxyz'
export interface WorkerOptions {
  readonly pseudonym: string
  readonly tell: (message: WorkerToPrimary) => void
  readonly workers?: number
  /** Where the store of the node listens; undefined: there is none besides our own. */
  readonly cacheSocket?: string
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
  readonly #cacheSocket: string | undefined
  readonly #leases: Leases
  /** Services and endpoints. */
  readonly fleet: Fleet
  readonly connections = new Connections(this, () => {
    this.connectionLeft()
  })
  /** By the listener's name, and by its address. */
  readonly #routes = new Map<string, ListenerRoutes<ServiceRuntime>>()
  readonly #routesAt = new Map<string, ListenerRoutes<ServiceRuntime>>()
  /** Connections of TCP services. */
  readonly tcp: TcpFront
  /** Where requests and connections wait. */
  readonly lots: Lots
  /** Who on this machine calls what. */
  readonly flows = new Flows(systemRandom)
  /** Answers that are kept. */
  readonly responses = new ResponseStore(64 * 1024 * 1024, { now: () => this.now, wallTime: () => systemClock.wallTime() })
  /** Answers hits without an exchange; undefined: no service caches, or every request is watched. */
  hits: FastPath | undefined
  #refused: Record<string, number> = {}
  readonly #idPrefix = randomBytes(5).toString('hex')
  #idCount = 0
  #timers: NodeJS.Timeout[] = []

  constructor(options: WorkerOptions) {
    this.#cacheSocket = options.cacheSocket
    this.pseudonym = options.pseudonym
    this.via = latin1(`Via: 1.1 ${options.pseudonym}\r\n`)
    this.#tell = options.tell
    this.#leases = new Leases(options.tell)
    this.fleet = new Fleet(this, { tell: options.tell, workers: options.workers ?? 1, leases: this.#leases })
    this.tcp = new TcpFront(this, this.#leases)
    this.lots = new Lots(() => this.readNow(), this.#leases)
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

  readNow(): number {
    this.tick()
    return this.now
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

  /** A new one in the place of another. */
  writeRequestId(target: Buffer, at: number): void {
    const end = at + this.#idPrefix.length
    let rest = this.#idCount++
    for (let i = end + 6; i >= end; i--) {
      const higher = Math.floor(rest / 36)
      target[i] = digits36.charCodeAt(rest - higher * 36)
      rest = higher
    }
  }

  // --- connections ----------------------------------------------------------------------------------------------------

  closeListener(which: ListenerView): void {
    this.connections.close(which)
    this.#tell({ type: 'closed', name: which.name, host: which.host, port: which.port })
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
    const { services } = this.fleet
    this.fleet.apply(view, unhealthy)
    this.view = view
    this.#observe(view.observe)
    this.hits = FastPath.isOf(view) ? new FastPath(this, view.observe?.explain?.header) : undefined
    this.#applyCache(view.cache)
    this.#routes.clear()
    this.#routesAt.clear()
    for (const listener of view.listeners) {
      const routes = listenerRoutes(
        listener.name,
        view.services,
        (service) => services.get(service.name)!,
        (service, label) => service.routeTally(label),
      )
      this.#routes.set(listener.name, routes)
      this.#routesAt.set(listenerAddress(listener), routes)
    }
    for (const service of services.values()) service.wake(this.now)
    this.tcp.applyView(view, services)
    this.connections.viewChanged()
    this.#tell({ type: 'viewApplied', version: view.version })
  }

  #applyCache(view: CacheStoreView | undefined): void {
    if (view === undefined) {
      this.responses.leave()
      return
    }
    this.responses.resize(view.workerBytes)
    if (this.#cacheSocket !== undefined) this.responses.join(this.#cacheSocket)
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

  // --- limits that hold over all workers ------------------------------------------------------------------------------

  leased(message: LeaseMessage): void {
    this.tick()
    this.#leases.granted(message, this.now)
  }

  recalled(quota: string): void {
    this.#leases.recalled(quota)
  }

  heldLeases(): Record<string, number> {
    return this.#leases.held()
  }

  // --- time, and the end ------------------------------------------------------------------------------------------

  #sweep(): void {
    this.tick()
    this.connections.sweep(this.now)
    this.fleet.sweep(this.now)
    this.#leases.sweep(this.now)
    if (this.tcp.size > 0) this.tcp.sweep(this.now)
    this.observer?.flush()
    this.responses.link?.sweep(this.now)
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
    this.fleet.drains.leave(this.now, succeeded ? deadlineMs : 0)
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
    this.lots.close()
    for (const service of this.fleet.services.values()) service.rate?.close()
    await this.observer?.close()
    this.responses.leave()
    this.#tell({ type: 'telemetry', delta: this.#delta() })
  }

  #cutAfter(deadlineMs: number): void {
    clearTimeout(this.#cutTimer)
    this.#cutTimer = setTimeout(() => this.#onEmpty?.(), deadlineMs)
  }

  // --- counting -------------------------------------------------------------------------------------------------

  #delta(): WorkerDelta {
    this.connections.tellFlows()
    const delta: WorkerDelta = {
      connections: this.connections.established,
      accepted: this.connections.takeAccepted(),
      memoryBytes: process.memoryUsage.rss(),
      refused: this.#refused,
      observed: this.observer?.takeCounts(),
      cache: this.view?.cache && this.responses.take(),
      flows: this.flows.take(),
      ...this.fleet.take(),
    }
    this.#refused = {}
    return delta
  }
}
