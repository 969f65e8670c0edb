import { describe, expect, it } from 'vitest'
import { median, quantileOf, spread } from './statistics.ts'

describe('statistics of rounds', () => {
  it('takes the middle of an odd number of rounds and the mean of two of an even number', () => {
    expect(median([9, 1, 5])).toBe(5)
    expect(median([4, 1, 3, 2])).toBe(2.5)
  })

  it('takes a quantile by nearest rank, so that it is a value that occurred', () => {
    const hundred = Array.from({ length: 100 }, (_, i) => 100 - i)
    expect(quantileOf(hundred, 0.99)).toBe(99)
    expect(quantileOf(hundred, 0.5)).toBe(50)
    expect(quantileOf([7], 0.99)).toBe(7)
  })

  it('says NaN of nothing rather than a number that could be believed', () => {
    expect([median([]), quantileOf([], 0.5), spread([])]).toEqual([NaN, NaN, NaN])
  })

  it('measures how far rounds lie apart in units of their median', () => {
    expect(spread([90, 100, 110])).toBeCloseTo(0.2)
  })
})
