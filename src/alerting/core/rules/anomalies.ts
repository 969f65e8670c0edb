/**
 * The series that anomaly rules watch: a row a minute each, from the history first, so that a restart forgets nothing. What is told of an episode is its
 * farthest row, so that it goes on, and says why, while rows in between are as they should be.
 */
import { labelsKey, type Labels } from '../../../kernel/labels.ts'
import type { SeriesReader } from '../../../metrics/types.ts'
import { AnomalyDetector, type AnomalyOptions, type AnomalyReading } from '../anomaly.ts'
import type { SeriesNode } from '../expression/ast.ts'
import { selectorOf, selects } from '../expression/evaluate.ts'
import type { AnomalyReader, Element } from '../expression/inputs.ts'
import { printCondition } from '../expression/print.ts'
import { dimensionOf } from '../expression/units.ts'
import { shownValue } from './words.ts'

/** A detector takes about 60 KiB. */
export const anomalySeriesMax = 500
export const anomalyRowMs = 60_000
/** What is usual is learnt from so much of the history. */
export const anomalyHistoryMs = 7 * 86_400_000
/** Points that one answer of the history may have. */
const rowsAtOnce = 1_000

interface Watched {
  readonly labels: Labels
  readonly detector: AnomalyDetector
  fedTo: number
  /** Of the episode that goes on, at its farthest. */
  farthest: (AnomalyReading & { readonly observed: number }) | undefined
}

interface Node {
  readonly series: Map<string, Watched>
  fedTo: number
}

export class AnomalyMemory implements AnomalyReader {
  readonly #nodes = new Map<string, Node>()
  readonly #options: AnomalyOptions
  #count = 0

  constructor(options: AnomalyOptions = {}) {
    this.#options = options
  }

  anomalies(node: SeriesNode, now: number, series: SeriesReader): readonly Element[] {
    const key = printCondition(node)
    const end = Math.floor(now / anomalyRowMs) * anomalyRowMs
    const known = this.#nodes.get(key) ?? { series: new Map<string, Watched>(), fedTo: end - anomalyHistoryMs }
    this.#nodes.set(key, known)
    while (known.fedTo < end) {
      const to = Math.min(end, known.fedTo + rowsAtOnce * anomalyRowMs)
      this.#feed(node, known, to, series)
      known.fedTo = to
    }
    return [...known.series.values()].flatMap(({ labels, farthest, fedTo }) =>
      farthest !== undefined && fedTo === end ? { labels, value: Math.round(farthest.score * 100) / 100, facts: factsOf(node, farthest) } : [],
    )
  }

  #feed(node: SeriesNode, known: Node, to: number, series: SeriesReader): void {
    for (const { labels, points } of series.range({ ...selectorOf(node), from: known.fedTo, to, step: anomalyRowMs })) {
      if (points.length === 0 || !selects(node, labels)) continue
      const key = labelsKey(labels)
      const watched = known.series.get(key) ?? this.#watch(known, key, labels)
      if (watched === undefined) continue
      for (const { at, mean } of points) {
        const reading = watched.detector.observe(at, mean)
        if (!reading.firing) watched.farthest = undefined
        else if (reading.began || reading.score > (watched.farthest?.score ?? 0)) watched.farthest = { ...reading, observed: mean }
      }
      watched.fedTo = to
    }
    for (const [key, { fedTo }] of known.series) {
      if (fedTo >= to - anomalyHistoryMs) continue
      known.series.delete(key)
      this.#count--
    }
  }

  /** undefined: there are too many. */
  #watch(node: Node, key: string, labels: Labels): Watched | undefined {
    if (this.#count >= anomalySeriesMax) return undefined
    this.#count++
    const watched = { labels, detector: new AnomalyDetector(this.#options), fedTo: 0, farthest: undefined }
    node.series.set(key, watched)
    return watched
  }
}

/** `{ observed: '93/s', expected: '40/s ± 6/s at this time of the day' }`. */
function factsOf(node: SeriesNode, { observed, expected, usual, by }: AnomalyReading & { readonly observed: number }): Labels {
  const shown = (value: number): string => shownValue(value, dimensionOf(node))
  return { observed: shown(observed), expected: `${shown(expected)} ± ${shown(usual)}${by === 'season' ? ' at this time of the day' : ''}` }
}
