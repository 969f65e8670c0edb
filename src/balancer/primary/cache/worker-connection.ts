/** A worker as the store of the node sees it: frames both ways over a Unix socket. One that does not read what it is told is cut off. */
import type { Socket } from 'node:net'
import { messageOf } from '../../../kernel/errors.ts'
import { encodeFrame, FrameReader, type StoreFrame, type WorkerFrame } from '../../core/cache/frames.ts'
import type { Asker, NodeEntry } from '../../core/cache/node-store.ts'

/** What may wait for a worker that does not read. */
export const unreadBytesMax = 64 * 1024 * 1024

export class WorkerConnection implements Asker {
  readonly #socket: Socket
  #corked = false
  pid = 0
  /** It has said hello. */
  joined = false

  constructor(
    socket: Socket,
    onFrame: (from: WorkerConnection, frame: WorkerFrame, head: Buffer, body: Buffer) => void,
    onClosed: (from: WorkerConnection) => void,
  ) {
    this.#socket = socket
    const reader = new FrameReader<WorkerFrame>((frame, head, body) => {
      onFrame(this, frame, head, body)
    })
    socket.on('data', (chunk: Buffer) => {
      try {
        reader.feed(chunk)
      } catch (error) {
        process.stderr.write(`the cache was told nonsense by worker ${this.pid}, which is cut off: ${messageOf(error)}\n`)
        socket.destroy()
      }
    })
    // What follows is the close.
    socket.on('error', () => undefined)
    socket.on('close', () => {
      onClosed(this)
    })
  }

  get lives(): boolean {
    return !this.#socket.destroyed
  }

  tell(frame: StoreFrame, entry?: NodeEntry): void {
    const socket = this.#socket
    if (socket.destroyed) return
    this.#joinWrites()
    for (const bytes of encodeFrame(frame, entry?.head, entry?.body)) socket.write(bytes)
    if (socket.writableLength > unreadBytesMax) socket.destroy()
  }

  /** All of a turn goes out in one write. */
  #joinWrites(): void {
    if (this.#corked) return
    this.#corked = true
    this.#socket.cork()
    process.nextTick(() => {
      this.#corked = false
      this.#socket.uncork()
    })
  }

  cutOff(): void {
    this.#socket.destroy()
  }
}
