/**
 * What is older than the last hour. When an hour is over it is rolled up to minutes, when a day is over its minutes to hours; both again and again in small
 * pieces, so that nobody waits. What was not finished when the process died is done by the next one: until a piece is marked as done, it is made from what
 * is below it.
 *
 *     seconds (memory and raw, 65 min) ──hour over──▶ minutes (7 days) ──day over──▶ hours (400 days)
 */
import { Stepper, type Cell } from './core/cell.ts'
import { decodeChunk, encodeChunk } from './core/chunk.ts'
import { dayMs, hourMs, minuteMs } from './core/steps.ts'
import type { HistoryFile, Tier } from './history-file.ts'
import type { Recent } from './recent.ts'

/** Hours of minutes, days of hours that are kept. */
const hoursMax = 7 * 24 + 1
const daysMax = 400
/** Hours of minutes that stay as long as there are days by the hour, when there is no room. */
const hoursMin = 24
/** Series of a day that are kept by the hour: instances that lived for moments go first. */
const daySeriesMax = 5_000
/** Series of an hour that are kept by the minute. */
const hourSeriesMax = 20_000
/** In one transaction, about 5 ms. */
const seriesAPiece = 40

export interface ArchiveReader {
  readonly read: (series: number, each: (cell: Cell) => void) => void
  /** That are fetched for each series, each about 0.03 ms. */
  readonly pieces: number
}

const stepOf: Readonly<Record<Tier, number>> = { 1: minuteMs, 2: hourMs }
const floorTo = (at: number, step: number): number => Math.floor(at / step) * step

export class Archive {
  readonly #file: HistoryFile
  readonly #recent: Recent
  readonly #onDamaged: (error: unknown) => void
  /** Before these everything is rolled up. */
  #hoursDone = 0
  #daysDone = 0
  #rolling: Promise<void> = Promise.resolve()
  #stopped = false

  /** `onDamaged`: a part cannot be read; it is a gap. */
  constructor(file: HistoryFile, recent: Recent, onDamaged: (error: unknown) => void) {
    this.#file = file
    this.#recent = recent
    this.#onDamaged = onDamaged
  }

  load(): void {
    this.#hoursDone = Number(this.#file.note('hoursDone') ?? 0)
    this.#daysDone = Number(this.#file.note('daysDone') ?? 0)
  }

  stop(): void {
    this.#stopped = true
  }

  /** Rolls up what is over at `now`, one after the other. */
  roll(now: number): Promise<void> {
    const rolled = this.#rolling.then(() => this.#roll(now))
    this.#rolling = rolled.catch(() => undefined) // who asked is told
    return rolled
  }

