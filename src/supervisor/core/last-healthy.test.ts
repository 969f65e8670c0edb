import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { mayStopOne, minAvailable } from './last-healthy.ts'

describe('the last-healthy invariant', () => {
  it.each([
    [0, 0],
    [1, 1],
    [2, 1],
    [3, 2],
    [4, 2],
    [5, 3],
    [200, 100],
  ])('of %i wanted, %i must stay ready', (desired, least) => {
    expect(minAvailable(desired)).toBe(least)
  })

  it('property: whoever obeys it never falls below, however often it is asked', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 0, max: 60 }), (desired, start) => {
        let ready = start
        while (mayStopOne({ ready, desired })) ready--
        expect(ready).toBe(Math.min(start, minAvailable(desired)))
      }),
    )
  })
})
