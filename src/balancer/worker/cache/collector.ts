/** Keeps a copy of a body on its way to the client, as long as it stays below a limit. */
import { ChunkedBody } from '../../http1/chunked.ts'
import type { Head } from '../../http1/head.ts'

export class Collector {
  readonly #max: number
  readonly #onEnd: (body: Buffer | undefined) => void
  readonly #chunked: ChunkedBody | undefined
  #pieces: Buffer[] = []
  #bytes = 0
  #over = false

  /** `onEnd`: once, with the whole body, or undefined when it was cut or is too large. */
  constructor(head: Head, max: number, onEnd: (body: Buffer | undefined) => void) {
    this.#max = max
    this.#onEnd = onEnd
    this.#chunked = head.chunked ? new ChunkedBody(false) : undefined
  }

  /** As they came from the origin. */
  bytes(buffer: Buffer, start: number, end: number): void {
    if (this.#over) return
    if (this.#chunked === undefined) this.#add(buffer, start, end)
    else this.#chunked.feed(buffer, start, end, (piece, from, to) => this.#add(piece, from, to))
    if (this.#bytes > this.#max) this.#end(undefined)
  }

  #add(buffer: Buffer, start: number, end: number): void {
    this.#bytes += end - start
    if (this.#bytes <= this.#max) this.#pieces.push(Buffer.from(buffer.subarray(start, end)))
  }

  /** Only the first call counts. */
  ended(whole: boolean): void {
    if (!this.#over) this.#end(whole ? Buffer.concat(this.#pieces, this.#bytes) : undefined)
  }

  #end(body: Buffer | undefined): void {
    this.#over = true
    this.#pieces = []
    this.#onEnd(body)
  }
}
