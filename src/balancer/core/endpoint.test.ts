import { describe, expect, it } from 'vitest'
import { instant } from '../../kernel/time.ts'
import { Endpoint, warmTogether } from './endpoint.ts'
import { wellStanding } from './weight.ts'

const made = (): Endpoint => new Endpoint({ id: 'e', host: 'h', port: 1, weight: 4, state: 'active' }, 's')

describe('an endpoint', () => {
  it('is avoided for 50 ms after a failed connect, then twice as long each time, at most a second', () => {
    const endpoint = made()
    let now = 0
    for (const pause of [50, 100, 200, 400, 800, 1_000, 1_000]) {
      endpoint.failed(now, true)
      expect(endpoint.available(now + pause - 1)).toBe(false)
      expect(endpoint.available(now + pause)).toBe(true)
      now += pause
    }
    endpoint.answered(5, instant(now))
    endpoint.failed(now, true)
    expect(endpoint.available(now + 50)).toBe(true)
  })

  it('is not avoided for a connection that broke, but remembers when the run of failures began', () => {
    const endpoint = made()
    expect(endpoint.failed(10, false)).toBe(10)
    expect(endpoint.failed(20, false)).toBe(10)
    expect(endpoint.available(20)).toBe(true)
    endpoint.answered(1, instant(25))
    expect(endpoint.failed(30, false)).toBe(30)
  })

  it('is forgiven when it is known to live', () => {
    const endpoint = made()
    endpoint.failed(0, true)
    endpoint.welcome()
    expect(endpoint.available(0)).toBe(true)
    expect(endpoint.failed(40, false)).toBe(40)
  })

  it('follows peaks of latency at once, and forgets them with a time constant of ten seconds', () => {
    const endpoint = made()
    endpoint.answered(10, instant(0))
    endpoint.answered(100, instant(1))
    expect(endpoint.ewmaMs).toBe(100)
    endpoint.answered(10, instant(10_001))
    expect(endpoint.ewmaMs).toBeCloseTo(10 + 90 * Math.exp(-1), 5)
    endpoint.answered(10, instant(10_001))
    expect(endpoint.ewmaMs).toBeCloseTo(10 + 90 * Math.exp(-1), 5)
  })

  it('gains its weight over the slow start, from a tenth, also when part of it is over already', () => {
    const endpoint = made()
    endpoint.warm(1_000, 10_000)
    expect(endpoint.weightAt(1_000)).toBeCloseTo(0.4)
    expect(endpoint.weightAt(6_000)).toBeCloseTo(2)
    expect(endpoint.weightAt(11_000)).toBe(4)
    endpoint.warm(1_000, 10_000, 5_000)
    expect(endpoint.weightAt(1_000)).toBeCloseTo(2)
    endpoint.warm(2_000, 0)
    expect(endpoint.weightAt(2_000)).toBe(4)
  })

  it('has all of its weight while all the others are in their slow start too', () => {
    const [old, young, other] = [made(), made(), made()]
    old.warm(0, 10_000)
    young.warm(5_000, 10_000)
    warmTogether([old, young], 5_000)
    expect(young.weightAt(6_000)).toBe(4)
    // The other one is warm now: it shall not carry more than half again of its share.
    warmTogether([old, young], 10_000)
    expect(young.weightAt(10_000)).toBeCloseTo(2)
    warmTogether([old, young, other], 10_000)
    expect(young.weightAt(6_000)).toBeCloseTo(0.4)
    // Were two of three new, the old one would carry nearly all.
    warmTogether([old, young, other], 9_000)
    expect(young.weightAt(6_000)).toBeCloseTo(2)
  })

  it('weighs nothing when it is gone, drained or in maintenance, and less by its standing', () => {
    const endpoint = made()
    endpoint.standing = { ...wellStanding, lagMs: 200 }
    expect(endpoint.weightAt(0)).toBe(1)
    endpoint.standing = wellStanding
    expect(endpoint.weightAt(0)).toBe(4)
    endpoint.view = { ...endpoint.view, state: 'maintenance' }
    expect(endpoint.weightAt(0)).toBe(0)
    endpoint.view = { ...endpoint.view, state: 'active' }
    endpoint.gone = 'exit code=1'
    expect(endpoint.weightAt(0)).toBe(0)
    expect(endpoint.explainWeight(0, 4)).toEqual({ weight: 0, reasons: [{ factor: 'state', value: 0, why: 'gone: exit code=1' }] })
  })
})
