/**
 * The history of all series: the last hour by the second in memory (`recent.ts`), what is older on the disk by the minute and by the hour (`archive.ts`).
 * Every 5 seconds the minute that goes on is written down, so that no more than that dies with the process.
 *
 * A reading that is not later than the one before is not kept: the wall clock was set back. When that lasts for 10 minutes the clock is believed, and what
 * was kept of a time that has not come is forgotten. Meanwhile `latest` goes on telling what was read.
 */
import type { Labels } from '../kernel/labels.ts'
import { Archive, othersTurn } from './archive.ts'
import { SealedBlock } from './core/block.ts'
import { Stepper, pointOf, type Cell } from './core/cell.ts'
import { SeriesTable, seriesLimits, type Refusal, type SeriesEntry, type SeriesLimits } from './core/series-table.ts'
import { hourMs, secondMs, stepFor } from './core/steps.ts'
import type { HistoryFile } from './history-file.ts'
import { blocksMax, Recent } from './recent.ts'
import type { Point, RangeQuery, Reading, Sample, Selector, Series, SeriesReader } from './types.ts'

/** What is older is not told as the latest any more. */
const latestMs = 5_000
/** Between two writes. */
const flushMs = 5_000
/** Readings, one a second, until a clock that was set back is believed. */
const disbelievedMax = 600
/** Series that are read before others get their turn: about 2 ms. */
const seriesATurn = 25

export interface HistoryOptions {
  readonly limits?: SeriesLimits
  /** undefined: nothing outlives the process. */
  readonly file?: HistoryFile | undefined
  /** Told once for each metric of which a series found no place. */
  readonly onRefused?: (metric: string, labels: Labels, why: Refusal) => void
  /** It cannot be written, or read; told once until it can again. What is in memory goes on. */
  readonly onProblem?: (error: unknown) => void
}

type Described = Pick<SeriesEntry, 'id' | 'metric' | 'labels' | 'key'>

export class History implements SeriesReader {
  readonly #series: SeriesTable
  readonly #options: Required<Omit<HistoryOptions, 'file' | 'limits'>>
  readonly #refused = new Set<string>()
  readonly #recent = new Recent()
  readonly #file: HistoryFile | undefined
  /** undefined: there is no file, or it could not be opened. */
  #archive: Archive | undefined
  #lastAt = -Infinity
  #disbelieved = 0
  #flushedAt = -Infinity
  #hour = NaN
  /** Not written down yet. */
  #newSeries: SeriesEntry[] = []
  /** Minutes that ended and are not written down as a whole yet. */
  #ended: SealedBlock[] = []
  #failing = false
  #rolled = Promise.resolve()
  readonly #alsoFlush: ((file: HistoryFile) => () => void)[] = []

  constructor({ limits = seriesLimits, file, onRefused = () => undefined, onProblem = () => undefined }: HistoryOptions = {}) {
    this.#series = new SeriesTable(limits)
    this.#file = file
    this.#options = { onRefused, onProblem }
  }

  /** Takes up what was kept. A file that cannot be opened is told of, and done without. */
  async start(): Promise<void> {
    if (this.#file === undefined) return
    try {
      await this.#file.open()
      this.#archive = new Archive(this.#file, this.#recent)
      this.#archive.load()
      this.#restore(this.#file)
    } catch (error) {
      this.#archive = undefined
      this.#options.onProblem(error)
    }
  }

  #restore(file: HistoryFile): void {
    const blocks = file.raw().flatMap((bytes) => this.#readable(bytes))
    this.#recent.restore(blocks)
    this.#series.continueFrom(file.lastId() + 1, (metric, labels) => file.idOf(metric, labels))
    const newest = blocks.at(-1)
    if (newest === undefined) return
    // Written down an hour ago at most, when it was rolled up last.
    const stored = new Map(file.seriesSince(newest.start - 3 * hourMs).map((series) => [series.id, series]))
    for (const block of blocks) {
      const at = block.times[block.length - 1] ?? block.start
      for (const id of block.series) {
        const series = stored.get(id)
        if (series) this.#series.put({ ...series, lastAt: at, lastValue: NaN })
      }
      this.#lastAt = at
    }
  }

  #readable(bytes: Uint8Array): SealedBlock[] {
    try {
      return [new SealedBlock(bytes)]
    } catch (error) {
      this.#options.onProblem(error)
      return []
    }
  }

