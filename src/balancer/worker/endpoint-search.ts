/**
 * Finds a request a connection to an endpoint: chooses, waits for one to be ready, connects.
 *
 *   choosing ──▶ (idle connection) ─────────▶ found
 *     ▲  │  └──▶ connecting ────────────────▶ found │ not connected
 *     │  └─────▶ parked ──too long, too many──▶ nothing
 *     ├──▶ queued (all are at their limits) ──too long, too many──▶ nothing
 *     └────────────┘
 *
 * Both choosing and the first use of a new connection go through the dispatcher, which sees to it that all deaths the kernel knows of
 * have been heard before anything is sent.
 */
import type { Attempts } from './attempts.ts'
import type { ClientSide } from './client-side.ts'
import type { Dispatched } from './dispatcher.ts'
import type { RequestSender } from './request-sender.ts'
import type { Parked, ServiceRuntime } from './service.ts'
import type { EndpointPool, Upstream, UpstreamUser } from './upstream.ts'
import type { ParkingPatience, ParkingPlace } from '../core/parking-lot.ts'
import { notHttp } from '../core/resend.ts'
import { parkedTooLong, parkingFull, queuedTooLong, queueFull } from './failure-answers.ts'
import type { Concurrency, Queued } from './concurrency.ts'
import { breakersOpenFor } from './verdicts.ts'

type Phase = 'idle' | 'choosing' | 'parked' | 'queued' | 'connecting'

/** Who hears how the search ends. */
export interface SearchHost {
  /** The request is counted at the endpoint; the connection can take it now. */
  found(endpoint: EndpointPool, upstream: Upstream): void
  /** The endpoint could not be connected to. `code`: the system's error. */
  notConnected(endpoint: EndpointPool, code: string | undefined): void
  /** The client has left while it waited. */
  clientGone(): void
  /** The time that its caller gave is over. */
  callerHasLeft(): void
  /** Its body is malformed, or too large. */
  badBody(): void
}

/** Who answers when it ends with nothing. */
export interface SearchEnd {
  /** Attempts to connect have taken all the time there is for them. */
  connectTimeSpent(): void
  /** No endpoint may be tried, and waiting makes no sense. `why` is undefined when attempts were made: they say it. */
  foundNothing(why: string | undefined): void
  /** What is stored is given at once, though a new answer could be waited for: there is nobody to ask for it. */
  ratherThanWait(): boolean
  /** It waited for an endpoint too long, or too many do. `opensPage`: a browser that would show a page asked. */
  parkedInVain(why: string, opensPage: boolean): void
  /** All of them have an open breaker; so many seconds until one is tried again. */
  breakerOpen(retryAfterSeconds: number): void
}

/** What it goes by. */
export interface SearchParts {
  readonly client: ClientSide
  readonly attempts: Attempts
  readonly sender: RequestSender
  readonly unanswered: SearchEnd
}

export class EndpointSearch implements UpstreamUser, Parked, Queued, Dispatched {
  readonly #client: ClientSide
  readonly #attempts: Attempts
  readonly #sender: RequestSender
  readonly #unanswered: SearchEnd
  readonly #host: SearchHost
  #phase: Phase = 'idle'
  #service: ServiceRuntime | undefined
  awaitsTurn = false
  #endpoint: EndpointPool | undefined
  #upstream: Upstream | undefined
  /** The new connection stands. */
  #connected = false
  #connectingSince = 0
  /** Of all attempts to connect for this request together: at most the service's `timeout`. */
  #connectSpentMs = 0
  #parkPlace: ParkingPlace | undefined
  /** While parked, no more of the body is taken in: there is no room for it, or it is too long to be kept. */
  #bodyLeft = false
  /** It is on trial there. */
  #only: EndpointPool | undefined
  #queueDeadline: number | undefined
  /** It has its turn, and has not looked yet. */
  #letGo = false
  readonly #pickRequest

  constructor({ client, attempts, sender, unanswered }: SearchParts, host: SearchHost) {
    this.#client = client
    this.#attempts = attempts
    this.#sender = sender
    this.#unanswered = unanswered
    this.#host = host
    this.#pickRequest = { now: 0, onlyOnce: false, tried: attempts.tried, key: () => sender.hashKey() }
  }

