/**
 * One request and its answer.
 *
 *   choosing ──▶ connecting ──▶ sent ──answer head──▶ relaying ──▶ closed
 *      ▲  │          │           │ └──101──▶ tunnelling ──▶ closed
 *      │  └▶ parked ─┤           │
 *      └─────────────┴───────────┘  an attempt failed and may be made again (`core/resend.ts`)
 *
 * Up to the first byte of the answer the exchange owns everything needed to send the request again; from then on a
 * broken origin breaks the client's connection, so that a cut answer can never look whole.
 */
import type { Answer } from './answers.ts'
import { renderAnswer } from './answers.ts'
import type { Client } from './client.ts'
import type { EndpointPool, Upstream, UpstreamUser } from './upstream.ts'
import type { Parked, ServiceRuntime } from './service.ts'
import type { Dispatched } from './dispatcher.ts'
import { joinBytesMax } from './outgoing.ts'
import { Replay } from './replay.ts'
import { Tunnel } from './tunnel.ts'
import { addressKey } from '../core/picker.ts'
import { killedReason, mayResend, neverRead, oneReadBytesMax, type Failure } from '../core/resend.ts'
import { routingPath } from '../core/routes.ts'
import { ChunkedBody } from '../http1/chunked.ts'
import { findField, type Head, headErrorSentence, parseRequestHead, parseResponseHead } from '../http1/head.ts'
import { latin1, text } from '../http1/bytes.ts'
import { requestHeadGrowthMax, writeRequestHead } from '../http1/request.ts'
import {
  acceptsUpgrade,
  keepAliveHint,
  originKeepsAlive,
  responseFraming,
  responseHeadGrowthMax,
  writeResponseHead,
  type BodyFraming,
} from '../http1/response.ts'
import { answerIdleMs, deathNewsMs, interimAnswersMax, readerStallMs } from './limits.ts'

/** An attempt that ended without an answer. */
interface Broken {
  readonly failure: Failure
  readonly code: string | undefined
  readonly endpoint: EndpointPool
  readonly answerBegun: boolean
}

type Phase = 'closed' | 'choosing' | 'parked' | 'connecting' | 'sent' | 'relaying' | 'awaitingNews' | 'tunnelling'

const lastChunk = latin1('0\r\n\r\n')

export class Exchange implements UpstreamUser, Parked, Dispatched {
  readonly #client: Client
  #phase: Phase = 'closed'
  #requestId = ''
  #accept = ''
  #clientMinor = 1
  #service: ServiceRuntime | undefined
  #endpoint: EndpointPool | undefined
  #upstream: Upstream | undefined
  /** Where the request's head lies, until the answer begins. */
  #source: Buffer | undefined
  #sourceStart = 0
  #target: string | undefined
  // Attempts
  readonly #tried: EndpointPool[] = []
  #resent = 0
  #retrying = false
  #reused = false
  #fresh = false
  #sentAt = 0
  /** The parsed head, until the first attempt is made. */
  #head: Head | undefined
  #queued = false
  /** The new connection stands. */
  #connected = false
  #madeRoom = false
  /** All of the request left in one write that a server takes in with one read. */
  #oneRead = false
  #parkDeadline: number | undefined
  #lastFailure: Broken | undefined
  // Body
  readonly #replay = new Replay()
  /** The client has been told to go on, or has gone on by itself. */
  #continued = false
  #interims = 0
  // Answer
  #startedAt = 0
  #status = 0
  #framing: BodyFraming = 'none'
  #remaining = 0
  #chunkedIn: ChunkedBody | undefined
  #chunkedOut = false
  #partial: Buffer | undefined
  #keepUpstream = false
  #keepClient = false
  #keepHint: number | undefined
  #deadline = Infinity
  #tunnel: Tunnel | undefined

  constructor(client: Client) {
    this.#client = client
  }

  get endpoint(): EndpointPool | undefined {
    return this.#endpoint
  }

  get parked(): boolean {
    return this.#phase === 'parked'
  }

