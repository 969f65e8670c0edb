import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { InstanceReport } from '../../instance/types.ts'
import { lagShare, ReportedInstance, Reporting, worthTelling } from './reported.ts'

const report = (lagMs: number, more: Partial<InstanceReport> = {}): InstanceReport => ({
  instance: 'web-1',
  lagMs,
  utilization: 0.5,
  heapUsedBytes: 1,
  heapLimitBytes: 2,
  ready: true,
  ...more,
})

describe('the share that an instance with lag keeps', () => {
  it.each([
    [0, 1],
    [50, 1],
    [100, 0.5],
    [200, 0.25],
    [100_000, 0.05],
  ])('%d ms: %d', (lagMs, share) => {
    expect(lagShare(lagMs)).toBe(share)
  })

  it('at 300 ms is at most half of what it would get beside any number of siblings', () => {
    for (let siblings = 1; siblings < 20; siblings++) {
      const equal = 1 / (siblings + 1)
      const share = lagShare(300) / (siblings + lagShare(300))
      expect(share).toBeLessThanOrEqual(equal / 2)
    }
  })

  it('never rises with the lag, and is never nothing', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1e6, noNaN: true }), fc.double({ min: 0, max: 1e6, noNaN: true }), (a, b) => {
        const [less, more] = a < b ? [a, b] : [b, a]
        expect(lagShare(more)).toBeLessThanOrEqual(lagShare(less))
        expect(lagShare(more)).toBeGreaterThan(0)
      }),
    )
  })
})

describe('the lag of a process that reports', () => {
  it('of 300 ms takes more than half of its share within two seconds', () => {
    const reporting = new Reporting(report(0), 0)
    for (let now = 500; now <= 2_000; now += 500) reporting.hear(report(300), now)
    expect(lagShare(reporting.lagAt(2_000))).toBeLessThan(1 / 3)
  })

  it('is forgotten within a few reports', () => {
    const reporting = new Reporting(report(300), 0)
    for (let now = 500; now <= 2_500; now += 500) reporting.hear(report(0), now)
    expect(lagShare(reporting.lagAt(2_500))).toBe(1)
  })

  it('is its silence when it falls silent', () => {
    const reporting = new Reporting(report(0), 0)
    expect(reporting.lagAt(1_400)).toBe(0)
    expect(reporting.lagAt(2_500)).toBe(2_000)
    expect(lagShare(reporting.lagAt(2_500))).toBe(0.05)
  })

  it('is not blamed for a report that comes a little late', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 1_400 }), { minLength: 1, maxLength: 50 }), (gaps) => {
        const reporting = new Reporting(report(0), 0)
        let now = 0
        for (const gap of gaps) {
          now += gap
          expect(reporting.lagAt(now)).toBe(0)
          reporting.hear(report(0), now)
        }
      }),
    )
  })
})

describe('an instance of several processes', () => {
  const instanceOf = (...reports: InstanceReport[]): ReportedInstance => {
    const instance = new ReportedInstance()
    for (const each of reports) instance.processes.add(new Reporting(each, 0))
    return instance
  }

  it('lags as much as they do in the mean', () => {
    expect(instanceOf(report(400), report(0)).lagAt(0)).toBe(100)
    expect(instanceOf().lagAt(0)).toBe(0)
  })

  it('is ready when one of them is', () => {
    expect(instanceOf(report(0), report(0, { ready: false })).ready).toBe(true)
    expect(instanceOf(report(0, { ready: false, reason: 'warming up' })).ready).toBe(false)
    expect(instanceOf(report(0, { ready: false, reason: 'warming up' })).reason).toBe('the instance says that it is not ready: warming up')
    expect(instanceOf().ready).toBe(true)
  })
})

it('workers hear what changes a share, and that it is whole again', () => {
  expect(worthTelling(0, 20)).toBe(false)
  expect(worthTelling(0, 55)).toBe(true)
  expect(worthTelling(300, 310)).toBe(false)
  expect(worthTelling(300, 100)).toBe(true)
  expect(worthTelling(52, 0)).toBe(true)
})
