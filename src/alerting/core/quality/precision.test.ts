import { describe, expect, it } from 'vitest'
import { precisionOf, type MinuteCounts, type Page, type PrecisionData } from './precision.ts'

const minute = 60_000
const week = 7 * 24 * 60 * minute
const page = (rule: string, service: string | undefined, at: number, length = 2, acked?: number): Page => ({
  rule,
  labels: service === undefined ? {} : { service },
  at: at * minute,
  until: (at + length) * minute,
  ackedAt: acked === undefined ? undefined : acked * minute,
})
/** Fails in these minutes. */
const requests = (bad: (i: number) => number): readonly MinuteCounts[] =>
  Array.from({ length: week / minute }, (_, i) => ({ at: i * minute, good: 1_000 - bad(i), bad: bad(i) }))
const data = (given: Partial<PrecisionData>): PrecisionData => ({
  from: 0,
  to: week,
  pages: [],
  requests: new Map(),
  objective: () => 0.999,
  dependants: () => [],
  ...given,
})

describe('the precision of rules', () => {
  it('takes an alert for true when the budget of its service or of one that needs it burned, or somebody took it on', () => {
    const burning = requests((i) => (i >= 100 && i < 105 ? 100 : 0))
    const report = precisionOf(
      data({
        requests: new Map([['shop', burning]]),
        dependants: (service) => (service === 'db' ? ['shop'] : []),
        pages: [
          page('Errors', 'shop', 101),
          page('Errors', 'shop', 500),
          page('Down', 'db', 101),
          page('Disk', undefined, 101),
          page('Disk', undefined, 200, 9, 207),
        ],
      }),
    )
    expect(report.rules.map(({ rule, pages, noise, precision, ackMs }) => [rule, pages, noise, precision, ackMs])).toEqual([
      ['Disk', 2, 1, 0.5, 7 * minute],
      ['Errors', 2, 1, 0.5, undefined],
      ['Down', 1, 0, 1, undefined],
    ])
    expect([report.precision, report.noisiest]).toEqual([0.6, ['Disk', 'Errors']])
  })

  it('suggests how long to wait, so that no true one is lost', () => {
    const short = Array.from({ length: 14 }, (_, i) => page('Slow', 'shop', 1_000 + i * 60, 4))
    const [rule] = precisionOf(data({ pages: [...short, page('Slow', 'shop', 100, 20, 105)] })).rules
    expect(rule).toMatchObject({ noise: 14, suggestion: { forMs: 5 * minute, spares: 14 } })
    const [kept] = precisionOf(data({ pages: [...short, page('Slow', 'shop', 100, 2, 101)] })).rules
    expect(kept?.suggestion).toBeUndefined()
  })

  it('tells of what nobody was told of', () => {
    const outage = requests((i) => (i >= 3_000 && i < 3_060 ? 500 : 0))
    const missed = (pages: readonly Page[]) => precisionOf(data({ requests: new Map([['shop', outage]]), pages })).missed
    expect(missed([])).toMatchObject([{ service: 'shop', from: 3_000 * minute, to: 3_060 * minute }])
    expect(missed([page('Errors', 'shop', 3_005, 60)])).toEqual([])
    expect(missed([page('Errors', 'shop', 3_020, 60)])).toHaveLength(1)
    expect(missed([page('Errors', 'auth', 3_005, 60)])).toHaveLength(1)
  })

  it.each(Array.from({ length: 10 }, (_, seed) => seed))('names the noisiest rule, seed %i', (seed) => {
    let state = seed * 7_919 + 13
    const next = (n: number): number => (state = (state * 1_103_515_245 + 12_345) % 2_147_483_648) % n
    const burning = requests((i) => (i % 2_000 < 20 ? 50 : 0))
    const rules = Array.from({ length: 8 }, (_, i) => ({ name: `Rule${i}`, noise: 3 + next(8), good: next(30) }))
    const noisiest = rules[next(8)]
    const pages = rules.flatMap(({ name, noise, good }) => [
      ...Array.from({ length: name === noisiest?.name ? 14 : noise }, () => page(name, 'shop', 2_000 * next(4) + 200 + next(1_500))),
      ...Array.from({ length: good }, () => page(name, 'shop', 2_000 * next(5) + next(20))),
    ])
    expect(precisionOf(data({ requests: new Map([['shop', burning]]), pages })).noisiest[0]).toBe(noisiest?.name)
  })
})
