/**
 * Keeps a copy of a body on its way to the client, as long as it stays below a limit, and all of them together below another. The copy has memory of its
 * own: a piece of a larger buffer would keep all of that alive, as long as it is stored.
 */
import { ChunkedBody } from '../../http1/chunked.ts'
import type { Head } from '../../http1/head.ts'

/** Of all bodies that are being copied; one that comes when there is no room left is not kept. */
export const collectedBytesMax = 64 * 1024 * 1024

export interface CollectingRoom {
  /** Bytes that are copied at the moment. */
  used: number
}

export class Collector {
  readonly #room: CollectingRoom
  readonly #max: number
  readonly #onEnd: (body: Buffer | undefined) => void
  readonly #chunked: ChunkedBody | undefined
  #pieces: Buffer[] = []
  #bytes = 0
  #over = false

  /** `onEnd`: once, with the whole body, or undefined when it was cut or is too large. */
  constructor(head: Head, max: number, room: CollectingRoom, onEnd: (body: Buffer | undefined) => void) {
    this.#max = max
    this.#room = room
    this.#onEnd = onEnd
    this.#chunked = head.chunked ? new ChunkedBody(false) : undefined
  }

  /** As they came from the origin. */
  bytes(buffer: Buffer, start: number, end: number): void {
    if (this.#over) return
    if (this.#chunked === undefined) this.#add(buffer, start, end)
    else this.#chunked.feed(buffer, start, end, (piece, from, to) => this.#add(piece, from, to))
    if (this.#bytes > this.#max || this.#room.used > collectedBytesMax) this.#end(undefined)
  }

  #add(buffer: Buffer, start: number, end: number): void {
    this.#bytes += end - start
    if (this.#bytes > this.#max) return
    const piece = Buffer.allocUnsafeSlow(end - start)
    buffer.copy(piece, 0, start, end)
    this.#pieces.push(piece)
    this.#room.used += piece.length
  }

  /** Only the first call counts. */
  ended(whole: boolean): void {
    if (!this.#over) this.#end(whole ? this.#joined() : undefined)
  }

  #joined(): Buffer {
    const [first, ...more] = this.#pieces
    if (first !== undefined && more.length === 0) return first
    const body = Buffer.allocUnsafeSlow(this.#bytes)
    let at = 0
    for (const piece of this.#pieces) at += piece.copy(body, at)
    return body
  }

  #end(body: Buffer | undefined): void {
    this.#over = true
    for (const piece of this.#pieces) this.#room.used -= piece.length
    this.#pieces = []
    this.#onEnd(body)
  }
}
