/**
 * The services and endpoints of a worker, as its view has them, and the news that come of them between two views: who has exited, who is healthy, who is to be
 * drained. An endpoint that a view no longer has is known on until nothing is under way there.
 *
 *   in the view ──removed──▶ leaving (something is under way) ──▶ forgotten
 */
import type { BreakerSnapshot } from '../../resilience/core/breaker.ts'
import { machineNow, systemRandom } from '../../kernel/system.ts'
import { warmTogether } from '../core/endpoint.ts'
import { serviceOfScope } from '../core/rate-scopes.ts'
import type { RateGrant } from '../core/rate-share.ts'
import { childrenLeft } from '../core/resend.ts'
import type { RoutingView } from '../core/routing-view.ts'
import type { Standing } from '../core/weight.ts'
import type { BreakerAction, EndpointDelta, PrimaryToWorker, ServiceDelta, WorkerToPrimary } from '../messages.ts'
import { DeathNews } from './death-news.ts'
import { WorkerDrains } from './drains.ts'
import type { Leases } from './leases.ts'
import { lateSendMs, suspectMs } from './limits.ts'
import { ServiceRuntime } from './service.ts'
import { SessionSigner } from './sessions/signer.ts'
import { Suspicion } from './suspicion.ts'
import { takeEndpointDelta, takeServiceDelta } from './telemetry.ts'
import type { EndpointPool } from './upstream.ts'
import type { Worker } from './worker.ts'

/** What must be added to `performance.now()` for the machine's monotonic clock, which all processes share. */
const machineMsOffset = (): number => machineNow() - performance.now()

export interface FleetOptions {
  readonly tell: (message: WorkerToPrimary) => void
  /** How many share what holds over all of them. */
  readonly workers: number
  readonly leases: Leases
}

export class Fleet {
  readonly #worker: Worker
  readonly #options: FleetOptions
  readonly suspicion: Suspicion
  readonly drains: WorkerDrains
  readonly #services = new Map<string, ServiceRuntime>()
  #endpoints = new Map<string, EndpointPool>()
  /** In no view any more, but with requests under way. */
  readonly #leaving = new Map<string, EndpointPool>()
  readonly #deathNews: DeathNews
  readonly #suspectedAt = new Map<string, number>()
  #signer = new SessionSigner()

  constructor(worker: Worker, options: FleetOptions) {
    this.#worker = worker
    this.#options = options
    this.drains = new WorkerDrains(options.tell)
    this.#deathNews = new DeathNews(() => worker.readNow())
    this.suspicion = new Suspicion({
      tell: options.tell,
      service: (name) => this.#services.get(name),
      endpoint: (id) => this.#endpoints.get(id),
    })
  }

  get services(): ReadonlyMap<string, ServiceRuntime> {
    return this.#services
  }

  endpoint(id: string): EndpointPool | undefined {
    return this.#endpoints.get(id)
  }

