/** Collects what one read gives the other side: small pieces join the slab and leave in one write, large ones are written from where they lie. */
import type { ByteSocket } from './client-side.ts'
import type { Slab } from './slab.ts'
import type { Upstream } from './upstream.ts'

/** Pieces up to this size are copied together. */
export const joinBytesMax = 48 * 1024

export class Outgoing {
  readonly #slab: Slab
  #socket: ByteSocket | undefined
  #source: Upstream | undefined
  #end = 0
  #more = true
  readonly emit = (buffer: Buffer, start: number, end: number): void => {
    this.add(buffer, start, end)
  }

  constructor(slab: Slab) {
    this.#slab = slab
  }

  /** What lies in the slab up to `end` goes first. `source`: whose read buffer the pieces lie in, when it is used again. */
  begin(socket: ByteSocket, end: number, source?: Upstream): void {
    this.#socket = socket
    this.#source = source
    this.#end = end
    this.#more = true
  }

  add(buffer: Buffer, start: number, end: number): void {
    const slab = this.#slab
    const bytes = end - start
    if (bytes <= joinBytesMax && this.#end + bytes > slab.buffer.length) {
      this.flush()
      slab.reserve(joinBytesMax)
      this.#end = slab.at
    }
    if (bytes <= joinBytesMax) {
      this.#end += buffer.copy(slab.buffer, this.#end, start, end)
      return
    }
    this.flush()
    const socket = this.#socket!
    if (socket.destroyed) return
    this.#more = socket.write(buffer.subarray(start, end))
    if (socket.writableLength === 0) return
    // Who is told to pause reads nothing into the buffer until the receiver has taken all of it.
    if (this.#more) this.#source?.keepBuffer()
    else this.#source?.pinBuffer()
  }

  /** Writes what has been collected; false when the receiver should be given time. */
  flush(): boolean {
    const socket = this.#socket!
    const slab = this.#slab
    if (this.#end > slab.at && !socket.destroyed) {
      this.#more = socket.write(slab.view(this.#end))
      if (socket.writableLength > 0) slab.keep(this.#end)
    }
    this.#end = slab.at
    return this.#more
  }
}
