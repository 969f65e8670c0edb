/**
 * Stands in for the socket of a client: one stream of HTTP/2 after the other, as if each were a request on a keep-alive connection. The request
 * of a stream is given to the client as bytes of HTTP/1.1; the answer that the client writes is taken apart again and leaves as frames.
 *
 *   free ──begin──▶ busy ──stream closed, answered──▶ free
 *                    ├──reset, cut, end asked for──▶ closed
 *                    └──101 to an extended CONNECT──▶ tunnel (bytes as they come, each side ends for itself) ──▶ closed
 *
 * So every rule, deadline and book of HTTP/1.1 holds for HTTP/2, since it is the same code; what is HTTP/2's own (framing, flow control,
 * limits on frames) stays on this side.
 */
import { EventEmitter } from 'node:events'
import { constants, type IncomingHttpHeaders, type OutgoingHttpHeaders, type ServerHttp2Stream } from 'node:http2'
import type { ConnectionEnds } from '../core/proxy-protocol.ts'
import { latin1 } from '../http1/bytes.ts'
import { parseResponseHead, type Head } from '../http1/head.ts'
import { responseFraming, type BodyFraming } from '../http1/response.ts'
import type { ByteSocket, CutAnswer } from '../worker/client-side.ts'
import { addFields, linesOf, pairsOf } from './fields.ts'
import { cutTrailers, isGrpc } from './grpc-answer.ts'
import { MessageReader, type MessageSink } from './message-reader.ts'
import type { Http2Request } from './request-head.ts'
import { acceptOf } from './websocket.ts'

const lastChunk = latin1('0\r\n\r\n')
const crlf = latin1('\r\n')

/** The connection that the streams belong to. */
export interface StreamSocketHost {
  /** The stream is over. `reset`: by the client, before it was answered. `again`: the socket may carry another one. */
  streamOver(socket: StreamSocket, reset: boolean, again: boolean): void
}

export class StreamSocket extends EventEmitter implements ByteSocket, MessageSink {
  readonly remoteAddress: string | undefined
  readonly remotePort: number | undefined
  readonly localAddress: string | undefined
  readonly localPort: number | undefined
  readonly #host: StreamSocketHost
  readonly #reader = new MessageReader(parseResponseHead, this)
  #stream: ServerHttp2Stream | undefined
  #request: Http2Request | undefined
  #received = 0
  #requestDone = false
  #trailers = ''
  destroyed = false
  #ending: (() => void) | undefined
  #paused = false
  /** The stream is a WebSocket, for good. */
  #tunnel = false
  /** All of it is to be closed when what was written is out. */
  #closesSoon = false
  /** What comes of the answer is not for the client. */
  #muted = false
  // Of the answer, what one write has brought
  #headers: OutgoingHttpHeaders | undefined
  readonly #pieces: Buffer[] = []
  #answerTrailers: OutgoingHttpHeaders | undefined
  #hasEnded = false
  /** Node will ask for its trailers. */
  #waitsForTrailers = false
  /** It can still be told in trailers that it was cut. */
  #takesTrailers = false

  constructor(host: StreamSocketHost, ends: ConnectionEnds) {
    super()
    this.#host = host
    this.remoteAddress = ends.remoteAddress
    this.remotePort = ends.remotePort
    this.localAddress = ends.localAddress
    this.localPort = ends.localPort
  }

  get grpc(): boolean {
    return this.#request?.grpc === true
  }

  /** It can carry another stream. */
  get usable(): boolean {
    return !this.destroyed && this.#ending === undefined
  }

  // --- the request --------------------------------------------------------------------------------------------------

