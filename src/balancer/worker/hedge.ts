/**
 * The second attempt of one request, made while the first is still out.
 *
 *   off ──sent──▶ waiting ──late──▶ choosing ──▶ connecting ──▶ out ──whole head, not 5xx──▶ taken by the exchange: it has won
 *    ▲               │                 │             │           ├──the first fails────────▶ taken by the exchange, in its place
 *    └───────────────┴─────────────────┴─────────────┴───────────┴──it fails, or the first answers──▶ off
 *
 * It sends the same bytes, once more, and reads nothing but the head of the answer: which of the two the client gets is decided by then. A 5xx decides nothing while
 * the other is out, and is kept for when nobody has better. One object per client connection, made when it is first needed.
 *
 * It takes one of the tries of the request and a place in the retry budget of the service, so that hedges and second tries together stay within both; and a token of
 * its own budget, by the number of requests.
 */
import { mayHedge } from '../core/hedge-rule.ts'
import type { InLine } from '../core/hedge-line.ts'
import { Head, parseResponseHead } from '../http1/head.ts'
import { extentOf } from '../http1/response.ts'
import { Attempt } from './attempt.ts'
import type { Attempts, Broken } from './attempts.ts'
import type { ClientSide } from './client-side.ts'
import type { Dispatched } from './dispatcher.ts'
import { joined } from './extra-lines.ts'
import type { Hedging } from './hedging.ts'
import { interimAnswersMax } from './limits.ts'
import type { RequestSender } from './request-sender.ts'
import type { ServiceRuntime } from './service.ts'
import type { EndpointPool, Upstream, UpstreamUser } from './upstream.ts'

/** Safe as by RFC 9110 §9.2.1, and with an answer that is the same wherever it comes from. */
const hedgedMethods: readonly string[] = ['GET', 'HEAD', 'OPTIONS']
/** Read and used within one call. */
const head = new Head()
/** `taken`: it is the exchange's attempt now. */
type Phase = 'off' | 'waiting' | 'choosing' | 'connecting' | 'out' | 'taken'

/** Who has the first attempt. */
export interface HedgeHost {
  /** Bytes of its answer have come. */
  readonly firstIsAnswering: boolean
  /** The hedge has the head of a good answer; `buffer` holds it up to `length`. Returns false to stop reading. */
  hedgeWon(hedge: Hedge, buffer: Buffer, length: number): boolean
}

export class Hedge implements UpstreamUser, Dispatched, InLine<Hedge> {
  readonly #client: ClientSide
  readonly #attempts: Attempts
  readonly #sender: RequestSender
  readonly #host: HedgeHost
  #service: ServiceRuntime | undefined
  #hedging: Hedging | undefined
  #phase: Phase = 'off'
  /** It has left for an endpoint, and nobody has counted how that ended. */
  #made = false
  #first: EndpointPool | undefined
  /** Of the first attempt. */
  sentAt = 0
  lineBefore: Hedge | undefined
  lineAfter: Hedge | undefined
  line: { leave(member: Hedge): void } | undefined
  /** undefined: there is no second one. */
  #attempt: Attempt | undefined
  /** Its connection stands. */
  #connected = false
  #partial: Buffer | undefined
  #interims = 0
  awaitsTurn = false

  constructor(client: ClientSide, attempts: Attempts, sender: RequestSender, host: HedgeHost) {
    this.#client = client
    this.#attempts = attempts
    this.#sender = sender
    this.#host = host
  }

