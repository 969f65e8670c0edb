import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ms } from '../../kernel/time.ts'
import { readDuration, readPercent, readRate, readSize, writeDuration, writePercent, writeRate, writeSize } from './units.ts'

describe('durations', () => {
  it.each([
    ['500ms', 500],
    ['10s', 10_000],
    ['1.5s', 1_500],
    ['5m', 300_000],
    ['1h', 3_600_000],
    ['7d', 604_800_000],
    ['250', 250],
    ['0', 0],
    ['0.001s', 1],
  ])('%s is %d ms', (text, expected) => {
    expect(readDuration(text)).toBe(expected)
  })

  it.each(['', '-1s', '10 s', '10S', '1h30m', 's', '1e3', '0x10', 'Infinity', '1.', '.5s', '0.0001ms', '99999999999999999d', '10sec', '١s'])(
    '%j is not understood',
    (text) => {
      expect(readDuration(text)).toBeUndefined()
    },
  )

  it('comes back from its own writing', () => {
    fc.assert(fc.property(fc.nat(604_800_000), (n) => readDuration(writeDuration(n)) === n))
  })

  it('is written in its largest whole unit', () => {
    expect([0, 1, 999, 1_000, 60_000, 90_000, 3_600_000, 86_400_000].map(writeDuration)).toEqual(['0s', '1ms', '999ms', '1s', '1m', '90s', '1h', '1d'])
  })
})

describe('sizes', () => {
  it.each([
    ['64KiB', 65_536],
    ['16MiB', 16_777_216],
    ['1.5GiB', 1_610_612_736],
    ['1024', 1_024],
    ['7B', 7],
  ])('%s is %d bytes', (text, expected) => {
    expect(readSize(text)).toBe(expected)
  })

  it.each(['16MB', '64k', '64kib', '1.5B', '-1', '1 MiB', '1TiB', ''])('%j is not understood', (text) => {
    expect(readSize(text)).toBeUndefined()
  })

  it('comes back from its own writing', () => {
    fc.assert(fc.property(fc.maxSafeNat(), (n) => n > 1e14 || readSize(String(writeSize(n))) === n))
  })
})

describe('percents', () => {
  it.each([
    ['0%', 0],
    ['20%', 0.2],
    ['7%', 0.07],
    ['99.9%', 0.999],
    ['100%', 1],
  ])('%s is %d', (text, expected) => {
    expect(readPercent(text)).toBeCloseTo(expected, 12)
  })

  it.each(['20', '0.2', '101%', '100.1%', '-1%', '%', '5 %'])('%j is not understood', (text) => {
    expect(readPercent(text)).toBeUndefined()
  })

  it('comes back from its own writing', () => {
    fc.assert(
      fc.property(fc.nat(1_000_000), (n) => {
        const share = readPercent(`${n / 10_000}%`)
        return share !== undefined && readPercent(writePercent(share)) === share
      }),
    )
  })
})

describe('rates', () => {
  it.each([
    ['100/s', 100, 1_000],
    ['600/m', 600, 60_000],
    ['5/10s', 5, 10_000],
    ['1/d', 1, 86_400_000],
  ])('%s is %d in %d ms', (text, count, per) => {
    expect(readRate(text)).toEqual({ count, per })
  })

  it.each(['600', '0/s', '600/', '/m', '1.5/s', '10/0s', '10 / s', '10/w', '-1/s'])('%j is not understood', (text) => {
    expect(readRate(text)).toBeUndefined()
  })

  it('comes back from its own writing', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 999_999_999 }), fc.integer({ min: 1, max: 86_400_000 }), (count, per) => {
        const rate = { count, per: ms(per) }
        const read = readRate(writeRate(rate))
        // The window has at most six digits; one that needs more cannot be written by a user either.
        return read === undefined ? per > 999_999 : read.count === count && read.per === per
      }),
    )
  })
})
