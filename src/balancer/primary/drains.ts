/** Drains under way: an endpoint is drained when every worker has said what is left there. A worker that ends leaves nothing. */
import type { Peer } from './peer.ts'

interface Drain {
  readonly waiting: Set<Peer>
  remaining: number
  readonly answer: (remaining: number) => void
}

export class Drains {
  readonly #drains = new Map<number, Drain>()
  #lastId = 0

  /** Orders it of these workers, and calls back with what is left when all have answered. */
  start(peers: readonly Peer[], endpoint: string, deadlineMs: number, answer: (remaining: number) => void): void {
    if (peers.length === 0) {
      answer(0)
      return
    }
    const id = ++this.#lastId
    this.#drains.set(id, { waiting: new Set(peers), remaining: 0, answer })
    for (const peer of peers) peer.send({ type: 'drain', id, endpoint, deadlineMs })
  }

  answered(peer: Peer, id: number, remaining: number): void {
    const drain = this.#drains.get(id)
    if (!drain?.waiting.delete(peer)) return
    drain.remaining += remaining
    if (drain.waiting.size > 0) return
    this.#drains.delete(id)
    drain.answer(drain.remaining)
  }

  left(peer: Peer): void {
    for (const id of [...this.#drains.keys()]) this.answered(peer, id, 0)
  }
}
