/** Mean and spread of the last rows, at the same cost for each. Sums are taken about the first row, and anew each time the window has gone round, so that rounding does not add up. */
export class RollingMoments {
  readonly #rows: Float64Array
  #count = 0
  #next = 0
  #origin = 0
  #sum = 0
  #squares = 0

  constructor(size: number) {
    this.#rows = new Float64Array(size)
  }

  get count(): number {
    return this.#count
  }

  get mean(): number {
    return this.#count === 0 ? 0 : this.#origin + this.#sum / this.#count
  }

  /** Of the population. */
  get variance(): number {
    if (this.#count === 0) return 0
    const mean = this.#sum / this.#count
    return Math.max(0, this.#squares / this.#count - mean * mean)
  }

  get deviation(): number {
    return Math.sqrt(this.variance)
  }

  /** About zero. */
  get meanSquare(): number {
    const { mean } = this
    return this.variance + mean * mean
  }

  /** Returns the row that left for it. */
  add(value: number): number | undefined {
    const left = this.#count === this.#rows.length ? this.#rows[this.#next] : undefined
    if (left === undefined) this.#count++
    else this.#take(left)
    if (this.#count === 1) this.#origin = value
    this.#rows[this.#next] = value
    const off = value - this.#origin
    this.#sum += off
    this.#squares += off * off
    this.#next = (this.#next + 1) % this.#rows.length
    if (this.#next === 0) this.#anew()
    return left
  }

  /** Forgets all rows but the last so many. */
  keepLast(count: number): void {
    const { length } = this.#rows
    const kept = Array.from({ length: Math.min(count, this.#count) }, (_, i) => this.#rows[(this.#next - 1 - i + length) % length] ?? 0)
    this.#count = this.#next = this.#sum = this.#squares = 0
    for (const value of kept.reverse()) this.add(value)
  }

  #take(value: number): void {
    const off = value - this.#origin
    this.#sum -= off
    this.#squares -= off * off
  }

  #anew(): void {
    let sum = 0
    for (const value of this.#rows) sum += value
    this.#origin = sum / this.#rows.length
    this.#sum = 0
    this.#squares = 0
    for (const value of this.#rows) {
      const off = value - this.#origin
      this.#sum += off
      this.#squares += off * off
    }
  }
}
