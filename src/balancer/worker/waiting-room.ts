/**
 * Connections that were accepted on a listener before the view that has it. A new listener is opened before anything is routed by its view, since
 * the view must not take effect when the address cannot be had; for these milliseconds its connections wait, unread. They are let in with the view, or
 * closed with the listener.
 */
import type { Socket } from 'node:net'

export class WaitingRoom<Listener> {
  readonly #waiting = new Map<Socket, Listener>()

  get size(): number {
    return this.#waiting.size
  }

  wait(listener: Listener, socket: Socket): void {
    this.#waiting.set(socket, listener)
    socket.on('error', () => undefined)
    socket.on('close', () => this.#waiting.delete(socket))
  }

  /** Those of the listener, in the order they came; they wait no longer. */
  take(listener: Listener): Socket[] {
    const sockets = [...this.#waiting].filter(([, each]) => each === listener).map(([socket]) => socket)
    for (const socket of sockets) this.#waiting.delete(socket)
    return sockets
  }

  close(): void {
    for (const socket of [...this.#waiting.keys()]) socket.destroy()
  }
}