  get parked(): boolean {
    return this.#phase === 'parked' || this.#phase === 'queued'
  }

  /** Bytes of the body that come now are kept, if there is room. */
  get waits(): boolean {
    return this.#phase === 'parked'
  }

  begin(service: ServiceRuntime, only?: EndpointPool): void {
    this.#service = service
    this.#parkPlace = undefined
    this.#queueDeadline = undefined
    this.#connectSpentMs = 0
    this.search(only)
  }

  /** Looks for an endpoint, for the first time or once more. */
  search(only?: EndpointPool): void {
    this.#only = only
    if (this.#connectLeftMs <= 0) {
      this.#unanswered.connectTimeSpent()
      return
    }
    this.#phase = 'choosing'
    this.#enqueue()
  }

  /** The search is over, whatever its state. */
  end(): void {
    const phase = this.#phase
    this.#phase = 'idle'
    if (this.#letGo) this.#looked()
    if (this.#parkPlace !== undefined) this.#service!.lot.leave(this)
    if (phase === 'queued') this.#service!.concurrency?.leave(this)
    else if (phase === 'connecting') this.#leaveEndpoint()
  }

  #enqueue(): void {
    this.#client.worker.dispatcher.add(this)
  }

  dispatch(now: number): void {
    this.#client.worker.now = now
    if (this.#phase === 'connecting') this.#useNew()
    else if (this.#phase === 'choosing') this.#choose()
  }

  #choose(): void {
    const service = this.#service!
    // Whoever waits was here first.
    const isNew = this.#parkPlace === undefined && this.#attempts.last === undefined
    if (isNew && service.lot.size > 0 && service.mayPark && this.#only === undefined) this.#park()
    else if (isNew && !this.#letGo && service.concurrency?.crowded === true && this.#only === undefined) this.#queue(service.concurrency)
    else this.#pick()
    if (this.#letGo) this.#looked()
    this.#sender.spareHead()
  }

  #pick(): void {
    const service = this.#service!
    const { worker, facts } = this.#client
    const { fresh } = this.#attempts
    this.#pickRequest.now = worker.now
    this.#pickRequest.onlyOnce = !facts.idempotent
    const endpoint = this.#admitted(service)
    if (endpoint === undefined) {
      if (service.concurrency !== undefined && service.isBusy(this.#pickRequest)) {
        this.#queue(service.concurrency)
        return
      }
      if (service.verdicts !== undefined && this.#breakersOpen(service, worker.now)) return
      // An answer is there already: it is better than waiting for one.
      // An answer that is there already is better than waiting for one.
      if (this.#attempts.setAside === undefined && service.mayPark) this.#park()
      else {
        this.#attempts.watch?.noneFor('no endpoint can be asked', service, this.#pickRequest, this.#attempts.session)
        this.#nothing(undefined)
      }
      return
    }
    this.#attempts.watch?.picked(endpoint, service, this.#pickRequest, this.#attempts.session)
    endpoint.active++
    endpoint.requests++
    const idle = fresh ? undefined : endpoint.takeIdle(worker.now, !facts.idempotent, this.#client.socket)
    this.#attempts.current.reused = idle !== undefined
    if (idle === undefined) this.#connect(endpoint)
    else {
      this.#phase = 'idle'
      if (this.#parkPlace !== undefined) service.lot.leave(this)
      this.#host.found(endpoint, idle)
    }
  }

  /** Chosen, and let through by its breaker. */
  #admitted(service: ServiceRuntime): EndpointPool | undefined {
    const only = this.#only
    this.#only = undefined
    if (only?.view.state === 'active' && only.gone === undefined) {
      this.#attempts.current.chosen = only
      return only
    }
    const { session } = this.#attempts
    const endpoint = service.choose(this.#pickRequest, session === undefined ? service.pick(this.#pickRequest) : session.pick(this.#pickRequest))
    const { current } = this.#attempts
    current.chosen = endpoint
    if (endpoint?.breaker === undefined) return endpoint
    const generation = endpoint.breaker.allow(this.#pickRequest.now)
    const other = generation === 0 ? service.pickOther(this.#pickRequest) : undefined
    if (generation === 0) this.#attempts.watch?.passedOver(endpoint, this.#pickRequest.now)
    current.generation = other?.generation ?? generation
    current.chosen = generation === 0 ? other?.endpoint : endpoint
    return current.chosen
  }

  /** Nobody is asked who fails all the time: the client is told at once, unless it has met something worth telling. */
  #breakersOpen(service: ServiceRuntime, now: number): boolean {
    const { last, setAside } = this.#attempts
    const openForSeconds = last === undefined && setAside === undefined ? breakersOpenFor(service.endpoints, now) : undefined
    if (openForSeconds === undefined) return false
    this.#attempts.watch?.noneFor('all breakers are open', service, this.#pickRequest, this.#attempts.session)
    this.#phase = 'idle'
    this.#unanswered.breakerOpen(openForSeconds)
    return true
  }

  #nothing(why: string | undefined): void {
    this.#phase = 'idle'
    this.#unanswered.foundNothing(why)
  }

  // --- connecting -----------------------------------------------------------------------------------------------

  #connect(endpoint: EndpointPool): void {
    this.#phase = 'connecting'
    this.#connected = false
    this.#connectingSince = this.#client.worker.now
    this.#holdBody()
    this.#endpoint = endpoint
    this.#upstream = endpoint.open(this, this.#client.socket)
  }

  /** Nobody takes the body at the moment: it is left where it is, and the client is not blamed. */
  #holdBody(): void {
    if (this.#client.facts.bodyLength === 0) return
    this.#client.pauseInput()
    this.#client.holdBodyDeadline()
  }

  /** A connection that lay in the backlog when the process died completes all the same: its end may be the next thing heard. */
  upstreamConnected(upstream: Upstream): void {
    this.#client.worker.tick()
    if (upstream !== this.#upstream) return
    this.#connected = true
    this.#enqueue()
  }

  #useNew(): void {
    const endpoint = this.#endpoint!
    const upstream = this.#upstream!
    if (!this.#connected) return
    if (endpoint.gone !== undefined) {
      this.#failed('ECONNRESET')
      return
    }
    this.#phase = 'idle'
    this.#endpoint = undefined
    this.#upstream = undefined
    this.#attempts.watch?.connected(this.#client.worker.now - this.#connectingSince)
    if (this.#parkPlace !== undefined) this.#service!.lot.leave(this)
    this.#host.found(endpoint, upstream)
  }

  upstreamData(upstream: Upstream): boolean {
    // Nothing has been asked: bytes that come now must not be taken for an answer.
    upstream.destroy()
    this.upstreamClosed(upstream, notHttp)
    return true
  }

  upstreamDrained(): void {
    // Nothing has been written.
  }

  upstreamEnded(upstream: Upstream): void {
    upstream.destroy()
    this.upstreamClosed(upstream, undefined)
  }

  upstreamClosed(upstream: Upstream, code: string | undefined): void {
    if (upstream !== this.#upstream) return
    this.#client.worker.tick()
    this.#failed(code)
  }

  #failed(code: string | undefined): void {
    const endpoint = this.#endpoint!
    this.#phase = 'idle'
    this.#connectSpentMs += this.#client.worker.now - this.#connectingSince
    this.#attempts.watch?.connected(this.#client.worker.now - this.#connectingSince)
    this.#leaveEndpoint()
    this.#host.notConnected(endpoint, code)
  }

  #leaveEndpoint(): void {
    const endpoint = this.#endpoint!
    const upstream = this.#upstream!
    this.#endpoint = undefined
    this.#upstream = undefined
    endpoint.active--
    this.#client.worker.fleet.maybeDrained(endpoint)
    upstream.destroy()
  }

  get #connectLeftMs(): number {
    return this.#service!.view.timeoutMs - this.#connectSpentMs
  }

  sweep(now: number): void {
    // Others may have left room for it.
    if (this.#phase === 'parked' && this.#bodyLeft) this.bodyAvailable()
    if (this.#phase !== 'connecting') return
    const { connectTimeoutMs } = this.#service!.view
    if (now - this.#connectingSince >= Math.min(connectTimeoutMs, this.#connectLeftMs)) this.#failed('ETIMEDOUT')
  }

  // --- waiting --------------------------------------------------------------------------------------------------

  #park(): void {
    const service = this.#service!
    const { worker } = this.#client
    if (this.#client.ended) {
      this.#host.clientGone()
      return
    }
    if (this.#parkPlace === undefined && this.#answeredWithout()) return
    const place = service.parking.park(this, this.#sender.bytes, worker.now, this.#patience(service), this.#parkPlace)
    if (place === undefined) {
      const expired = this.#parkPlace !== undefined && this.#parkPlace.latest <= worker.now
      service.counters.shed++
      this.#parkedInVain(expired ? parkedTooLong : parkingFull)
      return
    }
    if (this.#parkPlace === undefined) service.counters.parked++
    this.#parkPlace = place
    this.#attempts.watch?.parked(service, this.#attempts.session, place.deadline, worker.now)
    this.#attempts.tried.length = 0
    this.#phase = 'parked'
    worker.lots.watch(service)
    this.bodyAvailable()
  }

  #answeredWithout(): boolean {
    const phase = this.#phase
    this.#phase = 'idle'
    if (this.#unanswered.ratherThanWait()) return true
    this.#phase = phase
    return false
  }

  /** Its own deadline, when it has one; a browser's patience, when it is to get a page; how long a boot may take. */
  #patience(service: ServiceRuntime): ParkingPatience {
    const { now } = this.#client.worker
    const expected = service.parkUntil(now)
    if (this.#parkPlace !== undefined) return { expected }
    const { pageAfterMs } = service.view.parking!
    const pageAt = pageAfterMs !== undefined && this.#sender.opensPage ? now + pageAfterMs : Infinity
    return { until: Math.min(this.#attempts.tree?.deadline ?? Infinity, pageAt), expected }
  }

  /** While parked: more of the body has come. Reading it is how we notice that a client has left. */
  bodyAvailable(): void {
    const service = this.#service!
    const { worker } = this.#client
    const gathered = this.#phase === 'parked' ? this.#sender.gatherAhead((bytes) => service.parking.resize(this, bytes, worker.now)) : 'left'
    this.#bodyLeft = gathered === 'left'
    if (gathered === 'malformed') this.#host.badBody()
  }

  #queue(concurrency: Concurrency): void {
    const service = this.#service!
    const { worker } = this.#client
    if (this.#client.ended) {
      this.#host.clientGone()
      return
    }
    const again = this.#queueDeadline !== undefined
    const place = concurrency.wait(this, worker.now, this.#queueDeadline)
    if (place === undefined) {
      this.#shed(queueFull)
      return
    }
    this.#queueDeadline = place.deadline
    this.#attempts.tried.length = 0
    if (!again) {
      service.counters.queued++
      this.#attempts.watch?.queued(service, this.#attempts.session, place.deadline, worker.now)
    }
    this.#phase = 'queued'
    this.#holdBody()
    worker.lots.watch(service)
  }

  letGo(): void {
    if (this.#phase !== 'queued') return
    this.#letGo = true
    this.#attempts.watch?.released(this.#client.worker.now, 'an endpoint is below its limit again')
    this.search()
  }

  #looked(): void {
    this.#letGo = false
    this.#service!.concurrency?.gone()
  }

  queueExpired(): void {
    if (this.#phase === 'queued') this.#shed(queuedTooLong)
  }

  queueRefused(): void {
    if (this.#phase === 'queued') this.#shed(queueFull)
  }

  #shed(why: string): void {
    this.#service!.counters.shed++
    this.#nothing(why)
  }

  unpark(because?: string): void {
    if (this.#phase !== 'parked') return
    this.#holdBody()
    this.#attempts.watch?.released(this.#client.worker.now, because)
    this.search()
  }

  parkingExpired(): void {
    if (this.#phase !== 'parked') return
    this.#attempts.watch?.released(this.#client.worker.now, 'its time to wait is over')
    this.#parkedInVain(parkedTooLong)
  }

  parkingRefused(): void {
    if (this.#phase !== 'parked') return
    this.#service!.counters.shed++
    this.#parkedInVain(parkingFull)
  }

  #parkedInVain(why: string): void {
    this.#phase = 'idle'
    if (this.#attempts.tree?.over(this.#client.worker.now) === true) this.#host.callerHasLeft()
    else this.#unanswered.parkedInVain(why, this.#sender.opensPage)
  }
}
