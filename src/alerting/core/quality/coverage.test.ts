import { describe, expect, it } from 'vitest'
import { allRules, type Rule } from '../rules/rule.ts'
import { shippedRules } from '../rules/shipped.ts'
import { coverageOf, type CoverageReport } from './coverage.ts'

const targets = { services: ['shop'], checks: ['db'] }

function report(rules: readonly Rule[]): CoverageReport {
  const steps = coverageOf(rules, targets, () => 0.999)
  for (;;) {
    const { done, value } = steps.next()
    if (done === true) return value
  }
}

const shipped = allRules([], shippedRules)

describe('the coverage of faults', () => {
  it('is whole with the rules that are shipped, but for latency, of which nobody knows what is slow', () => {
    const { cells, coverage } = report(shipped)
    expect(cells.filter(({ covered }) => !covered).map(({ fault }) => fault)).toEqual(['latency'])
    expect(coverage).toBeCloseTo(20 / 21)
    expect(cells.find(({ fault }) => fault === 'kill one')?.fired[0]).toEqual({ rule: 'InstanceDown', severity: 'warning', afterMs: 0 })
    const own = allRules([{ name: 'Slow', when: 'p95 > 500ms', labels: {}, annotations: {}, enabled: true, for: 60_000 as never }], shippedRules)
    expect(report(own).coverage).toBe(1)
  })

  it('does not count what fires when all is well', () => {
    const always = allRules([{ name: 'Always', when: 'ready >= 1', labels: {}, annotations: {}, enabled: true }], shippedRules)
    expect(
      report(always)
        .cells.filter(({ covered }) => !covered)
        .map(({ fault }) => fault),
    ).toEqual(['latency'])
  })

  const removed = [
    'ServiceUnavailable',
    'InstanceDown',
    'CrashLooping',
    'TooFewReady',
    'HighErrorRate',
    'ErrorBudgetBurn',
    'CheckDown',
    'DiskFull',
    'MemoryPressure',
    'BalancerDisconnected',
  ]
  it.each(removed)('finds that %s is not there', (name) => {
    const red = report(shipped.filter((rule) => rule.name !== name)).cells.filter(({ covered, fault }) => !covered && fault !== 'latency')
    expect(red.flatMap(({ missing }) => missing)).toEqual([name])
  })

  it('finds any other, too', { timeout: 60_000 }, () => {
    const names = shipped.filter(({ enabled, name }) => enabled && !removed.includes(name)).map(({ name }) => name)
    const found = names.filter((name) => report(shipped.filter((rule) => rule.name !== name)).cells.some(({ missing }) => missing.includes(name)))
    expect(found).toEqual(names)
  })
})