  async #roll(now: number): Promise<void> {
    if (this.#stopped) return
    // First of all, or what has no room could not be written, and no room would be made.
    await this.#prune()
    const hours = new Set(this.#recent.starts.map((start) => floorTo(start, hourMs)))
    for (const hour of [...hours].filter((start) => start >= this.#hoursDone && start < floorTo(now, hourMs))) {
      await this.#hour(hour)
      this.#mark('hoursDone', (this.#hoursDone = hour + hourMs))
    }
    const days = new Set(this.#file.starts(1, this.#daysDone, floorTo(now, dayMs)).map((start) => floorTo(start, dayMs)))
    for (const day of days) {
      await this.#day(day)
      this.#mark('daysDone', (this.#daysDone = day + dayMs))
    }
    await this.#prune()
  }

  #mark(name: string, value: number): void {
    if (!this.#stopped) this.#file.putNote(name, value)
  }

  #hour(hour: number): Promise<void> {
    return this.#pieces(this.#recent.seriesIn(hour, hour + hourMs).slice(0, hourSeriesMax), (id) => {
      const minutes = new Stepper(minuteMs)
      this.#recent.each(id, hour, hour + hourMs, (at, value) => {
        minutes.sample(at, value)
      })
      if (minutes.cells.length === 0) return
      this.#file.putChunk(1, hour, id, encodeChunk(minutes.cells, hour, minuteMs))
      this.#file.touch(id, minutes.cells.at(-1)?.at ?? hour)
    })
  }

  #day(day: number): Promise<void> {
    const starts = this.#file.starts(1, day, day + dayMs)
    const hours = new Map<number, number>()
    for (const start of starts) for (const id of this.#file.seriesIn(1, start)) hours.set(id, (hours.get(id) ?? 0) + 1)
    const longest = [...hours].sort(([, a], [, b]) => b - a).slice(0, daySeriesMax)
    return this.#pieces(
      longest.map(([id]) => id),
      (id) => {
        const stepper = new Stepper(hourMs)
        for (const start of starts) for (const cell of this.#chunk(1, start, id)) stepper.add(cell)
        this.#file.putChunk(2, day, id, encodeChunk(stepper.cells, day, hourMs))
      },
    )
  }

  async #pieces(series: readonly number[], work: (series: number) => void): Promise<void> {
    for (let from = 0; from < series.length && !this.#stopped; from += seriesAPiece) {
      this.#file.transaction(() => {
        series.slice(from, from + seriesAPiece).forEach(work)
      })
      await othersTurn()
    }
  }

  /** The oldest goes, by count and not by age: a clock that was wrong for a while costs nothing. */
  async #prune(): Promise<void> {
    const hours = this.#file.starts(1, 0, Infinity)
    const days = this.#file.starts(2, 0, Infinity)
    const dropOldest = (tier: Tier, starts: number[]): void => {
      const start = starts.shift()
      if (start !== undefined) this.#file.dropChunks(tier, start)
    }
    while (!this.#stopped && hours.length > hoursMax && (hours[0] ?? 0) < this.#daysDone) dropOldest(1, hours)
    while (!this.#stopped && days.length > daysMax) dropOldest(2, days)
    while (!this.#stopped && this.#file.isFull && hours.length + days.length > 0) {
      if (hours.length > hoursMin || days.length === 0) dropOldest(1, hours)
      else dropOldest(2, days)
      this.#file.forgetSeries(hours[0] ?? 0, days[0] ?? 0)
      await othersTurn()
    }
    if (this.#stopped) return
    this.#file.forgetSeries(hours[0] ?? 0, days[0] ?? 0)
    this.#file.keepDays(daysMax + 1)
  }

  /** The clock was wrong: what is of a time that has not come goes. */
  dropFrom(at: number): void {
    const [hour, day] = [floorTo(at, hourMs), floorTo(at, dayMs)]
    this.#file.transaction(() => {
      this.#file.dropFrom({ raw: floorTo(at, minuteMs), 1: hour, 2: day })
      this.#mark('hoursDone', (this.#hoursDone = Math.min(this.#hoursDone, hour)))
      this.#mark('daysDone', (this.#daysDone = Math.min(this.#daysDone, day)))
    })
  }

  /** How finely it has the time since then. */
  finest(from: number): number {
    return from >= this.#file.oldest(1) - hourMs ? minuteMs : hourMs
  }

  /** Steps of a minute or an hour, in order of time, that lie in [from, to), for many series one after the other. */
  reader(from: number, to: number, stepMs: number): ArchiveReader {
    const tier: Tier = stepMs >= hourMs ? 2 : 1
    const first = floorTo(from, stepOf[tier])
    const days = tier === 2 ? this.#file.starts(2, floorTo(first, dayMs), Math.min(to, this.#daysDone)) : []
    const hours = this.#file.starts(1, Math.max(floorTo(first, hourMs), tier === 2 ? this.#daysDone : 0), Math.min(to, this.#hoursDone))
    const read: ArchiveReader['read'] = (series, each) => {
      const within = (cell: Cell): void => {
        if (cell.at >= first && cell.at < to) each(cell)
      }
      for (const start of days) this.#chunk(2, start, series).forEach(within)
      for (const start of hours) this.#chunk(1, start, series).forEach(within)
      const minutes = new Stepper(minuteMs)
      this.#recent.each(series, Math.max(first, this.#hoursDone), to, (at, value) => {
        minutes.sample(at, value)
      })
      minutes.cells.forEach(within)
    }
    return { read, pieces: days.length + hours.length }
  }

  #chunk(tier: Tier, start: number, series: number): Cell[] {
    const bytes = this.#file.chunk(tier, start, series)
    if (bytes === undefined) return []
    try {
      return decodeChunk(bytes, start, stepOf[tier])
    } catch (error) {
      this.#onDamaged(error)
      return []
    }
  }
}

export const othersTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
