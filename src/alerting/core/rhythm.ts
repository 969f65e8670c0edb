/**
 * What is usual at this time of the day: a mean for each slot of it, in which each day counts a quarter, so that one odd day is not expected again the next.
 * Edges that come a row early or late are no news: the distance is that from the nearest of the slot and its two neighbours.
 */

/** Slots of a season; a denser series is judged by its level alone. */
export const slotsMax = 10_000
/** Rows from which the usual step between rows is learnt. */
const stepRows = 25
const weight = 0.25

export class Rhythm {
  readonly #seasonMs: number
  #early: (readonly [at: number, value: number])[] = []
  #steps: number[] = []
  #firstAt: number | undefined
  #lastAt = 0
  /** undefined: not known yet; none: no rhythm that could be followed. */
  #slots: Float64Array | undefined

  constructor(seasonMs: number) {
    this.#seasonMs = seasonMs
  }

  /** Whether it was watched for two rounds, fewer of which say little. */
  knows(at: number): boolean {
    return this.#firstAt !== undefined && at - this.#firstAt >= 2 * this.#seasonMs
  }

  /** Signed; undefined: it does not know. */
  distance(at: number, value: number): number | undefined {
    const slots = this.#slots
    if (slots === undefined || slots.length === 0) return undefined
    const slot = this.#slot(at, slots.length)
    let low = Infinity
    let high = -Infinity
    for (let i = slot - 1; i <= slot + 1; i++) {
      const usual = slots[(i + slots.length) % slots.length] ?? NaN
      if (Number.isNaN(usual)) continue
      low = Math.min(low, usual)
      high = Math.max(high, usual)
    }
    if (low > high) return undefined
    if (value > high) return value - high
    return value < low ? value - low : 0
  }

  learn(at: number, value: number): void {
    if (this.#firstAt === undefined) this.#firstAt = at
    else if (this.#slots === undefined && at > this.#lastAt) this.#steps.push(at - this.#lastAt)
    this.#lastAt = at
    if (this.#slots !== undefined) return this.#take(this.#slots, at, value)
    this.#early = [...this.#early.slice(-stepRows), [at, value]]
    if (this.#steps.length === stepRows) this.#begin()
  }

  #begin(): void {
    const step = this.#steps.toSorted((a, b) => a - b)[stepRows >> 1] ?? 0
    const count = Math.round(this.#seasonMs / step)
    const slots = new Float64Array(count > 2 && count <= slotsMax ? count : 0).fill(NaN)
    this.#slots = slots
    for (const [at, value] of this.#early) this.#take(slots, at, value)
    this.#early = []
    this.#steps = []
  }

  #take(slots: Float64Array, at: number, value: number): void {
    if (slots.length === 0) return
    const slot = this.#slot(at, slots.length)
    const usual = slots[slot] ?? NaN
    const day = 1 + Math.max(0, Math.floor((at - (this.#firstAt ?? at)) / this.#seasonMs))
    slots[slot] = Number.isNaN(usual) ? value : usual + Math.max(weight, 1 / day) * (value - usual)
  }

  #slot(at: number, count: number): number {
    const turned = (((at - (this.#firstAt ?? at)) % this.#seasonMs) + this.#seasonMs) % this.#seasonMs
    return Math.round((turned / this.#seasonMs) * count) % count
  }
}
