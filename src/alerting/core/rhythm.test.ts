import { describe, expect, it } from 'vitest'
import { Rhythm } from './rhythm.ts'

const hour = 3_600_000
const day = 24 * hour
/** From 8 to 18 busy. */
const busy = (at: number): number => (at % day >= 8 * hour && at % day < 18 * hour ? 100 : 10)

function watched(days: number, value: (at: number) => number = busy, stepMs = hour / 2): Rhythm {
  const rhythm = new Rhythm(day)
  for (let at = 0; at < days * day; at += stepMs) rhythm.learn(at, value(at))
  return rhythm
}

describe('the rhythm of a day', () => {
  it('knows nothing of the first day, and is trusted after two', () => {
    expect(watched(0.3).distance(8 * hour, 50)).toBeUndefined()
    expect([watched(1).knows(day), watched(2).knows(2 * day)]).toEqual([false, true])
  })

  it('measures from the nearest of three slots, so that an edge may come early or late', () => {
    const rhythm = watched(3)
    expect(rhythm.distance(3 * day + 12 * hour, 70)).toBe(-30)
    expect(rhythm.distance(3 * day + 3 * hour, 70)).toBe(60)
    expect(rhythm.distance(3 * day + 7.5 * hour, 100)).toBe(0)
    expect(rhythm.distance(3 * day + 8 * hour, 10)).toBe(0)
  })

  it('does not expect an odd day again, and follows one that stays', () => {
    const odd = watched(5, (at) => (Math.floor(at / day) === 4 ? 0 : busy(at)))
    expect(odd.distance(5 * day + 12 * hour, 100)).toBe(25)
    const stays = watched(26, (at) => (at >= 4 * day ? 0 : busy(at)))
    expect(stays.distance(26 * day + 12 * hour, 0)).toBeCloseTo(0, 0)
  })

  it('keeps to the time of the day over gaps, with steps that do not divide it, and over times that go back', () => {
    expect(watched(4, busy, 7 * 60_000).distance(9 * day + 12 * hour, 100)).toBe(0)
    const rhythm = watched(4)
    rhythm.learn(day + 12 * hour, 100)
    expect(rhythm.distance(12 * hour, 100)).toBe(0)
    expect(rhythm.distance(-12 * hour, 100)).toBe(0)
  })

  it('has nothing to say of rows too dense or too sparse for it, or of times that stand still', () => {
    for (const stepMs of [1_000, day]) {
      const rhythm = new Rhythm(day)
      for (let i = 0; i < 1_000; i++) rhythm.learn(i * stepMs, i)
      expect(rhythm.distance(1_000 * stepMs, 5)).toBeUndefined()
    }
    const still = new Rhythm(day)
    for (let i = 0; i < 1_000; i++) still.learn(0, i)
    expect(still.distance(0, 5)).toBeUndefined()
  })
})