  begin(stream: ServerHttp2Stream, request: Http2Request): void {
    this.#stream = stream
    this.#request = request
    this.#received = 0
    this.#requestDone = request.length === 0
    this.#trailers = ''
    this.#reader.reset()
    this.#headers = undefined
    this.#answerTrailers = undefined
    this.#hasEnded = false
    this.#takesTrailers = false
    this.#waitsForTrailers = false
    stream.on('drain', () => this.emit('drain'))
    stream.on('close', () => {
      this.#onStreamClose(stream)
    })
    this.emit('data', request.head)
    // It may have been answered and ended by now.
    if (request.length === 0 || this.#stream !== stream) stream.resume()
    // What comes before a WebSocket is open must not be taken for another request.
    else if (request.webSocketKey === undefined) this.#readBody(stream)
  }

  #readBody(stream: ServerHttp2Stream): void {
    stream.on('data', (chunk: Buffer) => {
      if (this.#stream === stream) this.#onData(chunk)
    })
    stream.on('trailers', (_headers: IncomingHttpHeaders, _flags: number, ...more: unknown[]) => {
      this.#onTrailers((more[0] ?? []) as string[])
    })
    stream.on('end', () => {
      if (this.#stream === stream) this.#onEnd(stream)
    })
    if (this.#paused) stream.pause()
  }

  #onData(chunk: Buffer): void {
    this.#received += chunk.length
    const length = this.#request!.length
    if (this.#request!.webSocketKey !== undefined) this.emit('data', chunk)
    else if (length < 0) {
      if (chunk.length > 0) this.emit('data', Buffer.concat([latin1(`${chunk.length.toString(16)}\r\n`), chunk, crlf]))
    } else if (this.#received > length) this.#malformed()
    else this.emit('data', chunk)
  }

  /** RFC 9113 §8.1: no pseudo fields. What may be a trailer is decided where every chunked body is read. */
  #onTrailers(raw: readonly string[]): void {
    const pairs = pairsOf(raw)
    if (pairs === undefined) this.#malformed()
    else this.#trailers = linesOf(pairs)
  }

  #onEnd(stream: ServerHttp2Stream): void {
    // A stream that was reset ends too; its `close` follows.
    if (stream.aborted || this.#requestDone) return
    const length = this.#request!.length
    if (length >= 0 && this.#received < length) {
      this.#malformed()
      return
    }
    this.#requestDone = true
    if (this.#request!.webSocketKey !== undefined) this.emit('end')
    else if (length < 0) this.emit('data', this.#trailers === '' ? lastChunk : latin1(`0\r\n${this.#trailers}\r\n`))
  }

  #malformed(): void {
    this.#drop(constants.NGHTTP2_PROTOCOL_ERROR)
  }

  pause(): void {
    this.#paused = true
    this.#stream?.pause()
  }

  resume(): void {
    this.#paused = false
    this.#stream?.resume()
  }

  // --- the answer ---------------------------------------------------------------------------------------------------

  get writableLength(): number {
    return this.#stream?.writableLength ?? 0
  }

  get writableNeedDrain(): boolean {
    return this.#stream?.writableNeedDrain ?? false
  }

  write(bytes: Buffer): boolean {
    const stream = this.#stream
    if (stream === undefined || stream.destroyed || stream.closed || this.#muted) return true
    if (!this.#reader.feed(bytes)) {
      this.#drop(constants.NGHTTP2_INTERNAL_ERROR)
      return true
    }
    this.#flush(stream)
    return !stream.writableNeedDrain
  }

  messageHead(head: Head, buffer: Buffer): BodyFraming | 'interim' {
    const headers: OutgoingHttpHeaders = { ':status': head.status }
    addFields(headers, head, buffer)
    const key = this.#request!.webSocketKey
    if (key !== undefined && head.status !== 100 && head.status < 300) return this.#switch(headers, key)
    if (head.status < 200) {
      this.#stream!.additionalHeaders(headers)
      return 'interim'
    }
    this.#headers = headers
    this.#takesTrailers = this.grpc && isGrpc(headers['content-type']) && headers['content-length'] === undefined
    return responseFraming(head, this.#request!.method)
  }

  /**
   * The answer to an extended CONNECT. 101 becomes 200, if it belongs to our key. Any other 2xx is an answer to the GET that it has become, and would be
   * taken for the beginning of a WebSocket.
   */
  #switch(headers: OutgoingHttpHeaders, key: string): BodyFraming {
    this.#tunnel = headers[':status'] === 101 && headers['sec-websocket-accept'] === acceptOf(key)
    delete headers['sec-websocket-accept']
    this.#muted = !this.#tunnel
    if (this.#tunnel) this.#readBody(this.#stream!)
    this.#headers = this.#tunnel ? { ...headers, ':status': 200 } : { ':status': 502 }
    if (this.#muted) this.#hasEnded = true
    return 'untilClose'
  }

  messageData(bytes: Buffer): void {
    if (!this.#muted) this.#pieces.push(bytes)
  }

  messageEnd(trailers: Head | undefined, buffer: Buffer): void {
    this.#hasEnded = true
    if (trailers === undefined) return
    this.#answerTrailers = {}
    addFields(this.#answerTrailers, trailers, buffer)
  }

  /** What one write has brought leaves as few frames as it can. */
  #flush(stream: ServerHttp2Stream): void {
    const pieces = this.#pieces
    if (this.#headers !== undefined) {
      const headers = this.#headers
      this.#headers = undefined
      this.#respond(stream, headers, pieces.length)
    }
    if (stream.writable && pieces.length > 0) {
      if (pieces.length > 1) stream.cork()
      const last = this.#hasEnded ? pieces.pop() : undefined
      for (const piece of pieces) stream.write(piece)
      if (last !== undefined) stream.end(last)
      else if (pieces.length > 1) stream.uncork()
    } else if (this.#hasEnded && stream.writable) stream.end()
    pieces.length = 0
    if (this.#hasEnded && this.#request!.webSocketKey !== undefined && !this.#tunnel) this.#refused()
  }

  /** An extended CONNECT has got another answer: nothing that follows it is read. */
  #refused(): void {
    this.#reader.abandon()
    this.end()
  }

  /**
   * Unless all of the answer is here, Node is told to wait for trailers even if none will come: it ends a stream in good order when it is closed,
   * and a cut answer must not look whole.
   */
  #respond(stream: ServerHttp2Stream, headers: OutgoingHttpHeaders, pieces: number): void {
    const waits = !this.#hasEnded || this.#answerTrailers !== undefined
    this.#waitsForTrailers = waits
    if (waits) {
      stream.on('wantTrailers', () => {
        if (this.#stream !== stream || !this.#hasEnded) return
        this.#waitsForTrailers = false
        stream.sendTrailers(this.#answerTrailers ?? {})
        // Node sends them in a moment, and nothing behind a reset.
        if (this.#ending !== undefined && !this.#requestDone)
          setImmediate(() => {
            stream.close(constants.NGHTTP2_NO_ERROR)
          })
      })
    }
    stream.respond(headers, { endStream: !waits && pieces === 0, waitForTrailers: waits })
  }

  // --- the end ------------------------------------------------------------------------------------------------------

  /** The answer breaks off. Returns whether the client is told so in trailers, as gRPC does it; else the stream must be reset. */
  cutShort(why: CutAnswer): boolean {
    const stream = this.#stream
    if (stream?.writable !== true || !this.#takesTrailers || this.#hasEnded) return false
    this.#reader.abandon()
    this.#hasEnded = true
    this.#answerTrailers = cutTrailers(why)
    stream.end()
    return true
  }

  /** Nothing more is wanted on this connection, behind what was written. */
  end(done?: () => void): void {
    const stream = this.#stream
    if (done !== undefined) this.once('close', done)
    this.#ending ??= () => {
      this.destroy()
    }
    if (stream === undefined || stream.destroyed) process.nextTick(this.#ending)
    else if (this.#tunnel) this.#endTunnel(stream)
    else if (!this.#reader.done) this.#drop(constants.NGHTTP2_INTERNAL_ERROR)
    // RFC 9113 §8.1: the answer is whole, the rest of the request is not wanted. Its trailers leave first.
    else if (!this.#requestDone && !this.#waitsForTrailers) stream.close(constants.NGHTTP2_NO_ERROR)
  }

  /** RFC 8441 §5: an orderly end is END_STREAM, each way for itself. */
  #endTunnel(stream: ServerHttp2Stream): void {
    if (!this.#hasEnded) {
      this.#reader.abandon()
      this.#hasEnded = true
      stream.end()
    } else if (this.#closesSoon && !this.#waitsForTrailers) stream.close(constants.NGHTTP2_NO_ERROR)
  }

  destroySoon(): void {
    this.#closesSoon = true
    this.end()
  }

  resetAndDestroy(): void {
    this.destroy()
  }

  destroy(): void {
    this.#drop(this.#tunnel ? constants.NGHTTP2_CANCEL : constants.NGHTTP2_INTERNAL_ERROR)
  }

  setKeepAlive(): void {
    // The connection's own affair.
  }

  /** Lets go of the stream, which is reset unless all of it is out. */
  #drop(code: number): void {
    if (this.destroyed) return
    this.destroyed = true
    const stream = this.#stream
    this.#stream = undefined
    if (stream !== undefined && !stream.destroyed && !(this.#reader.done && stream.writableFinished)) stream.close(code)
    if (stream !== undefined) this.#host.streamOver(this, code === constants.NGHTTP2_PROTOCOL_ERROR, false)
    process.nextTick(() => this.emit('close'))
  }

  #onStreamClose(stream: ServerHttp2Stream): void {
    if (this.#stream !== stream) return
    // Not `writableFinished`: Node may close a stream whose end is out before it says that writing has finished.
    const answered = this.#reader.done && stream.rstCode === constants.NGHTTP2_NO_ERROR
    const again = answered && this.#requestDone && this.#ending === undefined && !this.#tunnel && !this.#muted
    this.#stream = undefined
    this.#host.streamOver(this, !answered && !this.#tunnel, again)
    if (again) return
    this.destroyed = true
    this.emit('close')
  }
}
