/** Purges under way: every worker is told, and they are over when all have done it, or have ended, or have not answered in time. */
import { after, ms, type Clock } from '../../../kernel/time.ts'
import { invalidationOf, type PurgeOrder } from '../../core/cache/purge.ts'
import type { Peer } from '../peer.ts'

/** A worker answers in its next turn; one that is stopped never does. */
const answerTimeoutMs = 1_000

interface Purge {
  readonly waiting: Set<Peer>
  readonly answer: (entries: number) => void
  readonly timer: Disposable
  entries: number
}

export class Purges {
  readonly #clock: Clock
  readonly #purges = new Map<number, Purge>()
  #lastId = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Calls back once. */
  ask(peers: readonly Peer[], order: PurgeOrder, answer: (entries: number) => void): void {
    const id = ++this.#lastId
    const timer = this.#clock.schedule(after(this.#clock.now(), ms(answerTimeoutMs)), () => {
      this.#end(id)
    })
    this.#purges.set(id, { waiting: new Set(peers), answer, timer, entries: 0 })
    if (peers.length === 0) this.#end(id)
    const invalidation = invalidationOf(order)
    for (const peer of peers) peer.send({ type: 'purge', id, invalidation })
  }

  answered(peer: Peer, id: number, entries: number): void {
    const purge = this.#purges.get(id)
    if (!purge?.waiting.delete(peer)) return
    purge.entries += entries
    if (purge.waiting.size === 0) this.#end(id)
  }

  left(peer: Peer): void {
    for (const id of [...this.#purges.keys()]) this.answered(peer, id, 0)
  }

  #end(id: number): void {
    const purge = this.#purges.get(id)
    if (!purge) return
    this.#purges.delete(id)
    purge.timer[Symbol.dispose]()
    purge.answer(purge.entries)
  }
}