  /** A request has been read. */
  open(requestId: string, accept: string, minor: number): void {
    this.#phase = 'choosing'
    this.#requestId = requestId
    this.#accept = accept
    this.#clientMinor = minor
    this.#startedAt = this.#client.worker.now
    this.#status = 0
    this.#service = undefined
    this.#endpoint = undefined
    this.#upstream = undefined
    this.#partial = undefined
  }

  /** It has a service: find it an endpoint. `source` holds its head from `start`. */
  begin(service: ServiceRuntime, source: Buffer, start: number, target: string | undefined): void {
    this.#service = service
    this.#source = source
    this.#sourceStart = start
    this.#target = target
    this.#tried.length = 0
    this.#resent = 0
    this.#fresh = false
    this.#parkDeadline = undefined
    this.#lastFailure = undefined
    this.#replay.reset()
    this.#continued = false
    this.#interims = 0
    this.#madeRoom = false
    service.active++
    service.counters.requests++
    if (service.view.maintenance) {
      this.answer({
        status: 503,
        error: 'destination_unavailable',
        message: 'this service is under maintenance',
        details: 'maintenance',
        retryAfterSeconds: 60,
      })
      return
    }
    this.#head = this.#client.worker.keepHead()
    this.#phase = 'choosing'
    this.#enqueue()
  }

  // --- choosing -------------------------------------------------------------------------------------------------

  /** Endpoints are chosen at the end of this turn of the event loop, when all exits that the kernel knows of have been heard. */
  #enqueue(): void {
    if (this.#queued) return
    this.#queued = true
    this.#client.worker.dispatcher.add(this)
  }

