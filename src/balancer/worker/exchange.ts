/**
 * One request and its answer.
 *
 *   searching ──connection──▶ sent ──answer head──▶ relaying ──▶ closed
 *       ▲                      │ └──101──▶ closed (a tunnel has both connections)
 *       └──────────────────────┘  an attempt failed and may be made again (`core/resend.ts`)
 *
 * While it is sent there may be a second attempt beside the first (`Hedge`): the one that answers is the attempt from then on.
 *
 * The exchange keeps the order of things; its parts do the work. On the way out: `Intake` decides whether the request goes anywhere, `EndpointSearch`
 * finds it a connection, `RequestSender` carries it. On the way back: `AnswerRelay` carries the answer, `Continuation` goes on with one that was cut. When it
 * fails: `Aftermath` finds out what follows, `Unanswered` what the client is told. All the time: `Attempts` knows what was tried and what is under way
 * (`Attempt`), `Patience` who is waited for, `Books` who counts it. All live as long as the client's connection and begin anew with each request, so that a
 * request costs no objects of theirs. Up to the first byte of the answer everything is at hand that is needed to send the request again; from then on a
 * broken origin breaks the client's connection, so that a cut answer can never look whole.
 */
import { Aftermath } from './aftermath.ts'
import type { AdmissionHost } from './admission.ts'
import type { Answer } from './answers.ts'
import { Books } from './books.ts'
import type { ClientSide } from './client-side.ts'
import { CachedRequest, type CachedHost } from './cache/cached-request.ts'
import { Continuation } from './continuation.ts'
import { AnswerRelay, type AnswerHost, type Interception } from './answer-relay.ts'
import { tooLate } from './call-tree.ts'
import { Attempts, notConnected, type Broken } from './attempts.ts'
import { joined } from './extra-lines.ts'
import { Hedge, type HedgeHost } from './hedge.ts'
import { EndpointSearch, type SearchHost } from './endpoint-search.ts'
import { badRequest, invalidAnswer, noEndpoint, notReady, quarantined } from './failure-answers.ts'
import { Intake } from './intake.ts'
import type { RequestWatch } from './observe/watch.ts'
import { Patience } from './patience.ts'
import { RequestSender } from './request-sender.ts'
import type { Resume } from './resume.ts'
import type { SuspectHost } from './suspect.ts'
import type { ServiceRuntime } from './service.ts'
import { hearState } from './state-ear.ts'
import { Tunnel } from './tunnel.ts'
import { Unanswered, type UnansweredHost } from './unanswered.ts'
import type { EndpointPool, Upstream, UpstreamUser } from './upstream.ts'
import { originNames } from '../core/cache/purge.ts'
import type { CacheView } from '../core/routing-view.ts'
import type { Failure } from '../core/resend.ts'
import type { Route } from '../core/routes.ts'
import { headErrorSentence, type Head } from '../http1/head.ts'
import { acceptsUpgrade, extentOf } from '../http1/response.ts'

type Phase = 'closed' | 'searching' | 'sent' | 'relaying' | 'failed'

const timedOut: Failure = { kind: 'timedOut' }
const notReceived: Failure = { kind: 'notReceived' }
const died: Failure = { kind: 'died' }

export class Exchange implements UpstreamUser, SearchHost, AnswerHost, AdmissionHost, SuspectHost, UnansweredHost, HedgeHost, CachedHost {
  readonly #client: ClientSide
  readonly #attempts = new Attempts()
  readonly #sender: RequestSender
  readonly #relay: AnswerRelay
  readonly #intake: Intake
  readonly #search: EndpointSearch
  readonly #aftermath: Aftermath
  readonly #unanswered: Unanswered
  readonly #continuation: Continuation
  readonly #patience: Patience
  readonly #books: Books
  /** undefined: none of its services kept answers. */
  #cached: CachedRequest | undefined
  /** The connection of the answer that was found is fit for another request. */
  #foundKeeps = false
  /** undefined: none of its requests could have had one. */
  #hedge: Hedge | undefined
  #phase: Phase = 'closed'

