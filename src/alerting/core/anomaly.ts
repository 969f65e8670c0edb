/**
 * The shipped anomaly rule: what lies farther from what was to be expected than this series is used to stray, told once, and not again while it goes on.
 *
 *   quiet ──beyond the threshold and the bar──▶ firing ──`keepRows` rows in a row that are not──▶ quiet
 *
 * Expected is the middle of the last rows; or, where the time of the day explains a series clearly better, what is usual at this time (rhythm.ts). The score
 * is the distance in units of the usual one, and a threshold for it is enough for a series that behaves. One with heavy tails passes any such threshold each
 * day; it must pass the bar as well, that its own last excursions have set (bar.ts). A level that stays is the new one: what came before it is forgotten, and
 * the next change is seen at once. A `for` would be quieter still, and blind to short incidents. All of it uses the past only, and each row costs the same.
 */
import { Bar, type BarOptions } from './bar.ts'
import { Rhythm } from './rhythm.ts'
import { RollingMedian } from './rolling-median.ts'
import { RollingMoments } from './rolling-moments.ts'

export interface AnomalyOptions extends BarOptions {
  /** Rows that say what is usual. Default 2,000. */
  readonly windowRows?: number
  /** Nothing fires before so many. Default 30. */
  readonly leastRows?: number
  /** In units of the usual distance. Default 4. */
  readonly threshold?: number
  /** Quiet rows until it is over. Default 36. */
  readonly keepRows?: number
  /** Rows from which a level that stays is the usual one. Default 250. */
  readonly settleRows?: number
  /** The rhythm, in milliseconds. Default a day. */
  readonly seasonMs?: number
}

export interface AnomalyReading {
  readonly score: number
  readonly firing: boolean
  /** With this row. */
  readonly began: boolean
  readonly by: 'level' | 'season'
  /** What was expected, and how far from it is usual. */
  readonly expected: number
  readonly usual: number
}

interface Judged {
  readonly distance: number
  readonly usual: number
  readonly score: number
  readonly bar: Bar
}

/** The rhythm must explain this much better than the level. */
const seasonRatio = 0.5
/** A rhythm that was perfect so far forgives a hundredth of what the level does. */
const seasonFloor = 0.01
/** Distances from the nearest of three slots are shorter than those from one, by about this factor. */
const nearestOfThree = 1.25
/** Rounding is no change. */
const roundingFloor = 1e-9
/** Of the threshold: it is far from there, and keeps an episode going. */
const farShare = 0.75
/** Of the threshold: it is back from there. */
const backShare = 0.5
/** Rows for which a level must stay at the least, where so few are known that a quarter of them is less. */
const settleLeast = 120
const scoreMax = 1e6

export class AnomalyDetector {
  readonly #leastRows: number
  readonly #threshold: number
  readonly #keepRows: number
  readonly #settleRows: number
  readonly #level: RollingMedian
  readonly #levelBar: Bar
  readonly #rhythm: Rhythm
  /** Distances from the rhythm. */
  readonly #distances: RollingMoments
  readonly #rhythmBar: Bar
  #rows = 0
  #firing = false
  #quiet = 0

  constructor(options: AnomalyOptions = {}) {
    const { windowRows = 2_000, leastRows = 30, threshold = 4, keepRows = 36, settleRows = 250, seasonMs = 86_400_000 } = options
    this.#leastRows = leastRows
    this.#threshold = threshold
    this.#keepRows = keepRows
    this.#settleRows = settleRows
    this.#level = new RollingMedian(windowRows)
    this.#levelBar = new Bar(options)
    this.#rhythm = new Rhythm(seasonMs)
    this.#distances = new RollingMoments(windowRows)
    this.#rhythmBar = new Bar(options)
  }

  /** The next row. A value that is no number says nothing. */
  observe(at: number, value: number): AnomalyReading {
    if (!Number.isFinite(value))
      return { score: 0, firing: this.#firing, began: false, by: 'level', expected: this.#level.median, usual: this.#level.deviation }
    const level = this.#byLevel(value)
    const season = this.#bySeason(at, value)
    const follows = season !== undefined && this.#followsRhythm(at)
    const judged = follows ? season : level
    const began = this.#step(judged)
    this.#remember(at, value, level, season)
    const { score, distance, usual } = judged
    return { score, firing: this.#firing, began, by: follows ? 'season' : 'level', expected: value - distance, usual }
  }

  #byLevel(value: number): Judged {
    const distance = this.#rows < this.#leastRows ? 0 : value - this.#level.median
    const usual = Math.max(this.#level.deviation, roundingFloor * Math.abs(value))
    return { distance, usual, score: capped(distance, usual), bar: this.#levelBar }
  }

  /** undefined: nothing is known of this time. */
  #bySeason(at: number, value: number): Judged | undefined {
    const distance = this.#rhythm.distance(at, value)
    if (distance === undefined) return undefined
    const usual = Math.max(nearestOfThree * this.#usualDistance, seasonFloor * this.#level.deviation, roundingFloor * Math.abs(value))
    return { distance, usual, score: capped(distance, usual), bar: this.#rhythmBar }
  }

  get #usualDistance(): number {
    return Math.sqrt(this.#distances.meanSquare)
  }

  #followsRhythm(at: number): boolean {
    return this.#rhythm.knows(at) && this.#usualDistance < seasonRatio * this.#level.deviation
  }

  /** Returns whether an episode begins. */
  #step({ score, distance, bar }: Judged): boolean {
    const news = Math.abs(distance) > bar.height
    if (this.#firing) {
      this.#quiet = news && score > farShare * this.#threshold ? 0 : this.#quiet + 1
      if (this.#quiet >= this.#keepRows) this.#firing = false
      return false
    }
    this.#firing = news && score > this.#threshold
    this.#quiet = 0
    return this.#firing
  }

  #remember(at: number, value: number, level: Judged, season: Judged | undefined): void {
    this.#stray(level)
    if (season !== undefined) {
      this.#stray(season)
      this.#distances.add(season.distance)
    }
    this.#rhythm.learn(at, value)
    this.#level.add(value)
    this.#rows++
    this.#settle()
  }

  /** A level that stays is the usual one. */
  #settle(): void {
    const away = this.#levelBar.awayFor(this.#rows)
    if (away < Math.max(settleLeast, Math.min(this.#settleRows, this.#level.count / 4))) return
    this.#levelBar.settle(this.#rows, this.#firing)
    this.#level.keepLast(away)
  }

  #stray({ distance, score, bar }: Judged): void {
    const [far, back] = [score > farShare * this.#threshold, score <= backShare * this.#threshold]
    bar.observe({ row: this.#rows, distance: Math.abs(distance), far, back, firing: this.#firing })
  }
}

const capped = (distance: number, usual: number): number =>
  distance === 0 ? 0 : Math.min(scoreMax, usual > 0 ? Math.abs(distance) / usual : scoreMax)