  dispatch(now: number): void {
    this.#queued = false
    this.#client.worker.now = now
    if (this.#phase === 'connecting') this.#sendOnNew()
    else if (this.#phase === 'choosing') this.#choose()
  }

  #choose(): void {
    const service = this.#service!
    // Whoever waits was here first.
    const isNew = this.#parkDeadline === undefined && this.#lastFailure === undefined
    if (isNew && service.lot.size > 0 && service.mayPark) this.#park()
    else this.#attempt()
    this.#spareHead()
  }

  /** Whoever needs the head from here on reads it again. */
  #spareHead(): void {
    if (this.#head) this.#client.worker.spareHead(this.#head)
    this.#head = undefined
  }

  #attempt(): void {
    const service = this.#service!
    const { worker, facts } = this.#client
    this.#phase = 'choosing'
    const endpoint =
      service.pick({ now: worker.now, tried: this.#tried, key: () => this.#hashKey() }) ??
      (service.mayPark ? undefined : service.leastBad(this.#tried))
    if (endpoint === undefined) {
      this.#nothingToPick()
      return
    }
    this.#endpoint = endpoint
    endpoint.active++
    endpoint.requests++
    const idle = this.#fresh ? undefined : endpoint.takeIdle(worker.now, !facts.idempotent)
    if (idle) {
      this.#reused = true
      this.#send(idle)
      return
    }
    this.#reused = false
    this.#connected = false
    this.#phase = 'connecting'
    if (facts.bodyLength !== 0) {
      this.#client.pauseInput()
      this.#client.holdBodyDeadline()
    }
    this.#deadline = worker.now + service.view.connectTimeoutMs
    this.#upstream = endpoint.open(this)
  }

  #hashKey(): string {
    const { facts, address } = this.#client
    const service = this.#service!
    if (service.view.algorithm === 'ip-hash') return addressKey(address)
    const head = this.#head ?? this.#reparse()
    if (service.view.hashHeader !== undefined) return findField(head, this.#source!, service.view.hashHeader) ?? addressKey(address)
    return routingPath(facts.target ?? text(this.#source!, head.targetStart, head.targetEnd))
  }

  /** The head again, from the bytes that were kept: attempts are rare, a copy per request would not be. */
  #reparse(): Head {
    const head = this.#client.worker.requestHead
    parseRequestHead(this.#source!, this.#sourceStart, this.#source!.length, head)
    return head
  }

  #nothingToPick(): void {
    const service = this.#service!
    if (service.mayPark) this.#park()
    else this.#answerFailure()
  }

  #park(): void {
    const service = this.#service!
    const { worker } = this.#client
    if (this.#client.ended) {
      this.clientGone()
      return
    }
    const limits = service.view.parking!
    const bytes = this.#source!.length + this.#replay.bytes
    const parked = service.lot.park(this, bytes, worker.now, limits, this.#parkDeadline)
    if (parked === undefined) {
      const expired = this.#parkDeadline !== undefined && this.#parkDeadline <= worker.now
      service.counters.shed++
      this.#answerUnavailable(expired ? 'parked too long' : 'parked queue full')
      return
    }
    if (this.#parkDeadline === undefined) service.counters.parked++
    this.#parkDeadline = parked.deadline
    this.#tried.length = 0
    this.#phase = 'parked'
    this.#deadline = Infinity
    if (this.#client.facts.bodyLength !== 0) {
      this.#client.pauseInput()
      this.#client.holdBodyDeadline()
    }
    worker.watchLot(service)
  }

  unpark(): void {
    if (this.#phase !== 'parked') return
    this.#phase = 'choosing'
    this.#enqueue()
  }

  parkingExpired(): void {
    if (this.#phase === 'parked') this.#answerUnavailable('parked too long')
  }

  #answerUnavailable(details: string): void {
    this.answer({
      status: 503,
      error: 'destination_unavailable',
      message: 'no instance of this service is ready',
      details,
      retryAfterSeconds: this.#service!.retryAfterSeconds,
    })
  }

  /** Every endpoint has been tried, or there is none: say what the last attempt met. */
  #answerFailure(): void {
    const last = this.#lastFailure
    if (last === undefined) {
      this.#answerUnavailable('no endpoint available')
      return
    }
    const { failure, code, endpoint } = last
    switch (failure.kind) {
      case 'notConnected':
        if (code === 'ETIMEDOUT') this.answer({ status: 504, error: 'connection_timeout', message: 'the service could not be reached in time' })
        else {
          this.answer({
            status: 502,
            error: 'connection_refused',
            message: 'the service refused the connection',
            retryAfterSeconds: this.#service!.retryAfterSeconds,
          })
        }
        return
      case 'timedOut':
        this.answer({ status: 504, error: 'http_response_timeout', message: 'the service did not answer in time' })
        return
      case 'notReceived':
      case 'staleConnection':
      case 'died':
        this.answer({
          status: 502,
          error: 'connection_terminated',
          message: 'the service ended the connection before it answered; whether the request was carried out is not known',
          details: endpoint.gone ?? 'connection closed before the answer',
        })
    }
  }

  // --- sending --------------------------------------------------------------------------------------------------

  /** A connection that lay in the backlog when the process died completes all the same: its end may be the next thing heard. */
  upstreamConnected(upstream: Upstream): void {
    this.#client.worker.tick()
    if (this.#phase !== 'connecting' || upstream !== this.#upstream) return
    this.#connected = true
    this.#enqueue()
  }

  #sendOnNew(): void {
    if (!this.#connected || this.#upstream === undefined) return
    this.#connected = false
    if (this.#endpoint?.gone === undefined) this.#send(this.#upstream)
    else this.#attemptFailed({ kind: 'notConnected' }, 'ECONNRESET')
  }

  #send(upstream: Upstream): void {
    const client = this.#client
    const { worker, facts } = client
    const source = this.#source!
    this.#upstream = upstream
    upstream.user = this
    const head = this.#head ?? this.#reparse()
    const { slab } = worker
    const headRoom =
      head.end - head.begin + requestHeadGrowthMax + client.forwardedFields(head.minor).length + (this.#target?.length ?? 0) + facts.hostValue.length
    slab.reserve(headRoom + joinBytesMax)
    const end = writeRequestHead(slab.buffer, slab.at, head, source, facts, {
      target: this.#target,
      defaultHost: this.#endpoint!.view.host,
      forwarded: client.forwardedFields(head.minor),
      requestId: this.#requestId,
    })
    if (end < 0) {
      this.#returnUpstream(upstream)
      client.worker.countRefused('malformed')
      this.answer({ status: 400, error: 'http_request_error', message: headErrorSentence(end) }, true)
      return
    }
    this.#phase = 'sent'
    this.#sentAt = worker.now
    this.#endpoint!.lastSentAt = worker.now
    this.#oneRead = facts.bodyLength >= 0 && end - slab.at + facts.bodyLength <= oneReadBytesMax
    if (facts.bodyLength === 0) {
      this.#write(upstream, end)
      this.#deadline = worker.now + this.#service!.view.timeoutMs
    } else {
      const out = worker.outgoing
      out.begin(upstream.socket, end)
      for (const piece of this.#replay.pieces()) out.add(piece, 0, piece.length)
      this.#sendBody()
      this.#oneRead &&= client.bodyDone
    }
    // A malformed body has ended the exchange meanwhile; then nothing is left to fail.
    // Of several writes the first may have left.
    if (this.#upstream === upstream && upstream.writeFailed) {
      this.#attemptFailed({ kind: facts.bodyLength === 0 || this.#oneRead ? 'notReceived' : 'died' }, 'EPIPE')
    }
  }

  /** Sends what lies in the slab up to `end`; false when the socket wants a pause. */
  #write(upstream: Upstream, end: number): boolean {
    const { slab } = this.#client.worker
    const more = upstream.write(slab.view(end))
    if (upstream.socket.writableLength > 0) slab.keep(end)
    return more
  }

  /** More of the request body has come from the client. */
  bodyAvailable(): void {
    if (this.#phase !== 'sent' && this.#phase !== 'relaying') {
      this.#client.pauseInput()
      this.#client.holdBodyDeadline()
      return
    }
    if (this.#upstream === undefined) return
    const { slab, outgoing } = this.#client.worker
    slab.reserve(joinBytesMax)
    outgoing.begin(this.#upstream.socket, slab.at)
    this.#sendBody()
  }

  /** Passes on what has come of the body, behind what `outgoing` holds already. */
  #sendBody(): void {
    const client = this.#client
    const out = client.worker.outgoing
    const sane = client.takeBody((buffer, start, end) => {
      this.#continued = true
      this.#service!.counters.requestBytes += end - start
      if (this.#phase === 'sent') this.#replay.add(buffer, start, end)
      out.add(buffer, start, end)
    })
    const more = out.flush()
    if (!sane) {
      this.#badBody()
      return
    }
    if (more || client.bodyDone) client.resumeInput()
    else client.pauseInput()
    this.#shareDeadline()
  }

  /**
   * Whose turn it is while a request with a body is under way. The service's time runs when it has all of the request,
   * does not take more of it, or was asked whether it wants it; else it is the client who is waited for.
   */
  #shareDeadline(): void {
    const client = this.#client
    const { now } = client.worker
    const asked = client.facts.expectsContinue && !this.#continued
    const clientsTurn = !client.bodyDone && !client.inputPaused && !asked
    if (clientsTurn) client.runBodyDeadline()
    else client.holdBodyDeadline()
    if (this.#phase === 'sent') this.#deadline = clientsTurn ? Infinity : now + this.#service!.view.timeoutMs
  }

  #badBody(): void {
    this.#dropUpstream()
    this.#client.worker.countRefused('malformed')
    if (this.#phase === 'relaying') this.#cut()
    else this.answer({ status: 400, error: 'http_request_error', message: 'the chunked body is malformed' }, true)
  }

  bodyTimedOut(): void {
    this.#dropUpstream()
    if (this.#phase === 'relaying') this.#cut()
    else this.answer({ status: 408, error: 'http_request_error', message: 'the body of the request did not arrive in time' }, true)
  }

  upstreamDrained(): void {
    if (this.#tunnel) this.#tunnel.upstreamDrained()
    else if (!this.#client.bodyDone) {
      this.#client.resumeInput()
      this.#shareDeadline()
    }
  }

  // --- failing --------------------------------------------------------------------------------------------------

  upstreamEnded(upstream: Upstream): void {
    if (this.#tunnel) {
      this.#tunnel.upstreamEnded()
      return
    }
    if (this.#phase === 'relaying' && this.#framing === 'untilClose' && !upstream.wasReset()) {
      this.#finishBody()
      return
    }
    // An orderly close in the middle of something is a close all the same; waiting for the socket to follow gains nothing.
    upstream.destroy()
    this.upstreamClosed(upstream, undefined)
  }

  upstreamClosed(upstream: Upstream, code: string | undefined): void {
    if (this.#tunnel) {
      this.#tunnel.upstreamClosed()
      return
    }
    if (upstream !== this.#upstream) return
    this.#client.worker.tick()
    switch (this.#phase) {
      case 'connecting':
        this.#attemptFailed({ kind: 'notConnected' }, code)
        return
      case 'sent': {
        this.#attemptFailed({ kind: this.#reused && this.#partial === undefined ? 'staleConnection' : 'died' }, code)
        return
      }
      case 'relaying':
        this.#cut()
        return
      case 'closed':
      case 'choosing':
      case 'parked':
      case 'awaitingNews':
      case 'tunnelling':
        return
    }
  }

  /** This attempt is over without an answer. */
  #attemptFailed(seen: Failure, code: string | undefined): void {
    const service = this.#service!
    const endpoint = this.#endpoint!
    const { worker, facts } = this.#client
    const broken = { failure: seen, code, endpoint, answerBegun: this.#partial !== undefined }
    const failure: Failure = this.#neverRead(broken) ? { kind: 'notReceived' } : seen
    this.#partial = undefined
    this.#leaveEndpoint()
    this.#dropUpstream()
    this.#lastFailure = { ...broken, failure }
    // A reused connection that closes quietly says little about the endpoint: origins close idle ones all the time.
    const quiet = failure.kind === 'notReceived' || (failure.kind === 'staleConnection' && endpoint.gone === undefined)
    const failingSince = quiet ? Infinity : endpoint.failed(worker.now, failure.kind === 'notConnected')
    if (!quiet) endpoint.errors++
    worker.reportSuspect(endpoint, failure.kind === 'notConnected' ? `connection failed: ${code ?? 'closed'}` : 'connection closed before the answer')
    const again = mayResend(failure, {
      idempotent: facts.idempotent,
      replayable: this.#replay.whole,
      resent: this.#resent,
      attemptsMax: service.view.retries.attempts,
      caughtInDeath: quiet || this.#sentAt <= failingSince || endpoint.gone !== undefined,
      budgetFree: service.retryBudgetFree,
    })
    if (!again) {
      const connected = failure.kind !== 'notConnected' && failure.kind !== 'timedOut'
      if (connected && service.view.managed && endpoint.gone === undefined) this.#awaitNews(endpoint)
      else this.#answerFailure()
      return
    }
    if (failure.kind === 'notConnected') this.#tried.push(endpoint)
    else {
      this.#resent++
      service.counters.retried++
      this.#beginRetrying()
      // A stale connection is no verdict on the endpoint; the next attempt just must not trust another idle one.
      this.#fresh = true
      if (failure.kind === 'died' && service.endpoints.length > 1) this.#tried.push(endpoint)
    }
    // All of them refused: whoever can wait does so, and may then go to any of them again.
    if (service.mayPark && this.#tried.length > 0 && this.#tried.length >= service.endpoints.length) this.#tried.length = 0
    this.#phase = 'choosing'
    this.#enqueue()
  }

  #neverRead({ failure, code, endpoint, answerBegun }: Broken): boolean {
    if (failure.kind !== 'died' && failure.kind !== 'staleConnection') return false
    return neverRead({
      sentAt: this.#sentAt,
      exitedAt: endpoint.exitedAt,
      killed: endpoint.gone === killedReason,
      reset: code === 'ECONNRESET',
      oneRead: this.#oneRead,
      answerBegun,
    })
  }

  #beginRetrying(): void {
    if (this.#retrying) return
    this.#retrying = true
    this.#service!.retrying++
  }

  /** The supervisor will say within milliseconds how the process ended: the client gets the reason, not just the fact. */
  #awaitNews(endpoint: EndpointPool): void {
    this.#phase = 'awaitingNews'
    this.#client.worker.whenGone(endpoint, deathNewsMs, () => {
      if (this.#phase !== 'awaitingNews') return
      if (this.#neverRead(this.#lastFailure!) && this.#replay.whole) {
        this.#fresh = true
        this.#service!.counters.retried++
        this.#phase = 'choosing'
        this.#enqueue()
      } else this.#answerFailure()
    })
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

  /** Nothing was written to it: it goes back unharmed. */
  #returnUpstream(upstream: Upstream): void {
    this.#upstream = undefined
    this.#endpoint?.release(upstream, this.#client.worker.now, undefined)
  }

  // --- answering ourselves ----------------------------------------------------------------------------------------

  /** Answers in place of the service. */
  answer(answer: Answer, close = false): void {
    const client = this.#client
    const keep = client.facts.keepAlive && client.bodyDone && !close && this.#clientMinor === 1
    this.#status = answer.status
    client.socket.write(
      renderAnswer(answer, {
        method: client.facts.method,
        accept: this.#accept,
        requestId: this.#requestId,
        close: !keep,
        name: client.worker.pseudonym,
        date: client.worker.httpDate(),
      }),
    )
    this.#dropUpstream()
    this.#finish(keep)
  }

  /** The answer cannot be completed: the client must see that it was cut. */
  #cut(): void {
    this.#status = 0
    const client = this.#client
    this.#dropUpstream()
    // A chunked or counted body shows by itself that it is not whole; one that ends with the connection does not.
    if (this.#framing === 'untilClose' && !this.#chunkedOut) client.reset()
    else if (this.#framing === 'chunked' && !this.#chunkedOut) client.reset()
    else client.destroy()
    this.#finish(false)
  }

  clientGone(): void {
    if (this.#tunnel) {
      this.#tunnel.clientClosed()
      return
    }
    if (this.#phase === 'closed') return
    if (this.#phase === 'parked') this.#service!.lot.leave(this)
    this.#status = 0
    this.#dropUpstream()
    this.#client.destroy()
    this.#finish(false)
  }

  clientEnded(): void {
    this.#tunnel?.clientEnded()
  }

  #finish(keep: boolean): void {
    const service = this.#service
    const { worker } = this.#client
    this.#phase = 'closed'
    this.#deadline = Infinity
    this.#spareHead()
    this.#source = undefined
    this.#replay.reset()
    this.#partial = undefined
    this.#chunkedIn = undefined
    if (service) {
      if (this.#status >= 500 && this.#endpoint) this.#endpoint.errors++
      this.#leaveEndpoint()
      service.active--
      if (this.#retrying) {
        this.#retrying = false
        service.retrying--
      }
      service.finished(this.#status, (worker.now - this.#startedAt) * 1_000)
      this.#letNextGo()
    }
    this.#client.exchangeDone(keep)
  }

  /** One that has its answer, or will have none, makes room for those who wait; a long answer does so when it begins. */
  #letNextGo(): void {
    if (this.#madeRoom) return
    this.#madeRoom = true
    this.#service?.madeRoom()
  }

  /** Deadlines, checked by the worker's sweep. */
  sweep(now: number): void {
    if (now < this.#deadline) return
    this.#deadline = Infinity
    if (this.#phase === 'connecting') this.#attemptFailed({ kind: 'notConnected' }, 'ETIMEDOUT')
    else if (this.#phase === 'sent') this.#attemptFailed({ kind: 'timedOut' }, 'ETIMEDOUT')
    else if (this.#phase === 'relaying') this.#cut()
  }

  // --- relaying -------------------------------------------------------------------------------------------------

  upstreamData(upstream: Upstream, buffer: Buffer, length: number): boolean {
    const { worker } = this.#client
    worker.tick()
    if (this.#tunnel) return this.#tunnel.fromUpstream(buffer, length)
    if (this.#phase === 'sent') return this.#readAnswerHead(upstream, buffer, length)
    if (this.#phase === 'relaying') {
      this.#deadline = worker.now + answerIdleMs
      worker.slab.reserve(joinBytesMax + 64)
      return this.#relay(upstream, buffer, 0, length, worker.slab.at)
    }
    upstream.destroy()
    return true
  }

  #readAnswerHead(upstream: Upstream, fresh: Buffer, freshLength: number): boolean {
    const client = this.#client
    const { worker, facts } = client
    let buffer = fresh
    let length = freshLength
    if (this.#partial !== undefined) {
      buffer = Buffer.concat([this.#partial, fresh.subarray(0, freshLength)])
      length = buffer.length
      this.#partial = undefined
    }
    const head = worker.responseHead
    let start = 0
    for (;;) {
      const result = start === length ? 0 : parseResponseHead(buffer, start, length, head)
      if (result === 0) {
        if (start < length) this.#partial = Buffer.from(buffer.subarray(start, length))
        return true
      }
      if (result < 0) {
        this.#badAnswer(headErrorSentence(result))
        return true
      }
      if (head.status >= 200) break
      if (head.status === 101) {
        this.#switchProtocols(upstream, buffer, length, head)
        return true
      }
      // RFC 9110 §15.2: interim answers are passed on, to those who know them.
      if (++this.#interims > interimAnswersMax) {
        this.#badAnswer(`more than ${interimAnswersMax} interim answers`)
        return true
      }
      if (this.#clientMinor === 1) this.#writeHead(head, buffer, { connection: 'none', chunked: false, dropLength: true, upgrade: undefined })
      if (head.status === 100 && !this.#continued) {
        this.#continued = true
        this.#shareDeadline()
      }
      start = head.end
    }
    this.#status = head.status
    this.#endpoint!.answered(worker.now - this.#sentAt, worker.instant)
    this.#framing = responseFraming(head, facts.method)
    this.#remaining = this.#framing === 'length' ? head.contentLength : 0
    const byClose = this.#framing === 'untilClose' || this.#framing === 'chunked'
    this.#chunkedOut = byClose && this.#clientMinor === 1
    this.#chunkedIn = this.#framing === 'chunked' ? new ChunkedBody(this.#chunkedOut) : undefined
    this.#keepUpstream = this.#framing !== 'untilClose' && originKeepsAlive(head, buffer)
    this.#keepHint = keepAliveHint(head, buffer)
    this.#keepClient = facts.keepAlive && client.bodyDone && !worker.draining && !client.listener.closed && (!byClose || this.#chunkedOut)
    this.#phase = 'relaying'
    this.#letNextGo()
    this.#deadline = worker.now + answerIdleMs
    this.#source = undefined
    this.#replay.reset()
    const dropLength = head.status === 204 || this.#framing === 'chunked'
    const connection = this.#keepClient ? (this.#clientMinor === 0 ? 'keepAlive' : 'none') : 'close'
    const { slab } = worker
    slab.reserve(head.end - head.begin + responseHeadGrowthMax + joinBytesMax + 64)
    const end = writeResponseHead(slab.buffer, slab.at, head, buffer, {
      via: worker.via,
      requestId: this.#requestId,
      connection,
      chunked: this.#chunkedOut,
      dropLength,
      upgrade: undefined,
    })
    return this.#relay(upstream, buffer, head.end, length, end)
  }

  /** Writes a head on its own. */
  #writeHead(
    head: Head,
    buffer: Buffer,
    how: { connection: 'none' | 'close' | 'keepAlive'; chunked: boolean; dropLength: boolean; upgrade: string | undefined },
  ): void {
    const { worker, socket } = this.#client
    const { slab } = worker
    slab.reserve(head.end - head.begin + responseHeadGrowthMax)
    const end = writeResponseHead(slab.buffer, slab.at, head, buffer, { via: worker.via, requestId: this.#requestId, ...how })
    socket.write(slab.view(end))
    if (socket.writableLength > 0) slab.keep(end)
  }

  #badAnswer(why: string): void {
    this.#dropUpstream()
    this.answer({ status: 502, error: 'http_protocol_error', message: 'the service gave an answer that is not valid HTTP', details: why })
  }

  /**
   * Passes on the body bytes [start, length). What lies in the slab between its `at` and `end` (the head, or nothing)
   * goes out before them, in the same write when they are few. Returns false to stop reading from the origin.
   */
  #relay(upstream: Upstream, buffer: Buffer, start: number, length: number, end: number): boolean {
    const { worker, socket } = this.#client
    const out = worker.outgoing
    out.begin(socket, end, upstream)
    let complete = false
    let used = start
    switch (this.#framing) {
      case 'none':
        complete = true
        break
      case 'length': {
        const take = Math.min(this.#remaining, length - start)
        if (take > 0) out.add(buffer, start, start + take)
        used = start + take
        this.#remaining -= take
        complete = this.#remaining === 0
        break
      }
      case 'chunked': {
        const body = this.#chunkedIn!
        used = body.feed(buffer, start, length, out.emit)
        if (body.failed) {
          out.flush()
          this.#endpoint!.errors++
          this.#cut()
          return true
        }
        complete = body.done
        break
      }
      case 'untilClose':
        if (length > start) {
          if (this.#chunkedOut) {
            const size = latin1(`${(length - start).toString(16)}\r\n`)
            out.add(size, 0, size.length)
            out.add(buffer, start, length)
            out.add(lastChunk, 3, 5)
          } else out.add(buffer, start, length)
        }
        used = length
        break
    }
    this.#service!.counters.responseBytes += used - start
    const more = out.flush()
    if (complete) {
      // Bytes behind a complete answer belong to nobody: the connection is not trusted with another request.
      if (used < length) this.#keepUpstream = false
      this.#finishBody()
      return true
    }
    if (!more && !socket.destroyed) {
      this.#client.onDrain = () => {
        this.#client.onDrain = undefined
        this.#deadline = worker.now + answerIdleMs
        upstream.resume()
      }
      this.#deadline = worker.now + readerStallMs
      return false
    }
    return true
  }

  #finishBody(): void {
    const client = this.#client
    const upstream = this.#upstream
    if (this.#framing === 'untilClose' && this.#chunkedOut) client.socket.write(lastChunk)
    this.#upstream = undefined
    if (upstream) {
      if (this.#keepUpstream && client.bodyDone) this.#endpoint!.release(upstream, client.worker.now, this.#keepHint)
      else upstream.destroy()
    }
    this.#finish(this.#keepClient && client.bodyDone)
  }

  // --- tunnelling -----------------------------------------------------------------------------------------------

  #switchProtocols(upstream: Upstream, buffer: Buffer, length: number, head: Head): void {
    const client = this.#client
    const { facts } = client
    if (!acceptsUpgrade(head, buffer, facts.upgrade) || !client.bodyDone) {
      this.#badAnswer('it switched to a protocol that was not asked for')
      return
    }
    const endpoint = this.#endpoint!
    const service = this.#service!
    endpoint.answered(client.worker.now - this.#sentAt, client.worker.instant)
    this.#status = 101
    this.#phase = 'tunnelling'
    this.#deadline = Infinity
    this.#source = undefined
    this.#replay.reset()
    this.#writeHead(head, buffer, { connection: 'none', chunked: false, dropLength: true, upgrade: facts.upgrade })
    service.tunnels++
    endpoint.tunnels++
    endpoint.active--
    this.#tunnel = new Tunnel(client, upstream, endpoint, facts.upgrade?.toLowerCase() === 'websocket', () => {
      this.#tunnelClosed(service, endpoint)
    })
    client.worker.openTunnel(this.#tunnel)
    if (head.end < length) {
      const rest = Buffer.from(buffer.subarray(head.end, length))
      this.#tunnel.fromUpstream(rest, rest.length)
    }
    const tunnel = this.#tunnel
    client.enterTunnel((bytes) => {
      tunnel.fromClient(bytes)
    })
  }

  #tunnelClosed(service: ServiceRuntime, endpoint: EndpointPool): void {
    const { worker } = this.#client
    const tunnel = this.#tunnel
    if (tunnel === undefined) return
    this.#tunnel = undefined
    worker.closeTunnel(tunnel)
    service.tunnels--
    endpoint.tunnels--
    this.#endpoint = undefined
    this.#upstream = undefined
    this.#phase = 'closed'
    service.active--
    service.finished(101)
    worker.maybeDrained(endpoint)
  }
}
