import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Patience } from './patience.ts'

describe('patience', () => {
  it('ends with a burst, and comes back with time and with what is carried through', () => {
    const patience = new Patience(3, 2, 0)
    expect([1, 2, 3, 4].map(() => patience.spend(0))).toEqual([true, true, true, false])
    expect(patience.spend(1_000)).toBe(true)
    expect(patience.spend(1_000)).toBe(false)
    patience.earn()
    patience.earn()
    expect(patience.spend(1_000)).toBe(true)
  })

  it('never allows more than the burst and what has come since', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(500), { maxLength: 200 }), (waits) => {
        const patience = new Patience(10, 4, 0)
        let now = 0
        let allowed = 0
        for (const wait of waits) {
          now += wait
          if (patience.spend(now)) allowed++
        }
        expect(allowed).toBeLessThanOrEqual(10 + (now * 4) / 1_000)
      }),
    )
  })
})
