/** Several series made one: what all instances of a service have together, or one of them has at most. Also counters made rates. */
import type { Labels } from '../../kernel/labels.ts'
import type { Point, Series } from '../types.ts'

export const aggregates = ['sum', 'mean', 'min', 'max'] as const
export type Aggregate = (typeof aggregates)[number]

/**
 * One series for each combination of values of the labels `by`; a series without one of them counts as having it empty. Points of the same step go
 * together; a step that some have not is made of those that have it. Of a sum the smallest and the largest are sums too: bounds of what it was.
 */
export class Combiner {
  readonly #by: readonly string[]
  readonly #how: Aggregate
  readonly #groups = new Map<string, { readonly metric: string; readonly labels: Labels; readonly steps: Map<number, Together> }>()

  constructor(by: readonly string[], how: Aggregate) {
    this.#by = by
    this.#how = how
  }

  add({ metric, labels, points }: Series): void {
    const values = this.#by.map((name) => labels[name] ?? '')
    const key = values.join('\0')
    let group = this.#groups.get(key)
    if (group === undefined) {
      const own = Object.fromEntries(this.#by.flatMap((name, i) => (values[i] ? [[name, values[i]]] : [])))
      this.#groups.set(key, (group = { metric, labels: own, steps: new Map<number, Together>() }))
    }
    for (const point of points) {
      const step = group.steps.get(point.at)
      if (step) join(step, point, this.#how)
      else group.steps.set(point.at, { ...point, members: 1 })
    }
  }

  series(): Series[] {
    return [...this.#groups.values()].map(({ metric, labels, steps }) => ({
      metric,
      labels,
      points: [...steps.values()].sort((a, b) => a.at - b.at).map((step) => pointOf(step, this.#how)),
    }))
  }
}

export function combine(series: readonly Series[], by: readonly string[], how: Aggregate): Series[] {
  const combiner = new Combiner(by, how)
  for (const one of series) combiner.add(one)
  return combiner.series()
}

/** A step of so many series; a mean is their sum until all are there. */
interface Together {
  readonly at: number
  mean: number
  min: number
  max: number
  last: number
  count: number
  members: number
}

function join(step: Together, { mean, min, max, last, count }: Point, how: Aggregate): void {
  const pick = how === 'min' ? Math.min : how === 'max' ? Math.max : sum
  step.mean = pick(step.mean, mean)
  step.last = pick(step.last, last)
  step.min = how === 'mean' ? Math.min(step.min, min) : pick(step.min, min)
  step.max = how === 'mean' ? Math.max(step.max, max) : pick(step.max, max)
  step.count += count
  step.members++
}

const sum = (a: number, b: number): number => a + b

function pointOf({ at, mean, min, max, last, count, members }: Together, how: Aggregate): Point {
  return how === 'mean' ? { at, mean: mean / members, min, max, last: last / members, count } : { at, mean, min, max, last, count }
}

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
