/**
 * Room for outgoing messages. A socket usually takes a message at once; then its bytes are free again and the next
 * message is written over them, so that a worker under load allocates nothing per message. Only when the kernel did
 * not take all of it are the bytes left alone until the socket is done with them.
 */
const slabBytes = 256 * 1024

export class Slab {
  buffer = Buffer.allocUnsafeSlow(slabBytes)
  at = 0

  /** Makes sure that `bytes` bytes are free behind `at`. */
  reserve(bytes: number): void {
    if (this.at + bytes <= this.buffer.length) return
    this.buffer = Buffer.allocUnsafeSlow(Math.max(slabBytes, bytes))
    this.at = 0
  }

  /** The message [at, end). */
  view(end: number): Buffer {
    return this.buffer.subarray(this.at, end)
  }

  /** The socket still holds the message: do not write over it. */
  keep(end: number): void {
    // Aligned, so that the next message does not share a cache line with this one.
    this.at = (end + 63) & ~63
  }
}
