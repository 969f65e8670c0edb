/**
 * When keys were last changed, as far as it was heard. A reading that is older than that is not believed: it may have been sent before the change and have
 * come after it, or be of a Redis that has not heard of the change.
 */
export const changesMax = 10_000

export class Changes {
  readonly #max: number
  /** In the order of their last change. */
  readonly #at = new Map<string, number>()

  constructor(max = changesMax) {
    this.#max = max
  }

  note(key: string, at: number): void {
    if (at <= this.of(key)) return
    this.#at.delete(key)
    this.#at.set(key, at)
    if (this.#at.size <= this.#max) return
    for (const oldest of this.#at.keys()) {
      this.#at.delete(oldest)
      return
    }
  }

  /** 0: never, or forgotten. */
  of(key: string): number {
    return this.#at.get(key) ?? 0
  }
}
