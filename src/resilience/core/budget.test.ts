import { describe, expect, it } from 'vitest'
import { Prng } from '../../kernel/random.ts'
import { backoffMs, parseRetryAfter } from './backoff.ts'
import { Budget } from './budget.ts'

describe('the budget', () => {
  it('grants what was saved, then one extra attempt for five first ones', () => {
    const budget = new Budget({ perSecond: 0 })
    let extra = 0
    for (let i = 0; i < 1_000; i++) {
      budget.earn(i)
      if (budget.take(i)) extra++
    }
    expect(extra).toBeGreaterThanOrEqual(208)
    expect(extra).toBeLessThanOrEqual(210)
  })

  it('grants a rarely used target one in ten seconds', () => {
    const budget = new Budget({ ratio: 0 })
    for (let i = 0; i < 10; i++) expect(budget.take(0)).toBe(true)
    expect([budget.take(9_000), budget.take(10_001)]).toEqual([false, true])
  })

  it('takes back what was not used', () => {
    const budget = new Budget({ capacity: 1 })
    expect(budget.take(0)).toBe(true)
    budget.giveBack()
    expect(budget.tokens).toBe(1)
  })
})

describe('back-off', () => {
  const random = new Prng(1)
  const all = (type: 'full' | 'decorrelated' | 'exponential' | 'constant', n: number): number[] => {
    let previous = 0
    return Array.from({ length: n }, (_, i) => (previous = backoffMs({ type, baseMs: 100, maxMs: 2_000 }, i, previous, random)))
  }
  it('doubles to its cap', () => {
    expect(all('exponential', 6)).toEqual([100, 200, 400, 800, 1_600, 2_000])
    expect(all('constant', 3)).toEqual([100, 100, 100])
  })
  it('with full jitter lies anywhere below that', () => {
    for (let i = 0; i < 100; i++) for (const [n, wait] of all('full', 6).entries()) expect(wait).toBeLessThanOrEqual(Math.min(2_000, 100 * 2 ** n))
  })
  it('with decorrelated jitter lies between the base and three times the wait before', () => {
    for (let i = 0; i < 100; i++) {
      for (const [n, wait] of all('decorrelated', 6).entries()) {
        expect(wait).toBeGreaterThanOrEqual(100)
        expect(wait).toBeLessThanOrEqual(Math.min(2_000, 100 * 3 ** (n + 1)))
      }
    }
  })
})

describe('Retry-After', () => {
  const wall = Date.parse('Wed, 21 Oct 2026 07:28:00 GMT')
  it.each([
    ['120', 120_000],
    [' 0 ', 0],
    ['Wed, 21 Oct 2026 07:28:30 GMT', 30_000],
    ['Wed, 21 Oct 2026 07:00:00 GMT', 0],
    ['-1', undefined],
    ['1.5', undefined],
    ['soon', undefined],
    ['', undefined],
    ['99999999999', undefined],
  ])('%j is %s', (value, expected) => {
    expect(parseRetryAfter(value, wall)).toBe(expected)
  })
})
