/**
 * Series: what is measured again and again. A sampler reads all of them once a second; the history keeps them with roll-ups; rules, the API and the dashboard read them
 * through `SeriesReader`. What each is called, in which unit, and of what it is, stands in `core/catalogue.ts`.
 */
import type { Labels } from '../kernel/labels.ts'

export type { Labels }

export interface Sample {
  /** A name of the catalogue, or one of the user's own. */
  readonly metric: string
  /** Without the metric's name: `{ service: 'shop', instance: 'shop-3f2a9c' }`. */
  readonly labels: Labels
  readonly value: number
}

/** All that was read at one instant. */
export interface Reading {
  /** Wall time in milliseconds. */
  readonly at: number
  readonly samples: readonly Sample[]
}

/** Something that is read at every tick of the sampler: checks, a program's own numbers. */
export interface SampleSource {
  /** What holds now; quick, and without I/O. */
  samples(): readonly Sample[]
}

/** Which series: the metric, and labels that must be equal. */
export interface Selector {
  readonly metric: string
  /** Default: any. */
  readonly labels?: Labels
}

/** One step of a series. `at` is its beginning; of a raw sample the four values are one. */
export interface Point {
  /** Wall time in milliseconds. */
  readonly at: number
  readonly mean: number
  readonly min: number
  readonly max: number
  readonly last: number
  /** Samples in it. */
  readonly count: number
}

export interface Series {
  readonly metric: string
  readonly labels: Labels
  /** Rising in time; a step without samples has no point. */
  readonly points: readonly Point[]
}

export interface RangeQuery extends Selector {
  /** Wall time in milliseconds; inclusive. */
  readonly from: number
  /** Exclusive. */
  readonly to: number
  /** Milliseconds; default: as fine as it is kept, in at most 1,000 points. */
  readonly step?: number
}

export interface SeriesReader {
  /** The newest sample of each series that is still told of (not older than 5 s, or 2.5 of its own intervals). */
  latest(selector: Selector): readonly Sample[]
  range(query: RangeQuery): readonly Series[]
}
