/** What a chart draws: gaps where nothing was measured, and of many series those that matter now. */
import { expect, it } from 'vitest'
import { Points, type Answer } from './points.ts'

const step = 5_000
const answer = (series: Readonly<Record<string, readonly (readonly [number, number])[]>>): Answer => ({
  step,
  series: Object.entries(series).map(([instance, points]) => ({
    labels: { instance },
    points: points.map(([at, value]) => [at * step, value, value, value] as const),
  })),
})

it('no line goes across a time in which nothing was measured', () => {
  const points = new Points()
  points.add('cpu', undefined, answer({ '': [[1, 10], [2, 20], [3, 30]] })) // prettier-ignore
  points.add('cpu', undefined, answer({ '': [[700, 40], [701, 50]] })) // prettier-ignore
  const { times, lines } = points.data()
  expect(times.map((at) => at / step)).toEqual([1, 2, 3, 4, 700, 701])
  expect(lines).toEqual([{ name: 'cpu', values: [10, 20, 30, null, 40, 50] }])
})

it('one step that is missing is no gap', () => {
  const points = new Points()
  points.add('cpu', undefined, answer({ '': [[1, 10], [3, 30]] })) // prettier-ignore
  expect(points.data().times.map((at) => at / step)).toEqual([1, 3])
})

it('instances that came take the place of those that have gone, and it is known how many are not drawn', () => {
  const points = new Points()
  const of = (prefix: string, at: number) => Object.fromEntries(Array.from({ length: 6 }, (_, i) => [`${prefix}-${i}`, [[at, 10 - i]] as const]))
  points.add('cpu', 'instance', answer(of('old', 1)))
  expect(points.data().lines.map(({ name }) => name)).toEqual(['old-0', 'old-1', 'old-2', 'old-3', 'old-4', 'old-5'])
  points.add('cpu', 'instance', answer(of('new', 10)))
  expect(points.data().lines.map(({ name }) => name)).toEqual(['new-0', 'new-1', 'new-2', 'new-3', 'new-4', 'new-5'])
  expect(points.data().more).toBe(6)
  points.forgetBefore(5 * step)
  expect(points.data().more).toBe(0)
})

it('nothing is kept of lines that are too old', () => {
  const points = new Points()
  for (let day = 0; day < 1_000; day++) {
    points.add('cpu', 'instance', answer({ [`shop-${day}`]: [[day * 100, 1]] }))
    points.forgetBefore((day * 100 - 10) * step)
  }
  expect(points.data().lines.map(({ name }) => name)).toEqual(['shop-999'])
})
