/**
 * The history of all series: the last hour by the second in memory (`recent.ts`), what is older on the disk by the minute and by the hour (`archive.ts`).
 * Every 5 seconds the minute that goes on is written down, so that no more than that dies with the process.
 *
 * A reading that is not later than the one before is not kept: the wall clock was set back. When that lasts for 10 minutes the clock is believed, and what
 * was kept of a time that has not come is forgotten. Meanwhile `latest` goes on telling what was read.
 */
import { HoldfastError } from '../kernel/errors.ts'
import type { Labels } from '../kernel/labels.ts'
import { Archive, othersTurn, type ArchiveReader } from './archive.ts'
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
/** Series that wait to be written down; while that fails, the names of those that were forgotten go. */
const newSeriesMax = 20_000
/** Readings, one a second, until a clock that was set back is believed. */
const disbelievedMax = 600
/** Series, and pieces of the disk, that are read before others get their turn: about 2 ms. */
const seriesATurn = 25
const piecesATurn = 80
/** Series of one question, and pieces of the disk: about 3 s of work, between which others have their turns. */
const askedSeriesMax = 5_000
const askedPiecesMax = 100_000

export interface HistoryOptions {
  readonly limits?: SeriesLimits
  /** undefined: nothing outlives the process. */
  readonly file?: HistoryFile | undefined
  /** Told once for each metric of which a series found no place. */
  readonly onRefused?: (metric: string, labels: Labels, why: Refusal) => void
  /** It cannot be written, or read; told once until it can again. What is in memory goes on. */
  readonly onProblem?: (error: unknown) => void
  /** A part of it is not readable any more and is a gap; told once. */
  readonly onDamaged?: (error: unknown) => void
}

