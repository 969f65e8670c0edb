/** Series that are written down: for tests of conditions and rules. */
import { labelsKey, type Labels } from '../../kernel/labels.ts'
import type { Sample, Selector, Series, SeriesReader, RangeQuery } from '../../metrics/types.ts'
import type { Inputs } from '../core/expression/inputs.ts'

interface Kept {
  readonly metric: string
  readonly labels: Labels
  readonly points: { at: number; value: number }[]
}

export class FakeSeries implements SeriesReader {
  readonly #series = new Map<string, Kept>()
  readonly #gone = new Set<string>()

  at(at: number, metric: string, labels: Labels, value: number): this {
    const key = `${metric}\n${labelsKey(labels)}`
    this.#gone.delete(key)
    const kept = this.#series.get(key) ?? { metric, labels, points: [] }
    this.#series.set(key, kept)
    kept.points.push({ at, value })
    return this
  }

  /** At ten minutes. */
  now(metric: string, labels: Labels, value: number): this {
    return this.at(600_000, metric, labels, value)
  }

  end(metric: string, labels: Labels): void {
    this.#gone.add(`${metric}\n${labelsKey(labels)}`)
  }

  latest(selector: Selector): readonly Sample[] {
    return this.#of(selector).map(({ metric, labels, points }) => ({ metric, labels, value: points.at(-1)?.value ?? NaN }))
  }

  range({ from, to, ...selector }: RangeQuery): readonly Series[] {
    return this.#of(selector).map(({ metric, labels, points }) => ({
      metric,
      labels,
      points: points
        .filter(({ at }) => at >= from && at < to)
        .map(({ at, value }) => ({ at, mean: value, min: value, max: value, last: value, count: 1 })),
    }))
  }

  #of({ metric, labels = {} }: Selector): readonly Kept[] {
    return [...this.#series]
      .filter(
        ([key, kept]) =>
          kept.metric === metric && !this.#gone.has(key) && Object.entries(labels).every(([name, value]) => kept.labels[name] === value),
      )
      .map(([, kept]) => kept)
  }
}

/** Everything is promised 99.9 %; no event, no Prometheus, nothing unusual. */
export const inputsOf = (series: SeriesReader, now: number): Inputs => ({
  now,
  since: 0,
  series,
  events: () => [],
  objective: () => 0.999,
  anomalies: () => [],
  prometheus: () => [],
})
