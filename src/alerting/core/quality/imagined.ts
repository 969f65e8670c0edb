/** Series of a world that is imagined: each a function of time, for trying rules on faults that have not happened. */
import type { Labels } from '../../../kernel/labels.ts'
import type { Point, RangeQuery, Sample, Selector, Series, SeriesReader } from '../../../metrics/types.ts'

export interface ImaginedSeries {
  readonly metric: string
  readonly labels: Labels
  /** undefined: there is none at that time. */
  readonly value: (at: number) => number | undefined
}

/** A window is looked at in so many steps. */
const stepsMax = 120
const secondMs = 1_000

export class ImaginedReader implements SeriesReader {
  readonly #byMetric = new Map<string, ImaginedSeries[]>()
  now = 0

  constructor(all: readonly ImaginedSeries[]) {
    for (const one of all) this.#byMetric.set(one.metric, [...(this.#byMetric.get(one.metric) ?? []), one])
  }

  latest(selector: Selector): readonly Sample[] {
    return this.#select(selector).flatMap(({ metric, labels, value }) => {
      const now = value(this.now)
      return now === undefined ? [] : { metric, labels, value: now }
    })
  }

  range({ from, to, step, ...selector }: RangeQuery): readonly Series[] {
    const grain = step ?? Math.max(secondMs, Math.ceil((to - from) / stepsMax / secondMs) * secondMs)
    return this.#select(selector).map(({ metric, labels, value }) => {
      const points: Point[] = []
      // The newest second is always one of them, so that what has just begun is seen.
      for (let at = Math.floor((to - 1) / secondMs) * secondMs; at >= from; at -= grain) {
        const one = value(at)
        if (one !== undefined) points.push({ at, mean: one, min: one, max: one, last: one, count: grain / secondMs })
      }
      return { metric, labels, points: points.reverse() }
    })
  }

  #select({ metric, labels = {} }: Selector): readonly ImaginedSeries[] {
    return (this.#byMetric.get(metric) ?? []).filter((one) => Object.entries(labels).every(([name, value]) => one.labels[name] === value))
  }
}
