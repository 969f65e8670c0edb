/** Buffers for the bodies of requests, used again when nobody holds them any more; one set per worker. */

/** A body of 64 KiB comes with its head in one read. */
export const bodyBufferBytes = 72 * 1024
/** Kept for the next bodies: 4.5 MiB. */
const freeMax = 64

export class BodyBuffers {
  readonly #free: Buffer[] = []

  take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(bodyBufferBytes)
  }

  give(buffer: Buffer): void {
    if (this.#free.length < freeMax) this.#free.push(buffer)
  }
}
