/**
 * One request and its answer.
 *
 *   searching ──connection──▶ sent ──answer head──▶ relaying ──▶ closed
 *       ▲                      │ └──101──▶ closed (a tunnel has both connections)
 *       └──────────────────────┘  an attempt failed and may be made again (`core/resend.ts`)
 *
 * The exchange keeps the order of things, the deadlines and the books. Its parts do the work: `EndpointSearch` finds a connection,
 * `RequestSender` carries the request there, `AnswerRelay` the answer back, `Attempts` knows what failed. All live as long as the client's
 * connection and begin anew with each request, so that a request costs no objects of theirs. Up to the first byte of the answer everything
 * is at hand that is needed to send the request again; from then on a broken origin breaks the client's connection, so that a cut answer
 * can never look whole.
 */
import { Aftermath } from './aftermath.ts'
import { Admission, type AdmissionHost } from './admission.ts'
import type { Answer } from './answers.ts'
import type { ClientSide } from './client-side.ts'
import { AnswerRelay, type AnswerHost } from './answer-relay.ts'
import { CallTree, spentField, tooLate } from './call-tree.ts'
import { Attempts, type Broken, type SetAside } from './attempts.ts'
import { joined, withLines } from './extra-lines.ts'
import { EndpointSearch, type SearchHost } from './endpoint-search.ts'
import {
  badRequest,
  breakerOpen,
  connectTimeSpent,
  failureAnswer,
  invalidAnswer,
  quarantined,
  onlyErrors,
  unavailable,
  underMaintenance,
} from './failure-answers.ts'
import { fallbackAnswer, fallbackField, mayAskService, reasonOf, type FallbackReason } from './fallbacks.ts'
import { RequestSender } from './request-sender.ts'
import { mayAskRange, Resume, type Resumable } from './resume.ts'
import type { SuspectHost } from './suspect.ts'
import type { ServiceRuntime } from './service.ts'
import { Tunnel } from './tunnel.ts'
import type { EndpointPool, Upstream, UpstreamUser } from './upstream.ts'
import type { Failure } from '../core/resend.ts'
import type { Route } from '../core/routes.ts'
import { refusedByAlert } from '../core/tls-failure.ts'
import { bodyTooLarge, type AnswerRules, type RouteRules } from '../core/rules/rules.ts'
import { findField, headErrorSentence, type Head } from '../http1/head.ts'
import { acceptsUpgrade, extentOf } from '../http1/response.ts'
import { answerIdleMs, readerStallMs, tunnelIdleMs } from './limits.ts'
import type { Observer } from './observe/observer.ts'
import { RequestWatch } from './observe/watch.ts'
import { dressed } from './rules/answer-plan.ts'
import { requestReading } from './rules/reading.ts'
import type { Affinity } from './sessions/affinity.ts'
import { RequestSession } from './sessions/session.ts'

type Phase = 'closed' | 'searching' | 'sent' | 'relaying' | 'failed'

const notConnected: Failure = { kind: 'notConnected' }
const timedOut: Failure = { kind: 'timedOut' }
const notReceived: Failure = { kind: 'notReceived' }
const staleConnection: Failure = { kind: 'staleConnection' }
const died: Failure = { kind: 'died' }

export class Exchange implements UpstreamUser, SearchHost, AnswerHost, AdmissionHost, SuspectHost {
  readonly #client: ClientSide
  readonly #attempts = new Attempts()
  readonly #sender: RequestSender
  readonly #relay: AnswerRelay
  readonly #search: EndpointSearch
  /** undefined: none of its requests was limited yet. */
  #admission: Admission | undefined
  #phase: Phase = 'closed'
  #service: ServiceRuntime | undefined
  /** What the route does besides carrying; undefined: nothing. */
  #rules: RouteRules | undefined
  #answerRules: AnswerRules | undefined
  #endpoint: EndpointPool | undefined
  #upstream: Upstream | undefined
  #madeRoom = false
  #startedAt = 0
  #ownWatch: RequestWatch | undefined
  readonly #aftermath: Aftermath
  #ownSession: RequestSession | undefined
  /** The answer under way could be gone on with from elsewhere; with the head of its request. */
  #resume: Resume | undefined
  #resumeHead: Buffer | undefined
  /** Why another service than its own is asked; undefined: it is its own. */
  #fallback: FallbackReason | undefined
  /** The route by which it came; undefined: by none. */
  route: Route<ServiceRuntime> | undefined
  #status = 0
  #deadline = Infinity
  /** Between two pieces of the answer. */
  #answerIdleMs = answerIdleMs

