/** JSON documents over a stream, one per line: how the control process and the proxy speak. */
import type { Socket } from 'node:net'

/** A line longer than this ends the connection: nobody sane sends it, and nothing may grow without a limit. */
const lineBytesMax = 64 * 1024 * 1024
/** What may wait for a reader that does not read. */
const unreadBytesMax = 64 * 1024 * 1024

export class Channel<Incoming, Outgoing> {
  readonly #socket: Socket
  #rest: Buffer[] = []
  #restBytes = 0

  constructor(socket: Socket, onMessage: (message: Incoming) => void, onClosed: (reason: string) => void) {
    this.#socket = socket
    let reason = 'closed by the other side'
    socket.on('data', (chunk: Buffer) => {
      try {
        this.#feed(chunk, onMessage)
      } catch (error) {
        reason = error instanceof Error ? error.message : String(error)
        socket.destroy()
      }
    })
    socket.on('error', (error) => {
      reason = error.message
    })
    socket.on('close', () => {
      onClosed(reason)
    })
  }

  send(message: Outgoing): void {
    if (this.#socket.destroyed) return
    this.#socket.write(`${JSON.stringify(message)}\n`)
    // The other side has stopped reading (it is stopped, or hangs): it will have to come again.
    if (this.#socket.writableLength > unreadBytesMax) this.#socket.destroy()
  }

  /** The other side has not read all that was sent: what can be left out now should be. */
  get behind(): boolean {
    return this.#socket.writableLength > 0
  }

  close(): void {
    this.#socket.destroy()
  }

  #feed(chunk: Buffer, onMessage: (message: Incoming) => void): void {
    let start = 0
    for (let end = chunk.indexOf(10, start); end >= 0; end = chunk.indexOf(10, start)) {
      this.#rest.push(chunk.subarray(start, end))
      const line = this.#rest.length === 1 ? this.#rest[0]! : Buffer.concat(this.#rest)
      this.#rest = []
      this.#restBytes = 0
      start = end + 1
      if (line.length > 0) onMessage(JSON.parse(line.toString()) as Incoming)
    }
    if (start === chunk.length) return
    this.#rest.push(chunk.subarray(start))
    this.#restBytes += chunk.length - start
    if (this.#restBytes > lineBytesMax) throw new RangeError(`a line of more than ${lineBytesMax} bytes`)
  }
}
