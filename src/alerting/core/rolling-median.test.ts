import fc from 'fast-check'
import { expect, it } from 'vitest'
import { RollingMedian } from './rolling-median.ts'

it('is the middle, the mean and the spread of the last rows, also after most of them were forgotten', () => {
  const step = fc.oneof({ weight: 20, arbitrary: fc.integer({ min: -9, max: 9 }) }, { weight: 1, arbitrary: fc.record({ keep: fc.nat({ max: 9 }) }) })
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 12 }), fc.array(step, { maxLength: 120 }), (size, steps) => {
      const rolling = new RollingMedian(size)
      let rows: number[] = []
      for (const each of steps) {
        if (typeof each === 'number') {
          expect(rolling.add(each)).toBe(rows.length === size ? rows[0] : undefined)
          rows = [...rows, each].slice(-size)
        } else {
          rolling.keepLast(each.keep)
          rows = each.keep === 0 ? [] : rows.slice(-each.keep)
        }
        const mean = rows.length === 0 ? 0 : rows.reduce((sum, row) => sum + row, 0) / rows.length
        expect(rolling.count).toBe(rows.length)
        expect(rolling.median).toBe(rows.toSorted((a, b) => a - b)[rows.length >> 1] ?? 0)
        expect(rolling.mean).toBeCloseTo(mean)
        expect(rolling.variance).toBeCloseTo(rows.length === 0 ? 0 : rows.reduce((sum, row) => sum + (row - mean) ** 2, 0) / rows.length)
      }
    }),
  )
})
