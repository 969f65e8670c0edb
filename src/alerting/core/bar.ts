/**
 * How far a series strays now and then: its last excursions, and from them the bar that the next one must pass to be news.
 *
 *   usual ──far──▶ away ──back──▶ usual: one excursion more, as far as it was at its farthest
 *
 * The bar is a little above the fifth farthest of the last 5,000 rows, and nothing until there were five. So a series with heavy tails, or with a job every
 * hour, sets its own bar, one that never strays has none, and no single excursion, however far, hides the next. An episode that was told takes three places at
 * once and one more now and then: a short incident does not become usual by swinging, a lasting change does.
 */

export interface BarOptions {
  /** Excursions longer ago are forgotten. Default 5,000 rows. */
  readonly memoryRows?: number
  /** The bar is set by the excursion that comes so-manieth, the farthest first. Default 5. */
  readonly rank?: number
  /** And lies higher by this factor. Default 1.05. */
  readonly factor?: number
}

export interface Stray {
  /** Counted by the caller; they rise. */
  readonly row: number
  /** From what was expected, without sign. */
  readonly distance: number
  /** Far enough to be an excursion. */
  readonly far: boolean
  /** Near enough to end one. */
  readonly back: boolean
  /** An episode is going on. */
  readonly firing: boolean
}

/** Excursions remembered: of more the oldest are forgotten. */
const excursionsMax = 64
/** Places that an episode takes at once. */
const placesAtOnce = 3
/** Rows until it takes one more. */
const placeRows = 96

export class Bar {
  readonly #memoryRows: number
  readonly #rank: number
  readonly #factor: number
  readonly #excursions: { readonly row: number; distance: number }[] = []
  #away: { readonly since: number; farthest: number } | undefined
  /** Taken by the episode that goes on. */
  #places = 0
  #height = 0

  constructor({ memoryRows = 5_000, rank = 5, factor = 1.05 }: BarOptions = {}) {
    this.#memoryRows = memoryRows
    this.#rank = rank
    this.#factor = factor
  }

  /** A distance beyond it is news. */
  get height(): number {
    return this.#height
  }

  observe({ row, distance, far, back, firing }: Stray): void {
    const oldest = this.#excursions[0]
    if (oldest !== undefined && oldest.row < row - this.#memoryRows) {
      this.#excursions.shift()
      this.#set()
    }
    if (!firing) this.#places = 0
    if (this.#away === undefined) {
      if (far) this.#away = { since: row, farthest: distance }
    } else if (back) this.settle(row, firing)
    else this.#away.farthest = Math.max(this.#away.farthest, distance)
  }

  /** Rows since it has been away without coming back. */
  awayFor(row: number): number {
    return this.#away === undefined ? 0 : row - this.#away.since
  }

  /** It is back, or where it is now counts as usual. */
  settle(row: number, firing: boolean): void {
    if (this.#away === undefined) return
    const { farthest: distance } = this.#away
    this.#away = undefined
    const last = this.#excursions.at(-1)
    if (firing && last !== undefined && this.#places >= placesAtOnce && row - last.row < placeRows) last.distance = Math.max(last.distance, distance)
    else {
      this.#places++
      this.#excursions.push({ row, distance })
      if (this.#excursions.length > excursionsMax) this.#excursions.shift()
    }
    this.#set()
  }

  #set(): void {
    const setting = this.#excursions.map(({ distance }) => distance).sort((a, b) => b - a)[this.#rank - 1]
    this.#height = setting === undefined ? 0 : this.#factor * setting
  }
}
