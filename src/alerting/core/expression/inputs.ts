/** What conditions are evaluated against. The live rules, the back-test and the coverage report each bring their own. */
import type { Labels } from '../../../kernel/labels.ts'
import type { SeriesReader } from '../../../metrics/types.ts'
import type { Matcher } from '../matchers.ts'
import type { SeriesNode } from './ast.ts'

export interface Element {
  readonly labels: Labels
  readonly value: number
  /** What else is to be said of it, by names that templates may use as they do labels. */
  readonly facts?: Labels
}

/** An event as conditions see it: its type, when, and what can be matched: service, instance, and the plain values of its data. */
export interface CountedEvent {
  readonly at: number
  readonly type: string
  readonly labels: Labels
}

export interface EventReader {
  /** After `from`, up to and with `to`. */
  events(type: string, from: number, to: number): readonly CountedEvent[]
}

/** What is promised of a service: the share of its requests that are answered well. */
export interface ObjectiveReader {
  /** 0.999; undefined: nothing is promised of it. */
  objective(service: string): number | undefined
}

export interface AnomalyReader {
  /** Each series that lies far from what was to be expected, with its score. */
  anomalies(node: SeriesNode, now: number, series: SeriesReader): readonly Element[]
}

export interface Inputs extends EventReader, ObjectiveReader, AnomalyReader {
  /** Wall time in milliseconds. */
  readonly now: number
  /** Since when readings are taken: before that, nothing is missing. */
  readonly since: number
  readonly series: SeriesReader
  /** The last answer to the query. Throws when there is none. */
  prometheus(query: string): readonly Element[]
}

/** A regular expression must match the whole. */
export type { Matcher }
