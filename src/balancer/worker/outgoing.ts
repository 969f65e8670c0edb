/** Collects what one read gives the client: small pieces join the slab and leave in one write, large ones are written from where they lie. */
import type { Client } from './client.ts'
import type { Slab } from './slab.ts'
import type { Upstream } from './upstream.ts'

/** Pieces up to this size are copied together. */
export const joinBytesMax = 48 * 1024

export class Outgoing {
  readonly #slab: Slab
  #client: Client | undefined
  #upstream: Upstream | undefined
  #end = 0
  #more = true
  readonly emit = (buffer: Buffer, start: number, end: number): void => {
    this.add(buffer, start, end)
  }

  constructor(slab: Slab) {
    this.#slab = slab
  }

  /** What lies in the slab up to `end` goes first. */
  begin(client: Client, upstream: Upstream, end: number): void {
    this.#client = client
    this.#upstream = upstream
    this.#end = end
    this.#more = true
  }

  add(buffer: Buffer, start: number, end: number): void {
    if (end - start <= joinBytesMax && this.#end + end - start <= this.#slab.buffer.length) {
      this.#end += buffer.copy(this.#slab.buffer, this.#end, start, end)
      return
    }
    this.flush()
    const { socket } = this.#client!
    if (socket.destroyed) return
    this.#more = socket.write(buffer.subarray(start, end))
    if (socket.writableLength > 0) this.#upstream!.keepBuffer()
  }

  /** Writes what has been collected; false when the client should be given time. */
  flush(): boolean {
    const { socket } = this.#client!
    const slab = this.#slab
    if (this.#end > slab.at && !socket.destroyed) {
      this.#more = socket.write(slab.view(this.#end))
      if (socket.writableLength > 0) slab.keep(this.#end)
    }
    this.#end = slab.at
    return this.#more
  }
}