  constructor(client: ClientSide) {
    this.#client = client
    this.#sender = new RequestSender(client)
    this.#relay = new AnswerRelay(client, this)
    this.#search = new EndpointSearch(client, this.#attempts, this.#sender, this)
    this.#aftermath = new Aftermath(client, this.#attempts, this.#sender, this)
  }

  get parked(): boolean {
    return this.#search.parked
  }

  /** The head of the service's answer is out. */
  get answering(): boolean {
    return this.#phase === 'relaying'
  }

  /** A request has been read: the worker's head holds it, and `source` its bytes. */
  open(source?: Buffer): void {
    this.route = undefined
    this.#attempts.watch = this.#client.worker.observer && this.#watched(this.#client.worker.observer, source)
    this.#phase = 'searching'
    this.#startedAt = this.#client.worker.now
    this.#status = 0
    this.#fallback = undefined
    this.#service = undefined
    this.#rules = undefined
    this.#answerRules = undefined
    this.#endpoint = undefined
    this.#upstream = undefined
  }

  #watched(observer: Observer, source: Buffer | undefined): RequestWatch {
    const { worker } = this.#client
    const watch = (this.#ownWatch ??= new RequestWatch(this.#client))
    watch.begin(observer, worker.now, this.#sender.passedBytes, this.#relay.passedBytes)
    if (source !== undefined) watch.capture(worker.requestHead, source)
    return watch
  }

  /** Nobody watches it any longer. `status`: 0 when it was cut. */
  #noteEnd(status: number): void {
    const { watch } = this.#attempts
    this.#attempts.watch = undefined
    watch?.ended(status, this.#sender.passedBytes, this.#relay.passedBytes, this.#client.worker.now)
  }

  /** It has a service: find it an endpoint. `source` holds its head from `start`. */
  begin(service: ServiceRuntime, source: Buffer, start: number, target: string | undefined, rules?: RouteRules): void {
    this.#service = service
    this.#attempts.watch?.routed(service, this.route?.label, this.#client.worker.requestHead, source)
    this.#madeRoom = false
    this.#answerIdleMs = this.#client.longLived ? tunnelIdleMs : answerIdleMs
    service.active++
    service.counters.requests++
    if (rules !== undefined && this.#answeredByRule(rules, source)) return
    if (service.view.maintenance) {
      this.answer(underMaintenance)
      return
    }
    const { rate } = service
    const key = rate?.keyOf(requestReading(this.#client, this.#client.worker.requestHead, source), rules?.trusted)
    this.#attempts.begin(service)
    if (this.#client.worker.requestHead.inCallTree && this.#comesTooLate(this.#client.worker.requestHead, source)) return
    const session = service.affinity && this.#sessionOf(service.affinity, service, source, rules)
    this.#attempts.session = session
    this.#sender.begin(service, source, start, target, rules, session)
    this.#relay.begin(service.counters, this.#answerRules)
    this.#aftermath.begin(service, this.route?.label)
    if (rate === undefined) this.admitted()
    else (this.#admission ??= new Admission(this)).enter(rate, key!)
  }

  admitted(): void {
    if (!this.#aftermath.arrived()) this.#search.begin(this.#service!)
  }

  rateExceeded(answer: Answer): void {
    this.#service!.counters.limited++
    this.#attempts.watch?.refused(answer.details, this.#client.worker.now)
    this.answer(answer)
  }

  /** Returns whether it has been answered, for it has no time left. */
  #comesTooLate(head: Head, source: Buffer): boolean {
    const { now, wallTime } = this.#client.worker
    const tree = new CallTree(findField(head, source, 'x-deadline'), findField(head, source, 'x-retry-attempt'), now, wallTime)
    this.#attempts.tree = tree
    if (!tree.over(now)) return false
    this.answer(tooLate)
    return true
  }

  #sessionOf(affinity: Affinity, service: ServiceRuntime, source: Buffer, rules: RouteRules | undefined): RequestSession {
    this.#ownSession ??= new RequestSession(this.#client)
    return this.#ownSession.begin(service, affinity, this.#client.worker.requestHead, source, rules?.trusted)
  }

  /** The worker's head holds the request. */
  #answeredByRule(rules: RouteRules, source: Buffer): boolean {
    const client = this.#client
    const request = requestReading(client, client.worker.requestHead, source)
    this.#rules = rules
    this.#answerRules = rules.answer?.(request)
    const answer = rules.guard?.(request)
    if (answer === undefined) return false
    if (answer.error !== undefined) client.worker.countRefused('rule')
    this.answer(answer)
    return true
  }

  // --- sending --------------------------------------------------------------------------------------------------

  found(endpoint: EndpointPool, upstream: Upstream): void {
    this.#endpoint = endpoint
    this.#upstream = upstream
    upstream.user = this
    this.#send(upstream, endpoint)
  }

  upstreamConnected(): void {
    // The search has waited for it.
  }

  #send(upstream: Upstream, endpoint: EndpointPool): void {
    const { worker, facts } = this.#client
    const sender = this.#sender
    const { watch } = this.#attempts
    const { tree } = this.#attempts
    sender.extra = joined(watch?.traceField(), this.#resume?.lines)
    if (tree !== undefined) {
      if (tree.over(worker.now)) {
        this.#giveBack(upstream, endpoint)
        this.answer(tooLate)
        return
      }
      sender.extra = joined(sender.extra, tree.requestLines(this.#attempts.resent, worker.now, worker.wallTime))
    }
    const end = sender.writeHead(endpoint.view.host)
    if (end < 0) {
      this.#giveBack(upstream, endpoint)
      worker.countRefused('malformed')
      this.answer(badRequest(headErrorSentence(end)), true)
      return
    }
    this.#phase = 'sent'
    this.#attempts.sentAt = worker.now
    watch?.sent(this.#attempts.reused, worker.now)
    endpoint.lastSentAt = worker.now
    if (!sender.send(upstream, end)) {
      this.badBody()
      return
    }
    this.#shareDeadline()
    // Of several writes the first may have left.
    if (upstream.writeFailed) this.#lost(upstream.failure ?? (facts.bodyLength === 0 || sender.oneRead ? notReceived : died), 'EPIPE')
  }

  /** Nothing was written to the connection: it goes back unharmed. */
  #giveBack(upstream: Upstream, endpoint: EndpointPool): void {
    this.#upstream = undefined
    endpoint.release(upstream, this.#client.worker.now, undefined)
  }

  /** More of the request body has come from the client. */
  bodyAvailable(): void {
    if (this.#aftermath.gathering) this.#aftermath.bodyAvailable()
    else if (this.#upstream === undefined) {
      this.#client.pauseInput()
      this.#client.holdBodyDeadline()
    } else if (this.#sender.sendMore(this.#upstream)) this.#shareDeadline()
    else this.badBody()
  }

  #shareDeadline(): void {
    const client = this.#client
    const { clientsTurn } = this.#sender
    if (clientsTurn) client.runBodyDeadline()
    else client.holdBodyDeadline()
    if (this.#phase === 'sent') this.#deadline = clientsTurn ? Infinity : client.worker.now + this.#attempts.patienceMs
    // Both ways at once: an answer may wait for more of the request. Whoever does not read it has its own time.
    else if (client.onDrain === undefined) this.#deadline = client.worker.now + this.#answerIdleMs
  }

  badBody(): void {
    const bytes = this.#sender.bodyExceeds
    if (bytes !== undefined) {
      this.#client.worker.countRefused('rule')
      this.#refuseBody(bodyTooLarge(bytes))
      return
    }
    this.#client.worker.countRefused('malformed')
    this.#refuseBody(badRequest('the chunked body is malformed'))
  }

  bodyTooSlow(message: string): void {
    this.#refuseBody(badRequest(message, 408))
  }

  #refuseBody(answer: Answer): void {
    this.#dropUpstream()
    if (this.#phase === 'relaying') this.#cut()
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
    if (upstream !== this.#upstream) return
    this.#client.worker.tick()
    if (this.#phase === 'sent') this.#lost(upstream.failure ?? this.#howItBroke(code), code)
    else if (this.#phase === 'relaying') this.#goOnOrCut()
  }

  #howItBroke(code: string | undefined): Failure {
    if (this.#relay.begun) return died
    if (this.#attempts.reused) return staleConnection
    return refusedByAlert(code) ? notConnected : died
  }

  /** The connection, or the patience with it, is over without an answer. */
  #lost(failure: Failure, code: string | undefined): void {
    const endpoint = this.#endpoint!
    const broken = { failure, code, endpoint, answerBegun: this.#relay.begun, oneRead: this.#sender.oneRead && this.#upstream?.shared !== true }
    if (failure === timedOut) endpoint.adaptive?.timedOut()
    if (this.#resume?.asking === true) this.#resume.again()
    else this.#relay.end()
    this.#leaveEndpoint()
    this.#dropUpstream()
    this.#attemptFailed(broken)
  }

  notConnected(endpoint: EndpointPool, code: string | undefined): void {
    this.#attemptFailed({ failure: notConnected, code, endpoint, answerBegun: false, oneRead: false })
  }

  #attemptFailed(broken: Broken): void {
    this.#phase = 'failed'
    this.#aftermath.failed(broken)
  }

  proceed(endpoint: EndpointPool | undefined): void {
    this.#phase = 'searching'
    if (this.#attempts.last === undefined) this.#search.begin(this.#service!, endpoint)
    else this.#search.search(endpoint)
  }

  giveUp(): void {
    this.#answerFailure()
  }

  poisoned(fingerprint: string): void {
    this.answer(quarantined(fingerprint))
  }

  #searchOn(): void {
    this.#phase = 'searching'
    this.#search.search()
  }

  /** No more in flight at the endpoint. */
  #leaveEndpoint(): void {
    const endpoint = this.#endpoint
    if (endpoint === undefined) return
    endpoint.active--
    this.#endpoint = undefined
    this.#client.worker.maybeDrained(endpoint)
  }

  #dropUpstream(): void {
    const upstream = this.#upstream
    this.#upstream = undefined
    upstream?.destroy()
  }

  // --- answering ourselves ----------------------------------------------------------------------------------------

  /** Answers in place of the service. */
  answer(answer: Answer, close = false): void {
    // In the middle of an answer there is no place for another.
    if (this.#resume?.asking === true) {
      this.#cut()
      return
    }
    const client = this.#client
    const keep = client.facts.keepAlive && client.bodyDone && !close && !client.closing && client.minor === 1
    this.#status = answer.counted ?? answer.status
    const about = withLines(withLines(answer, this.#admission?.lines), this.#fallbackLine)
    const said = this.#attempts.tree?.dressed(about) ?? about
    client.writeAnswer(this.#rules === undefined ? said : dressed(said, this.#rules, this.#answerRules), !keep)
    this.#dropUpstream()
    this.#finish(keep)
  }

  /** Nothing could answer: what the service has in place of that, if anything. */
  #fail(failure: Answer): void {
    const service = this.#service!
    const { view, counters } = service
    // A fallback has none of its own: two services that stand for each other would never end.
    if (view.fallback === undefined || this.#fallback !== undefined) {
      this.answer(failure)
      return
    }
    const reason = reasonOf(failure)
    const other = 'service' in view.fallback ? this.#otherService(view.fallback.service) : undefined
    if ('service' in view.fallback && other === undefined) {
      this.answer(failure)
      return
    }
    counters.fallbacks[reason] = (counters.fallbacks[reason] ?? 0) + 1
    this.#attempts.watch?.refused(`fallback: ${reason}`, this.#client.worker.now)
    if ('page' in view.fallback) this.answer(fallbackAnswer(view.fallback, failure, reason))
    else this.#askOther(other!, failure, reason)
  }

  /** Whoever may answer in its place; undefined: nobody, since the request may not be sent once more, or the other is out of service. */
  #otherService(name: string): ServiceRuntime | undefined {
    const { worker, facts } = this.#client
    const answered = this.#attempts.setAside !== undefined || this.#endpoint !== undefined
    const other = worker.serviceNamed(name)
    if (other === undefined || other.view.maintenance || this.#resume !== undefined || !this.#sender.replayable || this.#aftermath.hasCrashed)
      return undefined
    return mayAskService(this.#attempts, facts.idempotent, answered) ? other : undefined
  }

  /** For its own service this was the end, as a failure; the request begins anew, without a session, and past the rate limit that let it in. */
  #askOther(other: ServiceRuntime, failure: Answer, reason: FallbackReason): void {
    const { now } = this.#client.worker
    const service = this.#service!
    const { tree } = this.#attempts
    if (this.#endpoint) this.#endpoint.errors++
    this.#search.end()
    this.#aftermath.end()
    this.#attempts.end()
    this.#relay.end()
    this.#dropUpstream()
    this.#leaveEndpoint()
    service.active--
    service.finished(failure.status, (now - this.#startedAt) * 1_000)
    this.#letNextGo()
    this.#fallback = reason
    this.#service = other
    this.#madeRoom = false
    this.#startedAt = now
    this.#deadline = Infinity
    this.#phase = 'searching'
    other.active++
    other.counters.requests++
    this.#attempts.begin(other)
    this.#attempts.tree = tree
    this.#attempts.session = undefined
    this.#sender.goesTo(other)
    this.#relay.begin(other.counters, this.#answerRules)
    this.#aftermath.begin(other, this.route?.label)
    this.admitted()
  }

  get #fallbackLine(): Buffer | undefined {
    return this.#fallback && Buffer.from(fallbackField(this.#fallback), 'latin1')
  }

  #answerUnavailable(details: string): void {
    this.#fail(unavailable(details, this.#service!.retryAfterSeconds))
  }

  connectTimeSpent(): void {
    this.#fail(connectTimeSpent(this.#service!.view.timeoutMs))
  }

  foundNothing(why: string | undefined): void {
    if (why === undefined) this.#answerFailure()
    else this.#answerUnavailable(why)
  }

  /** Every endpoint has been tried, or there is none: say what the last attempt met. */
  #answerFailure(): void {
    const { last, setAside } = this.#attempts
    if (this.#resume?.asking === true) this.#cut()
    else if (setAside !== undefined) this.#passOn(setAside)
    else if (last === undefined) this.#answerUnavailable('no endpoint available')
    else this.#fail(failureAnswer(last, this.#service!.retryAfterSeconds))
  }

  breakerOpen(retryAfterSeconds: number): void {
    this.#fail(breakerOpen(retryAfterSeconds))
  }

  /** Nobody gave a better answer than this one. */
  #passOn({ status, bytes }: SetAside): void {
    if (bytes === undefined) this.#fail(onlyErrors(status, this.#service!.retryAfterSeconds))
    else this.#relay.passOn(bytes)
  }

  // --- the answer of the service ----------------------------------------------------------------------------------

  upstreamData(upstream: Upstream, buffer: Buffer, length: number): boolean {
    const { worker } = this.#client
    worker.tick()
    if (this.#phase === 'relaying') {
      this.#deadline = worker.now + this.#answerIdleMs
      return this.#unlessStalled(this.#relay.body(buffer, length))
    }
    if (this.#phase === 'sent' && this.#resume?.asking === true) return this.#unlessStalled(this.#rest(upstream, this.#resume, buffer, length))
    if (this.#phase === 'sent') return this.#unlessStalled(this.#relay.head(upstream, buffer, length))
    upstream.destroy()
    return true
  }

  /** The client does not take more: it is given its own time. */
  #unlessStalled(more: boolean): boolean {
    if (!more) this.#deadline = this.#client.worker.now + readerStallMs
    return more
  }

  interimPassed(status: number): void {
    if (status !== 100 || this.#sender.continued) return
    this.#sender.continued = true
    this.#shareDeadline()
  }

  answerBegun(status: number): void {
    const { worker } = this.#client
    this.#status = status
    this.#answered(status)
    this.#phase = 'relaying'
    this.#relay.extra = joined(joined(this.#attempts.watch?.answered(status, worker.now), this.#admission?.lines), this.#sessionLines)
    if (this.#attempts.tree !== undefined) this.#relay.extra = joined(this.#relay.extra, this.#attempts.tree.answerLines(status))
    if (this.#fallback !== undefined) this.#relay.extra = joined(this.#relay.extra, this.#fallbackLine)
    this.#letNextGo()
    this.#deadline = worker.now + this.#answerIdleMs
    this.#aftermath.answered()
    if (this.#relay.resumable !== undefined) this.#prepareResume(this.#relay.resumable)
    if (this.#service!.mirror !== undefined) this.#relay.onlooker = this.#service!.mirror.copy(this.#client, this.#sender)
    this.#sender.release()
    if (this.#client.bodyDone && this.#upstream?.socket.writableLength === 0) this.#client.bodyFree()
  }

  get #sessionLines(): Buffer | undefined {
    return this.#endpoint && this.#attempts.session?.answerFields(this.#endpoint)
  }

  // --- going on with a cut answer ----------------------------------------------------------------------------------

  #prepareResume(answer: Resumable): void {
    const { facts, worker } = this.#client
    if (facts.method !== 'GET' || facts.bodyLength !== 0) return
    const head = this.#sender.copyOfHead()
    if (!mayAskRange(head, worker.requestHead)) return
    this.#resume = new Resume(answer)
    this.#resumeHead = head
  }

  /** The origin is gone in the middle of its answer. */
  #goOnOrCut(): void {
    const resume = this.#resume
    const endpoint = this.#endpoint
    const canGoOn = resume !== undefined && endpoint !== undefined && !this.#client.ended
    if (!canGoOn || !this.#attempts.resumes(endpoint, this.#client.worker.now) || !resume.cut(this.#relay.remaining)) {
      this.#cut()
      return
    }
    endpoint.errors++
    this.#relay.detach()
    this.#leaveEndpoint()
    this.#dropUpstream()
    this.#sender.restore(this.#resumeHead!)
    this.#phase = 'searching'
    this.#deadline = Infinity
    this.#search.begin(this.#service!)
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
    this.#answered(head.status)
    this.#phase = 'relaying'
    this.#deadline = worker.now + answerIdleMs
    this.#sender.release()
    return this.#relay.goOn(upstream, rest.buffer, rest.length, head)
  }

  /** One that was set aside comes from no endpoint any more. */
  #answered(status: number): void {
    const { worker } = this.#client
    const endpoint = this.#endpoint
    if (endpoint === undefined) return
    endpoint.answered(worker.now - this.#attempts.sentAt, worker.instant, status)
    endpoint.adaptive?.answered(status, this.#relay.backPressure, worker.now - this.#attempts.sentAt, endpoint.active)
    if (this.#service!.verdicts !== undefined) this.#attempts.answered(endpoint, status, this.#relay.backPressure, worker.now)
  }

  askedAnother(head: Head, buffer: Buffer, length: number): boolean {
    const { worker, facts, bodyDone } = this.#client
    const endpoint = this.#endpoint
    if (endpoint === undefined || (head.status === 503 && this.#relay.backPressure)) return false
    if (this.#attempts.tree !== undefined && findField(head, buffer, spentField) !== undefined) return false
    if (!bodyDone || !this.#attempts.mayAskAnother(head.status, endpoint, facts.idempotent, this.#sender.replayable)) return false
    const { whole, keep } = extentOf(head, buffer, length, facts.method)
    this.#attempts.setAside = { status: head.status, bytes: whole ? Buffer.from(buffer.subarray(head.begin, length)) : undefined }
    endpoint.errors++
    this.#answered(head.status)
    const upstream = this.#upstream!
    this.#upstream = undefined
    if (keep) endpoint.release(upstream, worker.now, undefined)
    else upstream.destroy()
    this.#leaveEndpoint()
    this.#searchOn()
    return true
  }

  readerCaughtUp(): void {
    this.#deadline = this.#client.worker.now + this.#answerIdleMs
  }

  answerRead(): void {
    const client = this.#client
    const upstream = this.#upstream
    const { keepUpstream, keepHint } = this.#relay
    this.#upstream = undefined
    if (upstream) {
      if (keepUpstream && client.bodyDone) this.#endpoint!.release(upstream, client.worker.now, keepHint)
      else upstream.destroy()
    }
  }

  answerEnded(): void {
    this.#relay.onlooker?.ended(true)
    this.answerRead()
    this.#finish(this.#relay.keepClient && this.#client.bodyDone)
  }

  answerCut(): void {
    this.#endpoint!.errors++
    this.#cut()
  }

  answerInvalid(why: string): void {
    this.#dropUpstream()
    if (this.#service!.verdicts !== undefined && this.#endpoint) this.#attempts.answered(this.#endpoint, 502, false, this.#client.worker.now)
    this.#fail(invalidAnswer(why))
  }

  protocolSwitched(upstream: Upstream, buffer: Buffer, length: number, head: Head): void {
    const client = this.#client
    const { facts } = client
    const endpoint = this.#endpoint!
    if (!acceptsUpgrade(head, buffer, facts.upgrade) || !client.bodyDone) {
      this.answerInvalid('it switched to a protocol that was not asked for')
      return
    }
    this.#answered(101)
    this.#relay.extra = joined(this.#sessionLines, this.#fallbackLine)
    this.#relay.writeInterim(head, buffer, facts.upgrade)
    this.#noteEnd(101)
    const tunnel = new Tunnel(client, upstream, endpoint, this.#service!, facts.upgrade?.toLowerCase() === 'websocket', this.route?.tally)
    this.#close()
    this.#endpoint = undefined
    this.#upstream = undefined
    tunnel.open(Buffer.from(buffer.subarray(head.end, length)))
    this.#letNextGo()
  }

  // --- ending -----------------------------------------------------------------------------------------------------

  /** The answer cannot be completed: the client must see that it was cut. */
  #cut(): void {
    this.#status = 0
    this.#dropUpstream()
    // A chunked or counted body shows by itself that it is not whole; one that ends with the connection does not.
    if (this.#relay.showsCut) this.#client.destroy()
    else this.#client.reset()
    this.#finish(false)
  }

  clientGone(): void {
    if (this.#phase === 'closed') return
    this.#status = 0
    this.#dropUpstream()
    this.#client.destroy()
    this.#finish(false)
  }

  #finish(keep: boolean): void {
    this.#noteEnd(this.#status)
    const service = this.#service
    this.#close()
    if (service) {
      if (this.#status >= 500 && this.#endpoint) this.#endpoint.errors++
      this.#leaveEndpoint()
      service.active--
      service.finished(this.#status, (this.#client.worker.now - this.#startedAt) * 1_000, this.route?.tally)
      this.#letNextGo()
    }
    this.#client.exchangeDone(keep)
  }

  /** Nothing of this request is kept. */
  #close(): void {
    this.#phase = 'closed'
    this.#deadline = Infinity
    this.#admission?.end()
    this.#aftermath.end()
    this.#resume = undefined
    this.#resumeHead = undefined
    this.#search.end()
    this.#sender.spareHead()
    this.#sender.release()
    this.#relay.end()
    this.#attempts.end()
  }

  /** One that has its answer, or will have none, makes room for those who wait; a long answer does so when it begins. */
  #letNextGo(): void {
    if (this.#madeRoom) return
    this.#madeRoom = true
    this.#service?.madeRoom()
  }

  /** Its deadline is over: no failure of the endpoint, which may have been given a millisecond. */
  #callerHasLeft(): void {
    if (this.#phase === 'sent' && this.#resume?.asking !== true) this.#relay.end()
    this.#dropUpstream()
    this.answer(tooLate)
  }

  /** Deadlines, checked by the worker's sweep. */
  sweep(now: number): void {
    if (this.#attempts.tree?.over(now) === true && (this.#phase === 'searching' || this.#phase === 'sent')) {
      this.#callerHasLeft()
      return
    }
    if (this.#phase === 'searching') this.#search.sweep(now)
    if (now < this.#deadline) return
    this.#deadline = Infinity
    if (this.#phase === 'sent') this.#lost(timedOut, 'ETIMEDOUT')
    else if (this.#phase === 'relaying') this.#cut()
  }
}
