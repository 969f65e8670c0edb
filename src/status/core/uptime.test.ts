import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { percentText } from './html.ts'
import { dayOf, dayViews, overallPercent, uptimePercent } from './uptime.ts'

const dayMs = 86_400_000
const now = Date.UTC(2026, 10, 21, 12)
const day = (of: string, changes: Partial<{ good: number; bad: number; unknownMs: number; downMs: number }> = {}) => ({
  day: of,
  good: 0,
  bad: 0,
  unknownMs: 0,
  downMs: 0,
  ...changes,
})

describe('uptime', () => {
  it('is the share of requests that were served, to 0.01 percentage points, and never rounded up', () => {
    const counts = fc.nat(1e9)
    fc.assert(
      fc.property(
        fc.array(fc.record({ good: counts, bad: counts, unknownMs: fc.constant(0), downMs: fc.nat(dayMs) }), { minLength: 1, maxLength: 90 }),
        (days) => {
          const good = days.reduce((sum, one) => sum + one.good, 0)
          const total = days.reduce((sum, one) => sum + one.good + one.bad, 0)
          fc.pre(total > 0)
          const told = uptimePercent(days, days.length * dayMs) ?? NaN
          const exact = (100 * good) / total
          expect(told).toBeLessThanOrEqual(exact + 1e-9)
          expect(exact - told).toBeLessThan(0.001)
          expect(exact - Number(percentText(told).replace(' %', ''))).toBeLessThan(0.01 + 1e-9)
          expect(told === 100).toBe(good === total)
        },
      ),
    )
  })

  it('goes by time where nobody came, and leaves out what is not known', () => {
    expect(uptimePercent([day('', { downMs: dayMs / 4 })], dayMs)).toBe(75)
    expect(uptimePercent([day('', { downMs: dayMs / 4, unknownMs: dayMs / 2 })], dayMs)).toBe(50)
    expect(uptimePercent([day('', { unknownMs: dayMs })], dayMs)).toBeUndefined()
    expect(uptimePercent([], 0)).toBeUndefined()
  })

  it('shows each day, unknown where there is nothing, and today as far as it has come', () => {
    const views = dayViews([day('2026-11-20', { good: 999, bad: 1 }), day('2026-11-21', { downMs: dayMs / 8 })], 3, now)
    expect(views).toEqual([
      { day: '2026-11-19', state: 'unknown', percent: undefined, downMs: 0, unknownMs: dayMs },
      { day: '2026-11-20', state: 'operational', percent: 99.9, downMs: 0, unknownMs: 0 },
      { day: '2026-11-21', state: 'outage', percent: 75, downMs: dayMs / 8, unknownMs: 0 },
    ])
  })

  it.each([
    [{ good: 1_000_000, bad: 1 }, 'operational'],
    [{ good: 1_000, bad: 2 }, 'degraded'],
    [{ good: 98, bad: 2 }, 'outage'],
    [{ good: 1_000, downMs: 120_000 }, 'degraded'],
    [{ good: 1_000, downMs: 3_600_000 }, 'outage'],
    [{ downMs: 20_000, unknownMs: 86_400_000 - 60_000 }, 'operational'],
    [{ downMs: 120_000, unknownMs: 86_400_000 - 180_000 }, 'degraded'],
  ])('%o makes a day %s', (counts, state) => {
    expect(dayViews([day('2026-11-20', counts)], 2, now)[0]?.state).toBe(state)
  })

  it('does not count days that are not shown', () => {
    const known = [day('2026-11-18', { bad: 100 }), day('2026-11-20', { good: 100 })]
    expect(overallPercent(known, 2, now)).toBe(100)
    expect(overallPercent(known, 4, now)).toBe(50)
  })

  it('every day is there once, whatever the hour', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4e12 }), fc.integer({ min: 1, max: 400 }), (at, count) => {
        const days = dayViews([], count, at).map((one) => one.day)
        expect(new Set(days).size).toBe(count)
        expect(days.at(-1)).toBe(dayOf(at))
        expect(days).toEqual(days.toSorted())
      }),
    )
  })
})

describe('a percentage in words', () => {
  it.each([
    [100, '100 %'],
    [99.9999, '99.99 %'],
    [99.9, '99.9 %'],
    [0, '0 %'],
    [50.005, '50 %'],
    [10, '10 %'],
  ])('%s', (percent, text) => {
    expect(percentText(percent)).toBe(text)
  })
})
