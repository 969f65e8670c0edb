/** A history that is played back: conditions see at each instant what they would have seen then. */
import type { Labels } from '../../../kernel/labels.ts'
import type { Point, RangeQuery, Sample, Selector, Series, SeriesReader } from '../../../metrics/types.ts'

/** A series whose newest point is older than so many of its steps is not told any more. */
const staleSteps = 2.5
const staleLeastMs = 5_000

interface Played {
  readonly series: Series
  /** Points before it have happened. */
  next: number
  readonly stepMs: number
}

export class ReplayReader implements SeriesReader {
  readonly #byMetric = new Map<string, Played[]>()
  #now = -Infinity

  constructor(all: readonly Series[]) {
    for (const series of all) {
      const list = this.#byMetric.get(series.metric) ?? []
      this.#byMetric.set(series.metric, list)
      list.push({ series, next: 0, stepMs: usualStep(series.points) })
    }
  }

  /** Forward only. */
  moveTo(now: number): void {
    this.#now = now
    for (const list of this.#byMetric.values()) {
      for (const played of list) {
        const { points } = played.series
        while ((points[played.next]?.at ?? Infinity) <= now) played.next++
      }
    }
  }

  latest(selector: Selector): readonly Sample[] {
    return this.#select(selector).flatMap(({ series: { metric, labels, points }, next, stepMs }) => {
      const last = points[next - 1]
      if (last === undefined || this.#now - last.at > Math.max(staleLeastMs, staleSteps * stepMs)) return []
      return { metric, labels, value: last.last }
    })
  }

  range({ from, to, step, ...selector }: RangeQuery): readonly Series[] {
    return this.#select(selector).map(({ series: { metric, labels, points }, next }) => {
      let first = next
      while ((points[first - 1]?.at ?? -Infinity) >= from) first--
      let end = next
      while (end > first && (points[end - 1]?.at ?? -Infinity) >= to) end--
      const found = points.slice(first, end)
      return { metric, labels, points: step === undefined ? found : inSteps(found, step) }
    })
  }

  #select({ metric, labels = {} }: Selector): readonly Played[] {
    return (this.#byMetric.get(metric) ?? []).filter(({ series }) => Object.entries(labels).every(([name, value]) => series.labels[name] === value))
  }
}

/** What lies in one step is one point, as the history has it: rows by the second, or two of the same time, count no more than one by the minute. */
function inSteps(points: readonly Point[], step: number): readonly Point[] {
  const merged: Point[] = []
  for (const point of points) {
    const at = Math.floor(point.at / step) * step
    const before = merged.at(-1)
    if (before?.at === at) merged[merged.length - 1] = joined(before, point)
    else merged.push({ ...point, at })
  }
  return merged
}

function joined(a: Point, b: Point): Point {
  const count = a.count + b.count
  return {
    at: a.at,
    mean: (a.mean * a.count + b.mean * b.count) / count,
    min: Math.min(a.min, b.min),
    max: Math.max(a.max, b.max),
    last: b.last,
    count,
  }
}

/** The median of the first steps; rows of the same time make none. */
export function usualStep(points: readonly Point[]): number {
  const steps = points
    .slice(1, 51)
    .map(({ at }, i) => at - (points[i]?.at ?? at))
    .filter((step) => step > 0)
  return steps.toSorted((a, b) => a - b)[steps.length >> 1] ?? 1_000
}

/** Plain rows as a series. */
export const seriesOf = (metric: string, labels: Labels, rows: readonly (readonly [at: number, value: number])[]): Series => ({
  metric,
  labels,
  points: rows.map(([at, value]) => ({ at, mean: value, min: value, max: value, last: value, count: 1 })),
})
