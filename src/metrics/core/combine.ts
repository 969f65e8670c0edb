/** Several series made one: what all instances of a service have together, or one of them has at most. Also counters made rates. */
import type { Labels } from '../../kernel/labels.ts'
import type { Point, Series } from '../types.ts'

export const aggregates = ['sum', 'mean', 'min', 'max'] as const
export type Aggregate = (typeof aggregates)[number]

/**
 * One series for each combination of values of the labels `by`; a series without one of them counts as having it empty. Points of the same step go
 * together; a step that some have not is made of those that have it. Of a sum the smallest and the largest are sums too: bounds of what it was.
 */
export function combine(series: readonly Series[], by: readonly string[], how: Aggregate): Series[] {
  const groups = new Map<string, { labels: Labels; members: Series[] }>()
  for (const one of series) {
    const values = by.map((name) => one.labels[name] ?? '')
    const key = values.join('\0')
    const group = groups.get(key)
    if (group) group.members.push(one)
    else groups.set(key, { labels: Object.fromEntries(by.flatMap((name, i) => (values[i] ? [[name, values[i]]] : []))), members: [one] })
  }
  return [...groups.values()].map(({ labels, members }) => ({ metric: members[0]?.metric ?? '', labels, points: together(members, how) }))
}

function together(members: readonly Series[], how: Aggregate): Point[] {
  const steps = new Map<number, Point[]>()
  for (const { points } of members) {
    for (const point of points) {
      const step = steps.get(point.at)
      if (step) step.push(point)
      else steps.set(point.at, [point])
    }
  }
  return [...steps].toSorted(([a], [b]) => a - b).map(([at, points]) => joined(at, points, how))
}

function joined(at: number, points: readonly Point[], how: Aggregate): Point {
  const count = sum(points, ({ count: samples }) => samples)
  const least = (read: (point: Point) => number): number => points.reduce((low, point) => Math.min(low, read(point)), Infinity)
  const most = (read: (point: Point) => number): number => points.reduce((high, point) => Math.max(high, read(point)), -Infinity)
  const [mean, min, max, last] = [meanOf, minOf, maxOf, lastOf]
  switch (how) {
    case 'sum':
      return { at, mean: sum(points, mean), min: sum(points, min), max: sum(points, max), last: sum(points, last), count }
    case 'mean':
      return { at, mean: sum(points, mean) / points.length, min: least(min), max: most(max), last: sum(points, last) / points.length, count }
    case 'min':
      return { at, mean: least(mean), min: least(min), max: least(max), last: least(last), count }
    case 'max':
      return { at, mean: most(mean), min: most(min), max: most(max), last: most(last), count }
  }
}

const sum = (points: readonly Point[], read: (point: Point) => number): number => points.reduce((total, point) => total + read(point), 0)
const meanOf = ({ mean }: Point): number => mean
const minOf = ({ min }: Point): number => min
const maxOf = ({ max }: Point): number => max
const lastOf = ({ last }: Point): number => last

/** How much a counter grew from step to step, per second. One that shrank began anew at zero. The first step has none before it. */
export function rateOf({ metric, labels, points }: Series): Series {
  const rates: Point[] = []
  for (let i = 1; i < points.length; i++) {
    const [before, now] = [points[i - 1], points[i]]
    if (before === undefined || now === undefined) continue
    const grown = now.last >= before.last ? now.last - before.last : now.last
    const rate = grown / ((now.at - before.at) / 1_000)
    rates.push({ at: now.at, mean: rate, min: rate, max: rate, last: rate, count: now.count })
  }
  return { metric, labels, points: rates }
}
