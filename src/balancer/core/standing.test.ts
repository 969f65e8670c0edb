import { describe, expect, it } from 'vitest'
import { emptyHistogram, Histogram, type HistogramData } from '../../kernel/histogram.ts'
import type { EndpointView } from './routing-view.ts'
import { recentMs, StandingBook, type Circumstances, type StandingRules } from './standing.ts'
import { standingShare, wellStanding } from './weight.ts'

const rules: StandingRules = { algorithm: 'round-robin', slowStartMs: 10_000 }
const view = (id: string, more: Partial<EndpointView> = {}): EndpointView => ({ id, host: 'h', port: 1, weight: 1, state: 'active', ...more })
const calm: Circumstances = { lagMs: 0, heapShare: 0, failedProbes: 0, probesToFall: 3 }

const times = (ms: number, count: number): HistogramData => {
  const histogram = new Histogram()
  for (let i = 0; i < count; i++) histogram.record(ms * 1_000)
  return histogram.data()
}

function book(ids: readonly string[], more: Partial<StandingRules> = {}): StandingBook {
  const made = new StandingBook({ ...rules, ...more }, 0)
  made.setPool(
    { ...rules, ...more },
    ids.map((id) => view(id)),
    0,
  )
  return made
}

describe('what is known of an endpoint over all workers', () => {
  it('is told when it gets worse, when it gets much worse, and when it is well again', () => {
    const standings = book(['a', 'b'])
    expect(standings.look('a', calm, 0)).toBeUndefined()
    expect(standings.look('a', { ...calm, lagMs: 100 }, 0)).toMatchObject({ lagMs: 100 })
    expect(standings.look('a', { ...calm, lagMs: 101 }, 0)).toBeUndefined()
    expect(standings.look('a', { ...calm, lagMs: 400 }, 0)).toMatchObject({ lagMs: 400 })
    expect(standings.notable.map(([id]) => id)).toEqual(['a'])
    expect(standings.look('a', calm, 0)).toBe(wellStanding)
    expect(standings.notable).toEqual([])
  })

  it('takes nothing from a weight where only the configured one counts, and gives back what was taken', () => {
    const bad: Circumstances = { lagMs: 400, heapShare: 0.99, failedProbes: 2, probesToFall: 3 }
    const standings = book(['a', 'b'])
    standings.counted('a', 30, 30, emptyHistogram)
    expect(standings.look('a', bad, 0)).toMatchObject({ lagMs: 400, errorShare: 1 })
    const views = ['a', 'b'].map((id) => view(id, { restarts: 3 }))
    standings.setPool({ ...rules, configuredWeights: true }, views, 0)
    expect(standings.look('a', bad, 0)).toBe(wellStanding)
    expect(standings.look('b', bad, 0)).toBeUndefined()
    standings.setPool(rules, views, 0)
    expect(standings.look('a', bad, 0)).toMatchObject({ lagMs: 400 })
  })

  it('counts the errors of the last seconds, of all workers, and forgets them', () => {
    const standings = book(['a', 'b'])
    standings.counted('a', 5, 5, emptyHistogram)
    expect(standings.look('a', calm, 0)).toBeUndefined()
    standings.counted('a', 15, 5, emptyHistogram)
    expect(standings.look('a', calm, 0)).toMatchObject({ errorShare: 0.5 })
    standings.sweep(recentMs)
    expect(standings.look('a', calm, recentMs)).toBeUndefined()
    standings.sweep(2 * recentMs)
    expect(standings.look('a', calm, 2 * recentMs)).toBe(wellStanding)
  })

  it('compares medians, where the difference can be felt, and not for who chooses by latency', () => {
    const slow = (ms: number, algorithm: StandingRules['algorithm'] = 'round-robin'): number => {
      const standings = book(['a', 'b', 'c'], { algorithm })
      standings.counted('a', 30, 0, times(10, 30))
      standings.counted('b', 30, 0, times(10, 30))
      standings.counted('c', 30, 0, times(ms, 30))
      standings.sweep(1)
      return standings.look('c', calm, 1)?.slowness ?? 1
    }
    expect(slow(100)).toBeGreaterThan(9)
    expect(slow(25)).toBe(1)
    expect(slow(100, 'p2c-ewma')).toBe(1)
  })

  it('holds restarts against it for ten minutes, less and less', () => {
    const standings = book(['a'])
    standings.setPool(rules, [view('a'), view('b', { restarts: 3 })], 0)
    expect(standingShare(standings.look('b', calm, 0)!)).toBeCloseTo(0.7)
    expect(standingShare(standings.look('b', calm, 300_000)!)).toBeCloseTo(0.85)
    expect(standings.look('b', calm, 600_000)).toBe(wellStanding)
  })
})

describe('slow start', () => {
  it('is for those that come to others, and for those that were down', () => {
    const standings = book(['a', 'b'])
    expect(standings.warming(0)).toEqual([])
    standings.setPool(rules, [view('a'), view('b'), view('c')], 1_000)
    expect(standings.warming(3_000)).toEqual([{ id: 'c', ageMs: 2_000, windowMs: 10_000 }])
    expect(standings.warming(11_000)).toEqual([])
    expect(standings.revived('a', 20_000)).toEqual({ id: 'a', ageMs: 0, windowMs: 10_000 })
    expect(book(['a'], { slowStartMs: 0 }).revived('a', 0)).toBeUndefined()
  })

  it('ends early after 50 answers that were as fast as those of the others, and not before', () => {
    const over = (ms: number, count: number): readonly string[] => {
      const standings = book(['a', 'b'])
      standings.setPool(rules, [view('a'), view('b'), view('c')], 0)
      for (const id of ['a', 'b']) standings.counted(id, 100, 0, times(10, 100))
      standings.counted('c', count, 0, times(ms, count))
      const ended = standings.sweep(1_000).map(({ id }) => id)
      expect(standings.warming(1_000).map(({ id }) => id)).toEqual(ended.length === 0 ? ['c'] : [])
      return ended
    }
    expect(over(12, 50)).toEqual(['c'])
    expect(over(12, 49)).toEqual([])
    expect(over(30, 50)).toEqual([])
  })
})
