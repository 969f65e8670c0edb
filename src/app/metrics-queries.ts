/** `MetricsOperations` over the history: what was asked made a range, series put together, the answer kept small. */
import { nearest } from '../config/core/words.ts'
import { HoldfastError } from '../kernel/errors.ts'
import { catalogue, metricInfo, usualAggregate } from '../metrics/core/catalogue.ts'
import { Combiner, rateOf } from '../metrics/core/combine.ts'
import { stepFor } from '../metrics/core/steps.ts'
import type { Day } from '../metrics/core/uptime-book.ts'
import type { RangeQuery, Series } from '../metrics/types.ts'
import type { CatalogueEntry, MetricsAnswer, MetricsOperations, MetricsQuery } from './metrics-operations.ts'

/** Series of one answer: more than anybody can tell apart, and a megabyte. */
export const seriesMax = 200

export interface QueriedHistory {
  /** Hands over one series after the other, at most so many; resolves with how many were left off. */
  read(query: RangeQuery, take: (series: Series) => void, most?: number): Promise<number>
  /** The step in which that time is answered. */
  stepOf(query: Pick<RangeQuery, 'from' | 'to' | 'step'>): number
  /** How many series of each metric. */
  metrics(): ReadonlyMap<string, number>
}

export class MetricsQueries implements MetricsOperations {
  readonly #history: QueriedHistory
  readonly #days: MetricsOperations['uptime']

  constructor(history: QueriedHistory, days: MetricsOperations['uptime']) {
    this.#history = history
    this.#days = days
  }

  uptime(service: string, days: number): readonly Day[] {
    return this.#days(service, days)
  }

  catalogue(): readonly CatalogueEntry[] {
    const counts = this.#history.metrics()
    const others = [...counts.keys()].filter((name) => metricInfo(name) === undefined).toSorted()
    const foreign = others.map((name) => ({ name, unit: 'count', subject: 'other', help: 'Not of Holdfast itself.' }) as const)
    return [...catalogue, ...foreign].map((metric) => ({ ...metric, series: counts.get(metric.name) ?? 0 }))
  }

  async query(query: MetricsQuery): Promise<MetricsAnswer> {
    const { metric, labels, from, to, by, agg, rate, limit = seriesMax } = query
    this.#check(query)
    const step = this.#history.stepOf({ from, to, step: Math.max(query.step ?? 0, stepFor(to - from)) })
    const most = Math.min(limit, seriesMax)
    const rated = (series: Series): Series => (rate === true ? rateOf(series) : series)
    const range: RangeQuery = { metric, from, to, step, ...(labels && { labels }) }
    const found: Series[] = []
    let leftOff = 0
    if (by === undefined && agg === undefined) leftOff = await this.#history.read(range, (series) => void found.push(rated(series)), most)
    else {
      const combiner = new Combiner(by ?? [], agg ?? usualAggregate(metric))
      await this.#history.read(range, (series) => {
        combiner.add(rated(series))
      })
      found.push(...combiner.series())
    }
    const sorted = found.toSorted((a, b) => (textOf(a) < textOf(b) ? -1 : 1))
    const series = sorted.slice(0, most)
    return { metric, unit: metricInfo(metric)?.unit, from, to, step, series, leftOff: leftOff + sorted.length - series.length }
  }

  #check({ metric, from, to }: MetricsQuery): void {
    if (!(from < to)) throw new HoldfastError('invalid_input', 'tried to query a time that ends before it begins', { details: { from, to } })
    const known = this.#history.metrics()
    if (known.has(metric) || metricInfo(metric) !== undefined) return
    const names = [...new Set([...catalogue.map(({ name }) => name), ...known.keys()])]
    const like = nearest(metric, names)
    throw new HoldfastError('unknown_metric', `looked for the metric ${metric}, found no such metric`, {
      hint: like === undefined ? 'see: holdfast metrics list' : `did you mean ${like}? See: holdfast metrics list`,
    })
  }
}

const textOf = ({ labels }: Series): string => JSON.stringify(Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1)))
