import fc from 'fast-check'
import { expect, it } from 'vitest'
import { protectedShare, SegmentedLru } from './segmented-lru.ts'

it('one pass over many does not drive out what is asked for again', () => {
  const lru = new SegmentedLru<string>(1_000)
  for (let i = 0; i < 8; i++) lru.set(`hot${i}`, 'x', 100)
  for (let i = 0; i < 8; i++) lru.get(`hot${i}`)
  for (let i = 0; i < 1_000; i++) lru.set(`once${i}`, 'x', 100)
  for (let i = 0; i < 8; i++) expect(lru.peek(`hot${i}`)).toBe('x')
  expect(lru.evicted).toBe(998)
})

it('what was hot once goes when other things are', () => {
  const lru = new SegmentedLru<string>(1_000)
  for (const generation of ['a', 'b']) {
    for (let i = 0; i < 8; i++) {
      lru.set(`${generation}${i}`, 'x', 100)
      lru.get(`${generation}${i}`)
    }
  }
  expect(Array.from({ length: 8 }, (_, i) => lru.peek(`b${i}`)).every((value) => value === 'x')).toBe(true)
  expect(lru.peek('a0')).toBeUndefined()
})

it('never holds more than there is room for, counts right, and forgets nothing while there is room', () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant('set' as const), key: fc.nat(12), bytes: fc.integer({ min: 1, max: 70 }) }),
    fc.record({ do: fc.constantFrom('get' as const, 'delete' as const), key: fc.nat(12), bytes: fc.constant(0) }),
    fc.record({ do: fc.constant('resize' as const), key: fc.constant(0), bytes: fc.integer({ min: 50, max: 200 }) }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const lru = new SegmentedLru<number>(150)
      const model = new Map<string, number>()
      for (const { do: what, key, bytes } of steps) {
        const name = String(key)
        const evicted = lru.evicted
        if (what === 'set') {
          lru.set(name, bytes, bytes)
          if (bytes > lru.maxBytes) model.delete(name)
          else model.set(name, bytes)
        } else if (what === 'delete') {
          expect(lru.delete(name)).toBe(model.delete(name))
        } else if (what === 'resize') lru.resize(bytes)
        else expect(lru.get(name)).toBe(model.get(name))
        for (const each of [...model.keys()]) if (lru.peek(each) === undefined) model.delete(each)
        const bytesOfModel = [...model.values()].reduce((sum, each) => sum + each, 0)
        expect(lru.bytes).toBe(bytesOfModel)
        expect(lru.size).toBe(model.size)
        expect(lru.bytes).toBeLessThanOrEqual(lru.maxBytes)
        if (lru.evicted > evicted && what === 'set') expect(lru.bytes + 70).toBeGreaterThan(lru.maxBytes * (1 - protectedShare))
      }
    }),
  )
})
