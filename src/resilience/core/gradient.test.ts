import { describe, expect, it } from 'vitest'
import { Gradient } from './gradient.ts'

/** Seconds of 50 calls each. */
const seconds = (limit: Gradient, from: number, n: number, rttMs: number, inFlight = (): number => limit.limit): void => {
  for (let s = from; s < from + n; s++) for (let i = 0; i < 50; i++) limit.record(s * 1_000 + i * 20, rttMs, inFlight())
}

describe('the learned limit', () => {
  it('rises while latency stays, up to its top', () => {
    const limit = new Gradient()
    seconds(limit, 0, 10, 20)
    expect(limit.limit).toBeGreaterThan(24)
    seconds(limit, 10, 400, 20)
    expect(limit.limit).toBe(200)
  })
  it('falls when latency grows, and not below the least', () => {
    const limit = new Gradient()
    seconds(limit, 0, 100, 20)
    const before = limit.limit
    seconds(limit, 100, 10, 200)
    expect(limit.limit).toBeLessThan(before / 2)
    for (let now = 200_000; now < 400_000; now += 1_001) limit.drop(now, 10)
    expect(limit.limit).toBe(4)
  })
  it('stays while it is not used', () => {
    const limit = new Gradient()
    seconds(limit, 0, 100, 20, () => 1)
    expect(limit.limit).toBe(20)
  })
  it('stays without ten samples, and ignores what is faster than the clock', () => {
    const limit = new Gradient()
    for (let s = 0; s < 9; s++) limit.record(s * 1_000, 20, 20)
    for (let s = 9; s < 900; s++) limit.record(s * 1_000, 0.05, 20)
    expect(limit.limit).toBe(20)
  })
})
