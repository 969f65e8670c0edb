/**
 * Takes the bytes of HTTP/1.1 messages that we wrote ourselves apart again, for a stream of HTTP/2: head, pieces of the body, trailers. The bytes are
 * of our own making, so anything that cannot be read is a broken promise of ours.
 *
 *   head ──▶ body ──▶ done
 *    └─ 1xx ─┘
 */
import { ChunkedBody } from '../http1/chunked.ts'
import { Head, parseFields } from '../http1/head.ts'
import type { BodyFraming } from '../http1/response.ts'

export interface MessageSink {
  /** A head has been read. Returns how its body is framed; `interim`: another head follows. */
  messageHead(head: Head, buffer: Buffer): BodyFraming | 'interim'
  messageData(bytes: Buffer): void
  /** `trailers`: their fields, in the head given; undefined: none. */
  messageEnd(trailers: Head | undefined, buffer: Buffer): void
}

/** Parses a head of `buffer[start, end)` into `head`: the offset behind it, 0 when it is not whole, negative when it is malformed. */
export type ParseHead = (buffer: Buffer, start: number, end: number, head: Head) => number

const head = new Head()
const trailerBytesMax = 16 * 1024

export class MessageReader {
  readonly #parse: ParseHead
  readonly #sink: MessageSink
  #partial: Buffer | undefined
  #state: 'head' | 'body' | 'done' = 'head'
  #remaining = 0
  #chunked: ChunkedBody | undefined
  readonly #emit = (buffer: Buffer, start: number, end: number): void => {
    this.#sink.messageData(buffer.subarray(start, end))
  }

  constructor(parse: ParseHead, sink: MessageSink) {
    this.#parse = parse
    this.#sink = sink
  }

  /** The next message begins. */
  reset(): void {
    this.#state = 'head'
    this.#partial = undefined
    this.#chunked = undefined
  }

  /** The rest of the message will not come, and nobody waits for it. */
  abandon(): void {
    this.#state = 'done'
    this.#partial = undefined
  }

  /** All of the message has been read. */
  get done(): boolean {
    return this.#state === 'done'
  }

  /** Returns false when the bytes are no message. */
  feed(bytes: Buffer): boolean {
    let at = 0
    let buffer = bytes
    if (this.#partial !== undefined) {
      buffer = Buffer.concat([this.#partial, bytes])
      this.#partial = undefined
    }
    while (this.#state === 'head') {
      const result = at === buffer.length ? 0 : this.#parse(buffer, at, buffer.length, head)
      if (result < 0) return false
      if (result === 0) {
        if (at < buffer.length) this.#partial = Buffer.from(buffer.subarray(at))
        return true
      }
      this.#begin(this.#sink.messageHead(head, buffer), buffer)
      at = result
    }
    return this.#state === 'done' ? at === buffer.length || bytes.length === 0 : this.#body(buffer, at)
  }

  #begin(framing: BodyFraming | 'interim', buffer: Buffer): void {
    if (framing === 'interim') return
    this.#state = 'body'
    this.#chunked = framing === 'chunked' ? new ChunkedBody(false, true) : undefined
    this.#remaining = framing === 'length' ? head.contentLength : framing === 'none' ? 0 : Infinity
    if (framing === 'none') this.#end(undefined, buffer)
  }

  #body(buffer: Buffer, at: number): boolean {
    if (this.#chunked !== undefined) return this.#chunks(this.#chunked, buffer, at)
    const take = Math.min(this.#remaining, buffer.length - at)
    if (take > 0) this.#emit(buffer, at, at + take)
    this.#remaining -= take
    if (this.#remaining === 0) this.#end(undefined, buffer)
    return at + take === buffer.length
  }

  #chunks(chunked: ChunkedBody, buffer: Buffer, at: number): boolean {
    const used = chunked.feed(buffer, at, buffer.length, this.#emit)
    if (chunked.failed) return false
    if (!chunked.done) return true
    const { trailers } = chunked
    const some = trailers !== undefined && parseFields(trailers, 0, 0, trailers.length, trailerBytesMax, head) > 0 && head.fieldCount > 0
    this.#end(some ? head : undefined, trailers ?? buffer)
    return used === buffer.length
  }

  #end(trailers: Head | undefined, buffer: Buffer): void {
    this.#state = 'done'
    this.#sink.messageEnd(trailers, buffer)
  }
}