  /** Writes down what is not yet. */
  stop(): void {
    this.#archive?.stop()
    this.#flush()
    this.#archive = undefined
    this.#file?.close()
  }

  /** Writes into the file whenever the history does, in the same transaction; what it returns is called when that was written. */
  alsoFlush(work: (file: HistoryFile) => () => void): void {
    this.#alsoFlush.push(work)
  }

  /** undefined: there is none, or it could not be opened. */
  get file(): HistoryFile | undefined {
    return this.#archive && this.#file
  }

  /** Of the newest reading; -Infinity before the first. */
  get lastAt(): number {
    return this.#lastAt
  }

  /** Series with samples in the last hour. */
  get seriesCount(): number {
    return this.#series.count
  }

  add({ at, samples }: Reading): void {
    const kept = this.#begin(at)
    for (const { metric, labels, value } of samples) {
      if (!Number.isFinite(value)) continue
      const entry = this.#entry(metric, labels)
      if (entry === undefined) continue
      entry.lastAt = this.#lastAt
      entry.lastValue = value
      if (kept) this.#recent.set(entry.id, value)
    }
    if (at - this.#flushedAt >= flushMs || at < this.#flushedAt) {
      this.#flushedAt = at
      this.#flush()
    }
    const hour = Math.floor(this.#lastAt / hourMs)
    if (hour !== this.#hour) {
      this.#hour = hour
      this.#rolled = this.#roll()
    }
  }

  /** Begins a row; false: the clock was set back. */
  #begin(at: number): boolean {
    if (at <= this.#lastAt) {
      if (++this.#disbelieved <= disbelievedMax) return false
      this.#guard(() => this.#archive?.dropFrom(at))
      this.#recent.dropFrom(Math.floor(at / 60_000) * 60_000)
      for (const entry of this.#series.all()) entry.lastAt = Math.min(entry.lastAt, at)
    }
    this.#disbelieved = 0
    this.#lastAt = at
    const ended = this.#recent.begin(at)
    if (ended === undefined) return true
    if (this.#archive) this.#ended.push(ended)
    this.#series.forget(this.#recent.oldest)
    return true
  }

  #entry(metric: string, labels: Labels): SeriesEntry | undefined {
    const entry = this.#series.entry(metric, labels)
    if (typeof entry !== 'string') {
      if (entry.lastAt === -Infinity && this.#archive) this.#newSeries.push(entry)
      return entry
    }
    if (!this.#refused.has(metric)) {
      this.#refused.add(metric)
      this.#options.onRefused(metric, labels, entry)
    }
    return undefined
  }

  #flush(): void {
    const [archive, file] = [this.#archive, this.#file]
    if (archive === undefined || file === undefined) return
    this.#guard(() => {
      const written: (() => void)[] = []
      file.transaction(() => {
        for (const entry of this.#newSeries) file.addSeries(entry)
        for (const { start, bytes } of this.#ended) file.putRaw(start, bytes)
        const open = this.#recent.sealOpen()
        if (open) file.putRaw(open.start, open.bytes)
        if (this.#ended.length > 0) file.keepRaw(blocksMax)
        for (const work of this.#alsoFlush) written.push(work(file))
      })
      for (const tell of written) tell()
      this.#newSeries = []
      this.#ended = []
    })
    // It may fail for hours; an hour is what memory has.
    this.#ended.splice(0, Math.max(0, this.#ended.length - blocksMax))
  }

  /** Resolves when what is over is rolled up. */
  whenRolled(): Promise<void> {
    return this.#rolled
  }

  async #roll(): Promise<void> {
    const living = (since: number): number[] => [...this.#series.all()].filter(({ lastAt }) => lastAt >= since).map(({ id }) => id)
    try {
      await this.#archive?.roll(this.#lastAt, living)
    } catch (error) {
      // Tried again in an hour; what it is made from stays until then.
      if (this.#archive) this.#options.onProblem(error)
    }
  }

  #guard(work: () => void): void {
    try {
      work()
      this.#failing = false
    } catch (error) {
      if (!this.#failing) this.#options.onProblem(error)
      this.#failing = true
    }
  }

  latest(selector: Selector): readonly Sample[] {
    const since = this.#lastAt - latestMs
    const found = this.#series.select(selector).filter(({ lastAt, lastValue }) => lastAt >= since && !Number.isNaN(lastValue))
    return found.map(({ metric, labels, lastValue }) => ({ metric, labels, value: lastValue }))
  }

  /** The step in which a time is answered: as asked for, or as finely as it is kept. */
  stepOf({ from, to, step = stepFor(to - from) }: Pick<RangeQuery, 'from' | 'to' | 'step'>): number {
    if (this.#recent.has(from) || this.#archive === undefined) return step
    const kept = this.#archive.finest(from)
    return Math.ceil(Math.max(step, kept) / kept) * kept
  }

  range(query: RangeQuery): readonly Series[] {
    const read = this.#reader(query)
    return this.#described(query).flatMap(read)
  }

  /** As `range`, for many series: others get their turn meanwhile. */
  async read(query: RangeQuery): Promise<readonly Series[]> {
    const read = this.#reader(query)
    const found: Series[] = []
    let done = 0
    for (const series of this.#described(query)) {
      found.push(...read(series))
      if (++done % seriesATurn === 0) await othersTurn()
    }
    return found
  }

  /** How many series of each metric have samples in the last hour. */
  metrics(): ReadonlyMap<string, number> {
    return this.#series.counts()
  }

  /** Those that live, and those of before that the disk knows. */
  #described(query: RangeQuery): readonly Described[] {
    const living = this.#series.select(query)
    if (this.#archive === undefined || this.#recent.has(query.from)) return living
    const known = new Set(living.map(({ id }) => id))
    const wanted = Object.entries(query.labels ?? {})
    const before = (this.#file?.seriesOf(query.metric) ?? []).filter(
      // `lastAt` is written down once an hour.
      ({ id, labels, lastAt }) => !known.has(id) && lastAt >= query.from - hourMs && wanted.every(([name, value]) => (labels[name] ?? '') === value),
    )
    return [...living, ...before.map((series) => ({ ...series, key: '' }))]
  }

  #reader(query: RangeQuery): (series: Described) => Series[] {
    const { from, to } = query
    const step = this.stepOf(query)
    const series = ({ metric, labels }: Described, points: readonly Point[]): Series[] => (points.length === 0 ? [] : [{ metric, labels, points }])
    if (step <= secondMs) return (one) => series(one, this.#samples(one.id, from, to))
    const each = this.#recent.has(from) || this.#archive === undefined ? undefined : this.#archive.reader(from, to, step)
    return (one) => series(one, this.#steps(one.id, query, step, each).map(pointOf))
  }

  #samples(id: number, from: number, to: number): Point[] {
    const points: Point[] = []
    this.#recent.each(id, from, to, (at, value) => points.push({ at, mean: value, min: value, max: value, last: value, count: 1 }))
    return points
  }

  #steps(id: number, { from, to }: RangeQuery, step: number, each: ((series: number, each: (cell: Cell) => void) => void) | undefined): Cell[] {
    const stepper = new Stepper(step)
    if (each) {
      each(id, (cell) => {
        stepper.add(cell)
      })
    } else {
      this.#recent.each(id, from, to, (at, value) => {
        stepper.sample(at, value)
      })
    }
    return stepper.cells
  }
}
