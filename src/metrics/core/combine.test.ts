import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Labels } from '../../kernel/labels.ts'
import type { Point, Series } from '../types.ts'
import { combine, rateOf } from './combine.ts'

const point = (at: number, value: number): Point => ({ at, mean: value, min: value, max: value, last: value, count: 1 })
const series = (labels: Labels, values: Readonly<Record<number, number>>): Series => ({
  metric: 'x',
  labels,
  points: Object.entries(values).map(([at, value]) => point(Number(at), value)),
})
const means = (all: readonly Series[]) => all.map(({ labels, points }) => [labels, points.map(({ at, mean }) => [at, mean])])

describe('several series together', () => {
  const three = [
    series({ service: 'shop', instance: 'a' }, { 0: 1, 1_000: 2 }),
    series({ service: 'shop', instance: 'b' }, { 1_000: 4, 2_000: 6 }),
    series({ service: 'chat', instance: 'c' }, { 0: 10 }),
  ]

  it('are one for each value of the labels asked for, of those that have the step', () => {
    expect(means(combine(three, ['service'], 'sum'))).toEqual([
      [{ service: 'shop' }, [[0, 1], [1_000, 6], [2_000, 6]]],
      [{ service: 'chat' }, [[0, 10]]],
    ]) // prettier-ignore
    expect(means(combine(three, [], 'max'))).toEqual([[{}, [[0, 10], [1_000, 4], [2_000, 6]]]]) // prettier-ignore
    expect(means(combine(three, ['service'], 'mean'))[0]).toEqual([{ service: 'shop' }, [[0, 1], [1_000, 3], [2_000, 6]]]) // prettier-ignore
    expect(means(combine(three, ['region'], 'min'))).toEqual([[{}, [[0, 1], [1_000, 2], [2_000, 6]]]]) // prettier-ignore
  })

  it('lose nothing when they are summed, whatever they are grouped by first', () => {
    const any = fc.array(
      fc.record({
        labels: fc.record({ a: fc.constantFrom('1', '2'), b: fc.constantFrom('1', '2', '') }),
        values: fc.dictionary(
          fc.integer({ min: 0, max: 9 }).map((n) => String(n * 1_000)),
          fc.integer({ min: 0, max: 1_000 }),
        ),
      }),
    )
    fc.assert(
      fc.property(any, (given) => {
        const all = given.map(({ labels, values }) => series(labels, values))
        const atOnce = combine(all, [], 'sum')
        expect(combine(combine(all, ['a'], 'sum'), [], 'sum')).toEqual(atOnce)
        expect(combine(combine(all, ['b', 'a'], 'sum'), [], 'sum')).toEqual(atOnce)
      }),
    )
  })
})

it('makes a counter a rate, and takes one that shrank for begun anew', () => {
  const rates = rateOf(series({}, { 0: 100, 10_000: 150, 20_000: 20, 40_000: 20 }))
  expect(rates.points.map(({ at, mean }) => [at, mean])).toEqual([[10_000, 5], [20_000, 2], [40_000, 0]]) // prettier-ignore
})
