import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { History } from './history.ts'
import type { Labels, Sample } from './types.ts'

const start = 1_799_999_940_000
const sample = (metric: string, value: number, labels: Labels = {}): Sample => ({ metric, labels, value })

describe('the last hour', () => {
  it('tells the newest sample of each series, and not of one that has gone', () => {
    const history = new History()
    history.add({ at: start, samples: [sample('p95', 12, { service: 'shop' }), sample('p95', 9, { service: 'chat' })] })
    for (let s = 1; s <= 5; s++) history.add({ at: start + 1_000 * s, samples: [sample('p95', 12 + s, { service: 'shop' })] })
    expect(history.latest({ metric: 'p95', labels: { service: 'shop' } })).toEqual([sample('p95', 17, { service: 'shop' })])
    expect(history.latest({ metric: 'p95' })).toHaveLength(2)
    history.add({ at: start + 6_000, samples: [] })
    expect(history.latest({ metric: 'p95' })).toEqual([sample('p95', 17, { service: 'shop' })])
    expect(history.latest({ metric: 'p99' })).toEqual([])
  })

  it('gives samples as they were, and steps that hold them exactly', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 200, max: 90_000 }), fc.option(fc.integer({ min: -1_000, max: 1_000_000 }))), {
          minLength: 1,
          maxLength: 150,
        }),
        fc.constantFrom(5_000, 60_000, 300_000),
        (rows, step) => {
          const history = new History()
          let at = start
          const given: { at: number; value: number }[] = []
          for (const [later, value] of rows) {
            at += later
            history.add({ at, samples: value === null ? [] : [sample('x', value)] })
            if (value !== null) given.push({ at, value })
          }
          const since = at - 3_600_000
          const kept = given.filter((each) => each.at >= since)
          const [raw] = history.range({ metric: 'x', from: since, to: at + 1, step: 1_000 })
          expect(raw?.points.map((point) => ({ at: point.at, value: point.mean })) ?? []).toEqual(kept)
          const [rolled] = history.range({ metric: 'x', from: since, to: at + 1, step })
          const steps = new Map<number, number[]>()
          for (const each of kept) steps.set(Math.floor(each.at / step) * step, [...(steps.get(Math.floor(each.at / step) * step) ?? []), each.value])
          expect(rolled?.points ?? []).toEqual(
            [...steps].map(([from, values]) => ({
              at: from,
              mean: values.reduce((sum, value) => sum + value, 0) / values.length,
              min: Math.min(...values),
              max: Math.max(...values),
              last: values.at(-1),
              count: values.length,
            })),
          )
        },
      ),
      { numRuns: 100 },
    )
  })

  it('takes no reading twice, and none that is not later', () => {
    const history = new History()
    history.add({ at: start + 1_000, samples: [sample('x', 1)] })
    history.add({ at: start + 1_000, samples: [sample('x', 2)] })
    history.add({ at: start, samples: [sample('x', 3)] })
    expect(history.range({ metric: 'x', from: 0, to: start + 9_999, step: 1_000 })[0]?.points.map(({ last }) => last)).toEqual([1])
    // What holds now is told all the same.
    expect(history.latest({ metric: 'x' })).toEqual([sample('x', 3)])
  })

  it('believes a clock that stays set back, and forgets what is of a time that has not come', () => {
    const history = new History()
    history.add({ at: start, samples: [sample('x', 1)] })
    history.add({ at: start + 86_400_000, samples: [sample('x', 2)] })
    for (let s = 1; s <= 650; s++) history.add({ at: start + 1_000 * s, samples: [sample('x', 1_000 + s)] })
    const [kept] = history.range({ metric: 'x', from: 0, to: start + 90_000_000, step: 1_000 })
    expect(kept?.points.map(({ last }) => last)).toEqual([1, ...Array.from({ length: 50 }, (_, i) => 1_601 + i)])
    expect(history.latest({ metric: 'x' })).toEqual([sample('x', 1_650)])
  })

  it('refuses a flood of label values, says so once, and keeps what it knew', () => {
    const refused: string[] = []
    const limits = { seriesMax: 10, seriesPerMetricMax: 4, labelValueMax: 20, labelsMax: 2 }
    const history = new History({ limits, onRefused: (metric, _labels, why) => refused.push(`${metric}: ${why}`) })
    for (let n = 0; n < 100; n++) {
      const flood = [sample('flood', n, { user: String(n) }), sample('other', n), sample('long', 1, { user: 'x'.repeat(21) })]
      history.add({ at: start + 1_000 * n, samples: flood })
    }
    expect(refused).toEqual(['long: labels', 'flood: seriesPerMetric'])
    expect(history.seriesCount).toBe(5)
    expect(history.latest({ metric: 'other' })).toEqual([sample('other', 99)])
  })

  it('gives the room of those that fell silent to those that are there', () => {
    const limits = { seriesMax: 10, seriesPerMetricMax: 4, labelValueMax: 20, labelsMax: 2 }
    const refused: string[] = []
    const history = new History({ limits, onRefused: (metric) => refused.push(metric) })
    // One after the other, each for six minutes, beside one that stays.
    for (let m = 0; m < 60; m++) {
      const now = [sample('cpu', 1, { instance: String(Math.floor(m / 6)) }), sample('cpu', 2, { instance: 'old' })]
      history.add({ at: start + 60_000 * m, samples: now })
      expect(history.latest({ metric: 'cpu' })).toHaveLength(2)
    }
    expect([refused, history.seriesCount]).toEqual([[], 4])
  })

  it('gives room again to what has not been seen for more than an hour', () => {
    const limits = { seriesMax: 2, seriesPerMetricMax: 2, labelValueMax: 20, labelsMax: 2 }
    const history = new History({ limits })
    history.add({ at: start, samples: [sample('x', 1, { instance: 'a' }), sample('x', 1, { instance: 'b' })] })
    for (let m = 1; m <= 70; m++) history.add({ at: start + 60_000 * m, samples: [sample('x', 1, { instance: 'c' })] })
    expect(history.latest({ metric: 'x' })).toEqual([sample('x', 1, { instance: 'c' })])
    expect(history.seriesCount).toBe(1)
  })
})
