import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bodyGraceMs, BodyPace, bodyRateMin } from './body-pace.ts'

/** Sends `bytes` every `everyMs`, and says after how long the body was too slow; undefined: not within the hour. */
function cutAfter(bytes: number, everyMs: number): number | undefined {
  const pace = new BodyPace()
  pace.begin()
  pace.run(0)
  for (let now = everyMs; now <= 3_600_000; now += everyMs) {
    if (now >= pace.deadline) return pace.deadline
    pace.received(bytes, now)
  }
  return undefined
}

describe('the pace of a body', () => {
  it('cuts silence after the grace, and a trickle little later', () => {
    expect(cutAfter(0, 1_000)).toBe(bodyGraceMs)
    expect(cutAfter(1, 1_000)).toBeLessThan(bodyGraceMs + 100)
    // A fifth of each second is not paid for: one second of credit is left after 145 s, and the next piece comes too late.
    expect(cutAfter(400, 1_000)).toBeCloseTo(146_000, 3)
  })

  it('lets go on whoever keeps to the rate, in small pieces and in large', () => {
    expect(cutAfter(50, 100)).toBeUndefined()
    expect(cutAfter(bodyRateMin * 20, 20_000)).toBeUndefined()
  })

  it('gives no credit for what was sent long before', () => {
    const pace = new BodyPace()
    pace.begin()
    pace.run(0)
    pace.received(1_000_000_000, 10)
    expect(pace.deadline).toBe(10 + bodyGraceMs)
  })

  it('blames nobody for the time in which it is held', () => {
    const pace = new BodyPace()
    pace.begin()
    pace.run(0)
    pace.hold(10_000)
    expect(pace.deadline).toBe(Infinity)
    pace.run(1_000_000)
    pace.run(1_000_005)
    expect(pace.deadline).toBe(1_000_000 + bodyGraceMs - 10_000)
    pace.begin()
    expect(pace.deadline).toBe(Infinity)
  })

  it('is kept by whoever pays for each pause with the piece behind it', () => {
    const pauses = fc.array(fc.nat(bodyGraceMs - 1), { maxLength: 50 })
    fc.assert(
      fc.property(pauses, (pauses) => {
        const pace = new BodyPace()
        pace.begin()
        pace.run(0)
        let now = 0
        for (const pause of pauses) {
          expect(pace.deadline).toBeGreaterThan(now + pause)
          now += pause
          pace.received(Math.ceil((pause * bodyRateMin) / 1_000), now)
        }
      }),
    )
  })

  it('never allows more time than the grace from now on, nor more altogether than grace and bytes', () => {
    const step = fc.record({ ms: fc.nat(20_000), bytes: fc.nat(20_000), held: fc.boolean() })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 50 }), (steps) => {
        const pace = new BodyPace()
        pace.begin()
        let now = 0
        let turn = 0
        let bytes = 0
        for (const each of steps) {
          if (each.held) pace.hold(now)
          else pace.run(now)
          now += each.ms
          if (pace.deadline <= now) return
          if (!each.held) turn += each.ms
          expect(turn).toBeLessThanOrEqual(bodyGraceMs + (bytes / bodyRateMin) * 1_000 + 1e-3)
          pace.received(each.bytes, now)
          bytes += each.bytes
          if (!each.held) expect(pace.deadline).toBeLessThanOrEqual(now + bodyGraceMs)
        }
      }),
    )
  })
})