  #serviceOf(endpoint: EndpointPool): ServiceRuntime | undefined {
    return this.#services.get(endpoint.service)
  }

  apply(view: RoutingView, unhealthy: ReadonlySet<string>): void {
    const { now } = this.#worker
    const removed = new Set(this.#services.keys())
    const endpoints = new Map<string, EndpointPool>()
    for (const serviceView of view.services) {
      removed.delete(serviceView.name)
      const service = this.#services.get(serviceView.name) ?? this.#add(serviceView)
      service.swap(serviceView, now)
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
  }

  #add(view: RoutingView['services'][number]): ServiceRuntime {
    const { leases, tell, workers } = this.#options
    const service = new ServiceRuntime(view, systemRandom, leases, tell, workers)
    service.marks = this.suspicion.marksOf(view.name)
    this.#services.set(view.name, service)
    return service
  }

  /** The service is gone from the view: what waits for it is told so. */
  #retire(name: string): void {
    const service = this.#services.get(name)
    if (!service) return
    service.swap({ ...service.view, endpoints: [], managed: false, coming: false }, this.#worker.now)
    service.wake(this.#worker.now)
    service.close()
    this.#services.delete(name)
  }

  setSessionKeys(keys: Buffer): void {
    this.#signer = new SessionSigner(keys)
    for (const service of this.#services.values()) service.keepSessions(this.#signer)
  }

  sweep(now: number): void {
    for (const service of this.#services.values()) service.sweep(now)
    this.suspicion.sweep(now)
    this.drains.sweep(now)
  }

  // --- news -------------------------------------------------------------------------------------------------------

  /** The endpoint's process has exited. */
  gone(id: string, reason: string, exitedAtMachineMs: number): void {
    const endpoint = this.#endpoints.get(id) ?? this.#leaving.get(id)
    if (endpoint?.exitedAt !== Infinity) return
    endpoint.gone = reason
    // While other processes of its group live, one of them may have taken what was sent.
    if (!reason.endsWith(childrenLeft)) endpoint.exitedAt = exitedAtMachineMs - machineMsOffset()
    // What was sent between the exit and these news met a closed socket, not a process; how often that happens is measured.
    if (endpoint.lastSentAt > endpoint.exitedAt + lateSendMs) this.#serviceOf(endpoint)?.lateSent()
    endpoint.closeIdle()
    this.#worker.tcp.gone(endpoint)
    this.#deathNews.came(endpoint)
  }

  health(id: string, healthy: boolean, why?: string): void {
    const endpoint = this.#endpoints.get(id)
    if (!endpoint) return
    endpoint.healthy = healthy
    endpoint.unhealthyWhy = why
    if (healthy) endpoint.welcome()
    if (healthy) this.#wake(endpoint)
  }

  /** The primary has taken it out as an outlier, or let it in again (0). */
  ejected(id: string, forMs: number, why?: string): void {
    const endpoint = this.#endpoints.get(id)
    if (!endpoint) return
    if (forMs > 0) this.#serviceOf(endpoint)?.verdicts?.ejected(endpoint, forMs, this.#worker.now, why)
    else endpoint.ejectedUntil = 0
    if (forMs === 0) this.#wake(endpoint)
  }

  #wake(endpoint: EndpointPool): void {
    this.#serviceOf(endpoint)?.wake(this.#worker.now)
    if (this.#worker.tcp.size > 0) this.#worker.tcp.wake()
  }

  /** Another worker has opened its breaker. */
  trip(id: string): void {
    this.#endpoints.get(id)?.breaker?.trip(this.#worker.now)
  }

  /** What it was in the workers before this one. */
  restoreBreaker(id: string, snapshot: BreakerSnapshot): void {
    this.#endpoints.get(id)?.breaker?.restore(snapshot, this.#worker.now, this.#worker.wallTime)
  }

  breakerOrder(name: string, action: BreakerAction): void {
    const service = this.#services.get(name)
    service?.verdicts?.order(action, service.endpoints, this.#worker.now)
  }

  /** What is known of an endpoint over all workers. */
  setStanding(id: string, standing: Standing): void {
    const endpoint = this.#endpoints.get(id)
    if (endpoint) endpoint.standing = standing
  }

  /** Its slow start begins, or is over. */
  warm(id: string, windowMs: number, ageMs: number): void {
    const endpoint = this.#endpoints.get(id)
    if (!endpoint) return
    endpoint.warm(this.#worker.now, windowMs, ageMs)
    warmTogether(this.#serviceOf(endpoint)?.endpoints ?? [], this.#worker.now)
  }

  rateGiven(scope: string, grants: readonly RateGrant[]): void {
    this.#services.get(serviceOfScope(scope))?.rateOf(scope)?.given(grants)
  }

  slotsGiven({ service, endpoint, amount, keep }: Extract<PrimaryToWorker, { readonly type: 'slotsGiven' }>): void {
    const { concurrency } = this.#services.get(service) ?? {}
    if (concurrency) concurrency.given(endpoint, amount, keep, this.#worker.now)
    else if (amount > 0) this.#options.tell({ type: 'slots', endpoint, back: amount })
  }

  heldSlots(): Record<string, number> {
    return Object.assign({}, ...[...this.#services.values()].map(({ concurrency }) => concurrency?.held())) as Record<string, number>
  }

  // --- what requests say of endpoints -------------------------------------------------------------------------------

  /** Calls back when the endpoint is known to be gone, or after `waitMs`. */
  whenGone(endpoint: EndpointPool, waitMs: number, resume: () => void): void {
    this.#deathNews.wait(endpoint, waitMs, resume)
  }

  /** An endpoint says what it asks for itself. */
  tellAsked(endpoint: EndpointPool, said: string): void {
    this.#options.tell({ type: 'asks', endpoint: endpoint.id, said })
  }

  /** What all workers know to be said. */
  asked(said: Readonly<Record<string, string>>): void {
    for (const [id, endpoint] of this.#endpoints) endpoint.said = said[id]
  }

  /** `handshake`: why it came to no secure connection. */
  reportSuspect(endpoint: EndpointPool, reason: string, handshake?: string): void {
    const { now } = this.#worker
    if (endpoint.gone !== undefined) return
    if (now - (this.#suspectedAt.get(endpoint.id) ?? -Infinity) < suspectMs) return
    this.#suspectedAt.set(endpoint.id, now)
    this.#options.tell({ type: 'suspect', endpoint: endpoint.id, service: endpoint.service, reason, handshake })
  }

  /** A request at the endpoint has ended. */
  freed(endpoint: EndpointPool): void {
    if (endpoint.slots !== undefined) this.#serviceOf(endpoint)?.concurrency?.freed(endpoint, this.#worker.now)
  }

  // --- draining -----------------------------------------------------------------------------------------------------

  drain(id: number, endpointId: string, deadlineMs: number): void {
    const { now, tcp } = this.#worker
    const endpoint = this.#endpoints.get(endpointId) ?? this.#leaving.get(endpointId)
    if (!endpoint) {
      this.#options.tell({ type: 'drained', id, remaining: 0 })
      return
    }
    this.drains.begin(id, endpoint, now, deadlineMs)
    tcp.drain(endpoint, now + deadlineMs)
    this.maybeDrained(endpoint)
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
    return this.drains.running && endpoint.gone === undefined && this.#serviceOf(endpoint)?.view.sticky?.drain === true
  }

  // --- counting -----------------------------------------------------------------------------------------------------

  /** What was counted since the last call. */
  take(): { readonly services: Record<string, ServiceDelta>; readonly endpoints: Record<string, EndpointDelta> } {
    const services: Record<string, ServiceDelta> = {}
    for (const service of this.#services.values()) services[service.name] = takeServiceDelta(service, this.#worker.tcp.parked(service))
    const endpoints: Record<string, EndpointDelta> = {}
    for (const endpoint of this.#endpoints.values()) endpoints[endpoint.id] = takeEndpointDelta(endpoint)
    for (const id of this.#suspectedAt.keys()) if (!this.#endpoints.has(id)) this.#suspectedAt.delete(id)
    return { services, endpoints }
  }
}
