/**
 * How many frames that cost us work and carry nothing one connection may send: a bucket that fills with time, and with every answer that was
 * carried through. A client that cancels now and then never notices; one that opens and resets streams without end (CVE-2023-44487) empties it.
 */
export class Patience {
  readonly #max: number
  readonly #perSecond: number
  #left: number
  #at: number

  constructor(max: number, perSecond: number, now: number) {
    this.#max = max
    this.#perSecond = perSecond
    this.#left = max
    this.#at = now
  }

  /** Something was carried through. */
  earn(): void {
    this.#left = Math.min(this.#max, this.#left + 1)
  }

  /** Returns false when it is at its end. */
  spend(now: number): boolean {
    this.#left = Math.min(this.#max, this.#left + ((now - this.#at) * this.#perSecond) / 1_000)
    this.#at = now
    this.#left -= 1
    return this.#left >= 0
  }
}
