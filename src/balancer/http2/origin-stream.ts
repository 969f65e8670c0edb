/**
 * Stands in for a connection to an endpoint: one request and its answer as a stream of a session that others share. It takes the bytes of a request
 * in HTTP/1.1 and gives those of the answer; for the exchange it is a connection that is used once.
 *
 *   idle ──head──▶ open ──answer and request whole──▶ finished
 *                   └──reset, session lost, given up──▶ closed
 */
import { constants, type ClientHttp2Stream, type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http2'
import { latin1, text } from '../http1/bytes.ts'
import { fieldText, parseRequestHead, type Head } from '../http1/head.ts'
import type { BodyFraming } from '../http1/response.ts'
import { notHttp, type Failure } from '../core/resend.ts'
import type { ByteSocket } from '../worker/client-side.ts'
import type { EndpointPool, Upstream, UpstreamUser } from '../worker/upstream.ts'
import { answerHead, type AnswerFraming } from './answer-head.ts'
import { addFields, linesOf, pairsOf } from './fields.ts'
import { isGrpc } from './grpc-answer.ts'
import { MessageReader, type MessageSink } from './message-reader.ts'
import type { OriginSession } from './origin-session.ts'
import { asksForWebSocket, switchedHead, toConnect, toGet } from './websocket.ts'

const lastChunk = latin1('0\r\n\r\n')
const crlf = latin1('\r\n')
const notReceived: Failure = { kind: 'notReceived' }
const died: Failure = { kind: 'died' }

export class OriginStream implements Upstream, ByteSocket, MessageSink {
  readonly pool: EndpointPool
  readonly socket: ByteSocket = this
  readonly shared = true
  user: UpstreamUser | undefined
  used: boolean
  closed = false
  idleSince = 0
  idleMs = 0
  ended = false
  /** What its end says of the request, when it says more than a lost connection does. */
  failure: Failure | undefined
  readonly #session: OriginSession
  readonly #reader = new MessageReader(parseRequestHead, this)
  #stream: ClientHttp2Stream | undefined
  #openedAt = 0
  #method = ''
  #grpc = false
  /** It asks for a WebSocket, with this key; undefined: it does not. */
  #webSocketKey: string | undefined
  /** Bytes go both ways as they come. */
  #tunnel = false
  // Of the request, what one write has brought
  #headers: OutgoingHttpHeaders | undefined
  readonly #pieces: Buffer[] = []
  #trailers: OutgoingHttpHeaders | undefined
  // The answer
  #framing: AnswerFraming = 'none'
  #begun = false
  #answerEnded = false
  #answerTrailers = ''

  constructor(pool: EndpointPool, session: OriginSession, user: UpstreamUser | undefined) {
    this.pool = pool
    this.user = user
    this.used = user === undefined
    this.#session = session
    session.streams.add(this)
  }

  // --- the request --------------------------------------------------------------------------------------------------

  write(bytes: Buffer): boolean {
    if (this.closed) return true
    if (this.#stream === undefined && !this.#session.usable) {
      this.#fail(notReceived, 'ECONNRESET')
      return true
    }
    if (!this.#reader.feed(bytes)) {
      this.#fail(died, notHttp)
      return true
    }
    const stream = this.#flush()
    return !stream?.writableNeedDrain
  }

  messageHead(head: Head, buffer: Buffer): BodyFraming {
    this.#method = head.method
    const authority = head.host < 0 ? '' : fieldText(head, buffer, head.host)
    const headers: OutgoingHttpHeaders = {
      ':method': head.method,
      ':scheme': this.#session.scheme,
      ':authority': authority,
      ':path': text(buffer, head.targetStart, head.targetEnd),
    }
    addFields(headers, head, buffer)
    delete headers.host
    this.#headers = headers
    this.#grpc = isGrpc(headers['content-type'])
    if (this.#session.takesConnect !== false && asksForWebSocket(head, buffer)) {
      this.#webSocketKey = toConnect(headers, head, buffer)
      return 'untilClose'
    }
    return head.chunked ? 'chunked' : head.contentLength > 0 ? 'length' : 'none'
  }

  messageData(bytes: Buffer): void {
    this.#pieces.push(bytes)
  }

  messageEnd(trailers: Head | undefined, buffer: Buffer): void {
    if (trailers === undefined) return
    this.#trailers = {}
    addFields(this.#trailers, trailers, buffer)
  }

  /** What the endpoint takes is known now: whoever waited for that can go on. */
  settingsKnown(): void {
    if (this.closed || this.#webSocketKey === undefined || this.#stream !== undefined || this.#headers === undefined) return
    if (this.#session.takesConnect !== true) {
      toGet(this.#headers, this.#webSocketKey)
      this.#webSocketKey = undefined
      this.#reader.abandon()
    }
    this.#flush()
  }

  #flush(): ClientHttp2Stream | undefined {
    if (this.#webSocketKey !== undefined && this.#session.takesConnect === undefined) return undefined
    const pieces = this.#pieces
    const { done } = this.#reader
    if (this.#headers !== undefined) {
      const headers = this.#headers
      this.#headers = undefined
      this.#open(headers, done && pieces.length === 0 && this.#trailers === undefined)
    }
    const stream = this.#stream
    if (stream?.writable === true) {
      const last = done ? pieces.pop() : undefined
      for (const piece of pieces) stream.write(piece)
      if (last !== undefined) stream.end(last)
      else if (done) stream.end()
    }
    pieces.length = 0
    return stream
  }

  /** Waits for trailers unless all of the request is here: Node ends a stream in good order when it is closed, and a cut request must not look whole. */
  #open(headers: OutgoingHttpHeaders, endStream: boolean): void {
    const waitForTrailers = !endStream && (!this.#reader.done || this.#trailers !== undefined)
    const stream = this.#session.request(headers, { endStream, waitForTrailers })
    this.#stream = stream
    this.#openedAt = performance.now()
    stream.on('wantTrailers', () => {
      if (this.#reader.done && !this.closed) stream.sendTrailers(this.#trailers ?? {})
    })
    stream.on('drain', () => this.user?.upstreamDrained(this))
    stream.on('headers', (_headers: IncomingHttpHeaders, _flags: number, ...more: unknown[]) => {
      this.#onHead((more[0] ?? []) as string[], false, true)
    })
    stream.on('response', (_headers: IncomingHttpHeaders, flags: number, ...more: unknown[]) => {
      this.#onHead((more[0] ?? []) as string[], (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0, false)
    })
    stream.on('data', (chunk: Buffer) => {
      this.#onData(chunk)
    })
    stream.on('trailers', (_headers: IncomingHttpHeaders, _flags: number, ...more: unknown[]) => {
      const pairs = pairsOf((more[0] ?? []) as string[])
      if (pairs === undefined) this.#fail(died, notHttp)
      else this.#answerTrailers = linesOf(pairs)
    })
    stream.on('end', () => {
      this.#onEnd(stream)
    })
    // What failed is told by `close`.
    stream.on('error', () => undefined)
    stream.on('close', () => {
      this.#onClose(stream)
    })
  }

  // --- the answer ---------------------------------------------------------------------------------------------------

  #onHead(raw: readonly string[], ended: boolean, interim: boolean): void {
    if (this.closed) return
    if (this.#webSocketKey !== undefined && !interim && this.#switched(raw, this.#webSocketKey)) return
    const answer = answerHead(raw, { method: this.#method, ended, interim, grpc: this.#grpc })
    if (answer === undefined) {
      this.#fail(died, notHttp)
      return
    }
    this.#session.heardAt = performance.now()
    if (!interim) {
      this.#framing = answer.framing
      this.#begun = true
    }
    this.#give(answer.head)
  }

  #switched(raw: readonly string[], key: string): boolean {
    const head = switchedHead(raw, key)
    if (head === undefined) return false
    this.#session.heardAt = performance.now()
    this.#begun = true
    this.#tunnel = true
    this.#give(head)
    return true
  }

  #onData(chunk: Buffer): void {
    if (this.#tunnel && !this.closed && chunk.length > 0) {
      this.#give(chunk)
      return
    }
    if (this.closed || !this.#begun || chunk.length === 0) return
    if (this.#framing === 'length') this.#give(chunk)
    else if (this.#framing === 'chunked') this.#give(Buffer.concat([latin1(`${chunk.length.toString(16)}\r\n`), chunk, crlf]))
  }

  #onEnd(stream: ClientHttp2Stream): void {
    // A stream that was reset, or lost with its session, ends too.
    if (this.closed || !this.#begun || stream.rstCode !== constants.NGHTTP2_NO_ERROR) return
    this.#answerEnded = true
    if (this.#tunnel) {
      this.ended = true
      this.user?.upstreamEnded(this)
    } else if (this.#framing === 'chunked') this.#give(this.#answerTrailers === '' ? lastChunk : latin1(`0\r\n${this.#answerTrailers}\r\n`))
  }

  #give(bytes: Buffer): void {
    if (this.user === undefined) return
    if (!this.user.upstreamData(this, bytes, bytes.length) && !this.closed) this.#stream?.pause()
  }

  resume(): void {
    this.#stream?.resume()
  }

  pause(): void {
    this.#stream?.pause()
  }

  // --- what a connection has, and a stream need not ------------------------------------------------------------------

  get destroyed(): boolean {
    return this.closed
  }

  get writableLength(): number {
    return this.#stream?.writableLength ?? 0
  }

  get writableNeedDrain(): boolean {
    return this.#stream?.writableNeedDrain ?? false
  }

  get writeFailed(): boolean {
    return this.failure !== undefined
  }

  wasReset(): boolean {
    return this.failure !== undefined
  }

  keepBuffer(): void {
    // Each read has its own.
  }

  pinBuffer(): void {
    // The same.
  }

  returnBuffer(): void {
    // The same.
  }

  end(): void {
    this.#reader.abandon()
    this.#stream?.end()
  }

  destroySoon(): void {
    this.destroy()
  }

  resetAndDestroy(): void {
    this.destroy()
  }

  setKeepAlive(): void {
    // The session's own affair.
  }

  on(): void {
    // Its user hears what happens.
  }

  // --- the end ------------------------------------------------------------------------------------------------------

  /** The exchange is complete. */
  release(): void {
    this.user = undefined
    this.#leave()
    // Only the end of the stream may still be on its way.
    if (this.#stream !== undefined && !this.#answerEnded) this.#stream.resume()
  }

  /** Given up: nobody wants the answer. */
  destroy(): void {
    if (this.closed) return
    const stream = this.#stream
    if (stream !== undefined && !this.#begun) this.#session.unanswered(this.#openedAt)
    this.user = undefined
    this.#leave()
    if (stream !== undefined && !stream.destroyed && !stream.closed) stream.close(constants.NGHTTP2_CANCEL)
  }

  /** Told in the next tick: whoever is writing at the moment sees `writeFailed` first. */
  #fail(failure: Failure, code: string): void {
    if (this.closed) return
    this.failure = failure
    const { user } = this
    process.nextTick(() => {
      if (this.closed || this.user !== user) return
      this.destroy()
      user?.upstreamClosed(this, code)
    })
  }

  /** The session has ended before there was a stream. */
  sessionLost(code: string | undefined): void {
    if (this.closed || this.#stream !== undefined) return
    const { user } = this
    this.user = undefined
    this.#leave()
    user?.upstreamClosed(this, code)
  }

  #onClose(stream: ClientHttp2Stream): void {
    if (this.closed) return
    const refused = stream.rstCode === constants.NGHTTP2_REFUSED_STREAM || stream.rstCode === constants.NGHTTP2_HTTP_1_1_REQUIRED
    if (refused && !this.#begun) this.failure = notReceived
    else if (!this.#session.lost) this.failure = died
    const { user } = this
    this.user = undefined
    this.#leave()
    user?.upstreamClosed(this, this.#session.errorCode)
  }

  #leave(): void {
    if (this.closed) return
    this.closed = true
    this.#session.left(this)
  }
}
