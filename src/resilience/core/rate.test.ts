import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Gcra, SlidingWindow } from './rate.ts'
import { rateFields } from './rate-fields.ts'
import { TatTable } from './tat-table.ts'

describe('gcra', () => {
  it('lets a burst through and then one at each interval', () => {
    const limit = new Gcra({ rate: 3, burst: 3 })
    expect([0, 0, 0].map((now) => limit.take('a', now).remaining)).toEqual([2, 1, 0])
    const refused = limit.take('a', 0)
    expect(refused).toMatchObject({ allowed: false, remaining: 0 })
    expect(refused.retryAfterMs).toBeCloseTo(1_000 / 3, 2)
    expect(limit.take('a', 333).allowed).toBe(false)
    expect(limit.take('a', 334).allowed).toBe(true)
    expect(limit.take('b', 0).remaining).toBe(2)
  })

  it('charges what a call costs, and says when a cost can never be met', () => {
    const limit = new Gcra({ rate: 10, burst: 5 })
    expect(limit.take('a', 0, 5)).toMatchObject({ allowed: true, remaining: 0, resetMs: 500 })
    expect(limit.take('a', 0, 2).retryAfterMs).toBeCloseTo(200, 3)
    expect(limit.take('a', 0, 6).retryAfterMs).toBe(Infinity)
  })

  it('never lets more through than burst + rate × time, and whoever waits as told is let through', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5_000 }),
        fc.integer({ min: 1, max: 50 }),
        fc.array(fc.double({ min: 0, max: 40, noNaN: true }), { maxLength: 200 }),
        (rate, burst, waits) => {
          const limit = new Gcra({ rate, burst })
          let now = 0
          let passed = 0
          for (const wait of waits) {
            now += wait
            const decision = limit.take('a', now)
            if (decision.allowed) passed++
            else {
              now += decision.retryAfterMs + 0.001
              expect(limit.take('a', now).allowed).toBe(true)
              passed++
            }
            expect(passed).toBeLessThanOrEqual(burst + (rate * now) / 1_000 + 0.01)
          }
        },
      ),
    )
  })

  it('remembers a bounded number of keys, and forgets those that are like new', () => {
    const limit = new Gcra({ rate: 1, burst: 10, keysMax: 100 })
    for (let i = 0; i < 10; i++) limit.take('greedy', 0)
    for (let i = 0; i < 10_000; i++) limit.take(`k${i}`, 1)
    expect(limit.size).toBeLessThanOrEqual(100)
    expect(limit.take('greedy', 2).allowed).toBe(false)
    for (let i = 0; i < 200; i++) limit.take(`later${i % 3}`, 100_000 + i * 1_000)
    expect(limit.size).toBeLessThanOrEqual(3)
  })
})

describe('the table', () => {
  it('agrees with a plain map that drops the earliest', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 12 }), fc.integer({ min: 1, max: 1_000_000 })), { maxLength: 200 }), (writes) => {
        const table = new TatTable(5)
        const plain = new Map<string, number>()
        const used = new Set<number>()
        for (const [n, tat] of writes) {
          // Of two equally early keys either may go.
          if (used.has(tat)) continue
          used.add(tat)
          const key = String(n)
          if (!plain.has(key) && plain.size === 5) plain.delete([...plain].toSorted((a, b) => a[1] - b[1])[0]![0])
          plain.set(key, tat)
          table.set(key, tat, 0)
          expect(table.size).toBe(plain.size)
          for (const [known, value] of plain) expect(table.get(known)).toBe(value)
        }
      }),
    )
  })
})

describe('the sliding window', () => {
  it('counts the last window as far as it overlaps', () => {
    const limit = new SlidingWindow({ rate: 10, periodMs: 60_000 })
    for (let i = 0; i < 10; i++) expect(limit.take('a', 59_000).allowed).toBe(true)
    const refused = limit.take('a', 60_000)
    expect(refused).toMatchObject({ allowed: false })
    expect(refused.retryAfterMs).toBeCloseTo(6_000, 6)
    expect(limit.take('a', 65_999).allowed).toBe(false)
    expect(limit.take('a', 66_000).allowed).toBe(true)
    expect(limit.take('a', 190_000).remaining).toBe(9)
  })

  it('whoever waits as told is let through', () => {
    const limit = new SlidingWindow({ rate: 7, periodMs: 1_000 })
    for (let i = 0, now = 0; i < 200; i++) {
      const { allowed, retryAfterMs } = limit.take('a', now)
      if (!allowed) expect(limit.take('a', (now += retryAfterMs + 0.001)).allowed).toBe(true)
      now += (i * 37) % 90
    }
  })
})

describe('the fields', () => {
  const allowed = { allowed: true, remaining: 50, retryAfterMs: 0, resetMs: 29_500 }
  it('round up, but not for the rounding error of a difference of clock readings', () => {
    const told = (resetMs: number): string => rateFields({ name: 'd', quota: 9, windowMs: 60_000 }, { ...allowed, resetMs }).ratelimit
    expect(told(8_123.456_7 + 2_000 - 8_123.456_7 + 1e-9)).toBe('"d";r=9;t=2')
    expect(told(2_000.002)).toBe('"d";r=9;t=3')
  })

  it('are those of the draft', () => {
    expect(rateFields({ name: 'default', quota: 100, windowMs: 60_000 }, allowed)).toEqual({
      'ratelimit-policy': '"default";q=100;w=60',
      ratelimit: '"default";r=50;t=30',
    })
    expect(
      rateFields(
        { name: 'a"b', quota: 5, windowMs: 500, unit: 'content-bytes', partition: 'x' },
        { ...allowed, allowed: false, retryAfterMs: 1_200 },
      ),
    ).toEqual({
      'ratelimit-policy': '"a\\"b";q=10;w=1;qu="content-bytes";pk=:eA==:',
      ratelimit: '"a\\"b";r=10;t=2;pk=:eA==:',
      'retry-after': '2',
    })
  })
})
