/**
 * A client's connection: cuts its bytes into requests, hands one at a time to the exchange, and speaks the answers.
 *
 *   idle ──bytes──▶ head ──complete──▶ exchange ──answered──▶ idle (keep-alive) │ lingering ──▶ closed
 *                                         └──101──▶ handed over ──▶ closed
 *
 * Pipelined requests wait in the input; while there is more than the next step can use, reading stops.
 */
import { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { Emit } from '../http1/chunked.ts'
import { fieldText, HeadError, parseRequestHead, type Head } from '../http1/head.ts'
import { readRequest, RequestFacts } from '../http1/request.ts'
import { renderAnswer, type Answer } from './answers.ts'
import { answerBeforeRoutes, forwardedTarget, givenRequestId, routeOf } from './arrival.ts'
import { pageFor } from './rules/answer-plan.ts'
import type { ByteSocket, ClientFace, ClientSide, ConnectionOwner, CutAnswer } from './client-side.ts'
import { bodyRateMin } from '../core/body-pace.ts'
import { ClientBody } from './client-body.ts'
import { ClientInput } from './client-input.ts'
import { RefreshSocket } from './cache/refresh-socket.ts'
import type { FastPath, FoundHit } from './cache/fast-path.ts'
import { bodyBufferBytes } from './body-buffers.ts'
import { ClientReads, type AcceptedHandle, type ReadHost } from './client-reads.ts'
import { Exchange } from './exchange.ts'
import type { ListenerRoutes, Route } from '../core/routes.ts'
import type { ServiceRuntime } from './service.ts'
import { badHead } from './failure-answers.ts'
import { ForwardedFields } from './forwarded-fields.ts'
import { smallBytesMax } from './replay.ts'
import type { WorkerListener } from './connections.ts'
import type { Worker } from './worker.ts'
import {
  bodyTimeoutMs,
  clientIdleMs,
  headTimeoutMs,
  lastRequestMs,
  lingerBytesMax,
  lingerMs,
  readerStallMs,
  tunnelIdleMs,
  waitingInputMax,
} from './limits.ts'

type Phase = 'idle' | 'head' | 'exchange' | 'handedOver' | 'lingering' | 'closed'

export class Client implements ClientSide, ReadHost {
  readonly worker: Worker
  readonly listener: WorkerListener
  readonly socket: ByteSocket
  readonly #face: ClientFace | undefined
  readonly address: string
  readonly facts = new RequestFacts()
  requestId = ''
  minor = 1
  #accept = ''
  readonly exchange: Exchange
  /** undefined: plain. */
  readonly #tls: TLSSocket | undefined
  phase: Phase = 'idle'
  /** undefined: the socket brings buffers of its own. */
  readonly #reads: ClientReads | undefined
  readonly #input: ClientInput
  /** So much of a head that came in pieces has been searched for its end. */
  #headSearched = 0
  #deadline: number
  #lingered = 0
  #ended = false
  #paused = false
  #parsing = false
  #requests = 0
  readonly #body: ClientBody
  /** Everything ends, and nobody follows. */
  #leaving = false
  readonly #forwarded: ForwardedFields
  /** By which the last request went, and of which table. */
  #route: Route<ServiceRuntime> | undefined
  #routes: ListenerRoutes<ServiceRuntime> | undefined
  #owner: ConnectionOwner | undefined
  /** Of a client on this machine; 0: it is somewhere else. */
  readonly #ownPort: number
  /** Requests that have been told as calls of a service. */
  #requestsTold = 0
  onDrain: (() => void) | undefined

  /** `connection`: a socket that nobody has read from, or a connection as it was accepted. */
  constructor(worker: Worker, listener: WorkerListener, connection: ByteSocket | AcceptedHandle, face?: ClientFace) {
    this.worker = worker
    this.listener = listener
    // Whoever reads asks what is wanted before it is made.
    this.#input = new ClientInput(
      worker.inputBlocks,
      (bytes) => (bytes <= bodyBufferBytes ? this.#reads?.lend() : undefined) ?? Buffer.allocUnsafeSlow(bytes),
    )
    this.#body = new ClientBody(this.#input, this.facts)
    const accepted = 'write' in connection ? undefined : new ClientReads(connection, this, worker.bodyBuffers)
    const socket = accepted?.socket ?? (connection as ByteSocket)
    this.#reads = accepted
    this.socket = socket
    this.#face = face
    this.#tls = face === undefined && socket instanceof TLSSocket ? socket : face?.tls
    this.address = socket.remoteAddress?.replace(/^::ffff:(?=\d+\.)/, '') ?? 'unknown'
    this.#ownPort = worker.flows.isOwn(this.address) ? (socket.remotePort ?? 0) : 0
    this.#forwarded = new ForwardedFields({
      address: this.address,
      port: listener.port,
      pseudonym: worker.pseudonym,
      tls: this.#tls,
      version: face?.version,
    })
    this.exchange = new Exchange(this)
    this.#deadline = worker.now + clientIdleMs
    if (this.#reads === undefined) socket.on('data', (chunk: Buffer) => this.read(chunk, chunk.length, false))
    socket.on('end', () => {
      this.#onEnd()
    })
    socket.on('drain', () => this.onDrain?.())
    // What failed is told by `close`; without this listener a reset would end the process.
    socket.on('error', () => undefined)
    socket.on('close', () => {
      this.#onClose()
    })
  }

  get bodyDone(): boolean {
    return this.#body.done
  }

  get waitingBytes(): number {
    return this.#input.length
  }

  get ended(): boolean {
    return this.#ended
  }

  get closing(): boolean {
    return this.worker.draining || this.listener.closed
  }

  get gone(): boolean {
    return this.phase === 'closed' || this.socket.destroyed
  }

  get wants(): 'request' | 'body' | 'tunnel' {
    if (this.phase === 'handedOver') return 'tunnel'
    return this.#body.done ? 'request' : 'body'
  }

  read(bytes: Buffer, length: number, shared: boolean): boolean {
    this.worker.tick()
    switch (this.phase) {
      case 'handedOver':
        return this.#owner?.fromClient(shared ? Buffer.from(bytes.subarray(0, length)) : bytes.subarray(0, length)) ?? false
      case 'lingering':
        this.#lingered += length
        // Not read on, but not reset either: a reset would take the answer from the client's own buffer.
        if (this.#lingered > lingerBytesMax) this.pauseInput()
        return false
      case 'closed':
        return false
      case 'idle':
      case 'head':
      case 'exchange':
    }
    const input = this.#input
    const { hits } = this.worker
    if (shared && hits !== undefined && this.phase === 'idle' && input.empty) {
      this.#lookForHits(hits, bytes, length)
      return false
    }
    input.add(bytes, length, shared)
    if (this.phase !== 'exchange') this.#parseRequests()
    else if (this.#body.done) this.#limitInput()
    else {
      this.#body.received(length, this.worker.now)
      this.runBodyDeadline()
      this.exchange.bodyAvailable()
    }
    return !input.empty || (length >= smallBytesMax && !this.exchange.copiesBody)
  }

  /** What can be answered at once is not even copied. */
  #lookForHits(hits: FastPath, bytes: Buffer, length: number): void {
    const input = this.#input
    input.borrow(bytes, length)
    const parsed = this.#answerHits(hits)
    if (input.empty) return
    input.keep()
    this.#parseRequests(parsed === 'answered' ? undefined : parsed)
  }

  /** Stops reading while more waits than is wanted; `resumeInput` starts it again. */
  #limitInput(): void {
    if (this.#input.length > waitingInputMax) this.pauseInput()
  }

  get inputPaused(): boolean {
    return this.#paused
  }

  pauseInput(): void {
    if (this.#paused) return
    this.#paused = true
    this.socket.pause()
  }

  resumeInput(): void {
    if (!this.#paused) return
    this.#paused = false
    this.socket.resume()
  }

  /** `first`: what parsing the first head has given already. Starts the next request when its head is whole. An answer made at once leads to the next one: hence the loop. */
  #parseRequests(first?: number): void {
    if (this.#parsing) return
    this.#parsing = true
    let known = first
    while (this.phase === 'idle' || this.phase === 'head') {
      // A client that sends requests and does not read the answers is not asked for more of them.
      if (this.socket.writableNeedDrain) {
        this.#waitForReader()
        break
      }
      const { hits } = this.worker
      const parsed = known ?? (hits === undefined ? undefined : this.#answerHits(hits))
      known = undefined
      if (parsed !== 'answered' && !this.#parseOne(parsed)) break
    }
    this.#parsing = false
  }

  /** What a shorter way can answer of what has come. When there is none, what parsing the next head gave; undefined: it was not tried. */
  #answerHits(hits: FastPath): 'answered' | number | undefined {
    if (this.phase !== 'idle' || this.closing || this.#leaving || this.refreshes || this.longLived || this.socket.writableNeedDrain) return undefined
    const result = hits.answerAll(this.worker.routesOf(this.listener), this.secure, this.socket, this.#input, this.worker.requestHead)
    if (result !== 'answered') return result
    this.#requests++
    this.#betweenRequests()
    return result
  }

  hitFound(hit: FoundHit): void {
    const { worker, facts } = this
    if (worker.hits === undefined || facts.target !== undefined || facts.hostReplaced) return
    const routes = worker.routesOf(this.listener)
    // It may have come in under another view.
    if (routes !== undefined && routes === this.#routes) worker.hits.learn(routes, this.secure, this.#route!, facts.hostValue, hit)
  }

  #waitForReader(): void {
    this.pauseInput()
    this.onDrain = () => {
      this.onDrain = undefined
      this.resumeInput()
      this.#parseRequests()
    }
  }

  /** `parsed`: what parsing the head has given already. Returns false when more bytes are needed first. */
  #parseOne(parsed: number | undefined): boolean {
    const input = this.#input
    if (input.empty) {
      if (this.#ended) this.#close()
      return false
    }
    // A head that came in pieces is parsed again only when its end may have come.
    if (this.phase === 'head' && input.rest.indexOf('\r\n\r\n', Math.max(0, this.#headSearched - 3), 'latin1') < 0) {
      this.#headSearched = input.length
      if (input.length > this.worker.headBytesMax) this.#refuse(HeadError.tooLarge)
      else if (this.#ended) this.#close()
      return false
    }
    const head = this.worker.requestHead
    const result = parsed ?? parseRequestHead(input.bytes, input.start, input.end, head)
    if (result === 0) {
      if (this.phase === 'idle') {
        this.phase = 'head'
        this.#deadline = this.worker.now + headTimeoutMs
      }
      this.#headSearched = input.length
      if (this.#ended) this.#close()
      return false
    }
    if (result < 0) {
      if (result === HeadError.http2Preface && this.listener.http2 && this.#requests === 0) this.#becomeHttp2(input.rest)
      else this.#refuse(result)
      return false
    }
    this.#requests++
    this.phase = 'exchange'
    this.#startRequest(head, input.bytes, input.start)
    return true
  }

  /** The client has begun with the preface of HTTP/2: what has come of it goes to a session, and so does the socket. */
  #becomeHttp2(input: Buffer): void {
    const { socket } = this
    if (this.#reads !== undefined || !(socket instanceof Socket)) {
      this.#refuse(HeadError.http2Preface)
      return
    }
    this.phase = 'closed'
    this.#input.clear()
    socket.removeAllListeners('data')
    socket.pause()
    socket.unshift(input)
    this.worker.connections.openHttp2(this.listener, socket)
    this.worker.connections.forget(this)
  }

  #startRequest(head: Head, input: Buffer, start: number): void {
    const facts = this.facts
    this.#input.start = head.end
    this.#headSearched = 0
    const error = readRequest(head, input, facts)
    if (error !== 0) {
      this.#refuse(error)
      return
    }
    this.#body.begin()
    this.runBodyDeadline()
    this.requestId = givenRequestId(head, input) ?? this.worker.newRequestId()
    this.minor = head.minor
    this.#accept = head.accept >= 0 ? fieldText(head, input, head.accept) : ''
    this.exchange.open(input)
    const answer = answerBeforeRoutes(this.worker, head, input, facts, this.#tls !== undefined)
    if (answer === undefined) this.#enter(head, input, start)
    // What follows a CONNECT is not HTTP to us: the connection ends here.
    else this.exchange.answer(answer, head.method === 'CONNECT')
  }

  #enter(head: Head, input: Buffer, start: number): void {
    const routes = this.worker.routesOf(this.listener)
    const route = routes?.only ?? routeOf(this.worker, routes, head, input, this.facts)
    if ('status' in route) this.exchange.answer(this.#asUnrouted(route))
    else {
      if (this.#route !== undefined && this.#route.service !== route.service) this.#tellCalls(this.#requests - 1)
      this.#routes = routes
      this.#route = route
      this.exchange.begin(route, input, start, forwardedTarget(route, head, input, this.facts))
    }
  }

  /** That it has called the service of its last requests, if it is a client whose calls can be traced back. */
  tellFlow(): void {
    this.#tellCalls(this.#requests)
  }

  #tellCalls(requests: number): void {
    const calls = requests - this.#requestsTold
    this.#requestsTold = requests
    if (this.#ownPort !== 0 && calls > 0 && this.#route) this.worker.flows.offer(this.#ownPort, this.#route.service.name, calls)
  }

  #asUnrouted(answer: Answer): Answer {
    const pages = this.worker.view?.pages
    return pages === undefined ? answer : { ...answer, page: pageFor(answer, { pages }) }
  }

  forwardedFields(minor: number): Buffer {
    return this.#forwarded.lines(this.facts.hostValue, minor)
  }

  forwardedChain(minor: number, field: (name: string) => string | undefined): Buffer {
    return this.#forwarded.chained(this.facts.hostValue, minor, field)
  }

  takeBody(emit: Emit): boolean {
    if (this.#body.done || this.#input.empty) return true
    if (!this.#body.take(emit)) return false
    if (this.bodyDone) this.holdBodyDeadline()
    return true
  }

  bodyFree(): void {
    this.#body.held = false
  }

  holdBodyDeadline(): void {
    this.#body.hold(this.worker.now)
    this.#deadline = Infinity
  }

  runBodyDeadline(): void {
    if (this.#body.done) {
      this.holdBodyDeadline()
      return
    }
    if (this.longLived) {
      this.#deadline = this.worker.now + tunnelIdleMs
      return
    }
    this.#body.run(this.worker.now)
    this.#deadline = this.worker.now + bodyTimeoutMs
  }

  get refreshes(): boolean {
    return this.#face?.refreshes === true
  }

  refresh(head: Buffer): void {
    const face = { tls: this.#tls, version: '1.1', longLived: false, refreshes: true, ownAnswer: () => undefined, cutShort: () => false }
    this.worker.connections.attach(this.listener.name, new RefreshSocket(head, this.address), face)
  }

  get secure(): boolean {
    return this.#tls !== undefined
  }

  get longLived(): boolean {
    return this.#face?.longLived === true
  }

  writeAnswer(answer: Answer, close: boolean): void {
    const { worker, facts, requestId } = this
    const own = this.#face?.ownAnswer(answer, requestId)
    this.socket.write(
      own ?? renderAnswer(answer, { method: facts.method, accept: this.#accept, requestId, close, name: worker.pseudonym, date: worker.httpDate() }),
    )
  }

  exchangeDone(keep: boolean): void {
    this.onDrain = undefined
    if (this.gone) return
    if (!keep || !this.#body.done) {
      this.#close()
      return
    }
    this.#betweenRequests()
    this.resumeInput()
    if (!this.#input.empty || this.#ended) this.#parseRequests()
  }

  #betweenRequests(): void {
    // The end may have been decided since the head went out: then a request may be on its way, and its answer will say so.
    this.phase = 'idle'
    this.#deadline = this.worker.now + (this.#leaving ? lastRequestMs : clientIdleMs)
    this.#input.requestOver()
    this.#reads?.requestOver(this.#body.held, !this.#input.empty)
  }

  handOver(owner: ConnectionOwner): void {
    this.phase = 'handedOver'
    this.#deadline = Infinity
    this.#owner = owner
    const waiting = this.#input.rest
    this.#input.clear()
    if (waiting.length > 0) owner.fromClient(waiting)
    this.resumeInput()
    if (this.#ended) owner.clientEnded()
  }

  #refuse(code: number): void {
    this.worker.countRefused('malformed')
    this.refuse(badHead(code))
  }

  /** Answers a request that could not be read, and closes: what follows it cannot be trusted. */
  refuse(answer: Answer): void {
    const requestId = this.worker.newRequestId()
    this.worker.observer?.headRefused(requestId, this.address, answer.status, answer.message)
    this.socket.write(
      this.#face?.ownAnswer(answer, requestId) ??
        renderAnswer(answer, {
          method: 'GET',
          accept: '',
          requestId,
          close: true,
          name: this.worker.pseudonym,
          date: this.worker.httpDate(),
        }),
    )
    this.#close()
  }

  /** Ends our side and listens a little longer, so that what was written arrives. */
  #close(): void {
    if (this.phase === 'closed' || this.phase === 'lingering') return
    this.phase = 'lingering'
    this.#input.clear()
    this.onDrain = undefined
    this.#deadline = this.worker.now + readerStallMs
    // The short time begins when the last byte is out: a slow reader gets its whole answer.
    this.socket.end(() => {
      if (this.phase === 'lingering') this.#deadline = this.worker.now + lingerMs
    })
    this.resumeInput()
  }

  endOwned(): void {
    this.#owner = undefined
    if (this.gone) return
    this.phase = 'lingering'
    this.onDrain = undefined
    this.#deadline = this.worker.now + readerStallMs
    this.socket.destroySoon()
  }

  /** Everything ends and nobody follows: a connection that waits between requests is closed now, one that is busy soon after its answer. */
  closeIfIdle(): void {
    this.#leaving = true
    if (this.phase === 'idle') this.#close()
  }

  destroy(): void {
    this.socket.destroy()
  }

  cutAnswer(shows: boolean, why: CutAnswer): void {
    if (this.#face?.cutShort(why) === true) return
    // Without its closing message, a TLS connection that ends is known to be cut.
    if (shows || this.#tls) this.destroy()
    else this.socket.resetAndDestroy()
  }

  /** The rest of the body has come and waits for a connection, or can come still. */
  get #bodyMayCome(): boolean {
    return !this.#ended || this.#body.mayBeWhole
  }

  #onEnd(): void {
    this.worker.tick()
    this.#ended = true
    switch (this.phase) {
      case 'idle':
      case 'head':
        this.#close()
        return
      case 'exchange':
        // Half-closed behind a whole request: it still wants its answer. But most who do so have left, and a place to wait is dear.
        if (!this.#bodyMayCome || this.exchange.parked) this.exchange.clientGone()
        return
      case 'handedOver':
        this.#owner?.clientEnded()
        return
      case 'lingering':
      case 'closed':
        return
    }
  }

  #onClose(): void {
    const phase = this.phase
    this.phase = 'closed'
    this.tellFlow()
    this.#input.clear()
    this.worker.connections.forget(this)
    if (phase === 'exchange') this.exchange.clientGone()
    else if (phase === 'handedOver') this.#owner?.clientClosed()
  }

  sweep(now: number): void {
    if (this.#ended && this.phase === 'exchange' && !this.#bodyMayCome) {
      this.exchange.clientGone()
      return
    }
    if (now < this.#deadline) {
      // Once its answer has begun, the service knows what it is waiting for.
      if (this.#body.tooSlow(now) && this.phase === 'exchange' && !this.exchange.answering) {
        this.#slowBody('slow_body', `the body of the request came slower than ${bodyRateMin} bytes per second`)
      }
      return
    }
    switch (this.phase) {
      case 'idle':
        this.#close()
        return
      case 'head':
        this.worker.countRefused('head_timeout')
        this.refuse({ status: 408, error: 'http_request_error', message: `the head of the request did not arrive within ${headTimeoutMs / 1_000} s` })
        return
      case 'exchange':
        this.#slowBody('body_timeout', `nothing of the body of the request arrived for ${bodyTimeoutMs / 1_000} s`)
        return
      case 'lingering':
        this.destroy()
        return
      case 'handedOver':
      case 'closed':
        return
    }
  }

  #slowBody(reason: string, message: string): void {
    this.holdBodyDeadline()
    this.worker.countRefused(reason)
    this.exchange.bodyTooSlow(message)
  }
}
