/** The body of a request as far as it was sent, kept so that it can be sent again. Small pieces are copied together: a body that comes byte by byte must not cost an object per byte. */

/** Body bytes kept per request; a longer body can be sent once only. */
export const replayBytesMax = 1024 * 1024
/** Pieces below this are copied into a block, larger ones are kept where they lie. */
export const smallBytesMax = 4 * 1024
const blockBytes = 16 * 1024

export class Replay {
  #pieces: Buffer[] = []
  #bytes = 0
  #whole = true
  /** The block that small pieces are copied into, the last of the pieces while it is open. */
  #block: Buffer | undefined
  #blockUsed = 0

  /** All that was sent is still here. */
  get whole(): boolean {
    return this.#whole
  }

  get bytes(): number {
    return this.#bytes
  }

  reset(): void {
    if (this.#bytes > 0) this.#pieces = []
    this.#bytes = 0
    this.#whole = true
    this.#block = undefined
  }

  add(buffer: Buffer, start: number, end: number): void {
    if (!this.#whole) return
    const bytes = end - start
    if (this.#bytes + bytes > replayBytesMax) {
      this.#pieces = []
      this.#bytes = 0
      this.#whole = false
      this.#block = undefined
      return
    }
    this.#bytes += bytes
    if (bytes >= smallBytesMax) {
      this.#closeBlock()
      this.#pieces.push(buffer.subarray(start, end))
      return
    }
    if (this.#block === undefined || this.#blockUsed + bytes > blockBytes) {
      this.#closeBlock()
      this.#block = Buffer.allocUnsafeSlow(blockBytes)
      this.#blockUsed = 0
    }
    this.#blockUsed += buffer.copy(this.#block, this.#blockUsed, start, end)
  }

  /** What was sent, in order. */
  pieces(): readonly Buffer[] {
    this.#closeBlock()
    return this.#pieces
  }

  #closeBlock(): void {
    if (this.#block !== undefined) this.#pieces.push(this.#block.subarray(0, this.#blockUsed))
    this.#block = undefined
  }
}
