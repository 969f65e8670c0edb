import { describe, expect, it } from 'vitest'
import { formatAge, formatCount, formatMs, formatRate, formatShare, formatSize, plural } from './format.ts'

describe('numbers in narrow columns', () => {
  it.each([
    [0, '0s'],
    [-5, '0s'],
    [999, '0s'],
    [59_999, '59s'],
    [60_000, '1m'],
    [61_000, '1m 1s'],
    [3_600_000, '1h'],
    [3_660_000, '1h 1m'],
    [3_601_000, '1h'],
    [90_000_000, '1d 1h'],
  ])('formatAge(%d) is %s', (ms, text) => {
    expect(formatAge(ms)).toBe(text)
  })

  it.each([
    [undefined, '-'],
    [0.04, '0.0 ms'],
    [9.94, '9.9 ms'],
    [9.96, '10 ms'],
    [999.4, '999 ms'],
    [999.6, '1.00 s'],
    [12_340, '12.3 s'],
  ])('formatMs(%s) is %s', (ms, text) => {
    expect(formatMs(ms)).toBe(text)
  })

  it.each([
    [0, '0'],
    [0.04, '0.0'],
    [99.94, '99.9'],
    [100, '100'],
    [12_345, '12.3k'],
    [1_234_567, '1.2M'],
  ])('formatRate(%d) is %s', (rate, text) => {
    expect(formatRate(rate)).toBe(text)
  })

  it.each([
    [9_999, '9999'],
    [10_000, '10.0k'],
    [999_949, '999.9k'],
    [999_950, '1.0M'],
  ])('formatCount(%d) is %s', (count, text) => {
    expect(formatCount(count)).toBe(text)
  })

  it.each([
    [0, '0%'],
    [0.000_001, '<0.01%'],
    [0.000_2, '0.02%'],
    [0.5, '50.0%'],
    [1, '100.0%'],
  ])('formatShare(%d) is %s', (share, text) => {
    expect(formatShare(share)).toBe(text)
  })

  it.each([
    [0, '0 B'],
    [1_023, '1023 B'],
    [1_024, '1.0 KiB'],
    [50_331_648, '48 MiB'],
    [1_610_612_736, '1.5 GiB'],
  ])('formatSize(%d) is %s', (bytes, text) => {
    expect(formatSize(bytes)).toBe(text)
  })

  it('counts nouns', () => {
    expect([plural(1, 'instance'), plural(2, 'instance'), plural(0, 'process', 'processes')]).toEqual(['1 instance', '2 instances', '0 processes'])
  })
})
