/**
 * A proxy worker: accepts from the shared listening sockets and carries requests by its routing view. It decides
 * nothing about the fleet; it is told views, exits and verdicts by the primary, and tells what it counts and suspects.
 * When the primary dies it goes on serving by itself (see `orphan.ts`).
 */
import { createServer, type Server, type Socket } from 'node:net'
import { randomBytes } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import { isDeepStrictEqual } from 'node:util'
import { machineNow, systemClock, systemRandom } from '../../kernel/system.ts'
import { instant, type Instant } from '../../kernel/time.ts'
import { latin1 } from '../http1/bytes.ts'
import { Head, requestHeadBytesMax } from '../http1/head.ts'
import { warmTogether } from '../core/endpoint.ts'
import { childrenLeft } from '../core/resend.ts'
import type { RateGrant } from '../core/rate-share.ts'
import { listenerRoutes, type ListenerRoutes } from '../core/routes.ts'
import { listenerAddress, listenerKey, type ListenerView, type RoutingView } from '../core/routing-view.ts'
import { ClientSessions } from '../http2/client-sessions.ts'
import { Terminator } from '../tls/terminator.ts'
import type { BreakerAction, EndpointDelta, LeaseMessage, PrimaryToWorker, ServiceDelta, WorkerDelta, WorkerToPrimary } from '../messages.ts'
import { BodyBuffers } from './body-buffers.ts'
import { Client } from './client.ts'
import { InputBlocks } from './client-input.ts'
import { offerHandles, type AcceptedHandle } from './client-reads.ts'
import { Dispatcher } from './dispatcher.ts'
import { Leases } from './leases.ts'
import { watchesNothing, type ObserveView } from '../core/observe-view.ts'
import type { RequestTrail } from '../core/trail.ts'
import type { Standing } from '../core/weight.ts'
import { Observer } from './observe/observer.ts'
import { Proxied, securedFrom } from './proxied.ts'
import { Outgoing } from './outgoing.ts'
import { ServiceRuntime } from './service.ts'
import { SessionSigner } from './sessions/signer.ts'
import { Slab } from './slab.ts'
import { newTcpCounts } from '../core/tcp-counts.ts'
import { TcpFront } from '../tcp/front.ts'
import { Suspicion } from './suspicion.ts'
import type { Tunnel } from './tunnel.ts'
import type { EndpointPool } from './upstream.ts'
import { WaitingRoom } from './waiting-room.ts'
import { backlog, connectionsMax, lateSendMs, lotSweepMs, suspectMs, sweepMs, telemetryMs, tunnelDrainMs } from './limits.ts'

/** What must be added to `performance.now()` for the machine's monotonic clock, which all processes share. */
const machineMsOffset = (): number => machineNow() - performance.now()

/** A listening socket as Node's IPC passes it between processes. */
export interface ListeningHandle {
  readonly fd: number
}

/** Node has no public name for the handle inside a server; its own `cluster` module sends the same object. */
const handleOf = (server: Server): ListeningHandle => (server as unknown as { _handle: ListeningHandle })._handle

export interface WorkerListener {
  readonly name: string
  readonly host: string
  readonly port: number
  readonly address: string
  /** A view has had it: what it accepts has somewhere to go. */
  routed: boolean
  closed: boolean
  /** undefined: plain. */
  terminator?: Terminator | undefined
  /** Reads who the clients of a proxy in front are; undefined: clients come by themselves. */
  proxied?: Proxied | undefined
  /** HTTP/2 is spoken to who asks for it. */
  http2: boolean
  /** undefined: HTTP. */
  protocol?: 'tcp' | undefined
}

/** Somewhere where requests or connections wait. */
interface WaitingLot {
  /** Others who wait, besides those in the lot. */
  readonly queued?: number
  readonly lot: { readonly size: number }
  sweep(now: number): void
  wake(now: number): void
}

