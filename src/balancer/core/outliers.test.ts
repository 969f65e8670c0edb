import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Prng } from '../../kernel/random.ts'
import { ejectedMax, OutlierBook, rateIntervalMs } from './outliers.ts'

const rules = { consecutiveErrors: 5, consecutiveFailures: 2, baseMs: 30_000, maxMs: 300_000 }
const ids = (count: number): string[] => Array.from({ length: count }, (_, index) => `e${index}`)

function bookOf(count: number, more: Partial<typeof rules> = {}): OutlierBook {
  const book = new OutlierBook({ ...rules, ...more }, new Prng(1), 0)
  book.setPool({ ...rules, ...more }, ids(count), 0)
  return book
}

describe('how many may be out', () => {
  it.each([
    [0, 0],
    [1, 0],
    [2, 1],
    [3, 1],
    [4, 2],
    [5, 2],
    [10, 5],
  ])('of %i: %i', (count, most) => {
    expect(ejectedMax(count)).toBe(most)
  })

  it('is never exceeded, whatever happens', () => {
    const step = fc.record({ id: fc.nat(6), kind: fc.constantFrom('errors' as const, 'failures' as const), after: fc.nat(40_000) })
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 7 }), fc.array(step, { maxLength: 60 }), (count, steps) => {
        const book = bookOf(count)
        let now = 0
        for (const { id, kind, after } of steps) {
          now += after
          book.sweep(now)
          book.run(`e${id}`, kind, 5, now)
          expect(book.ejected.length).toBeLessThanOrEqual(ejectedMax(count))
        }
      }),
    )
  })
})

describe('the cool-down', () => {
  it('grows with ejections in a row, up to its maximum, and shrinks in calm times', () => {
    const book = bookOf(2)
    let now = 0
    const lengths: number[] = []
    for (let i = 0; i < 12; i++) {
      const { forMs } = book.run('e0', 'errors', 5, now)!
      lengths.push(Math.round(forMs / 30_000))
      now += forMs
      expect(book.sweep(now).reinstated).toEqual(['e0'])
    }
    expect(lengths.slice(0, 4)).toEqual([1, 2, 3, 4])
    expect(Math.max(...lengths)).toBeLessThanOrEqual(11)
    for (let i = 0; i < 20; i++) book.sweep((now += 30_000))
    expect(book.run('e0', 'errors', 5, now)!.forMs).toBeLessThanOrEqual(33_000)
  })

  it('ends early when the probe passes, for broken connections only', () => {
    const book = bookOf(4)
    expect(book.run('e0', 'failures', 2, 0)?.reason).toBe('2 connections in a row failed or were not answered')
    expect(book.run('e1', 'errors', 5, 0)?.reason).toBe('5 errors in a row')
    expect([book.recovered('e0'), book.recovered('e1')]).toEqual([true, false])
    expect(book.ejected).toEqual(['e1'])
  })
})

describe('success rates', () => {
  const run = (endpoints: number, requests: number, errorsOfFirst: number): readonly string[] => {
    const book = bookOf(endpoints)
    for (const id of ids(endpoints)) book.counted(id, requests, id === 'e0' ? errorsOfFirst : 0)
    return book.sweep(rateIntervalMs).ejected
  }

  it('eject the one that is far below the others', () => {
    expect(run(6, 200, 100)).toEqual(['e0'])
  })

  it.each([
    ['four endpoints', 4, 200, 100],
    ['few requests', 6, 90, 45],
    ['small differences', 6, 1_000, 20],
  ])('say nothing with %s', (_, endpoints, requests, errors) => {
    expect(run(endpoints, requests, errors)).toEqual([])
  })
})

it('hands over what is out, with its history, to the book of an heir', () => {
  const quick = { ...rules, baseMs: 1_000, maxMs: 10_000 }
  const made = (now: number): OutlierBook => {
    const outliers = new OutlierBook(quick, new Prng(1), now)
    outliers.setPool(quick, ['a', 'b', 'c'], now)
    return outliers
  }
  const before = made(0)
  const ejection = before.run('a', 'errors', 5, 0)!
  const [saved] = before.saved(400)
  expect(saved).toMatchObject({ id: 'a', kind: 'errors', inRow: 1, forMs: ejection.forMs - 400 })
  const heir = made(50_000)
  expect(heir.restore(saved!, 50_000)).toBe(true)
  expect(heir.ejectionOf('a', 50_100)).toMatchObject({ reason: '5 errors in a row', forMs: ejection.forMs - 500 })
  expect(heir.sweep(50_000 + ejection.forMs).reinstated).toEqual(['a'])
  expect(heir.run('a', 'errors', 5, 52_000)!.forMs).toBeGreaterThan(1_500)
  expect(heir.restore({ ...saved!, id: 'unknown' }, 52_000)).toBe(false)
})
