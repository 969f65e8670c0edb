/** What is compared of an answer: its status, its type and its body as far as it counts, taken from its bytes as they pass. */
import { createHash } from 'node:crypto'
import type { MirroredAnswer } from '../../core/mirror.ts'
import { ChunkedBody } from '../../http1/chunked.ts'
import { findField, type Head } from '../../http1/head.ts'
import { responseFraming, type BodyFraming } from '../../http1/response.ts'

export class AnswerDigest {
  readonly #status: number
  readonly #contentType: string
  readonly #framing: BodyFraming
  readonly #max: number
  readonly #hash = createHash('sha256')
  readonly #chunked: ChunkedBody | undefined
  /** Bytes of a body of known length that are still to come. */
  #remaining: number
  #bytes = 0
  #ended = false
  readonly #count = (buffer: Buffer, start: number, end: number): void => {
    const take = Math.min(end - start, this.#max - this.#bytes)
    if (take <= 0) return
    this.#bytes += take
    this.#hash.update(buffer.subarray(start, start + take))
  }

  /** Of the answer with this head; `max`: bytes of its body that count. */
  constructor(head: Head, buffer: Buffer, method: string, max: number) {
    this.#status = head.status
    this.#contentType = (findField(head, buffer, 'content-type') ?? '').toLowerCase()
    this.#framing = responseFraming(head, method)
    this.#max = max
    this.#remaining = this.#framing === 'length' ? head.contentLength : 0
    this.#chunked = this.#framing === 'chunked' ? new ChunkedBody(false) : undefined
    this.#ended = this.#framing === 'none'
  }

  /** Takes in [start, end) and returns where what belongs to the body ends. */
  add(buffer: Buffer, start: number, end: number): number {
    if (this.#chunked !== undefined) {
      const used = this.#chunked.feed(buffer, start, end, this.#count)
      this.#ended ||= this.#chunked.done
      return used
    }
    const used = this.#framing === 'length' ? start + Math.min(this.#remaining, end - start) : this.#framing === 'none' ? start : end
    this.#remaining -= used - start
    this.#count(buffer, start, used)
    this.#ended ||= this.#framing === 'length' && this.#remaining === 0
    return used
  }

  /** It has no end of its own: that of the connection is its end. */
  get untilClose(): boolean {
    return this.#framing === 'untilClose'
  }

  /** All of it has come. */
  get whole(): boolean {
    return this.#ended
  }

  /** It is not framed as it should be. */
  get failed(): boolean {
    return this.#chunked?.failed === true
  }

  /** As much has come as counts, whether or not more follows. */
  get full(): boolean {
    return this.#bytes >= this.#max
  }

  /** Once. */
  result(): MirroredAnswer {
    return { status: this.#status, contentType: this.#contentType, bytes: this.#bytes, hash: this.#hash.digest('hex') }
  }
}