interface Drain {
  readonly id: number
  readonly endpoint: EndpointPool
  readonly deadline: number
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
  readonly #listeners = new Map<string, { readonly listener: WorkerListener; readonly server: Server }>()
  readonly #services = new Map<string, ServiceRuntime>()
  #endpoints = new Map<string, EndpointPool>()
  /** In no view any more, but with requests under way. */
  readonly #leaving = new Map<string, EndpointPool>()
  /** By the listener's name, and by its address. */
  readonly #routes = new Map<string, ListenerRoutes<ServiceRuntime>>()
  readonly #routesAt = new Map<string, ListenerRoutes<ServiceRuntime>>()
  readonly #clients = new Set<Client>()
  readonly #http2 = new ClientSessions(this, () => {
    this.#maybeEmpty()
  })
  readonly #waitingRoom = new WaitingRoom<WorkerListener>()
  readonly #tunnels = new Set<Tunnel>()
  /** Connections of TCP services. */
  readonly tcp: TcpFront
  readonly #waitingForNews = new Map<EndpointPool, (() => void)[]>()
  readonly #lots = new Set<WaitingLot>()
  readonly #suspectedAt = new Map<string, number>()
  /** Connections whose TLS handshake is under way. */
  #handshaking = 0
  #ticketKeys: Buffer | undefined
  #signer = new SessionSigner()
  #drains: Drain[] = []
  #accepted = 0
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

  tick(): void {
    this.now = performance.now()
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

  // --- listeners ------------------------------------------------------------------------------------------------

  /**
   * Accepts on an address (`where` is undefined), on an inherited descriptor, or from a listening socket that another
   * worker opened. Resolves with the socket, for the primary to keep. Rejects with the system's error.
   */
  listen(name: string, host: string, port: number, where?: ListeningHandle | { readonly fd: number }): Promise<ListeningHandle> {
    const listener: WorkerListener = { name, host, port, address: listenerAddress({ host, port }), routed: false, closed: false, http2: false }
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      this.#accept(listener, socket)
    })
    return new Promise((resolve, reject) => {
      server.once('error', reject)
      server.once('listening', () => {
        server.off('error', reject)
        // Accepting can fail later on (EMFILE): the next attempt may succeed, and the process must not end for it.
        server.on('error', () => {
          this.countRefused('accept_failed')
        })
        offerHandles(server, (handle) => this.#takeHandle(listener, handle))
        listener.routed = this.#hasListener(listener)
        this.#secure(listener)
        this.#listeners.set(listenerKey(listener), { listener, server })
        resolve(handleOf(server))
      })
      if (where === undefined) server.listen({ host, port, backlog, exclusive: true })
      else server.listen(where, backlog)
    })
  }

  closeListener(which: ListenerView): void {
    const entry = this.#listeners.get(listenerKey(which))
    if (entry) {
      this.#listeners.delete(listenerKey(which))
      entry.listener.closed = true
      // Connections that are open get one more answer, which says `Connection: close`: closing an idle one now could meet a request on its way.
      entry.server.close()
      for (const socket of this.#waitingRoom.take(entry.listener)) socket.destroy()
    }
    // The socket itself is closed at once; only the server waits for its connections.
    this.#tell({ type: 'closed', name: which.name, host: which.host, port: which.port })
  }

  #hasListener(listener: ListenerView): boolean {
    return this.view?.listeners.some((each) => listenerKey(each) === listenerKey(listener)) ?? false
  }

  /** Those who came on a new listener before its view. */
  #admitWaiting(): void {
    for (const { listener } of this.#listeners.values()) {
      if (listener.routed || !this.#hasListener(listener)) continue
      listener.routed = true
      for (const socket of this.#waitingRoom.take(listener)) this.#begin(listener, socket)
    }
  }

  /** The descriptors of the listening sockets, for whoever carries on after us. */
  listeningDescriptors(): { name: string; host: string; port: number; fd: number }[] {
    return [...this.#listeners.values()].flatMap(({ listener, server }) => {
      const { fd } = handleOf(server)
      return fd < 0 ? [] : [{ name: listener.name, host: listener.host, port: listener.port, fd }]
    })
  }

  /** The short way of a connection that begins with plain HTTP at once. */
  #takeHandle(listener: WorkerListener, handle: AcceptedHandle): boolean {
    const { terminator, proxied, http2, protocol } = listener
    if (!listener.routed || terminator !== undefined || proxied !== undefined || http2 || protocol === 'tcp' || this.#full) return false
    this.tick()
    this.#accepted++
    handle.setNoDelay(true)
    this.#clients.add(new Client(this, listener, handle))
    return true
  }

  get #full(): boolean {
    return this.#clientCount + this.#waitingRoom.size >= connectionsMax
  }

  #accept(listener: WorkerListener, socket: Socket): void {
    this.tick()
    this.#accepted++
    if (this.#full) {
      this.countRefused('too_many_connections')
      socket.on('error', () => undefined)
      socket.destroy()
      return
    }
    if (listener.routed) this.#begin(listener, socket)
    else this.#waitingRoom.wait(listener, socket)
  }

  #begin(listener: WorkerListener, socket: Socket): void {
    if (listener.proxied === undefined) {
      this.#beginRead(listener, socket)
      return
    }
    this.#handshaking++
    listener.proxied.accept(socket, {
      through: () => {
        this.#handshaking--
        this.tick()
        this.#beginRead(listener, socket)
      },
      refused: (reason) => {
        this.#handshaking--
        this.countRefused(reason)
        this.#maybeEmpty()
      },
    })
  }

  /** Nothing of what comes now is for us: it is TLS, or what the listener speaks. */
  #beginRead(listener: WorkerListener, socket: Socket): void {
    if (listener.terminator === undefined) {
      this.#welcome(listener, socket)
      return
    }
    this.#handshaking++
    listener.terminator.accept(socket)
  }

  #established(listener: WorkerListener, socket: TLSSocket): void {
    this.#handshaking--
    this.tick()
    securedFrom(socket)
    if (socket.alpnProtocol === 'h2') this.openHttp2(listener, socket)
    else this.#welcome(listener, socket)
  }

  #welcome(listener: WorkerListener, socket: Socket): void {
    if (listener.protocol === 'tcp') this.tcp.accept(listener, socket)
    else this.#clients.add(new Client(this, listener, socket))
  }

  /** A client's connection, whose first bytes will be (or have shown themselves to be) those of HTTP/2. */
  openHttp2(listener: WorkerListener, socket: Socket): void {
    this.#http2.open(listener, socket)
  }

  get #clientCount(): number {
    return this.#clients.size + this.#http2.size + this.tcp.size + this.#handshaking
  }

  /** Gives the listener the certificates of the view. The same ones are not read again. */
  #secure(listener: WorkerListener): void {
    const view = this.view?.listeners.find((each) => listenerKey(each) === listenerKey(listener))
    if (view === undefined) return
    listener.protocol = view.protocol
    listener.http2 = view.http2 === true
    const { proxyFrom } = view
    if (!isDeepStrictEqual(proxyFrom, listener.proxied?.from)) listener.proxied = proxyFrom && new Proxied(proxyFrom)
    if (isDeepStrictEqual(view.tls, listener.terminator?.view) && (listener.terminator?.http2 ?? listener.http2) === listener.http2) return
    listener.terminator =
      view.tls &&
      new Terminator({
        listener: listener.name,
        view: view.tls,
        http2: listener.http2,
        ticketKeys: this.#ticketKeys,
        onEstablished: (socket) => {
          this.#established(listener, socket)
        },
        onFailed: () => {
          this.#handshaking--
          this.countRefused('tls_handshake')
          this.#maybeEmpty()
        },
      })
  }

  setTicketKeys(keys: Buffer): void {
    this.#ticketKeys = keys
    for (const { listener } of this.#listeners.values()) listener.terminator?.setTicketKeys(keys)
  }

  setSessionKeys(keys: Buffer): void {
    this.#signer = new SessionSigner(keys)
    for (const service of this.#services.values()) service.keepSessions(this.#signer)
  }

  forget(client: Client): void {
    this.#clients.delete(client)
    this.#maybeEmpty()
  }

  forgetSession(): void {
    this.#maybeEmpty()
  }

  #maybeEmpty(): void {
    if (this.draining && this.#clientCount === 0) this.#onEmpty?.()
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
      const routes = listenerRoutes(listener.name, view.services, (service) => this.#services.get(service.name)!)
      this.#routes.set(listener.name, routes)
      this.#routesAt.set(listenerAddress(listener), routes)
    }
    for (const service of this.#services.values()) service.wake(this.now)
    this.tcp.applyView(view, this.#services)
    for (const { listener } of this.#listeners.values()) this.#secure(listener)
    this.#admitWaiting()
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
    const waiting = this.#waitingForNews.get(endpoint)
    this.#waitingForNews.delete(endpoint)
    waiting?.forEach((resume) => {
      resume()
    })
  }

  health(id: string, healthy: boolean): void {
    this.tick()
    const endpoint = this.#endpoints.get(id)
    if (!endpoint) return
    endpoint.healthy = healthy
    if (healthy) endpoint.welcome()
    if (healthy) this.#wake(endpoint)
  }

  /** The primary has taken it out as an outlier, or let it in again (0). */
  ejected(id: string, forMs: number): void {
    this.tick()
    const endpoint = this.#endpoints.get(id)
    if (!endpoint) return
    const service = this.#services.get(endpoint.service)
    if (forMs > 0) service?.verdicts?.ejected(endpoint, forMs, this.now)
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
    const waiting = this.#waitingForNews.get(endpoint)
    if (waiting) {
      waiting.push(resume)
      return
    }
    this.#waitingForNews.set(endpoint, [resume])
    setTimeout(() => {
      const late = this.#waitingForNews.get(endpoint)
      this.#waitingForNews.delete(endpoint)
      this.tick()
      late?.forEach((late) => {
        late()
      })
    }, waitMs)
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
    this.#drains.push({ id, endpoint, deadline: this.now + deadlineMs })
    this.#closeTunnels(
      [...this.#tunnels].filter((tunnel) => tunnel.endpoint === endpoint),
      deadlineMs,
    )
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
    for (const drain of this.#drains.filter((each) => each.endpoint === endpoint)) this.#tell({ type: 'drained', id: drain.id, remaining: 0 })
    this.#drains = this.#drains.filter((drain) => drain.endpoint !== endpoint)
  }

  /** Clients that belong to it stay until the deadline: that none of them asks just now means nothing. */
  #mayComeBack(endpoint: EndpointPool): boolean {
    return this.#drains.length > 0 && endpoint.gone === undefined && this.#services.get(endpoint.service)?.view.sticky?.drain === true
  }

  #sweepDrains(): void {
    for (const drain of this.#drains) {
      if (this.now < drain.deadline) continue
      this.#tell({ type: 'drained', id: drain.id, remaining: drain.endpoint.active + drain.endpoint.tunnels })
      for (const tunnel of [...this.#tunnels]) if (tunnel.endpoint === drain.endpoint) tunnel.cut()
    }
    this.#drains = this.#drains.filter((drain) => this.now < drain.deadline)
  }

  /** Spread out, so that the clients do not all come back in the same instant. */
  #closeTunnels(tunnels: readonly Tunnel[], deadlineMs: number): void {
    const window = Math.min(tunnelDrainMs, deadlineMs / 2)
    tunnels.forEach((tunnel, index) => {
      tunnel.closeAt = this.now + (tunnels.length > 1 ? (index / (tunnels.length - 1)) * window : 0)
    })
  }

  openTunnel(tunnel: Tunnel): void {
    this.#tunnels.add(tunnel)
    if (this.draining || this.#drains.some(({ endpoint }) => endpoint === tunnel.endpoint)) tunnel.closeAt = this.now
  }

  closeTunnel(tunnel: Tunnel): void {
    this.#tunnels.delete(tunnel)
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
    for (const client of this.#clients) {
      client.sweep(this.now)
      client.exchange.sweep(this.now)
    }
    this.#http2.sweep(this.now)
    for (const service of this.#services.values()) service.sweep(this.now)
    this.#leases.sweep(this.now)
    this.suspicion.sweep(this.now)
    for (const tunnel of [...this.#tunnels]) tunnel.sweep(this.now)
    if (this.tcp.size > 0) this.tcp.sweep(this.now)
    this.#sweepDrains()
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
    for (const { listener } of [...this.#listeners.values()]) this.closeListener(listener)
    this.#waitingRoom.close()
    this.tick()
    if (!succeeded) for (const client of this.#clients) client.closeIfIdle()
    this.#http2.leave(succeeded)
    this.#closeTunnels([...this.#tunnels], succeeded ? deadlineMs : 0)
    this.tcp.shutdown(this.now + deadlineMs, succeeded)
    if (this.#clientCount > 0) {
      await new Promise<void>((resolve) => {
        this.#onEmpty = resolve
        this.#cutAfter(deadlineMs)
      })
      clearTimeout(this.#cutTimer)
    }
    for (const client of this.#clients) client.destroy()
    this.#http2.destroy()
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
      endpoints[endpoint.id] = {
        active: endpoint.active + endpoint.tunnels,
        requests: endpoint.requests,
        errors: endpoint.errors,
        ewmaMs: endpoint.ewmaMs,
        tcp: endpoint.tcp,
        latency: endpoint.adaptive?.take(),
        firstByte: endpoint.takeFirstByte(),
      }
      endpoint.tcp &&= newTcpCounts()
      endpoint.requests = 0
      endpoint.errors = 0
    }
    for (const id of this.#suspectedAt.keys()) if (!this.#endpoints.has(id)) this.#suspectedAt.delete(id)
    const delta: WorkerDelta = {
      connections: this.#clients.size + this.#http2.size + this.tcp.size,
      accepted: this.#accepted,
      memoryBytes: process.memoryUsage.rss(),
      refused: this.#refused,
      services,
      endpoints,
    }
    this.#accepted = 0
    this.#refused = {}
    return delta
  }
}

function serviceDelta(service: ServiceRuntime, parked: number): ServiceDelta {
  const { counters } = service
  const delta: ServiceDelta = {
    requests: counters.requests,
    responses: service.takeResponses(),
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
    tunnels: service.tunnels,
    requestBytes: counters.requestBytes,
    responseBytes: counters.responseBytes,
    duration: counters.duration.data(),
  }
  counters.requests = 0
  counters.retried = 0
  counters.parked = 0
  counters.shed = 0
  counters.lateSends = 0
  counters.limited = 0
  counters.queued = 0
  counters.fallbacks = {}
  counters.requestBytes = 0
  counters.responseBytes = 0
  counters.duration.reset()
  return delta
}
