/**
 * A plain socket whose writes go straight to the connection while nothing waits before them. Nearly every message is taken by the kernel at once; the
 * machinery of a stream (a request object, a callback in the next tick, the books of what is under way) would cost more than the message. What the
 * kernel does not take at once, or refuses, is handed to the stream, with all of its books: from then on everything goes its way until it has drained.
 *
 *   write ──(nothing waits)──▶ the kernel takes all of it: done
 *     │                          └─takes a part, or refuses──▶ the stream knows of it
 *     └──(something waits)──▶ the stream
 *
 * Node has no public name for what is used of the handle: where it looks different, everything goes the stream's way.
 */
import { Socket } from 'node:net'
import { getSystemErrorName } from 'node:util'

/** One write, as Node's streams hand it to the handle. */
interface WriteRequest {
  /** Kept from the garbage collector until it is over. */
  buffer?: Uint8Array
  oncomplete?: (status: number) => void
}

interface Handle {
  writeBuffer(request: WriteRequest, bytes: Uint8Array): number
  /** Bytes that the kernel has not taken yet. */
  readonly writeQueueSize?: number
}

type Done = (error?: Error | null) => void

/** How Node makes a request; learned from the first write of the process. */
let Request: (new () => WriteRequest) | undefined
/** A write that is over at once leaves nothing in it: the next one can have it. */
let spare: WriteRequest | undefined

const writeError = (status: number): NodeJS.ErrnoException => {
  const code = getSystemErrorName(status)
  return Object.assign(new Error(`write ${code}`), { errno: status, code, syscall: 'write' })
}

export class DirectSocket extends Socket {
  /** Stands in for the next write of the stream: it has been made already. */
  #made: ((done: Done) => void) | undefined

  override write(bytes: Uint8Array | string, second?: BufferEncoding | Done, third?: Done): boolean {
    const handle = (this as unknown as { readonly _handle: Handle | null })._handle
    const isPlain = second === undefined && typeof bytes !== 'string' && bytes.length > 0
    if (!isPlain || handle === null || this.writableLength > 0 || this.connecting || !this.writable) return this.#writeToStream(bytes, second, third)
    if (Request === undefined) return this.#learn(handle, bytes)
    const request = (spare ??= new Request())
    const status = handle.writeBuffer(request, bytes)
    return status === 0 && handle.writeQueueSize === 0 ? true : this.#handOver(request, status, bytes)
  }

  #writeToStream(bytes: Uint8Array | string, second?: BufferEncoding | Done, third?: Done): boolean {
    return typeof second === 'string' ? super.write(bytes, second, third) : super.write(bytes, second)
  }

  /** The stream is told of a write that is under way, or has failed. */
  #handOver(request: WriteRequest, status: number, bytes: Uint8Array): boolean {
    spare = undefined
    this.#made = (done) => {
      if (status !== 0) {
        done(writeError(status))
        return
      }
      request.buffer = bytes
      request.oncomplete = (end) => {
        done(end < 0 ? writeError(end) : null)
      }
    }
    const more = super.write(bytes)
    this.#made = undefined
    return more
  }

  override _write(bytes: unknown, encoding: BufferEncoding, done: Done): void {
    const made = this.#made
    this.#made = undefined
    if (made === undefined) super._write(bytes, encoding, done)
    else made(done)
  }

  /** The usual way, and a look at what it makes. */
  #learn(handle: Handle, bytes: Uint8Array): boolean {
    if (typeof handle.writeQueueSize !== 'number') return super.write(bytes)
    const usual = handle.writeBuffer.bind(handle)
    handle.writeBuffer = (request, written) => {
      Request = request.constructor as new () => WriteRequest
      return usual(request, written)
    }
    try {
      return super.write(bytes)
    } finally {
      Reflect.deleteProperty(handle, 'writeBuffer')
    }
  }
}
