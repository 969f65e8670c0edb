import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { eventTypes } from '../../../kernel/events.ts'
import { FakeSeries, inputsOf } from '../../testing/fake-series.ts'
import { evaluateCondition } from '../expression/evaluate.ts'
import { allRules, compileRule } from './rule.ts'
import { shippedRules } from './shipped.ts'
import { shippedRulesPage } from './shipped-page.ts'

describe('the rules that are shipped', () => {
  it('are all read, and each has a name of its own', () => {
    const rules = allRules([], shippedRules)
    expect(new Set(rules.map(({ name }) => name)).size).toBe(shippedRules.length)
    for (const { condition } of rules) for (const type of condition.watches) expect(eventTypes).toContain(type)
  })

  it('keep quiet while all is well', () => {
    const series = new FakeSeries()
    for (let at = 0; at <= 600_000; at += 1_000) {
      for (const [metric, value] of [
        ['ready', 2],
        ['desired', 2],
        ['unavailable', 0],
        ['maintenance', 0],
        ['crash_looping', 0],
        ['requests_good', 100],
        ['requests_bad', 0],
      ] as const)
        series.at(at, metric, { service: 'shop' }, value)
      for (const [metric, value] of [
        ['machine_disk', 50],
        ['machine_memory', 50],
        ['proxy_connected', 1],
      ] as const)
        series.at(at, metric, {}, value)
      series
        .at(at, 'check_up', { check: 'db' }, 1)
        .at(at, 'endpoint_healthy', { service: 'shop', endpoint: 'a' }, 1)
        .at(at, 'certificate_days', { listener: 'web', file: 'x' }, 80)
    }
    for (const rule of allRules([], shippedRules))
      expect([rule.name, evaluateCondition(rule.condition.expression, inputsOf(series, 600_000))]).toEqual([rule.name, []])
  })

  it('give a service that starts for the first time a minute', () => {
    const { condition } = compileRule(shippedRules.find(({ name }) => name === 'ServiceUnavailable')!)
    const series = new FakeSeries()
    const fires = (at: number): boolean => evaluateCondition(condition.expression, inputsOf(series, at)).length > 0
    for (let at = 1_000; at <= 40_000; at += 1_000) series.at(at, 'unavailable', { service: 'shop' }, 1).at(at, 'ready', { service: 'shop' }, 0)
    expect(fires(40_000)).toBe(false)
    for (let at = 41_000; at <= 61_000; at += 1_000) series.at(at, 'unavailable', { service: 'shop' }, 1).at(at, 'ready', { service: 'shop' }, 0)
    expect(fires(61_000)).toBe(true)
    series.at(62_000, 'unavailable', { service: 'shop' }, 0).at(62_000, 'ready', { service: 'shop' }, 1)
    expect(fires(62_000)).toBe(false)
    series.at(63_000, 'unavailable', { service: 'shop' }, 1).at(63_000, 'ready', { service: 'shop' }, 0)
    expect(fires(63_000)).toBe(true)
  })

  it('are changed by a rule of the same name, which keeps what it does not say', () => {
    const [changed, ...rest] = allRules(
      [{ name: 'MemoryPressure', when: 'machine_memory > 70%', labels: {}, annotations: {}, enabled: true }],
      shippedRules,
    )
    expect(changed).toMatchObject({
      name: 'MemoryPressure',
      clear: undefined,
      forMs: 120_000,
      severity: 'warning',
      shipped: true,
      condition: { text: 'machine_memory > 70%' },
    })
    expect(rest).toHaveLength(shippedRules.length - 1)
  })
})

describe('docs/alert-rules.md', () => {
  it('lists them as they are (scripts/docs-rules.ts writes them)', () => {
    expect(readFileSync(new URL('../../../../docs/alert-rules.md', import.meta.url), 'utf8')).toContain(shippedRulesPage())
  })
})
