import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { between, chance, Prng } from './random.ts'

const draw = (seed: number, count: number): number[] => {
  const random = new Prng(seed)
  return Array.from({ length: count }, () => random.next())
}

describe('the seeded generator', () => {
  it('tells the same story for the same seed, another for another', () => {
    expect(draw(42, 20)).toEqual(draw(42, 20))
    expect(draw(42, 20)).not.toEqual(draw(43, 20))
  })

  it('is mulberry32', () => {
    // The published generator's first values for seed 0.
    expect(draw(0, 2).map((value) => Math.round(value * 2 ** 32))).toEqual([1_144_304_738, 1_416_247])
  })

  it('stays in [0, 1) and is spread evenly', () => {
    const buckets = new Array<number>(10).fill(0)
    for (const value of draw(7, 20_000)) {
      expect(value).toBeGreaterThanOrEqual(0)
      expect(value).toBeLessThan(1)
      const bucket = Math.floor(value * 10)
      buckets[bucket] = (buckets[bucket] ?? 0) + 1
    }
    for (const count of buckets) expect(Math.abs(count - 2_000)).toBeLessThan(200)
  })
})

describe('between', () => {
  it('gives every whole number of its range and no other', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: -50, max: 50 }), fc.nat(20), (seed, min, width) => {
        const random = new Prng(seed)
        const value = between(random, min, min + width)
        expect(Number.isInteger(value) && value >= min && value <= min + width).toBe(true)
      }),
    )
    const random = new Prng(1)
    expect(new Set(Array.from({ length: 200 }, () => between(random, 3, 6)))).toEqual(new Set([3, 4, 5, 6]))
  })

  it('reaches both ends', () => {
    expect(between({ next: () => 0 }, 2, 5)).toBe(2)
    expect(between({ next: () => 1 - Number.EPSILON }, 2, 5)).toBe(5)
  })
})

describe('chance', () => {
  it('never comes at 0 and always at 1', () => {
    expect(draw(3, 100).some((value) => chance({ next: () => value }, 0))).toBe(false)
    expect(draw(3, 100).every((value) => chance({ next: () => value }, 1))).toBe(true)
  })
})
