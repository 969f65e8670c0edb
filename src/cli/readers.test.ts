import { describe, expect, it } from 'vitest'
import { wallTime } from '../kernel/time.ts'
import { duration, integer, oneOf, since } from './readers.ts'

describe('readers', () => {
  it('reads whole numbers within their bounds', () => {
    const read = integer(0, 10)
    expect([read('0', 'N'), read('10', 'N')]).toEqual([0, 10])
    for (const bad of ['11', '-1', '1.5', '1e1', '', ' 1', '0x1', '９']) {
      expect(() => read(bad, 'N'), bad).toThrow(`N: expected a whole number from 0 to 10, got "${bad}"`)
    }
  })

  it('reads durations as the configuration does', () => {
    expect(['500ms', '90s', '10m', '1.5h', '7d', '250'].map((text) => duration(text, 'T'))).toEqual([
      500, 90_000, 600_000, 5_400_000, 604_800_000, 250,
    ])
    for (const bad of ['', '5x', '-1s', '1 s', 's']) expect(() => duration(bad, 'T'), bad).toThrow(/^T: expected a duration/)
  })

  it('reads how long ago, and when', () => {
    const now = wallTime(1_000_000)
    expect(since('10s', 'T')(now)).toBe(990_000)
    expect(since('1970-01-01T00:00:01Z', 'T')(now)).toBe(1_000)
    expect(() => since('2026-13-45', 'T')).toThrow('expected a date')
    expect(() => since('yesterday', 'T')).toThrow('expected a duration')
  })

  it('reads one of some words', () => {
    expect(oneOf('on', 'off')('on', 'S')).toBe('on')
    expect(() => oneOf('on', 'off')('ON', 'S')).toThrow('S: expected on or off, got "ON"')
  })
})
