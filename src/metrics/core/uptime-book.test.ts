import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { UptimeBook, type ServiceCounts, type Totals } from './uptime-book.ts'

const dayMs = 86_400_000
const start = 1_800_057_600_000 // a midnight
const totals = (at: number, shop: ServiceCounts, pid = 1, startedAt = start): Totals => ({ pid, startedAt, at, services: { shop } })
const up = [{ name: 'shop', unavailable: false }]
const down = [{ name: 'shop', unavailable: true }]

/** As a process that died and was started again: with what it had written down. */
function reborn(book: UptimeBook): UptimeBook {
  const next = new UptimeBook()
  const days = book.days('shop', 400, start + 300 * dayMs).map((day) => ({ ...day, service: 'shop' }))
  next.restore(days, JSON.parse(JSON.stringify(book.notes)) as UptimeBook['notes'])
  return next
}

describe('the book of uptime', () => {
  it('counts everything once, whoever dies: the control process, or the balancer', () => {
    const steps = fc.array(
      fc.oneof(
        {
          weight: 6,
          arbitrary: fc.record({
            good: fc.integer({ min: 0, max: 500 }),
            bad: fc.integer({ min: 0, max: 5 }),
            later: fc.integer({ min: 1, max: dayMs / 3 }),
          }),
        },
        { weight: 1, arbitrary: fc.constant('control dies' as const) },
        { weight: 1, arbitrary: fc.constant('balancer dies' as const) },
      ),
      { maxLength: 60 },
    )
    fc.assert(
      fc.property(steps, (happened) => {
        let book = new UptimeBook()
        let [at, pid, startedAt] = [start, 1, start]
        let counted = { good: 0, bad: 0 }
        const served = { good: 0, bad: 0 }
        for (const step of happened) {
          if (step === 'control dies') book = reborn(book)
          else if (step === 'balancer dies') {
            pid++
            startedAt = at
            counted = { good: 0, bad: 0 }
          } else {
            at += step.later
            served.good += step.good
            served.bad += step.bad
            counted = { good: counted.good + step.good, bad: counted.bad + step.bad }
            // The first time it is met it is young.
            if (book.notes.totals === undefined) startedAt = at
            book.count(totals(at, counted, pid, startedAt), at)
          }
        }
        const days = book.days('shop', 400, at)
        const sum = (name: 'good' | 'bad'): number => days.reduce((total, day) => total + day[name], 0)
        expect([sum('good'), sum('bad')]).toEqual([served.good, served.bad])
      }),
    )
  })

  it('tells what it counted since it was asked last', () => {
    const book = new UptimeBook()
    expect(book.count(totals(start + 1_000, { good: 5, bad: 1 }), start + 1_000).get('shop')).toEqual({ good: 5, bad: 1 })
    expect(book.count(totals(start + 2_000, { good: 7, bad: 1 }), start + 2_000).get('shop')).toEqual({ good: 2, bad: 0 })
    expect(book.count(totals(start + 3_000, { good: 3, bad: 0 }, 2), start + 3_000).get('shop')).toEqual({ good: 3, bad: 0 })
  })

  it('takes nothing for its own that a balancer did before it was ever met', () => {
    const book = new UptimeBook()
    expect(book.count(totals(start + 3_600_000, { good: 500, bad: 100 }), start + 3_600_000).get('shop')).toEqual({ good: 0, bad: 0 })
  })

  it('has time in which nothing was ready, and time of which nothing is known', () => {
    const book = new UptimeBook()
    const begin = start + 3_600_000
    for (let s = 0; s <= 10; s++) book.tick(begin + 1_000 * s, up, true)
    for (let s = 11; s <= 20; s++) book.tick(begin + 1_000 * s, down, true)
    for (let s = 21; s <= 25; s++) book.tick(begin + 1_000 * s, up, false)
    // It was first seen an hour after midnight.
    expect(book.days('shop', 1, begin)).toEqual([{ day: '2027-01-16', good: 0, bad: 0, unknownMs: 3_605_000, downMs: 10_000 }])
    expect(book.days('chat', 90, begin)).toEqual([])
  })

  it('does not take the first start of a service for its being down, as long as that takes no minute', () => {
    const book = new UptimeBook()
    for (let s = 0; s <= 5; s++) book.tick(start + 1_000 * s, down, true)
    for (let s = 6; s <= 8; s++) book.tick(start + 1_000 * s, up, true)
    expect(book.days('shop', 1, start)).toMatchObject([{ unknownMs: 5_000, downMs: 0 }])
    for (let s = 9; s <= 11; s++) book.tick(start + 1_000 * s, down, true)
    expect(book.days('shop', 1, start)).toMatchObject([{ unknownMs: 5_000, downMs: 3_000 }])
    const never = new UptimeBook()
    for (let s = 0; s <= 100; s++) never.tick(start + 1_000 * s, down, true)
    expect(never.days('shop', 1, start)).toMatchObject([{ unknownMs: 59_000, downMs: 41_000 }])
  })

  it.each([
    ['is known when the balancer went on counting', 1, [3_600_000, 0]],
    ['is not known when it did not', 2, [3_600_000 + dayMs - 3_600_000 - 1_000, 7_200_000]],
  ])('a gap over midnight %s', (_, pid, unknown) => {
    const book = new UptimeBook()
    const begin = start + 3_600_000
    book.tick(begin, up, true)
    book.count(totals(begin, { good: 1, bad: 0 }, 1, begin), begin)
    book.tick(begin + 1_000, up, true)
    const back = start + dayMs + 7_200_000
    book.tick(back, up, true)
    book.count(totals(back, { good: 9, bad: 0 }, pid, pid === 1 ? begin : back), back)
    book.tick(back + 1_000, up, true)
    expect(book.days('shop', 2, back).map(({ unknownMs }) => unknownMs)).toEqual(unknown)
  })

  it('knows which days are not written down yet', () => {
    const book = new UptimeBook()
    book.tick(start + 1_000, up, true)
    const { unsaved } = book
    expect(unsaved).toEqual([{ day: '2027-01-16', service: 'shop', good: 0, bad: 0, unknownMs: 1_000, downMs: 0 }])
    book.tick(start + 2_000, down, true)
    book.saved(unsaved)
    expect(book.unsaved).toMatchObject([{ downMs: 1_000 }])
    book.saved(book.unsaved)
    expect(book.unsaved).toEqual([])
  })
})
