/**
 * The history of all series. The last hour lies in memory by the second, a block for each minute: the newest open, the others sealed to bytes
 * (`core/block.ts`).
 */
import type { Labels } from '../kernel/labels.ts'
import { OpenBlock, SealedBlock, blockMs, type Block } from './core/block.ts'
import { Stepper, pointOf } from './core/cell.ts'
import { SeriesTable, seriesLimits, type Refusal, type SeriesEntry, type SeriesLimits } from './core/series-table.ts'
import { hourMs, secondMs, stepFor } from './core/steps.ts'
import type { Point, RangeQuery, Reading, Sample, Selector, Series, SeriesReader } from './types.ts'

/** What is older is not told as the latest any more. */
const latestMs = 5_000
/** Of blocks: an hour, and some minutes so that a whole hour is there to be rolled up when it is over. */
const rawMs = hourMs + 5 * blockMs

/** Series that are read before others get their turn: about 2 ms. */
const seriesATurn = 25

const othersTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

export interface HistoryOptions {
  readonly limits?: SeriesLimits
  /** Told once for each metric of which a series found no place. */
  readonly onRefused?: (metric: string, labels: Labels, why: Refusal) => void
}

export class History implements SeriesReader {
  readonly #series: SeriesTable
  readonly #onRefused: NonNullable<HistoryOptions['onRefused']>
  readonly #refused = new Set<string>()
  /** Oldest first. */
  readonly #sealed: Block[] = []
  #open: OpenBlock | undefined
  #lastAt = -Infinity
  /** For one column at a time. */
  #scratch = new Float64Array(256)

  constructor({ limits = seriesLimits, onRefused = () => undefined }: HistoryOptions = {}) {
    this.#series = new SeriesTable(limits)
    this.#onRefused = onRefused
  }

  /** Of the newest reading; -Infinity before the first. */
  get lastAt(): number {
    return this.#lastAt
  }

  get seriesCount(): number {
    return this.#series.count
  }

  /** Later than the one before; another is left out. */
  add({ at, samples }: Reading): void {
    if (at <= this.#lastAt) return
    this.#lastAt = at
    const block = this.#blockOf(at)
    block.begin(at)
    for (const { metric, labels, value } of samples) {
      if (!Number.isFinite(value)) continue
      const entry = this.#series.entry(metric, labels)
      if (typeof entry === 'string') {
        this.#refuse(metric, labels, entry)
        continue
      }
      entry.lastAt = at
      entry.lastValue = value
      block.set(entry.id, value)
    }
  }

  #refuse(metric: string, labels: Labels, why: Refusal): void {
    if (this.#refused.has(metric)) return
    this.#refused.add(metric)
    this.#onRefused(metric, labels, why)
  }

  #blockOf(at: number): OpenBlock {
    const start = Math.floor(at / blockMs) * blockMs
    if (this.#open?.start === start) return this.#open
    if (this.#open) this.#sealed.push(new SealedBlock(this.#open.seal()))
    this.#open = new OpenBlock(start)
    this.#drop(start - rawMs)
    return this.#open
  }

  #drop(before: number): void {
    const kept = this.#sealed.findIndex(({ start }) => start >= before)
    if (kept === 0) return
    this.#sealed.splice(0, kept < 0 ? this.#sealed.length : kept)
    this.#series.forget(before)
  }

  latest(selector: Selector): readonly Sample[] {
    const since = this.#lastAt - latestMs
    const found = this.#series.select(selector).filter(({ lastAt }) => lastAt >= since)
    return found.map(({ metric, labels, lastValue }) => ({ metric, labels, value: lastValue }))
  }

  range(query: RangeQuery): readonly Series[] {
    return this.#series.select(query).flatMap((entry) => this.#one(entry, query))
  }

  /** As `range`, for many series: others get their turn meanwhile. */
  async read(query: RangeQuery): Promise<readonly Series[]> {
    const found: Series[] = []
    let read = 0
    for (const entry of this.#series.select(query)) {
      found.push(...this.#one(entry, query))
      if (++read % seriesATurn === 0) await othersTurn()
    }
    return found
  }

  /** How many series of each metric. */
  metrics(): ReadonlyMap<string, number> {
    return this.#series.counts()
  }

  #one(entry: SeriesEntry, { from, to, step = stepFor(to - from) }: RangeQuery): Series[] {
    const points = step <= secondMs ? this.#samples(entry, from, to) : this.#steps(entry, from, to, step)
    return points.length > 0 ? [{ metric: entry.metric, labels: entry.labels, points }] : []
  }

  #samples(entry: SeriesEntry, from: number, to: number): Point[] {
    const points: Point[] = []
    this.#each(entry, from, to, (at, value) => points.push({ at, mean: value, min: value, max: value, last: value, count: 1 }))
    return points
  }

  #steps(entry: SeriesEntry, from: number, to: number, step: number): Point[] {
    const stepper = new Stepper(step)
    this.#each(entry, from, to, (at, value) => {
      stepper.sample(at, value)
    })
    return stepper.cells.map(pointOf)
  }

  #each({ id, lastAt }: SeriesEntry, from: number, to: number, each: (at: number, value: number) => void): void {
    if (lastAt < from) return
    const blocks = this.#open ? [...this.#sealed, this.#open] : this.#sealed
    for (const block of blocks) {
      if (block.start + blockMs <= from || block.start >= to) continue
      if (this.#scratch.length < block.times.length) this.#scratch = new Float64Array(block.times.length)
      if (!block.read(id, this.#scratch)) continue
      for (let i = 0; i < block.length; i++) {
        const [at, value] = [block.times[i] ?? 0, this.#scratch[i] ?? NaN]
        if (at >= from && at < to && !Number.isNaN(value)) each(at, value)
      }
    }
  }
}
