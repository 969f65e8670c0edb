import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { newId, systemClock, systemRandom } from './system.ts'
import { after, minutes, ms, seconds } from './time.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'], now: 1_700_000_000_000 })
})
afterEach(() => {
  vi.useRealTimers()
})

describe('the system clock', () => {
  it('runs a task at its time, never before', () => {
    const ran: number[] = []
    const at = after(systemClock.now(), ms(10.4))
    systemClock.schedule(at, () => ran.push(systemClock.now()))
    vi.advanceTimersByTime(10)
    expect(ran).toEqual([])
    vi.advanceTimersByTime(1)
    expect(ran).toHaveLength(1)
    expect(ran[0]).toBeGreaterThanOrEqual(at)
  })

  it('runs at once what is past, and not what was disposed', () => {
    const ran: string[] = []
    systemClock.schedule(after(systemClock.now(), seconds(-5)), () => ran.push('past'))
    systemClock.schedule(systemClock.now(), () => ran.push('disposed'))[Symbol.dispose]()
    vi.advanceTimersByTime(1)
    expect(ran).toEqual(['past'])
  })

  it('waits longer than a timeout can', () => {
    const ran: number[] = []
    const days = minutes(60 * 24 * 60)
    const kept = systemClock.schedule(after(systemClock.now(), days), () => ran.push(1))
    const disposed = systemClock.schedule(after(systemClock.now(), days), () => ran.push(2))
    vi.advanceTimersByTime(days / 2)
    disposed[Symbol.dispose]()
    vi.advanceTimersByTime(days / 2 - 1)
    expect(ran).toEqual([])
    vi.advanceTimersByTime(1)
    expect(ran).toEqual([1])
    kept[Symbol.dispose]()
    expect(vi.getTimerCount()).toBe(0)
  })

  it('tells wall time', () => {
    expect(systemClock.wallTime()).toBe(1_700_000_000_000)
  })
})

describe('newId', () => {
  it('makes 26 characters of Crockford base32', () => {
    expect(newId()).toMatch(/^[0-7][0-9A-HJKMNP-TV-Z]{25}$/)
  })

  it('makes each once, in order, also within one millisecond and when the wall clock goes back', () => {
    const ids: string[] = []
    for (let n = 0; n < 3_000; n++) {
      if (n % 500 === 250) vi.setSystemTime(Date.now() + 3)
      if (n % 500 === 499) vi.setSystemTime(Date.now() - 3_600_000)
      ids.push(newId())
    }
    expect(new Set(ids).size).toBe(3_000)
    expect(ids).toEqual(ids.toSorted())
  })

  it('begins with the time of making', () => {
    vi.setSystemTime(1_800_000_000_000)
    const first = newId()
    vi.setSystemTime(1_800_000_000_001)
    const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
    const timeOf = (id: string): number => Array.from(id.slice(0, 10)).reduce((time, char) => time * 32 + alphabet.indexOf(char), 0)
    expect(timeOf(first)).toBe(1_800_000_000_000)
    expect(timeOf(newId())).toBe(1_800_000_000_001)
  })
})

describe('the system dice', () => {
  it('stay in [0, 1)', () => {
    for (let n = 0; n < 100; n++) {
      const value = systemRandom.next()
      expect(value >= 0 && value < 1).toBe(true)
    }
  })
})
