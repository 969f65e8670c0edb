/**
 * The shipped anomaly rule: what lies far from what was to be expected, told once, and not again while it goes on.
 *
 *   quiet ──score > threshold──▶ firing ──`keepRows` rows in a row below──▶ quiet, with a threshold of 1.2 × the peak that sinks back to the usual
 *
 * Expected is the mean of the last rows; or, where a day ago explains a series clearly better (a daily rhythm), what came a day ago. The score is the distance
 * in units of the usual one. A threshold that remembers the last peak keeps series with heavy tails from crying at each of their spikes; a `for` would be
 * quieter still, and blind to short incidents. All of it uses the past only, and each row costs the same.
 */
import { RollingMoments } from './rolling-moments.ts'

export interface AnomalyOptions {
  /** Rows that say what is usual. Default 1,000. */
  readonly windowRows?: number
  /** Nothing fires before so many. Default 30. */
  readonly leastRows?: number
  /** In standard deviations. Default 5. */
  readonly threshold?: number
  /** Rows below the threshold until it is over. Default 36. */
  readonly keepRows?: number
  /** Rows until the threshold is as usual after an episode. Default 288. */
  readonly sinkRows?: number
  /** The rhythm, in milliseconds. Default a day. */
  readonly seasonMs?: number
}

export interface AnomalyReading {
  readonly score: number
  readonly firing: boolean
  /** With this row. */
  readonly began: boolean
  readonly by: 'level' | 'season'
  /** What was expected. */
  readonly expected: number
}

/** Rows of one season that are remembered; a denser series is judged by its level alone. */
export const seasonRowsMax = 10_000
/** The rhythm must explain this much better than the level. */
const seasonRatio = 0.5
const peakFactor = 1.2
/** Rows from which the usual step between rows is learnt. */
const stepRows = 25
const scoreMax = 1e6

export class AnomalyDetector {
  readonly #leastRows: number
  readonly #threshold: number
  readonly #keepRows: number
  readonly #sinkRows: number
  readonly #seasonMs: number
  readonly #level: RollingMoments
  /** Distances from what came a season ago. */
  readonly #distances: RollingMoments
  /** The same rows as those of `#distances`, as they are. */
  readonly #seasonal: RollingMoments
  #season: number[] = []
  #steps: number[] = []
  #lastAt: number | undefined
  /** Rows in a season; 0: not known, or too many. */
  #period = 0
  #stepMs = 0
  #rows = 0
  #firing = false
  #below = 0
  #peak = 0
  #raised: number
  #sink = 0

  constructor({ windowRows = 1_000, leastRows = 30, threshold = 5, keepRows = 36, sinkRows = 288, seasonMs = 86_400_000 }: AnomalyOptions = {}) {
    this.#leastRows = leastRows
    this.#threshold = threshold
    this.#keepRows = keepRows
    this.#sinkRows = sinkRows
    this.#seasonMs = seasonMs
    this.#level = new RollingMoments(windowRows)
    this.#distances = new RollingMoments(windowRows)
    this.#seasonal = new RollingMoments(windowRows)
    this.#raised = threshold
  }

  /** The next row. A value that is no number says nothing. */
  observe(at: number, value: number): AnomalyReading {
    if (!Number.isFinite(value)) return { score: 0, firing: this.#firing, began: false, by: 'level', expected: this.#level.mean }
    if (this.#steps.length < stepRows) this.#learnStep(at)
    else this.#skip(at)
    const judged = this.#judge(value)
    const began = this.#step(judged.score)
    this.#remember(value)
    return { ...judged, firing: this.#firing, began }
  }

  #learnStep(at: number): void {
    if (this.#lastAt !== undefined && at > this.#lastAt) this.#steps.push(at - this.#lastAt)
    this.#lastAt = at
    if (this.#steps.length < stepRows) return
    const step = this.#steps.toSorted((a, b) => a - b)[stepRows >> 1] ?? 0
    const period = step > 0 ? Math.round(this.#seasonMs / step) : 0
    this.#period = period > 2 && period <= seasonRowsMax ? period : 0
    this.#stepMs = step
    this.#turnSeason()
  }

  /** What came before the period was known takes its place in the round. */
  #turnSeason(): void {
    const early = this.#season
    this.#season = []
    if (this.#period > 0) early.forEach((value, row) => (this.#season[row % (this.#period + 2)] = value))
  }

  /** Rows that are missing say nothing, and the next one is a day after that of its time all the same. */
  #skip(at: number): void {
    const before = this.#lastAt
    this.#lastAt = at
    if (this.#period === 0 || before === undefined || at <= before) return
    const missing = Math.min(Math.round((at - before) / this.#stepMs) - 1, this.#period + 2)
    for (let i = 0; i < missing; i++) this.#season[this.#rows++ % (this.#period + 2)] = NaN
  }

  #judge(value: number): Pick<AnomalyReading, 'score' | 'by' | 'expected'> {
    const level = this.#level
    const expected = level.mean
    const byLevel = { score: 0, by: 'level' as const, expected }
    if (level.count < this.#leastRows) return byLevel
    const distance = this.#distanceFromSeason(value)
    if (distance !== undefined && this.#rows >= 2 * this.#period) {
      const usual = this.#distances.meanSquare
      const raw = this.#seasonal.variance
      if (usual < seasonRatio * seasonRatio * raw) {
        // A rhythm that was perfect so far forgives a hundredth of its own height.
        return { score: capped(Math.abs(distance), Math.sqrt(Math.max(usual, 1e-4 * raw))), by: 'season', expected: value - distance }
      }
    }
    return { ...byLevel, score: capped(Math.abs(value - expected), level.deviation) }
  }

  /** From the nearest of the three that came a season ago. */
  #distanceFromSeason(value: number): number | undefined {
    const period = this.#period
    if (period === 0 || this.#rows < period) return undefined
    let low = Infinity
    let high = -Infinity
    for (let row = this.#rows - period - 1; row <= this.#rows - period + 1; row++) {
      const then = row < 0 ? undefined : this.#season[row % (period + 2)]
      if (then === undefined || Number.isNaN(then)) continue
      low = Math.min(low, then)
      high = Math.max(high, then)
    }
    if (low > high) return undefined
    if (value > high) return value - high
    return value < low ? value - low : 0
  }

  /** Returns whether an episode begins. */
  #step(score: number): boolean {
    if (this.#firing) {
      this.#peak = Math.max(this.#peak, score)
      this.#below = score <= this.#threshold ? this.#below + 1 : 0
      if (this.#below >= this.#keepRows) this.#end()
      return false
    }
    const begins = score > this.#raised
    if (begins) {
      this.#firing = true
      this.#below = 0
      this.#peak = score
    }
    this.#raised = Math.max(this.#threshold, this.#raised - this.#sink)
    return begins
  }

  #end(): void {
    this.#firing = false
    this.#raised = Math.max(this.#threshold, peakFactor * this.#peak)
    this.#sink = (this.#raised - this.#threshold) / this.#sinkRows
  }

  #remember(value: number): void {
    const distance = this.#distanceFromSeason(value)
    if (distance !== undefined) {
      this.#distances.add(distance)
      this.#seasonal.add(value)
    }
    this.#level.add(value)
    if (this.#period > 0) this.#season[this.#rows % (this.#period + 2)] = value
    else if (this.#steps.length < stepRows && this.#rows < seasonRowsMax) this.#season[this.#rows] = value
    this.#rows++
  }
}

const capped = (distance: number, usual: number): number => (distance === 0 ? 0 : Math.min(scoreMax, usual > 0 ? distance / usual : scoreMax))
