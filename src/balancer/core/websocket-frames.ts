/**
 * Follows the frames of one direction of a WebSocket (RFC 6455 §5.2) just closely enough to know when a frame of our
 * own may be put in: between two frames. Nothing is decoded.
 */
export class FrameBoundary {
  /** Header bytes still to come; grows once the length byte is known. */
  #headerLeft = 2
  #headerSeen = 0
  #lengthBytes = 0
  #payloadLeft = 0
  #pending = 0

  /** The last byte seen was the last of a frame (or none has been seen). */
  get atBoundary(): boolean {
    return this.#headerSeen === 0 && this.#payloadLeft === 0
  }

  feed(buffer: Buffer, length: number): void {
    let i = 0
    while (i < length) i = this.#advance(buffer, i, length)
  }

  /** Feeds only up to the first boundary; its offset, or undefined (and everything fed) when there is none. 0: at one already. */
  firstBoundary(buffer: Buffer, length: number): number | undefined {
    let i = 0
    while (!this.atBoundary && i < length) i = this.#advance(buffer, i, length)
    return this.atBoundary ? i : undefined
  }

  #advance(buffer: Buffer, at: number, end: number): number {
    if (this.#payloadLeft > 0) {
      const take = Math.min(this.#payloadLeft, end - at)
      this.#payloadLeft -= take
      return at + take
    }
    const byte = buffer[at]!
    if (this.#headerSeen === 1) this.#readLengthByte(byte)
    else if (this.#headerSeen >= 2 && this.#headerSeen < 2 + this.#lengthBytes) this.#pending = this.#pending * 256 + byte
    this.#headerSeen++
    this.#headerLeft--
    if (this.#headerLeft === 0) {
      this.#payloadLeft = this.#pending
      this.#pending = 0
      this.#headerSeen = 0
      this.#headerLeft = 2
      this.#lengthBytes = 0
    }
    return at + 1
  }

  #readLengthByte(byte: number): void {
    const masked = (byte & 0x80) !== 0
    const length = byte & 0x7f
    this.#lengthBytes = length === 126 ? 2 : length === 127 ? 8 : 0
    if (this.#lengthBytes === 0) this.#pending = length
    this.#headerLeft += this.#lengthBytes + (masked ? 4 : 0)
  }
}