  constructor(client: ClientSide) {
    const attempts = this.#attempts
    const sender = new RequestSender(client)
    const relay = new AnswerRelay(client, this)
    const aftermath = new Aftermath(client, attempts, sender, this)
    const unanswered = new Unanswered({ client, attempts, sender, relay, aftermath }, this)
    this.#client = client
    this.#sender = sender
    this.#relay = relay
    this.#aftermath = aftermath
    this.#unanswered = unanswered
    this.#intake = new Intake(client, attempts, this)
    this.#search = new EndpointSearch({ client, attempts, sender, unanswered }, this)
    this.#continuation = new Continuation(client, attempts, sender)
    this.#patience = new Patience(client, attempts, sender)
    this.#books = new Books(client, attempts, sender, relay)
  }

  get parked(): boolean {
    return this.#search.parked
  }

  /** What comes of the body is copied at once. */
  get copiesBody(): boolean {
    return this.#search.waits
  }

  /** The head of the service's answer is out. */
  get answering(): boolean {
    return this.#phase === 'relaying'
  }

  get service(): ServiceRuntime | undefined {
    return this.#books.service
  }

  get answerIsOut(): boolean {
    return this.#continuation.possible
  }

  /** A request has been read: the worker's head holds it, and `source` its bytes. */
  open(source?: Buffer): void {
    this.#books.open(source)
    this.#unanswered.begin()
    this.#attempts.current.reset()
    this.#intake.open()
    this.#phase = 'searching'
  }

  /** It has a route: find it an endpoint. `source` holds its head from `start`. */
  begin(route: Route<ServiceRuntime>, source: Buffer, start: number, target: string | undefined): void {
    const { service, rules } = route
    this.#books.begin(route, source)
    this.#patience.begin()
    const refusal = this.#intake.check(route, source)
    if (refusal !== undefined) {
      this.answer(refusal)
      return
    }
    this.#sender.begin(service, source, start, target, rules, this.#attempts.session)
    this.#relay.begin(service.counters, this.#intake.answerRules, service.view.agent)
    this.#aftermath.begin(service, route.label)
    this.#intake.admit(service)
  }