/** `isNew`: the file has nothing yet of what was written before. */
type AlsoFlush = (file: HistoryFile, isNew: boolean) => () => void

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
  #damageTold = false
  #renewing = false
  #stopped = false
  #rolled = Promise.resolve()
  readonly #alsoFlush: AlsoFlush[] = []
  /** What is written besides, it shall write as a whole. */
  #isNew = false

  constructor(options: HistoryOptions = {}) {
    const { limits = seriesLimits, file, onRefused = () => undefined, onProblem = () => undefined, onDamaged = () => undefined } = options
    this.#series = new SeriesTable(limits)
    this.#file = file
    this.#options = { onRefused, onProblem, onDamaged }
  }

  /** Takes up what was kept. A file that cannot be opened is told of, and done without. */
  async start(): Promise<void> {
    if (this.#file === undefined) return
    try {
      await this.#file.open()
      this.#restore(this.#file)
      this.#archive = this.#archiveOf(this.#file)
    } catch (error) {
      if (this.#file.isOpen && this.#file.isLost(error)) await this.#renew(this.#file, error)
      else this.#options.onProblem(error)
    }
  }

  #archiveOf(file: HistoryFile): Archive {
    const archive = new Archive(file, this.#recent, (error) => {
      this.#damaged(error)
    })
    archive.load()
    return archive
  }

  #damaged(error: unknown): void {
    if (!this.#damageTold) this.#options.onDamaged(error)
    this.#damageTold = true
  }

  /** Begins the file anew, and writes down what is in memory: the last hour, and what others have. */
  async #renew(file: HistoryFile, why: unknown): Promise<void> {
    if (this.#renewing || this.#stopped) return
    this.#renewing = true
    this.#archive?.stop()
    this.#archive = undefined
    try {
      await file.renew(why)
      // Somebody may have put one there that has series of its own.
      this.#series.continueFrom(file.lastId() + 1, (metric, labels) => file.idOf(metric, labels))
      this.#newSeries = [...this.#series.all()]
      this.#ended = [...this.#recent.sealed]
      this.#isNew = true
      if (this.#isStopped()) file.close()
      else this.#archive = this.#archiveOf(file)
    } catch (error) {
      this.#options.onProblem(error)
    }
    this.#renewing = false
  }

  /** It may have been meanwhile. */
  #isStopped(): boolean {
    return this.#stopped
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
    this.#series.trim()
  }

  #readable(bytes: Uint8Array): SealedBlock[] {
    try {
      return [new SealedBlock(bytes)]
    } catch (error) {
      this.#damaged(error)
      return []
    }
  }

  /** Writes down what is not yet. */
  stop(): void {
    this.#stopped = true
    this.#archive?.stop()
    this.#flush()
    this.#archive = undefined
    this.#file?.close()
  }

  /** Writes into the file whenever the history does, in the same transaction; what it returns is called when that was written. */
  alsoFlush(work: AlsoFlush): void {
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
    const entry = this.#series.entry(metric, labels, this.#lastAt)
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
        for (const work of this.#alsoFlush) written.push(work(file, this.#isNew))
      })
      for (const tell of written) tell()
      this.#newSeries = []
      this.#ended = []
      this.#isNew = false
    })
    // It may fail for hours; an hour is what memory has.
    this.#ended.splice(0, Math.max(0, this.#ended.length - blocksMax))
    if (this.#newSeries.length > newSeriesMax) this.#newSeries = [...this.#series.all()]
  }

  /** Resolves when what is over is rolled up. */
  whenRolled(): Promise<void> {
    return this.#rolled
  }

  async #roll(): Promise<void> {
    const archive = this.#archive
    try {
      await archive?.roll(this.#lastAt)
    } catch (error) {
      // Tried again in an hour; what it is made from stays until then.
      if (archive === this.#archive) this.#problem(error)
    }
  }

  #problem(error: unknown): void {
    if (this.#file?.isOpen === true && this.#file.isLost(error)) void this.#renew(this.#file, error)
    else this.#options.onProblem(error)
  }

  #guard(work: () => void): void {
    try {
      work()
      this.#failing = false
    } catch (error) {
      if (!this.#failing) this.#problem(error)
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
    const { read } = this.#reader(query)
    return this.#described(query).flatMap(read)
  }

  /**
   * As `range`, one series after the other, for many: others get their turn meanwhile. `most`: of so many, in the order of their labels; resolves with how many were left
   * off. Rejects with `too_many_series` what would take seconds.
   */
  async read(query: RangeQuery, take: (series: Series) => void, most = Infinity): Promise<number> {
    const { read, pieces } = this.#reader(query)
    const asked = this.#described(query)
    const [wanted, aTurn] = [Math.min(asked.length, most), Math.max(1, Math.min(seriesATurn, Math.floor(piecesATurn / pieces)))]
    if (wanted > askedSeriesMax || wanted * pieces > askedPiecesMax) throw tooMany(query.metric, asked.length, pieces)
    if (asked.length > most) asked.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
    let [done, taken] = [0, 0]
    for (const series of asked) {
      if (taken >= most) break
      for (const found of read(series)) {
        take(found)
        taken++
      }
      if (++done % aTurn === 0) await othersTurn()
    }
    return asked.length - done
  }

  /** How many series of each metric have samples in the last hour. */
  metrics(): ReadonlyMap<string, number> {
    return this.#series.counts()
  }

  /** Those that live, and those of before that the disk knows. */
  #described(query: RangeQuery): Described[] {
    const living = this.#series.select(query)
    if (this.#archive === undefined || this.#recent.has(query.from)) return living
    const known = new Set(living.map(({ id }) => id))
    // `lastAt` is written down once an hour.
    const before = this.#file?.seriesOf(query, query.from - hourMs, askedSeriesMax + 1).filter(({ id }) => !known.has(id)) ?? []
    return [...living, ...before.map((series) => ({ ...series, key: '' }))]
  }

  #reader(query: RangeQuery): { readonly read: (series: Described) => Series[]; readonly pieces: number } {
    const { from, to } = query
    const step = this.stepOf(query)
    const series = ({ metric, labels }: Described, points: readonly Point[]): Series[] => (points.length === 0 ? [] : [{ metric, labels, points }])
    if (step <= secondMs) return { read: (one) => series(one, this.#samples(one.id, from, to)), pieces: 1 }
    const archived = this.#recent.has(from) || this.#archive === undefined ? undefined : this.#archive.reader(from, to, step)
    return { read: (one) => series(one, this.#steps(one.id, query, step, archived?.read).map(pointOf)), pieces: Math.max(1, archived?.pieces ?? 1) }
  }

  #samples(id: number, from: number, to: number): Point[] {
    const points: Point[] = []
    this.#recent.each(id, from, to, (at, value) => points.push({ at, mean: value, min: value, max: value, last: value, count: 1 }))
    return points
  }

  #steps(id: number, { from, to }: RangeQuery, step: number, each: ArchiveReader['read'] | undefined): Cell[] {
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

const keyOf = ({ labels }: Described): string => JSON.stringify(labels)

const tooMany = (metric: string, series: number, pieces: number): HoldfastError =>
  new HoldfastError(
    'too_many_series',
    `tried to put ${series} series of ${metric} together, each in ${pieces} pieces on the disk: more than one question may take`,
    {
      hint: 'narrow it by labels (service=…), ask for a shorter time, or for steps of an hour (step=1h)',
      details: { series, pieces, seriesMax: askedSeriesMax, piecesMax: askedPiecesMax },
    },
  )
