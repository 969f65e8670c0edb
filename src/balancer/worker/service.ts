/** A service as one worker runs it: its endpoints, its picker, its parking lot and its counters. They outlive the views. */
import { newCacheCounts } from '../core/cache/counts.ts'
import { isDeepStrictEqual } from 'node:util'
import type { Random } from '../../kernel/random.ts'
import { machineNow } from '../../kernel/system.ts'
import type { Endpoint } from '../core/endpoint.ts'
import type { ParkingLot } from '../core/parking-lot.ts'
import { Picker, type PickRequest } from '../core/picker.ts'
import { warmTogether } from '../core/endpoint.ts'
import { budgetFree } from '../core/resend.ts'
import { routeLabel } from '../core/routes.ts'
import { routeLimits } from '../core/rate-scopes.ts'
import type { RateLimitView, ServiceView } from '../core/routing-view.ts'
import { routesCountedMax, Tally, type TallyData } from '../core/tally.ts'
import type { WorkerToPrimary } from '../messages.ts'
import type { Leases } from './leases.ts'
import { affinityOf, type Affinity } from './sessions/affinity.ts'
import type { SessionSigner } from './sessions/signer.ts'
import { Pace } from '../core/pace.ts'
import { Hedging } from './hedging.ts'
import { Mirror } from './mirror/mirror.ts'
import type { Marks } from './suspicion.ts'
import { Concurrency } from './concurrency.ts'
import { Parking, type Parked } from './parking.ts'
import { ServiceRate } from './rate-limits.ts'
import { TlsDialer } from '../tls/dialer.ts'
import { Verdicts } from './verdicts.ts'
import { EndpointPool } from './upstream.ts'

/** Counters that grow until they are reported, then begin again. */
export class ServiceCounters {
  requests = 0
  retried = 0
  parked = 0
  shed = 0
  lateSends = 0
  limited = 0
  queued = 0
  /** By reason. */
  fallbacks: Record<string, number> = {}
  /** By who won. */
  hedges: Record<string, number> = {}
  cache = newCacheCounts()
  requestBytes = 0
  responseBytes = 0
}

export type { Parked }

const endpointThere = 'an endpoint can take it'
const placeFree = 'one that was let go before it has its answer'

export class ServiceRuntime {
  view: ServiceView
  readonly name: string
  endpoints: readonly EndpointPool[] = []
  /** undefined: its clients are all the same to it. */
  affinity: Affinity | undefined
  /** Takes requests in, within limits that hold over all workers. */
  readonly parking: Parking
  /** Those that wait. */
  readonly lot: Omit<ParkingLot<Parked>, 'park'>
  readonly counters = new ServiceCounters()
  /** Of all its requests, and by the label of the route. */
  readonly tally = new Tally()
  #routes: ReadonlyMap<string, Tally> = new Map()
  active = 0
  tunnels = 0
  /** Requests under way that have been sent more than once. */
  retrying = 0
  /** undefined: it has no breakers and ejects nothing. */
  verdicts: Verdicts | undefined
  /** What is usual; undefined: nothing goes by it. */
  pace: Pace | undefined
  /** undefined: nothing is hedged. */
  hedging: Hedging | undefined
  /** undefined: its endpoints have no limits. */
  concurrency: Concurrency | undefined
  /** undefined: no rate limit. */
  rate: ServiceRate | undefined
  /** Those of its routes, by the name of their table. */
  readonly #routeRates = new Map<string, ServiceRate>()
  /** Copies of its requests go to another service; undefined: none do. */
  mirror: Mirror | undefined
  readonly #leases: Leases
  /** How many share what holds over all of them. */
  readonly workers: number
  /** Opens connections to its endpoints; undefined: they are plain. */
  #dialer: TlsDialer | undefined
  /** Requests that may have killed instances; undefined: there are none. */
  marks: Marks | undefined
  readonly #random: Random
  readonly #tell: (message: WorkerToPrimary) => void
  #picker: Picker