  /** An attempt of the request has been sent. */
  begin(service: ServiceRuntime, hedging: Hedging, first: EndpointPool): void {
    this.#service = service
    this.#hedging = hedging
    this.#first = first
    this.sentAt = this.#client.worker.now
    if (this.#made || !this.#mayBeMadeTwice(service, first)) return
    this.#phase = 'waiting'
    hedging.join(this, this.sentAt)
  }

  #mayBeMadeTwice(service: ServiceRuntime, first: EndpointPool): boolean {
    const { facts, bodyDone, longLived } = this.#client
    if (service.endpoints.length < 2 || !hedgedMethods.includes(facts.method)) return false
    if (!bodyDone || !this.#sender.replayable || facts.upgrade !== undefined || longLived || first.reserved) return false
    // Its state may be with that one, and whoever tries again above us is enough.
    return this.#attempts.session?.pinned !== true && this.#attempts.tree?.isRetry !== true
  }

  /** There is a second attempt that can take the place of the first. */
  get out(): boolean {
    return this.#phase === 'out'
  }

  // --- leaving ------------------------------------------------------------------------------------------------------

  /** The first attempt takes longer than it should. What does not allow a second one now may allow it in a while. */
  late(now: number, delayMs: number): void {
    const service = this.#service!
    this.#first!.lateAt = now
    if (this.#host.firstIsAnswering) {
      this.#phase = 'off'
      return
    }
    const deadline = this.#attempts.tree?.deadline ?? Infinity
    if (!mayHedge({ now, deadline, delayMs, load: this.#hedging!.load, retryBudgetFree: service.retryBudgetFree })) {
      this.#hedging!.lookAgain(this)
      return
    }
    this.#phase = 'choosing'
    this.#enqueue()
  }

  #enqueue(): void {
    this.#client.worker.dispatcher.add(this)
  }

  dispatch(now: number): void {
    this.#client.worker.now = now
    if (this.#phase === 'choosing') this.#choose(now)
    else if (this.#phase === 'connecting' && this.#connected) this.#send(this.#attempt!)
  }

  #choose(now: number): void {
    const endpoint = this.#pick(now)
    if (endpoint === undefined || !this.#hedging!.budget.take(now)) {
      this.#phase = 'waiting'
      this.#hedging!.lookAgain(this)
      return
    }
    this.#made = true
    this.#partial = undefined
    this.#interims = 0
    this.#attempts.hedged()
    this.#attempts.watch?.hedged(endpoint, now - this.sentAt, now)
    endpoint.active++
    endpoint.requests++
    const idle = endpoint.takeIdle(now, false, this.#client.socket)
    const attempt = new Attempt()
    attempt.chosen = endpoint
    attempt.generation = endpoint.breaker?.allow(now) ?? 0
    attempt.reused = idle !== undefined
    attempt.sentAt = now
    attempt.found(endpoint, idle ?? endpoint.open(this, this.#client.socket), this)
    this.#attempt = attempt
    this.#connected = idle !== undefined
    this.#phase = 'connecting'
    if (idle !== undefined) this.#send(attempt)
  }

  /** Another one that is well, and if it can be none that is late itself. */
  #pick(now: number): EndpointPool | undefined {
    const { session, tried } = this.#attempts
    const request = { now, tried: [...tried, this.#first!], key: () => this.#sender.hashKey(), onlyOnce: true }
    const endpoint = session === undefined ? this.#service!.pick(request) : session.pick(request)
    if (endpoint?.isGood(now) !== true) return undefined
    return endpoint.breaker === undefined || endpoint.breaker.state === 'closed' ? endpoint : undefined
  }

  upstreamConnected(upstream: Upstream): void {
    this.#client.worker.tick()
    if (upstream !== this.#attempt?.upstream) return
    this.#connected = true
    this.#enqueue()
  }

  #send(attempt: Attempt): void {
    const { worker } = this.#client
    const endpoint = attempt.endpoint!
    const upstream = attempt.upstream!
    if (endpoint.gone !== undefined || !this.#sender.sendCopy(upstream, endpoint.view.host, this.#extra())) {
      this.#abort(attempt)
      return
    }
    this.#phase = 'out'
    attempt.sentAt = worker.now
    endpoint.lastSentAt = worker.now
    if (upstream.writeFailed) this.#failed(attempt, false)
  }

  #extra(): Buffer | undefined {
    const { watch, tree, resent } = this.#attempts
    const { worker } = this.#client
    return joined(watch?.traceField(), tree?.requestLines(resent, worker.now, worker.wallTime))
  }

  // --- its answer ---------------------------------------------------------------------------------------------------

  upstreamData(_upstream: Upstream, fresh: Buffer, freshLength: number): boolean {
    this.#client.worker.tick()
    const attempt = this.#attempt!
    if (this.#phase !== 'out') {
      this.#failed(attempt, true)
      return true
    }
    const buffer = this.#partial === undefined ? fresh : Buffer.concat([this.#partial, fresh.subarray(0, freshLength)])
    const length = this.#partial === undefined ? freshLength : buffer.length
    let start = 0
    for (;;) {
      const result = start === length ? 0 : parseResponseHead(buffer, start, length, head)
      if (result === 0) {
        this.#partial = start < length ? Buffer.from(buffer.subarray(start, length)) : undefined
        return true
      }
      if (result < 0 || head.status === 101 || (head.status < 200 && ++this.#interims > interimAnswersMax)) {
        this.#failed(attempt, true)
        return true
      }
      if (head.status >= 500) {
        this.#answeredBadly(attempt, buffer, length)
        return true
      }
      // What is passed on begins with the final head: the first attempt's hints have been passed on already.
      if (head.status >= 200) return this.#host.hedgeWon(this, start === 0 ? buffer : buffer.subarray(start), length - start)
      start = head.end
    }
  }

  /** Nobody has a better answer so far: the first attempt may have. */
  #answeredBadly(attempt: Attempt, buffer: Buffer, length: number): void {
    const { worker, facts } = this.#client
    const endpoint = attempt.endpoint!
    const { status } = head
    const ms = worker.now - attempt.sentAt
    const { whole, keep } = extentOf(head, buffer, length, facts.method)
    this.#attempts.setAside ??= { status, bytes: whole ? Buffer.from(buffer.subarray(head.begin, length)) : undefined }
    endpoint.answered(ms, worker.instant, status)
    endpoint.errors++
    this.#service!.verdicts?.answered(endpoint, attempt.takeGeneration(), status, false, ms, worker.now)
    this.#attempts.tried.push(endpoint)
    this.#attempts.watch?.hedgeFailed(endpoint, String(status), worker.now)
    if (keep) attempt.giveBack(worker.now, undefined)
    this.#leave(attempt)
  }

  upstreamEnded(upstream: Upstream): void {
    upstream.destroy()
    this.upstreamClosed(upstream)
  }

  upstreamClosed(upstream: Upstream): void {
    const attempt = this.#attempt
    if (attempt?.upstream !== upstream) return
    this.#client.worker.tick()
    this.#failed(attempt, this.#phase !== 'out' || !upstream.used || this.#partial !== undefined)
  }

  upstreamDrained(): void {
    // All of it was written at once.
  }

  /** `guilty`: it says something of the endpoint; a connection that was idle and closes does not. */
  #failed(attempt: Attempt, guilty: boolean): void {
    const endpoint = attempt.endpoint!
    const { worker } = this.#client
    if (guilty) {
      endpoint.failed(worker.now, this.#phase === 'connecting')
      endpoint.errors++
      this.#service!.verdicts?.failed(endpoint, attempt.takeGeneration(), worker.now - attempt.sentAt, worker.now)
      worker.fleet.reportSuspect(endpoint, this.#phase === 'connecting' ? 'connection failed' : 'connection closed before the answer')
    }
    this.#attempts.tried.push(endpoint)
    this.#attempts.watch?.hedgeFailed(endpoint, 'the connection failed', worker.now)
    this.#abort(attempt)
  }

  // --- the end ------------------------------------------------------------------------------------------------------

  /** What has come of the head of its answer. */
  get partial(): Buffer | undefined {
    return this.#partial
  }

  /** The first attempt has failed. Returns whether this one goes on in its place: then the failure is booked, and no more comes of it. */
  replaces(broken: Broken): boolean {
    const { failure } = broken
    // What may have killed its process is looked at by itself, and not sent on in silence.
    const mayKill = this.#service!.view.quarantine === true && (failure.kind === 'died' || failure.kind === 'staleConnection')
    if (!this.out || mayKill) {
      this.abandon()
      return false
    }
    const { worker } = this.#client
    this.#attempts.watch?.absorbed(broken, worker.now)
    this.#attempts.absorbed(broken, worker)
    return true
  }

  /** The exchange goes on with it. */
  take(user: UpstreamUser): Attempt {
    const attempt = this.#attempt!
    attempt.upstream!.user = user
    this.#attempts.watch?.hedgeTaken(attempt.endpoint!, this.#client.worker.now)
    this.#phase = 'taken'
    this.#forget()
    return attempt
  }

  /** It has won over this one. */
  outlived(first: Attempt): void {
    this.#hedging!.lost(first, this.#client.worker)
  }

  /** The head of the answer that the client gets has come. */
  answered(): void {
    this.#over(this.#phase === 'taken' ? 'hedge' : 'first')
  }

  /** The first attempt has failed or its answer is not wanted, and this one cannot take its place. */
  abandon(): void {
    this.#hedging?.leave(this)
    if (this.#attempt !== undefined) this.#abort(this.#attempt)
    if (this.#phase !== 'taken') this.#phase = 'off'
  }

  /** The request is over. */
  end(): void {
    this.#over('none')
  }

  #over(result: 'hedge' | 'first' | 'none'): void {
    this.abandon()
    this.#phase = 'off'
    if (this.#made) this.#hedging!.count(result)
    this.#made = false
  }

  sweep(now: number): void {
    const attempt = this.#attempt
    if (attempt !== undefined && this.#phase === 'connecting' && now - attempt.sentAt >= this.#service!.view.connectTimeoutMs)
      this.#failed(attempt, true)
  }

  /** Nothing is known of how it would have gone, but that it took so long at least. */
  #abort(attempt: Attempt): void {
    const { now } = this.#client.worker
    if (this.#phase === 'out') attempt.endpoint!.outlived(now - attempt.sentAt, now)
    this.#leave(attempt)
  }

  #leave(attempt: Attempt): void {
    if (attempt.generation !== 0) attempt.forgetGeneration()
    this.#phase = 'off'
    this.#forget()
    attempt.drop()
    attempt.leave(this.#client.worker)
  }

  #forget(): void {
    this.#attempt = undefined
    this.#partial = undefined
  }
}
