/** Rows that are kept in order as well, so that their middle is at hand: a row costs a binary search and a short move of memory. */
import { RollingMoments } from './rolling-moments.ts'

export class RollingMedian extends RollingMoments {
  readonly #sorted: Float64Array
  #held = 0

  constructor(size: number) {
    super(size)
    this.#sorted = new Float64Array(size)
  }

  /** Of an even number the upper one; 0 when there are no rows. */
  get median(): number {
    return this.#held === 0 ? 0 : (this.#sorted[this.#held >> 1] ?? 0)
  }

  override add(value: number): number | undefined {
    const left = super.add(value)
    if (left !== undefined) {
      const place = this.#place(left)
      this.#sorted.copyWithin(place, place + 1, this.#held--)
    }
    const place = this.#place(value)
    this.#sorted.copyWithin(place + 1, place, this.#held++)
    this.#sorted[place] = value
    return left
  }

  override keepLast(count: number): void {
    this.#held = 0
    super.keepLast(count)
  }

  /** Of the first that is not smaller. */
  #place(value: number): number {
    let [low, high] = [0, this.#held]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#sorted[middle] ?? 0) < value) low = middle + 1
      else high = middle
    }
    return low
  }
}
