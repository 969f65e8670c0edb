/**
 * What the history keeps on the disk: `history.db` in the data directory, a file of its own, so that neither its size nor its damage concerns the state.
 *
 *   series   number ─ metric and labels
 *   raw      a row for each of the last 65 minutes: a block with everything (`core/block.ts`)
 *   chunks   tier 1: an hour of a series by the minute; tier 2: a day of a series by the hour (`core/chunk.ts`)
 *   days     what each service served and failed
 *
 * Rows of chunks lie in order of time: new ones are appended, old ones go in runs. Not taken: a table with a row for each sample, thirty times as large.
 */
import { existsSync } from 'node:fs'
import { isDamaged, openSideFile, setSideFileAside, type SideFile, type SideFileOptions } from '../store/index.ts'
import type { Labels, Selector } from './types.ts'

const steps = [
  `
  CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

  -- lastAt: about; kept: it has chunks of tier 2.
  CREATE TABLE series (
    id INTEGER PRIMARY KEY,
    metric TEXT NOT NULL,
    labels TEXT NOT NULL,
    lastAt INTEGER NOT NULL,
    kept INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE UNIQUE INDEX seriesByName ON series (metric, labels);
  CREATE INDEX seriesByAge ON series (lastAt);

  CREATE TABLE raw (start INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;

  CREATE TABLE chunks (
    tier INTEGER NOT NULL,
    start INTEGER NOT NULL,
    series INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (tier, start, series)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE days (
    day TEXT NOT NULL,
    service TEXT NOT NULL,
    good INTEGER NOT NULL,
    bad INTEGER NOT NULL,
    unknownMs INTEGER NOT NULL,
    downMs INTEGER NOT NULL,
    PRIMARY KEY (day, service)
  ) STRICT, WITHOUT ROWID;
  `,
]

/** 2,000 series by the minute for a week and by the hour for 400 days. */
export const historyBytesMax = 512 * 1_048_576
/** Series whose names are known, those of the last 400 days included: about 50 MiB. */
const namesMax = 200_000
/** Beyond that the oldest goes; the rest is room to move in. */
const fullAt = 0.9

/** 1: hours by the minute; 2: days by the hour. */
export type Tier = 1 | 2

/** No start is as late. */
const farthest = Number.MAX_SAFE_INTEGER

export interface StoredSeries {
  readonly id: number
  readonly metric: string
  readonly labels: Labels
  readonly lastAt: number
}

export interface StoredDay {
  readonly day: string
  readonly service: string
  readonly good: number
  readonly bad: number
  readonly unknownMs: number
  readonly downMs: number
}

export class HistoryFile {
  readonly #options: Omit<SideFileOptions, 'steps'>
  #opened: SideFile | undefined

  constructor(options: Omit<SideFileOptions, 'steps' | 'bytesMax'> & { readonly bytesMax?: number }) {
    this.#options = { bytesMax: historyBytesMax, ...options }
  }

  async open(): Promise<void> {
    this.#opened ??= await openSideFile({ ...this.#options, steps })
  }

  close(): void {
    this.#opened?.close()
    this.#opened = undefined
  }

  get isOpen(): boolean {
    return this.#opened !== undefined
  }

