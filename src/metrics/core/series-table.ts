/**
 * Which series there are: each gets a number when it is met first, as long as there is room. A flood of label values fills its own metric's room only. When there is
 * none, those that fell silent make it: instances that come and go must not keep those from being seen that are there.
 */
import { labelsKey, type Labels } from '../../kernel/labels.ts'
import type { Selector } from '../types.ts'

export interface SeriesEntry {
  readonly id: number
  readonly metric: string
  readonly labels: Labels
  readonly key: string
  /** Of its newest sample. */
  lastAt: number
  lastValue: number
}

export interface SeriesLimits {
  /** Series with a sample in the last hour. 200 instances have 2,000; a second of 10,000 takes about 10 ms. */
  readonly seriesMax: number
  /** Of them, of one metric: 1,000 checks and 1,000 endpoints fit. */
  readonly seriesPerMetricMax: number
  /** Characters of a label's value. */
  readonly labelValueMax: number
  readonly labelsMax: number
}

export const seriesLimits: SeriesLimits = { seriesMax: 10_000, seriesPerMetricMax: 2_000, labelValueMax: 256, labelsMax: 16 }

/** Who has said nothing for so long may be forgotten when somebody else needs the place. */
const silentMs = 5 * 60_000
/** Of the places, how many are made at once. */
const roomShare = 0.1
/** When none could be made it is not tried again so soon: each try looks at all. */
const tryAgainMs = 1_000

export type Refusal = 'series' | 'seriesPerMetric' | 'labels'

export class SeriesTable {
  readonly #limits: SeriesLimits
  readonly #metrics = new Map<string, Map<string, SeriesEntry>>()
  /** Readers hand over the same labels again and again: found without sorting them. */
  #known = new WeakMap<Labels, Map<string, SeriesEntry>>()
  #count = 0
  #nextId = 1
  /** By metric: when no room could be made in it. */
  readonly #noRoomAt = new Map<string, number>()
  #recall: (metric: string, labels: Labels) => number | undefined = () => undefined

  constructor(limits: SeriesLimits = seriesLimits) {
    this.#limits = limits
  }

  get count(): number {
    return this.#count
  }

  /** The series of a sample of `at`, new if need be; or why it gets no place. */
  entry(metric: string, labels: Labels, at: number): SeriesEntry | Refusal {
    const quick = this.#known.get(labels)?.get(metric)
    if (quick !== undefined) return quick
    const key = labelsKey(labels)
    const found = this.#metrics.get(metric)?.get(key) ?? this.#add(metric, labels, key, at)
    if (typeof found === 'object') this.#remember(labels, metric, found)
    return found
  }

  #remember(labels: Labels, metric: string, entry: SeriesEntry): void {
    const known = this.#known.get(labels)
    if (known) known.set(metric, entry)
    else this.#known.set(labels, new Map<string, SeriesEntry>([[metric, entry]]))
  }

  #add(metric: string, labels: Labels, key: string, at: number): SeriesEntry | Refusal {
    let refusal = this.#refusal(metric, labels)
    if (refusal !== undefined && refusal !== 'labels' && this.#makeRoom(metric, refusal, at)) refusal = this.#refusal(metric, labels)
    if (refusal !== undefined) return refusal
    const own = Object.fromEntries(
      Object.entries(labels)
        .filter(([, value]) => value !== '')
        .toSorted(([a], [b]) => (a < b ? -1 : 1)),
    )
    const id = this.#recall(metric, own) ?? this.#nextId
    return this.put({ id, metric, labels: own, key, lastAt: -Infinity, lastValue: NaN })
  }

  #refusal(metric: string, labels: Labels): Refusal | undefined {
    const { seriesMax, seriesPerMetricMax, labelValueMax, labelsMax } = this.#limits
    const values = Object.values(labels)
    if (values.length > labelsMax || values.some(({ length }) => length > labelValueMax)) return 'labels'
    if (this.#count >= seriesMax) return 'series'
    return (this.#metrics.get(metric)?.size ?? 0) >= seriesPerMetricMax ? 'seriesPerMetric' : undefined
  }

  /** Forgets some of those that have been silent for longest; false: all are alive. */
  #makeRoom(metric: string, why: 'series' | 'seriesPerMetric', at: number): boolean {
    if (Math.abs(at - (this.#noRoomAt.get(metric) ?? -Infinity)) < tryAgainMs) return false
    const among = why === 'series' ? [...this.all()] : [...(this.#metrics.get(metric)?.values() ?? [])]
    const silent = among.filter(({ lastAt }) => lastAt < at - silentMs).sort((a, b) => a.lastAt - b.lastAt)
    if (silent.length === 0) {
      this.#noRoomAt.set(metric, at)
      return false
    }
    this.#remove(silent.slice(0, Math.ceil(roomShare * among.length)))
    return true
  }

  /** Those that were put in and have no place: the newest stay. */
  trim(): void {
    const { seriesMax, seriesPerMetricMax } = this.#limits
    const newestFirst = (entries: Iterable<SeriesEntry>): SeriesEntry[] => [...entries].sort((a, b) => b.lastAt - a.lastAt)
    for (const series of this.#metrics.values()) this.#remove(newestFirst(series.values()).slice(seriesPerMetricMax))
    this.#remove(newestFirst(this.all()).slice(seriesMax))
  }

  #remove(entries: readonly SeriesEntry[]): void {
    for (const { metric, key } of entries) {
      const series = this.#metrics.get(metric)
      if (series?.delete(key)) this.#count--
      if (series?.size === 0) this.#metrics.delete(metric)
    }
    this.#known = new WeakMap()
  }

  /** Lower numbers than `next` are taken; `recall` knows by whom, given labels in order of their names. */
  continueFrom(next: number, recall: (metric: string, labels: Labels) => number | undefined): void {
    this.#nextId = Math.max(this.#nextId, next)
    this.#recall = recall
  }

  /** One that was met before, with its number. */
  put(given: Omit<SeriesEntry, 'key'> & { readonly key?: string }): SeriesEntry {
    const entry = { ...given, key: given.key ?? labelsKey(given.labels) }
    let series = this.#metrics.get(entry.metric)
    if (series === undefined) this.#metrics.set(entry.metric, (series = new Map<string, SeriesEntry>()))
    if (!series.has(entry.key)) this.#count++
    series.set(entry.key, entry)
    this.#nextId = Math.max(this.#nextId, entry.id + 1)
    return entry
  }

  select({ metric, labels }: Selector): SeriesEntry[] {
    const wanted = Object.entries(labels ?? {})
    const found: SeriesEntry[] = []
    for (const entry of this.#metrics.get(metric)?.values() ?? []) {
      if (wanted.every(([name, value]) => (entry.labels[name] ?? '') === value)) found.push(entry)
    }
    return found
  }

  /** How many of each metric. */
  counts(): ReadonlyMap<string, number> {
    return new Map([...this.#metrics].map(([metric, series]) => [metric, series.size]))
  }

  *all(): IterableIterator<SeriesEntry> {
    for (const series of this.#metrics.values()) yield* series.values()
  }

  /** Those without a sample since then make room. */
  forget(before: number): void {
    for (const [metric, series] of this.#metrics) {
      for (const [key, { lastAt }] of series) {
        if (lastAt >= before) continue
        series.delete(key)
        this.#count--
      }
      if (series.size === 0) this.#metrics.delete(metric)
    }
    this.#known = new WeakMap()
    this.#noRoomAt.clear()
  }
}
