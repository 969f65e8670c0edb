/**
 * Who has still to say that an invalidation has reached him. It is over when all have, or have gone, or when it is late: then those who have not are named.
 */
interface Waiting<Peer> {
  readonly at: number
  readonly missing: Set<Peer>
  readonly until: number
  readonly done: () => void
}

export class Acknowledgements<Peer> {
  readonly #waiting: Waiting<Peer>[] = []

  get size(): number {
    return this.#waiting.length
  }

  /** `done` is called once. */
  wait(at: number, peers: Iterable<Peer>, until: number, done: () => void): void {
    const missing = new Set(peers)
    if (missing.size === 0) done()
    else this.#waiting.push({ at, missing, until, done })
  }

  /** Who acknowledges one has heard all before it. */
  heard(peer: Peer, at: number): void {
    this.#settle((waiting) => {
      if (waiting.at <= at) waiting.missing.delete(peer)
      return waiting.missing.size === 0
    })
  }

  left(peer: Peer): void {
    this.heard(peer, Infinity)
  }

  /** Those for whom it is too late. What waited for them is over when they have `left`. */
  late(now: number): ReadonlySet<Peer> {
    return new Set(this.#waiting.flatMap(({ until, missing }) => (now >= until ? [...missing] : [])))
  }

  #settle(isOver: (waiting: Waiting<Peer>) => boolean): void {
    for (const waiting of this.#waiting.filter(isOver)) {
      this.#waiting.splice(this.#waiting.indexOf(waiting), 1)
      waiting.done()
    }
  }
}
