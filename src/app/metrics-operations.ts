/** What a user can ask of what was measured. */
import type { MetricInfo } from '../metrics/core/catalogue.ts'
import type { Aggregate } from '../metrics/core/combine.ts'
import type { Day } from '../metrics/core/uptime-book.ts'
import type { Labels, Series } from '../metrics/types.ts'

export interface MetricsQuery {
  readonly metric: string
  /** Only series with these. */
  readonly labels?: Labels | undefined
  /** Wall time in milliseconds; inclusive. */
  readonly from: number
  /** Exclusive. */
  readonly to: number
  /** Milliseconds. Default: the finest that makes at most 1,000 points; a finer one than that is made that. */
  readonly step?: number | undefined
  /** Series are put together, one for each combination of values of these labels. Default: each by itself. */
  readonly by?: readonly string[] | undefined
  /** How. Default: the largest of times, the mean of shares, else the sum. */
  readonly agg?: Aggregate | undefined
  /** How much it grows per second, of a counter. */
  readonly rate?: boolean | undefined
  /** Series at most. Default, and at most: 200. */
  readonly limit?: number | undefined
}

export interface MetricsAnswer {
  readonly metric: string
  /** undefined: not of ours. */
  readonly unit: MetricInfo['unit'] | undefined
  readonly from: number
  readonly to: number
  /** Milliseconds: as asked for, or as coarse as the time asked for is kept. */
  readonly step: number
  readonly series: readonly Series[]
  /** Series that found no place in the answer, or may have had points for it; narrow it by labels, or put them together with `by`. */
  readonly leftOff: number
}

/** A metric, and how many series of it there are now. */
export interface CatalogueEntry extends MetricInfo {
  readonly series: number
}

export interface MetricsOperations {
  /** Those of ours first, then others that have series. */
  catalogue(): readonly CatalogueEntry[]
  /** Rejects with `unknown_metric` when it is neither in the catalogue nor has series, with `invalid_input` when `from` is not before `to`, and with `too_many_series`
   * when it would take seconds. */
  query(query: MetricsQuery): Promise<MetricsAnswer>
  /** What the service served and failed on each of the last days (UTC), oldest first; days of which nothing is known may be missing. */
  uptime(service: string, days: number): readonly Day[]
}
