/** The clients' connections of a worker that speak HTTP/2. */
import type { Socket } from 'node:net'
import type { WorkerListener } from '../worker/connections.ts'
import type { Worker } from '../worker/worker.ts'
import { ClientSession } from './client-session.ts'

export class ClientSessions {
  readonly #worker: Worker
  readonly #onClosed: () => void
  readonly #sessions = new Set<ClientSession>()

  /** `onClosed`: one of them is gone. */
  constructor(worker: Worker, onClosed: () => void) {
    this.#worker = worker
    this.#onClosed = onClosed
  }

  get size(): number {
    return this.#sessions.size
  }

  open(listener: WorkerListener, socket: Socket): void {
    if (socket.destroyed) return
    this.#sessions.add(
      new ClientSession(this.#worker, listener, socket, (session) => {
        this.#sessions.delete(session)
        this.#onClosed()
      }),
    )
  }

  sweep(now: number): void {
    for (const session of this.#sessions) session.sweep(now)
  }

  leave(notice: boolean): void {
    for (const session of this.#sessions) session.leave(notice)
  }

  destroy(): void {
    for (const session of this.#sessions) session.destroy()
  }
}