  admitted(): void {
    const { cache } = this.service!.view
    if (cache !== undefined && this.#answeredByCache(cache)) return
    this.askOrigin()
  }

  // --- the cache --------------------------------------------------------------------------------------------------

  #answeredByCache(view: CacheView): boolean {
    const { worker } = this.#client
    const service = this.service!
    this.#cached ??= new CachedRequest(this.#client, this.#sender, this.#relay, worker.responses, this)
    const side = this.#attempts.session?.side
    // What one side of a split answers is not for clients of the other.
    const from = service.name + (this.#books.route?.variant ?? '') + (side === undefined ? '' : ` side=${side}`)
    return this.#cached.begin(view, from, service.counters.cache)
  }

  askOrigin(): void {
    const cached = this.#cached
    this.#relay.intercepted = cached?.intercepts === true
    this.#sender.dropsConditions = cached?.dropsConditions === true
    if (!this.#aftermath.arrived()) this.#search.begin(this.service!)
  }

  answerFound(head: Head, buffer: Buffer, length: number): Interception {
    this.#foundKeeps = extentOf(head, buffer, length, this.#client.facts.method).keep
    return this.#cached!.takes(head, buffer)
  }

  answerTaken(status: number, keep: boolean): void {
    const { current } = this.#attempts
    const { worker } = this.#client
    if (current.endpoint === undefined) return
    this.#hedge?.answered()
    this.#attempts.answered(status, this.#relay.backPressure, worker)
    if (keep && this.#foundKeeps) current.giveBack(worker.now, undefined)
    else current.drop()
    current.leave(worker)
  }

  originNames(): readonly string[] {
    return originNames(this.service!.view.name, this.#attempts.current.endpoint?.view.revision)
  }

  standsIn(failure: Answer): boolean {
    return !this.#continuation.possible && this.#cached?.standsIn(failure.status, failure.details ?? String(failure.status)) === true
  }

  ratherThanWait(): boolean {
    return this.standsIn(notReady(noEndpoint, 0, false))
  }

  get watch(): RequestWatch | undefined {
    return this.#attempts.watch
  }

  askAgain(): void {
    this.#phase = 'searching'
    this.#patience.off()
    this.askOrigin()
  }

  stoodIn(status: number, why: string): void {
    this.#unanswered.stoodIn(status, why)
  }

  rateExceeded(answer: Answer): void {
    this.service!.counters.limited++
    this.answer(answer)
  }

  // --- sending --------------------------------------------------------------------------------------------------

  found(endpoint: EndpointPool, upstream: Upstream): void {
    this.#attempts.current.found(endpoint, upstream, this)
    this.#send(upstream, endpoint)
  }

  upstreamConnected(): void {
    // The search has waited for it.
  }

  #send(upstream: Upstream, endpoint: EndpointPool): void {
    const { worker, facts } = this.#client
    const sender = this.#sender
    const { watch, tree, current } = this.#attempts
    sender.extra = joined(joined(watch?.traceField(), this.#continuation.lines), this.#cached?.lines)
    if (tree !== undefined) {
      if (tree.over(worker.now)) {
        current.giveBack(worker.now, undefined)
        this.answer(tooLate)
        return
      }
      sender.extra = joined(sender.extra, tree.requestLines(this.#attempts.resent, worker.now, worker.wallTime))
    }
    const end = sender.writeHead(endpoint.view.host)
    if (end < 0) {
      current.giveBack(worker.now, undefined)
      worker.countRefused('malformed')
      this.answer(badRequest(headErrorSentence(end)), true)
      return
    }
    this.#phase = 'sent'
    current.sentAt = worker.now
    watch?.sent(current.reused, worker.now)
    endpoint.lastSentAt = worker.now
    if (!sender.send(upstream, end)) {
      this.badBody()
      return
    }
    this.#shareDeadline()
    // Of several writes the first may have left.
    if (!upstream.writeFailed) this.#mayHedge(endpoint)
    else this.#lost(upstream.failure ?? (facts.bodyLength === 0 || sender.oneRead ? notReceived : died), 'EPIPE')
  }

  #mayHedge(first: EndpointPool): void {
    const service = this.service!
    const { hedging } = service
    if (hedging === undefined || this.#continuation.asking !== undefined) return
    this.#hedge ??= new Hedge(this.#client, this.#attempts, this.#sender, this)
    this.#hedge.begin(service, hedging, first)
  }

  /** More of the request body has come from the client. */
  bodyAvailable(): void {
    const { upstream } = this.#attempts.current
    if (this.#aftermath.gathering) this.#aftermath.bodyAvailable()
    else if (this.#search.waits) this.#search.bodyAvailable()
    else if (upstream === undefined) {
      this.#client.pauseInput()
      this.#client.holdBodyDeadline()
    } else if (this.#sender.sendMore(upstream)) this.#shareDeadline()
    else this.badBody()
  }

  #shareDeadline(): void {
    if (this.#phase === 'sent') this.#patience.forRequest()
    else this.#patience.forBoth()
  }

  badBody(): void {
    this.#refuseBody(this.#sender.bodyFault())
  }

  bodyTooSlow(message: string): void {
    this.#refuseBody(badRequest(message, 408))
  }

  #refuseBody(answer: Answer): void {
    this.#attempts.current.drop()
    if (this.#phase === 'relaying') this.#cut(answer.message)
    else this.answer(answer, true)
  }

  upstreamDrained(): void {
    if (this.#client.bodyDone) return
    this.#client.resumeInput()
    this.#shareDeadline()
  }

  // --- failing --------------------------------------------------------------------------------------------------

  upstreamEnded(upstream: Upstream): void {
    if (this.#phase === 'relaying' && this.#relay.untilClose && !upstream.wasReset()) {
      this.#relay.endByClose()
      return
    }
    // An orderly close in the middle of something is a close all the same; waiting for the socket to follow gains nothing.
    upstream.destroy()
    this.upstreamClosed(upstream, undefined)
  }

  upstreamClosed(upstream: Upstream, code: string | undefined): void {
    if (upstream !== this.#attempts.current.upstream) return
    this.#client.worker.tick()
    if (this.#phase === 'sent') this.#lost(upstream.failure ?? this.#attempts.howItBroke(code, this.#relay.begun), code)
    else if (this.#phase === 'relaying') this.#goOnOrCut()
  }

  /** The connection, or the patience with it, is over without an answer. */
  #lost(failure: Failure, code: string | undefined): void {
    const { current } = this.#attempts
    const endpoint = current.endpoint!
    const oneRead = this.#sender.oneRead && current.upstream?.shared !== true
    const broken = { failure, code, endpoint, answerBegun: this.#relay.begun, oneRead }
    const { asking } = this.#continuation
    if (failure === timedOut) {
      endpoint.adaptive?.timedOut()
      this.service!.pace?.record(this.#client.worker.now, this.#client.worker.now - current.sentAt)
    }
    if (asking === undefined) this.#relay.end()
    else asking.again()
    current.leave(this.#client.worker)
    current.drop()
    if (this.#hedge?.replaces(broken) === true) this.#goOnWith(this.#hedge)
    else this.#attemptFailed(broken)
  }

  notConnected(endpoint: EndpointPool, code: string | undefined): void {
    this.#attemptFailed({ failure: notConnected, code, endpoint, answerBegun: false, oneRead: false })
  }

  #attemptFailed(broken: Broken): void {
    this.#phase = 'failed'
    this.#aftermath.failed(broken)
  }

  // --- the second attempt ---------------------------------------------------------------------------------------

  get firstIsAnswering(): boolean {
    return this.#relay.begun
  }

  hedgeWon(hedge: Hedge, buffer: Buffer, length: number): boolean {
    const { current } = this.#attempts
    this.#relay.end()
    this.#attempts.current = hedge.take(this)
    hedge.outlived(current)
    this.#patience.forRequest()
    return this.upstreamData(this.#attempts.current.upstream!, buffer, length)
  }

  /** The first has failed while the hedge is out. */
  #goOnWith(hedge: Hedge): void {
    const { partial } = hedge
    this.#attempts.current = hedge.take(this)
    this.#patience.forRequest()
    if (partial !== undefined) this.upstreamData(this.#attempts.current.upstream!, partial, partial.length)
  }

  proceed(endpoint: EndpointPool | undefined): void {
    this.#phase = 'searching'
    if (this.#attempts.last === undefined) this.#search.begin(this.service!, endpoint)
    else this.#search.search(endpoint)
  }

  giveUp(): void {
    this.#unanswered.attemptsFailed()
  }

  poisoned(fingerprint: string): void {
    this.answer(quarantined(fingerprint))
  }

  // --- answering ourselves ----------------------------------------------------------------------------------------

  /** Answers in place of the service. */
  answer(answer: Answer, close = false): void {
    // In the middle of an answer there is no place for another.
    if (this.#continuation.asking !== undefined) {
      this.#cut()
      return
    }
    const client = this.#client
    const keep = client.facts.keepAlive && client.bodyDone && !close && !client.closing && client.minor === 1
    this.#books.status = answer.counted ?? answer.status
    this.#attempts.watch?.refused(answer, client.worker.now)
    client.writeAnswer(this.#intake.dressed(answer, this.#unanswered.lines), !keep)
    this.#attempts.current.drop()
    this.#finish(keep)
  }

  /** The request begins anew, without a session, and past the rate limit that let it in. */
  startAgain(other: ServiceRuntime, failure: Answer): void {
    const { current, tree } = this.#attempts
    if (current.endpoint) current.endpoint.errors++
    this.#search.end()
    this.#hedge?.end()
    this.#aftermath.end()
    this.#cached?.end()
    this.#attempts.end()
    this.#relay.end()
    current.drop()
    current.leave(this.#client.worker)
    this.#books.move(other, failure.status)
    this.#patience.off()
    this.#phase = 'searching'
    this.#attempts.begin(other)
    this.#attempts.tree = tree
    this.#attempts.session = undefined
    this.#sender.goesTo(other)
    this.#relay.begin(other.counters, this.#intake.answerRules, other.view.agent)
    this.#aftermath.begin(other, this.#books.route?.label)
    this.admitted()
  }

  // --- the answer of the service ----------------------------------------------------------------------------------

  upstreamData(upstream: Upstream, buffer: Buffer, length: number): boolean {
    const { worker } = this.#client
    worker.tick()
    if (this.#phase === 'relaying') {
      this.#patience.forAnswer()
      return this.#unlessStalled(this.#relay.body(buffer, length))
    }
    if (this.#phase === 'sent') {
      const { asking } = this.#continuation
      if (asking === undefined) return this.#unlessStalled(this.#relay.head(upstream, buffer, length))
      return this.#unlessStalled(this.#rest(upstream, asking, buffer, length))
    }
    upstream.destroy()
    return true
  }

  /** The client does not take more: it is given its own time. */
  #unlessStalled(more: boolean): boolean {
    if (!more) this.#patience.forReader()
    return more
  }

  stateSaid(head: Head, buffer: Buffer): void {
    hearState(head, buffer, this.#attempts.current.endpoint, this.#client.worker)
  }

  interimPassed(status: number): void {
    if (status !== 100 || this.#sender.continued) return
    this.#sender.continued = true
    this.#shareDeadline()
  }

  answerBegun(status: number): void {
    const { worker } = this.#client
    const { mirror, pace } = this.service!
    this.#books.status = this.#unanswered.standsFor ?? status
    this.#hedge?.answered()
    // What is stored says nothing of how long the service takes.
    if (pace !== undefined && this.#attempts.current.endpoint !== undefined && status < 500 && this.#client.facts.idempotent)
      pace.record(worker.now, worker.now - this.#attempts.current.sentAt)
    this.#attempts.answered(status, this.#relay.backPressure, worker)
    this.#phase = 'relaying'
    this.#relay.extra = joined(
      joined(this.#attempts.answerLines(status, worker.now), this.#intake.lines),
      joined(this.#unanswered.lines, this.#relay.cacheLine),
    )
    this.#books.letNextGo()
    this.#patience.forAnswer()
    this.#aftermath.answered()
    if (this.#relay.resumable !== undefined) this.#continuation.prepare(this.#relay.resumable)
    if (mirror !== undefined) this.#relay.onlooker = mirror.copy(this.#client, this.#sender, this.#attempts.watch)
    this.#sender.release()
    if (this.#client.bodyDone && this.#attempts.current.upstream?.socket.writableLength === 0) this.#client.bodyFree()
  }

  /** The origin is gone in the middle of its answer. */
  #goOnOrCut(): void {
    const { current } = this.#attempts
    const { endpoint } = current
    if (endpoint === undefined || !this.#continuation.goesOn(endpoint, this.#relay.remaining)) {
      this.#cut()
      return
    }
    endpoint.errors++
    this.#relay.detach()
    current.leave(this.#client.worker)
    current.drop()
    this.#phase = 'searching'
    this.#patience.off()
    this.#search.begin(this.service!)
  }

  #rest(upstream: Upstream, resume: Resume, buffer: Buffer, length: number): boolean {
    const { worker } = this.#client
    const head = worker.responseHead
    const rest = resume.read(buffer, length, head)
    if (rest === 'more') return true
    if (rest === 'other') {
      this.#cut()
      return true
    }
    this.#attempts.answered(head.status, this.#relay.backPressure, worker)
    this.#phase = 'relaying'
    this.#patience.forAnswer()
    this.#sender.release()
    return this.#relay.goOn(upstream, rest.buffer, rest.length, head)
  }

  askedAnother(head: Head, buffer: Buffer, length: number): boolean {
    const { backPressure } = this.#relay
    const hedge = this.#hedge?.out === true ? this.#hedge : undefined
    const keep =
      hedge === undefined
        ? this.#attempts.setsAside(head, buffer, length, backPressure, this.#sender, this.#client)
        : this.#attempts.putAside(head, buffer, length, backPressure, this.#client)
    if (keep === undefined) return false
    const { worker } = this.#client
    const { current } = this.#attempts
    if (keep) current.giveBack(worker.now, undefined)
    else current.drop()
    current.leave(worker)
    if (hedge !== undefined) {
      this.#goOnWith(hedge)
      return true
    }
    this.#hedge?.abandon()
    this.#phase = 'searching'
    this.#search.search()
    return true
  }

  readerStalled(): void {
    this.#patience.forReader()
  }

  readerCaughtUp(): void {
    this.#patience.forAnswer()
  }

  answerRead(): void {
    const { worker, bodyDone } = this.#client
    const { keepUpstream, keepHint } = this.#relay
    if (keepUpstream && bodyDone) this.#attempts.current.giveBack(worker.now, keepHint)
    else this.#attempts.current.drop()
  }

  answerEnded(): void {
    this.#relay.onlooker?.ended(true)
    this.#relay.collector?.ended(true)
    this.answerRead()
    this.#finish(this.#relay.keepClient && this.#client.bodyDone)
  }

  answerCut(): void {
    this.#attempts.current.endpoint!.errors++
    this.#cut()
  }

  answerInvalid(why: string): void {
    const { current } = this.#attempts
    current.drop()
    if (current.endpoint) this.#attempts.judged(current.endpoint, 502, false, this.#client.worker.now)
    this.#unanswered.failed(invalidAnswer(why))
  }

  protocolSwitched(upstream: Upstream, buffer: Buffer, length: number, head: Head): void {
    const client = this.#client
    const { facts } = client
    const { current } = this.#attempts
    const endpoint = current.endpoint!
    if (!acceptsUpgrade(head, buffer, facts.upgrade) || !client.bodyDone) {
      this.answerInvalid('it switched to a protocol that was not asked for')
      return
    }
    this.#attempts.answered(101, this.#relay.backPressure, client.worker)
    this.#relay.extra = joined(this.#attempts.sessionLines, this.#unanswered.lines)
    this.#relay.writeInterim(head, buffer, facts.upgrade)
    this.#books.noteEnd(101)
    const tunnel = new Tunnel(client, upstream, endpoint, this.service!, facts.upgrade?.toLowerCase() === 'websocket', this.#books.route?.tally)
    this.#close()
    current.reset()
    tunnel.open(Buffer.from(buffer.subarray(head.end, length)))
    this.#books.letNextGo()
  }

  // --- ending -----------------------------------------------------------------------------------------------------

  /** The answer cannot be completed: the client must see that it was cut. */
  #cut(message = 'the service ended the connection in the middle of its answer', late = false): void {
    const { current, watch } = this.#attempts
    watch?.cut('the answer broke off, and the client was cut off with it', this.#client.worker.now)
    this.#books.status = 0
    current.drop()
    // A chunked or counted body shows by itself that it is not whole; one that ends with the connection does not.
    this.#client.cutAnswer(this.#relay.showsCut, { message, details: current.endpoint?.gone, late })
    this.#finish(false)
  }

  clientGone(): void {
    if (this.#phase === 'closed') return
    this.#books.status = 0
    this.#attempts.current.drop()
    this.#client.destroy()
    this.#finish(false)
  }

  #finish(keep: boolean): void {
    const { service, status } = this.#books
    const { current } = this.#attempts
    this.#books.noteEnd(status)
    this.#close()
    if (service) {
      if (status >= 500 && current.endpoint) current.endpoint.errors++
      current.leave(this.#client.worker)
      this.#books.close(service)
    }
    this.#client.exchangeDone(keep)
  }

  /** Nothing of this request is kept. */
  #close(): void {
    this.#phase = 'closed'
    this.#patience.off()
    this.#intake.end()
    this.#aftermath.end()
    this.#continuation.end()
    this.#hedge?.end()
    this.#cached?.end()
    this.#search.end()
    this.#sender.spareHead()
    this.#sender.release()
    this.#relay.end()
    this.#attempts.end()
  }

  /** Its deadline is over: no failure of the endpoint, which may have been given a millisecond. */
  callerHasLeft(): void {
    if (this.#phase === 'sent' && this.#continuation.asking === undefined) this.#relay.end()
    this.#attempts.current.drop()
    this.answer(tooLate)
  }

  /** Deadlines, checked by the worker's sweep. */
  sweep(now: number): void {
    if (this.#attempts.tree?.over(now) === true && (this.#phase === 'searching' || this.#phase === 'sent')) {
      this.callerHasLeft()
      return
    }
    if (this.#phase === 'relaying' && this.#attempts.tree !== undefined && now >= this.#attempts.tree.endsBy) this.#cut(tooLate.message, true)
    if (this.#phase === 'searching') {
      this.#cached?.sweep(now)
      this.#search.sweep(now)
    } else this.#hedge?.sweep(now)
    if (!this.#patience.over(now)) return
    if (this.#phase === 'sent' && !this.#patience.goesOn(now)) this.#lost(timedOut, 'ETIMEDOUT')
    else if (this.#phase === 'relaying') this.#cut('nothing of the answer of the service has come for too long')
  }
}
