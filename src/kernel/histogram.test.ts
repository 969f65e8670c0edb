import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { countAtMost, difference, emptyHistogram, Histogram, quantile, type HistogramData } from './histogram.ts'

const of = (values: readonly number[]): HistogramData => {
  const histogram = new Histogram()
  values.forEach((value) => histogram.record(value))
  return histogram.data()
}
const merged = (...all: readonly HistogramData[]): HistogramData => {
  const histogram = new Histogram()
  all.forEach((data) => histogram.add(data))
  return histogram.data()
}

const largest = 2 ** 31 - 1
/** Small and large values alike: uniform ones would nearly all be large. */
const value = fc.nat(31).chain((bits) => fc.nat(Math.max(1, 2 ** bits - 1)))
const values = fc.array(value, { minLength: 1, maxLength: 200 })

describe('the histogram', () => {
  it('is empty at first, and after a reset', () => {
    expect(new Histogram().data()).toEqual(emptyHistogram)
    expect(quantile(emptyHistogram, 0.5)).toBeUndefined()
    const histogram = new Histogram()
    histogram.record(5)
    histogram.reset()
    expect(histogram.data()).toEqual(emptyHistogram)
  })

  it('keeps values below 32 exactly', () => {
    for (let n = 0; n < 32; n++) expect(quantile(of([n]), 1)).toBe(n)
  })

  it('counts and adds up', () => {
    fc.assert(
      fc.property(values, (given) => {
        const data = of(given)
        expect(data.count).toBe(given.length)
        expect(data.sum).toBe(given.reduce((a, b) => a + b, 0))
        expect(data.buckets.reduce((sum, [, count]) => sum + count, 0)).toBe(given.length)
      }),
    )
  })

  it('gives quantiles that are never too low and at most 1/16 too high', () => {
    fc.assert(
      fc.property(values, fc.double({ min: 0, max: 1, noNaN: true }), (given, q) => {
        const sorted = given.toSorted((a, b) => a - b)
        const exact = sorted[Math.max(1, Math.ceil(q * sorted.length)) - 1] ?? 0
        const found = quantile(of(given), q) ?? -1
        expect(found).toBeGreaterThanOrEqual(exact)
        expect(found).toBeLessThanOrEqual(exact + exact / 16)
      }),
      { numRuns: 500 },
    )
  })

  it('merges exactly: one of all is the sum of many', () => {
    fc.assert(
      fc.property(fc.array(values, { maxLength: 5 }), (parts) => {
        expect(merged(...parts.map(of))).toEqual(of(parts.flat()))
      }),
    )
  })

  it('the difference of two readings is what came between', () => {
    fc.assert(
      fc.property(values, values, (before, between) => {
        expect(difference(of([...before, ...between]), of(before))).toEqual(of(between))
      }),
    )
    expect(difference(of([1, 2]), of([1, 2]))).toEqual(emptyHistogram)
  })

  it('a reading that starts anew is its own difference', () => {
    expect(difference(of([7]), of([1, 2, 3]))).toEqual(of([7]))
  })

  it('counts what is at most a limit, never too many', () => {
    fc.assert(
      fc.property(values, value, (given, limit) => {
        const found = countAtMost(of(given), limit)
        expect(found).toBeLessThanOrEqual(given.filter((one) => one <= limit).length)
        expect(found).toBeGreaterThanOrEqual(given.filter((one) => one + one / 16 <= limit).length)
      }),
    )
  })

  it.each([
    ['a negative one as 0', -5, 0],
    ['a part of one as what is whole of it', 7.9, 7],
    ['one that is too large as the largest', 1e12, largest],
    ['an infinite one as the largest', Infinity, largest],
    ['no number as 0', Number.NaN, 0],
  ])('counts %s, also in the sum', (_, given, counted) => {
    const data = of([given])
    expect(data).toEqual(of([counted]))
    expect(data.sum).toBe(counted)
  })

  it('refuses buckets that it does not have, and then adds nothing', () => {
    const histogram = new Histogram()
    for (const bucket of [-1, 100_000, 0.5, Number.NaN]) {
      expect(() =>
        histogram.add({
          count: 2,
          sum: 2,
          buckets: [
            [1, 1],
            [bucket, 1],
          ],
        }),
      ).toThrow('out of range')
    }
    expect(histogram.data()).toEqual(emptyHistogram)
  })
})
