import { describe, expect, it } from 'vitest'
import { formatBytes, formatDuration } from './duration.ts'

describe('formatDuration', () => {
  it.each([
    [0, '0 ms'],
    [0.04, '0 ms'],
    [0.25, '0.3 ms'],
    [9.94, '9.9 ms'],
    [12.4, '12 ms'],
    [999, '999 ms'],
    [999.9, '1 s'],
    [1_000, '1 s'],
    [1_234, '1.2 s'],
    [9_960, '10 s'],
    [59_400, '59 s'],
    [60_000, '1 min'],
    [180_000, '3 min'],
    [150_000, '2.5 min'],
    [3_600_000, '1 h'],
    [9_000_000, '2.5 h'],
    [86_400_000 * 30, '30 d'],
    [-1_500, '-1.5 s'],
    [Infinity, 'Infinity'],
    [Number.NaN, 'NaN'],
  ])('shows %d as %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text)
  })

  it('never shows a number that is a whole of the next unit', () => {
    for (let ms = 0; ms < 100_000_000; ms += ms < 100_000 ? 7 : 4_999) expect(formatDuration(ms)).not.toMatch(/^(1000 ms|60 s|60 min|24 h)$/)
  })
})

describe('formatBytes', () => {
  it.each([
    [0, '0 B'],
    [512, '512 B'],
    [1_023, '1023 B'],
    [1_024, '1 KiB'],
    [1_536, '1.5 KiB'],
    [10 * 2 ** 20, '10 MiB'],
    [2 ** 30 - 1, '1 GiB'],
    [3.25 * 2 ** 40, '3.3 TiB'],
    [-2_048, '-2 KiB'],
    [Number.NaN, 'NaN'],
  ])('shows %d as %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text)
  })

  it('never shows a number that is a whole of the next unit', () => {
    for (let bytes = 0; bytes < 2 ** 31; bytes += bytes < 100_000 ? 3 : 9_973) expect(formatBytes(bytes)).not.toMatch(/^1024 /)
  })
})
