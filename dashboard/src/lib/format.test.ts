/** Numbers and times as they are shown. */
import { describe, expect, it } from 'vitest'
import { bytes, count, duration, milliseconds, moment, percent, rate, share, utc } from './format.ts'

describe('what is not known', () => {
  it.each([count, rate, share, percent, milliseconds, bytes, duration])('is a dash, never NaN or undefined', (format) => {
    for (const value of [undefined, null, NaN, Infinity]) expect(format(value)).toBe('–')
  })
})

it.each([
  [milliseconds(0), '0 ms'],
  [milliseconds(0.42), '0.42 ms'],
  [milliseconds(24.61), '24.6 ms'],
  [milliseconds(156.4), '156 ms'],
  [milliseconds(1_234), '1.23 s'],
  [milliseconds(61_000), '61.0 s'],
  [bytes(0), '0 B'],
  [bytes(1_023), '1,023 B'],
  [bytes(1_024), '1.0 KiB'],
  [bytes(49.94 * 1_048_576), '49.9 MiB'],
  [bytes(512 * 1_024), '512 KiB'],
  [share(0), '0 %'],
  [share(1), '100 %'],
  [share(0.0042), '0.42 %'],
  [share(0.00001), '< 0.01 %'],
  [rate(0), '0'],
  [rate(7.171), '7.17'],
  [rate(12_345), '12.3K'],
  [count(99_999), '99,999'],
  [count(1_234_567), '1.2M'],
  [duration(0), '0 s'],
  [duration(-5), '0 s'],
  [duration(59_999), '59 s'],
  [duration(3_600_000), '1 h'],
  [duration(3_660_000), '1 h 1 min'],
  [duration(90_061_000), '1 d 1 h'],
])('%s is %s', (shown, wanted) => {
  expect(shown).toBe(wanted)
})

it('a moment of today is a time, one of another day has the day, one of another year the year', () => {
  const now = new Date(2026, 10, 22, 12, 0, 0).getTime()
  expect(moment(new Date(2026, 10, 22, 9, 5, 7).getTime(), now)).toBe('09:05:07')
  expect(moment(new Date(2026, 10, 21, 9, 5, 7).getTime(), now)).toContain('21 Nov')
  expect(moment(new Date(2025, 10, 21, 9, 5, 7).getTime(), now)).toContain('2025')
  expect(utc(Date.UTC(2026, 0, 2, 3, 4, 5, 678))).toBe('2026-01-02 03:04:05 UTC')
})
