/**
 * Room for outgoing messages. A socket usually takes a message at once; then its bytes are free again and the next
 * message is written over them, so that a worker under load allocates nothing per message. Only when the kernel did
 * not take all of it are the bytes left alone until the socket is done with them.
 */
const slabBytes = 256 * 1024
/** Longer messages are rare, and dear anyway. */
const viewedBytesMax = 1_024

export class Slab {
  buffer = Buffer.allocUnsafeSlow(slabBytes)
  at = 0
  /** Of the messages [0, length), by length: most are as long as one before. */
  #views: (Buffer | undefined)[] = []

  /** Makes sure that `bytes` bytes are free behind `at`. */
  reserve(bytes: number): void {
    if (this.at + bytes <= this.buffer.length) return
    this.buffer = Buffer.allocUnsafeSlow(Math.max(slabBytes, bytes))
    this.at = 0
    this.#views = []
  }

  /** The message [at, end). */
  view(end: number): Buffer {
    if (this.at !== 0 || end > viewedBytesMax) return this.buffer.subarray(this.at, end)
    return (this.#views[end] ??= this.buffer.subarray(0, end))
  }

  /** The socket still holds the message: do not write over it. */
  keep(end: number): void {
    // Aligned, so that the next message does not share a cache line with this one.
    this.at = (end + 63) & ~63
  }
}
