/**
 * One asking for all who want the same. The first leads; the others wait until there is something for them, or it shows that there will not be, or for five
 * seconds.
 *
 *   leader ──stored──▶ all look again · ──not to be kept──▶ all ask for themselves · ──failed──▶ the next one leads
 */
export interface FetchWaiter {
  /** Look again. */
  wake(): void
}

/** Those who wait; one more asks for himself. */
export const waitersMax = 10_000
export const waitMaxMs = 5_000

export class Fetch {
  readonly #waiting = new Set<FetchWaiter>()
  readonly #over: () => void

  /** `over`: nobody asks under this key any more. */
  constructor(over: () => void) {
    this.#over = over
  }

  /** false: too many wait. */
  join(waiter: FetchWaiter): boolean {
    if (this.#waiting.size >= waitersMax) return false
    this.#waiting.add(waiter)
    return true
  }

  leave(waiter: FetchWaiter): void {
    this.#waiting.delete(waiter)
  }

  /** It is stored, or cannot be, or the leader has failed: all look again. The first who finds nothing, and nobody asking, leads. */
  over(): void {
    this.#over()
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const waiter of waiting) waiter.wake()
  }
}