  /** What failed with that fails until the file is begun anew: it was damaged, or somebody removed it. */
  isLost(error: unknown): boolean {
    return isDamaged(error) || !existsSync(this.#options.path)
  }

  /** Begun anew; what is damaged is set aside. */
  async renew(why: unknown): Promise<void> {
    this.close()
    if (isDamaged(why)) await setSideFileAside(this.#options, why)
    await this.open()
  }

  get #sql(): SideFile {
    if (this.#opened === undefined) throw new Error('the history file is not open')
    return this.#opened
  }

  transaction(work: () => void): void {
    this.#sql.transaction(work)
  }

  // --- series

  addSeries({ id, metric, labels, lastAt }: StoredSeries): void {
    this.#sql.run(
      'INSERT INTO series (id, metric, labels, lastAt) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET lastAt = excluded.lastAt',
      id,
      metric,
      JSON.stringify(labels),
      lastAt,
    )
  }

  /** `labels` in order of their names. */
  idOf(metric: string, labels: Labels): number | undefined {
    const row = this.#sql.get('SELECT id FROM series WHERE metric = ? AND labels = ?', metric, JSON.stringify(labels))
    return (row as { id: number } | undefined)?.id
  }

  touch(series: number, at: number): void {
    this.#sql.run('UPDATE series SET lastAt = ? WHERE id = ?', at, series)
  }

  lastId(): number {
    return (this.#sql.get('SELECT coalesce(max(id), 0) AS id FROM series') as { id: number }).id
  }

  /** Those with samples since then, as far as is written down; the newest, at most `max`. */
  seriesOf({ metric, labels = {} }: Selector, since: number, max: number): StoredSeries[] {
    const wanted = Object.entries(labels)
    const same = wanted.map(() => " AND coalesce(json_extract(labels, ?), '') = ?").join('')
    const rows = this.#sql.all(
      `SELECT id, metric, labels, lastAt FROM series WHERE metric = ? AND lastAt >= ?${same} ORDER BY lastAt DESC LIMIT ?`,
      metric,
      Math.max(0, since),
      ...wanted.flatMap(([name, value]) => [`$."${name}"`, value]),
      max,
    )
    return (rows as SeriesRow[]).map(asSeries)
  }

  seriesSince(at: number): StoredSeries[] {
    return (this.#sql.all('SELECT id, metric, labels, lastAt FROM series WHERE lastAt >= ?', at) as SeriesRow[]).map(asSeries)
  }

  /** Those of which nothing is left: without a day by the hour since `minutes`, with one since `hours`. */
  forgetSeries(minutes: number, hours: number): void {
    this.#sql.run('DELETE FROM series WHERE lastAt < ? AND (kept = 0 OR lastAt < ?)', minutes, hours)
    // However many come and go, their names must not fill the file.
    this.#sql.run('DELETE FROM series WHERE id IN (SELECT id FROM series ORDER BY lastAt DESC LIMIT -1 OFFSET ?)', namesMax)
  }

  // --- minutes, hours and days

  putRaw(start: number, data: Uint8Array): void {
    this.#sql.run('INSERT OR REPLACE INTO raw (start, data) VALUES (?, ?)', start, data)
  }

  raw(): Uint8Array[] {
    return (this.#sql.all('SELECT data FROM raw ORDER BY start') as { data: Uint8Array }[]).map(({ data }) => data)
  }

  /** All but the newest so many minutes. */
  keepRaw(count: number): void {
    this.#sql.run('DELETE FROM raw WHERE start IN (SELECT start FROM raw ORDER BY start DESC LIMIT -1 OFFSET ?)', count)
  }

  putChunk(tier: Tier, start: number, series: number, data: Uint8Array): void {
    this.#sql.run('INSERT OR REPLACE INTO chunks (tier, start, series, data) VALUES (?, ?, ?, ?)', tier, start, series, data)
    if (tier === 2) this.#sql.run('UPDATE series SET kept = 1 WHERE id = ?', series)
  }

  chunk(tier: Tier, start: number, series: number): Uint8Array | undefined {
    const row = this.#sql.get('SELECT data FROM chunks WHERE tier = ? AND start = ? AND series = ?', tier, start, series)
    return (row as { data: Uint8Array } | undefined)?.data
  }

  /** Beginnings of the rows that there are, rising. */
  starts(tier: Tier, from: number, to: number): number[] {
    // Each found by one step down the tree: a run may hold thousands of series.
    const found: number[] = []
    for (let at = from; ;) {
      const row = this.#sql.get(
        'SELECT start FROM chunks WHERE tier = ? AND start >= ? AND start < ? ORDER BY start LIMIT 1',
        tier,
        at,
        Math.min(to, farthest),
      )
      if (row === undefined) return found
      const { start } = row as { start: number }
      found.push(start)
      at = start + 1
    }
  }

  seriesIn(tier: Tier, start: number): number[] {
    return (this.#sql.all('SELECT series FROM chunks WHERE tier = ? AND start = ?', tier, start) as { series: number }[]).map(({ series }) => series)
  }

  dropChunks(tier: Tier, start: number): void {
    this.#sql.run('DELETE FROM chunks WHERE tier = ? AND start = ?', tier, start)
  }

  /** All from these beginnings on. */
  dropFrom(starts: Readonly<Record<'raw' | Tier, number>>): void {
    this.#sql.run('DELETE FROM raw WHERE start >= ?', starts.raw)
    for (const tier of [1, 2] as const) this.#sql.run('DELETE FROM chunks WHERE tier = ? AND start >= ?', tier, starts[tier])
  }

  /** Infinity: it has none. */
  oldest(tier: Tier): number {
    const row = this.#sql.get('SELECT start FROM chunks WHERE tier = ? ORDER BY start LIMIT 1', tier)
    return (row as { start: number } | undefined)?.start ?? Infinity
  }

  // --- days

  putDay({ day, service, good, bad, unknownMs, downMs }: StoredDay): void {
    const row = [day, service, good, bad, Math.round(unknownMs), Math.round(downMs)] as const
    this.#sql.run('INSERT OR REPLACE INTO days (day, service, good, bad, unknownMs, downMs) VALUES (?, ?, ?, ?, ?, ?)', ...row)
  }

  days(since: string): StoredDay[] {
    return this.#sql.all('SELECT day, service, good, bad, unknownMs, downMs FROM days WHERE day >= ? ORDER BY day', since) as StoredDay[]
  }

  /** All but the newest so many days. */
  keepDays(count: number): void {
    this.#sql.run('DELETE FROM days WHERE day IN (SELECT DISTINCT day FROM days ORDER BY day DESC LIMIT -1 OFFSET ?)', count)
  }

  // --- notes and size

  note(name: string): unknown {
    const row = this.#sql.get('SELECT value FROM meta WHERE name = ?', name) as { value: string } | undefined
    return row === undefined ? undefined : (JSON.parse(row.value) as unknown)
  }

  putNote(name: string, value: unknown): void {
    this.#sql.run('INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)', name, JSON.stringify(value))
  }

  /** Bytes in use. */
  size(): number {
    const pragma = (name: string): number => Object.values(this.#sql.get(`PRAGMA ${name}`) as Record<string, number>)[0] ?? 0
    return (pragma('page_count') - pragma('freelist_count')) * pragma('page_size')
  }

  get isFull(): boolean {
    return this.size() > fullAt * this.#options.bytesMax
  }
}

interface SeriesRow {
  readonly id: number
  readonly metric: string
  readonly labels: string
  readonly lastAt: number
}

const asSeries = ({ labels, ...rest }: SeriesRow): StoredSeries => ({ ...rest, labels: JSON.parse(labels) as Labels })
