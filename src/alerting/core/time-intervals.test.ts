import { describe, expect, it } from 'vitest'
import { holds, isLocation, type TimeInterval } from './time-intervals.ts'

const whole: TimeInterval = { times: [], weekdays: [], daysOfMonth: [], months: [], years: [], location: 'UTC' }
const at = (text: string): number => Date.parse(text)
const range = (from: number, to = from) => ({ from, to })

/** The moments at which it holds. */
const held = (interval: Partial<TimeInterval>, moments: readonly string[]): readonly string[] =>
  moments.filter((moment) => holds({ ...whole, ...interval }, at(moment)))

describe('a time interval', () => {
  it('with nothing in it holds always', () => {
    expect(holds(whole, at('2024-02-29T12:00:00Z'))).toBe(true)
  })

  it('has times up to their last minute, and not that', () => {
    const times = [range(9 * 60, 17 * 60), range(23 * 60, 24 * 60)]
    const moments = ['08:59:59', '09:00:00', '16:59:59', '17:00:00', '23:59:59'].map((clock) => `2024-05-06T${clock}Z`)
    expect(held({ times }, moments)).toEqual([moments[1], moments[2], moments[4]])
  })

  it('has weekdays from Sunday, both ends in it', () => {
    const week = [5, 6, 7, 8, 9, 10, 11].map((day) => `2024-05-${String(day).padStart(2, '0')}T12:00:00Z`)
    expect(held({ weekdays: [range(1, 5)] }, week)).toEqual(week.slice(1, 6))
    expect(held({ weekdays: [range(0), range(6)] }, week)).toEqual([week[0], week[6]])
  })

  it('counts days from the end of each month', () => {
    const moments = ['2024-02-28', '2024-02-29', '2023-02-28', '2024-04-30', '2024-05-30', '2024-05-31'].map((day) => `${day}T12:00:00Z`)
    expect(held({ daysOfMonth: [range(-1)] }, moments)).toEqual([moments[1], moments[2], moments[3], moments[5]])
    expect(held({ daysOfMonth: [range(-2, -1)] }, moments)).toEqual(moments)
    expect(held({ daysOfMonth: [range(1, -3)] }, moments)).toEqual([])
  })

  it('leaves out the days that a month does not have', () => {
    expect(held({ daysOfMonth: [range(30, 31)] }, ['2024-02-29T12:00:00Z', '2024-04-30T12:00:00Z'])).toEqual(['2024-04-30T12:00:00Z'])
    expect(held({ daysOfMonth: [range(29, 31)] }, ['2024-02-28T12:00:00Z', '2024-02-29T12:00:00Z'])).toEqual(['2024-02-29T12:00:00Z'])
  })

  it('must hold in every list that is given', () => {
    const interval = { times: [range(0, 60)], weekdays: [range(1)], months: [range(5)], years: [range(2024, 2025)] }
    const moments = ['2024-05-06T00:30:00Z', '2024-05-06T01:30:00Z', '2024-05-07T00:30:00Z', '2024-06-03T00:30:00Z', '2026-05-04T00:30:00Z']
    expect(held(interval, moments)).toEqual([moments[0]])
  })

  it('is about the clock and the calendar of its place, daylight saving included', () => {
    const nine = { times: [range(9 * 60, 10 * 60)], location: 'Europe/Berlin' }
    expect(held(nine, ['2024-01-15T08:30:00Z', '2024-07-15T08:30:00Z', '2024-07-15T07:30:00Z'])).toEqual([
      '2024-01-15T08:30:00Z',
      '2024-07-15T07:30:00Z',
    ])
    // It is Monday there already.
    expect(held({ weekdays: [range(1)], location: 'Asia/Tokyo' }, ['2024-05-05T16:00:00Z', '2024-05-06T16:00:00Z'])).toEqual(['2024-05-05T16:00:00Z'])
    // The new year too.
    expect(
      held({ years: [range(2025)], months: [range(1)], daysOfMonth: [range(1)], location: 'Pacific/Auckland' }, ['2024-12-31T12:00:00Z']),
    ).toHaveLength(1)
  })

  it('knows the names of places', () => {
    expect(['UTC', 'Europe/Berlin', 'Nowhere/Land'].map(isLocation)).toEqual([true, true, false])
  })
})
