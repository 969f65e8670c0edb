import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Ring } from './ring.ts'

describe('a ring', () => {
  it('keeps the newest, oldest first, and gives back what had to go', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 8 }), fc.array(fc.integer(), { maxLength: 40 }), (capacity, items) => {
        const ring = new Ring<number>(capacity)
        const gone = items.map((item) => ring.push(item))
        expect(ring.toArray()).toEqual(items.slice(-capacity))
        expect(ring.length).toBe(Math.min(items.length, capacity))
        expect(ring.first()).toBe(items.slice(-capacity)[0])
        expect(gone).toEqual(items.map((_, i) => items[i - capacity]))
      }),
    )
  })

  it('is empty after clear and fills again', () => {
    const ring = new Ring<number>(2)
    for (const item of [1, 2, 3]) ring.push(item)
    ring.clear()
    expect([ring.length, ring.first(), ring.toArray()]).toEqual([0, undefined, []])
    for (const item of [4, 5, 6]) ring.push(item)
    expect(ring.toArray()).toEqual([5, 6])
  })

  it.each([0, -1, 1.5, Number.NaN])('refuses the capacity %s', (capacity) => {
    expect(() => new Ring(capacity)).toThrow('the capacity of a ring')
  })
})
