/**
 * Where the bytes of a client's plain TCP connection are read into. Node reads every accepted socket into a new buffer of 64 KiB; here
 *
 *   a request ─▶ one buffer for all connections of the worker; what is in it is copied at once (`client-input.ts`)
 *   a body    ─▶ buffers that are lent to the request, which may hold pieces of them, and come back with its end
 *   a tunnel  ─▶ the connection's own
 *
 * `net.Socket` has `onread` for connections that a program opens itself; for accepted ones the socket must be made from the handle, as
 * Node's own server does it.
 */
import { Socket, type Server } from 'node:net'
import { bodyBufferBytes, type BodyBuffers } from './body-buffers.ts'

const tunnelBytesInitial = 8 * 1024
const tunnelBytesGrown = 64 * 1024

const shared = Buffer.allocUnsafeSlow(bodyBufferBytes)

/** A connection as the listening socket hands it over. Node has no public name for it. */
export interface AcceptedHandle {
  setNoDelay(on: boolean): void
}

interface ListeningHandle {
  onconnection?: (this: ListeningHandle, status: number, handle?: AcceptedHandle) => void
}

/** Offers every connection of a server that listens to `take`; what it returns false for becomes a socket of the server's, as always. */
export function offerHandles(server: Server, take: (handle: AcceptedHandle) => boolean): void {
  const listening = (server as unknown as { _handle: ListeningHandle })._handle
  const usual = listening.onconnection
  // A Node that does without it goes the usual way.
  if (usual === undefined) return
  listening.onconnection = function (status, handle) {
    if (status !== 0 || handle === undefined || !take(handle)) usual.call(this, status, handle)
  }
}

/** Who reads. */
export interface ReadHost {
  /** What the next bytes belong to. */
  readonly wants: 'request' | 'body' | 'tunnel'
  /** [0, length) of `buffer` have come. Returns whether bytes of it are held on to, which only one that is not `shared` allows. */
  read(buffer: Buffer, length: number, shared: boolean): boolean
}

export class ClientReads {
  readonly socket: Socket
  readonly #host: ReadHost
  readonly #buffers: BodyBuffers
  #current: Buffer | undefined
  #held = false
  #filled = false
  /** To the request under way. */
  #lent: Buffer[] = []
  #lentHeld = false

  constructor(handle: AcceptedHandle, host: ReadHost, buffers: BodyBuffers) {
    this.#host = host
    this.#buffers = buffers
    const options = {
      handle,
      allowHalfOpen: true,
      onread: {
        buffer: () => this.#next(),
        callback: (length: number, buffer: Buffer): boolean => {
          this.#filled = length === buffer.length
          this.#held = host.read(buffer, length, buffer === shared)
          return true
        },
      },
    }
    this.socket = new Socket(options)
  }

  /** Node asks after each read, and goes on with the buffer that it has when told nothing. */
  #next(): Buffer | undefined {
    const before = this.#current
    switch (this.#host.wants) {
      case 'request':
        this.#current = shared
        break
      case 'body':
        if (before === undefined || before === shared || this.#held) this.#current = this.lend()
        break
      case 'tunnel':
        if (before === undefined || before === shared || this.#held || (this.#filled && before.length < tunnelBytesGrown)) {
          this.#current = Buffer.allocUnsafeSlow(this.#filled ? tunnelBytesGrown : tunnelBytesInitial)
        }
    }
    return this.#current === before ? undefined : this.#current
  }

  /** One more for the request under way. */
  lend(): Buffer {
    const buffer = this.#buffers.take()
    this.#lent.push(buffer)
    return buffer
  }

  /**
   * The request is over. `held`: somebody may still hold bytes of what was lent to it. `unread`: more lies there, of requests behind it; then what was
   * lent comes back with the last of them.
   */
  requestOver(held: boolean, unread: boolean): void {
    if (this.#lent.length === 0) return
    this.#lentHeld ||= held
    if (unread) return
    if (!this.#lentHeld) {
      // The next read goes into the current one.
      for (const buffer of this.#lent) if (buffer !== this.#current) this.#buffers.give(buffer)
    }
    this.#lent = []
    this.#lentHeld = false
  }
}