  constructor(view: ServiceView, random: Random, leases: Leases, tell: (message: WorkerToPrimary) => void = () => undefined, workers = 1) {
    this.#tell = tell
    this.workers = workers
    this.#leases = leases
    this.view = view
    this.name = view.name
    this.parking = new Parking(view.name, leases)
    this.parking.setLimits(view.parking)
    this.lot = this.parking.lot
    this.#random = random
    this.#picker = this.#newPicker(view)
  }

  #newPicker(view: ServiceView): Picker {
    return new Picker({ algorithm: view.algorithm, random: this.#random })
  }

  /** Takes a new view. Endpoints that stay keep their connections, counts and estimates. */
  swap(view: ServiceView, now: number): void {
    const first = this.endpoints.length === 0 && this.view === view
    if (first || !isDeepStrictEqual(view.origin?.tls, this.view.origin?.tls)) this.#dialer = view.origin?.tls && new TlsDialer(view.origin.tls)
    if (view.algorithm !== this.view.algorithm) this.#picker = this.#newPicker(view)
    const before = new Map(this.endpoints.map((endpoint) => [endpoint.id, endpoint]))
    this.endpoints = view.endpoints.map((endpointView) => {
      const known = before.get(endpointView.id)
      if (known?.view.host !== endpointView.host || known.view.port !== endpointView.port) {
        const endpoint = new EndpointPool(endpointView, view.name)
        endpoint.countAnswers()
        if (!first) endpoint.warm(now, view.slowStartMs)
        return endpoint
      }
      before.delete(endpointView.id)
      const reopened = known.view.state !== 'active' && endpointView.state === 'active'
      known.view = endpointView
      if (reopened) known.welcome()
      if (endpointView.state !== 'active') known.closeIdle()
      return known
    })
    for (const endpoint of this.endpoints) endpoint.dialBy(this.#dialer, view.origin?.proxyProtocol)
    for (const removed of before.values()) {
      removed.gone ??= 'removed'
      removed.closeIdle()
    }
    warmTogether(this.endpoints, now)
    this.parking.setLimits(view.parking)
    this.view = view
    this.#countRoutes(view)
    const judges = view.breaker !== undefined || view.ejection !== undefined
    if (judges) this.verdicts ??= new Verdicts(this.name, this.#random, this.#tell)
    this.verdicts?.setView(view, this.endpoints, now)
    if (!judges) this.verdicts = undefined
    this.#limitRate(view)
    this.#limitConcurrency(view, now)
    this.#hedge(view)
  }

  #hedge({ hedge, retries }: ServiceView): void {
    this.pace = hedge !== undefined || retries.onTimeout === true ? (this.pace ?? new Pace()) : undefined
    if (hedge === undefined || this.pace === undefined) {
      this.hedging?.close()
      this.hedging = undefined
    } else {
      this.hedging ??= new Hedging(this, hedge, this.pace)
      this.hedging.setView(hedge)
    }
  }

  /** Routes that stay keep their counts. */
  #countRoutes({ routes }: ServiceView): void {
    const labels = [...new Set(routes.map(routeLabel))].slice(0, routesCountedMax)
    this.#routes = new Map(labels.map((label) => [label, this.#routes.get(label) ?? new Tally()]))
  }

  routeTally(label: string): Tally | undefined {
    return this.#routes.get(label)
  }

  /** Of the routes by which anything came since the last call. */
  takeRoutes(): Record<string, TallyData> {
    const busy = [...this.#routes].filter(([, tally]) => tally.any)
    return Object.fromEntries(busy.map(([label, tally]) => [label, tally.take()]))
  }

  #limitConcurrency({ concurrency, name }: ServiceView, now: number): void {
    if (concurrency === undefined) {
      this.concurrency?.close()
      this.concurrency = undefined
      return
    }
    this.concurrency ??= new Concurrency(name, concurrency, this.#leases, this.#tell)
    this.concurrency.setView(concurrency, this.endpoints, now)
  }

  /** The limits end, with the service. */
  close(): void {
    this.parking.close()
    this.mirror?.close()
    this.rate?.close()
    this.hedging?.close()
    for (const rate of this.#routeRates.values()) rate.close()
    this.concurrency?.close()
  }

  /** Requests that wait because all endpoints are at their limits. */
  get queued(): number {
    return this.concurrency?.queued ?? 0
  }

  #limitRate(view: ServiceView): void {
    this.rate = this.#limitBy(view.name, 'default', this.rate, view.rateLimit)
    const limits = routeLimits(view)
    for (const scope of new Set([...limits.keys(), ...this.#routeRates.keys()])) {
      const rate = this.#limitBy(scope, 'route', this.#routeRates.get(scope), limits.get(scope))
      if (rate) this.#routeRates.set(scope, rate)
      else this.#routeRates.delete(scope)
    }
  }

  #limitBy(scope: string, policy: string, before: ServiceRate | undefined, limit: RateLimitView | undefined): ServiceRate | undefined {
    if (isDeepStrictEqual(before?.view, limit)) return before
    const rate = limit && new ServiceRate(scope, policy, limit, this.workers, this.#tell)
    before?.close()
    return rate
  }

  /** A limit of its own, or of one of its routes. */
  rateOf(scope: string): ServiceRate | undefined {
    return scope === this.name ? this.rate : this.#routeRates.get(scope)
  }

  /** Sessions and shares of revisions, by the view as it is now. */
  keepSessions(signer: SessionSigner): void {
    this.affinity = affinityOf(this.view, this.endpoints, signer)
  }

  /** Copies of its requests, by the view as it is now. */
  keepMirror(serviceOf: (name: string) => ServiceRuntime | undefined): void {
    const { mirror } = this.view
    if (mirror === undefined) {
      this.mirror?.close()
      this.mirror = undefined
    } else {
      this.mirror ??= new Mirror(mirror, this.#random)
      this.mirror.setView(mirror, serviceOf(mirror.service))
    }
  }

  /** Those that clients may get at all: all of them, but for revisions whose share is 0. */
  get eligible(): readonly EndpointPool[] {
    return this.affinity?.eligible ?? this.endpoints
  }

  pick(request: PickRequest, among: readonly EndpointPool[] = this.endpoints): EndpointPool | undefined {
    return this.#picker.pick(among, request) as EndpointPool | undefined
  }

  /** The one to send to; undefined: none can, or all that should are at their limits (`isBusy`). */
  choose(request: PickRequest, picked: EndpointPool | undefined): EndpointPool | undefined {
    // Rather wait for a good one that is busy than go to one that is not good.
    if (picked !== undefined) return this.concurrency !== undefined && !picked.isGood(request.now) && this.isBusy(request, true) ? undefined : picked
    if (this.mayPark || (this.concurrency !== undefined && this.isBusy(request))) return undefined
    return this.leastBad(request.tried)
  }

  /** Somebody could take it, if there were not as many already as may be. */
  isBusy({ now, tried }: PickRequest, good = false): boolean {
    return this.endpoints.some((endpoint) => endpoint.isBusy(now) && (!good || endpoint.isGood(now)) && !tried.includes(endpoint))
  }

  /** How the last choice was made, for people. */
  get pickedBy(): string {
    const { algorithm } = this.view
    return this.#picker.panicked ? `${algorithm}; too few are well: health and ejection are ignored` : algorithm
  }

  /** Another one whose breaker lets this request through, when that of the picked one does not. Its breaker has counted it. */
  pickOther({ now, tried }: PickRequest): { readonly endpoint: EndpointPool; readonly generation: number } | undefined {
    for (const endpoint of this.eligible) {
      if (!endpoint.available(now) || tried.includes(endpoint)) continue
      const generation = endpoint.breaker?.allow(now) ?? 0
      if (generation !== 0) return { endpoint, generation }
    }
    return undefined
  }

  /** When everything is avoided and nobody restarts it: the one whose pause is over first. */
  leastBad(tried: readonly Endpoint[], among: readonly EndpointPool[] = this.eligible): EndpointPool | undefined {
    let best: EndpointPool | undefined
    for (const endpoint of among) {
      if (endpoint.view.state !== 'active' || endpoint.gone !== undefined || endpoint.view.weight <= 0 || endpoint.full || tried.includes(endpoint))
        continue
      if (best === undefined || endpoint.avoidedUntil < best.avoidedUntil) best = endpoint
    }
    return best
  }

  /** Waiting makes sense: somebody restarts what dies, or an endpoint is on its way. */
  get mayPark(): boolean {
    return this.view.parking !== undefined && (this.view.managed || this.view.coming)
  }

  hasAvailable(now: number): boolean {
    return this.eligible.some((endpoint) => endpoint.available(now))
  }

  get retryBudgetFree(): boolean {
    return budgetFree(this.retrying, this.active, this.view.retries.budget)
  }

  /** When an endpoint is expected to be ready; undefined: nobody knows, or one is. */
  get #readyAt(): number | undefined {
    const { readyAtMachineMs } = this.view
    return readyAtMachineMs === undefined ? undefined : readyAtMachineMs - (machineNow() - performance.now())
  }

  /** Seconds after which a client should try again: when an endpoint is expected, or else the learned boot time; at least one. */
  get retryAfterSeconds(): number {
    const readyAt = this.#readyAt
    const waitMs = readyAt === undefined ? (this.view.bootMs ?? 1_000) : readyAt - performance.now()
    return Math.max(1, Math.ceil(waitMs / 1_000))
  }

  /** For those who wait already: an endpoint is expected after all, perhaps another one than they have waited for. */
  #worthWaitingUntil(now: number): number {
    const readyAt = this.#readyAt
    return readyAt !== undefined && readyAt > now ? this.parkUntil(now) : -Infinity
  }

  /** How long an endpoint is worth waiting for, besides the configured time. */
  parkUntil(now: number): number {
    const patienceMs = this.view.parking?.patienceMs
    return patienceMs === undefined ? Infinity : Math.max(now, this.#readyAt ?? now) + patienceMs
  }

  /** Lets parked requests go when something can serve them. */
  wake(now: number): void {
    if (this.lot.size === 0) return
    if (!this.hasAvailable(now)) {
      this.lot.close()
      if (!this.mayPark) for (const parked of this.lot.expired(Infinity)) parked.parkingExpired()
      return
    }
    for (const parked of this.lot.open(this.active - this.lot.size - this.tunnels)) parked.unpark(endpointThere)
  }

  /** A request was sent after its endpoint had exited. */
  lateSent(): void {
    this.counters.lateSends++
  }

  sweep(now: number): void {
    for (const endpoint of this.endpoints) endpoint.closeIdle(now)
    this.concurrency?.sweep(now)
    this.mirror?.sweep(now)
    this.hedging?.sweep(now)
    if (this.lot.size === 0) return
    for (const parked of this.lot.expired(now, this.#worthWaitingUntil(now))) {
      this.counters.shed++
      parked.parkingExpired()
    }
  }

  /** A request has ended: with a status, or 0 when it was cut or the client left. Without a duration: it became a tunnel. */
  finished(status: number, durationUs?: number, route?: Tally): void {
    this.tally.finished(status, durationUs)
    if (route !== undefined) route.finished(status, durationUs)
  }

  /** A request has its answer, or will have none: others may go. */
  madeRoom(): void {
    if (this.lot.size > 0) for (const parked of this.lot.finished()) parked.unpark(placeFree)
  }
}
