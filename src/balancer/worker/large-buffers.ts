/**
 * Large read buffers, lent to connections while a large body passes. Measured on bodies of 1 MiB, reads of 512 KiB cost less than half
 * the processor time of reads of 64 KiB: fewer, larger writes wake the other side less often. Only so many are out at once, so that a
 * thousand large bodies do not cost a thousand large buffers; whoever gets none reads on with its own.
 */
const largeBytes = 512 * 1024
/** Lent or free: 16 MiB. */
const countMax = 32
/** Kept for the next body. */
const freeMax = 8

export class LargeBuffers {
  readonly #free: Buffer[] = []
  #count = 0

  take(): Buffer | undefined {
    const free = this.#free.pop()
    if (free !== undefined || this.#count >= countMax) return free
    this.#count++
    return Buffer.allocUnsafeSlow(largeBytes)
  }

  /** It is not needed any more: nobody writes from it. */
  give(buffer: Buffer): void {
    if (this.#free.length < freeMax) this.#free.push(buffer)
    else this.#count--
  }

  /** It will not come back: somebody still writes from it. */
  lost(): void {
    this.#count--
  }
}
