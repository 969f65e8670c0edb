import { describe, expect, it } from 'vitest'
import { FakeSeries, inputsOf } from '../../testing/fake-series.ts'
import { minutes } from '../../../kernel/time.ts'
import { compileRule, type Rule } from './rule.ts'
import { RuleRunner, type Around } from './runner.ts'

const second = 1_000
const minute = 60 * second

interface Told {
  readonly at: number
  readonly what: string
}

/** `values`: one each `stepMs`; what the notifier hears, without what is said again. */
function run(
  rule: Partial<Rule> & Parameters<typeof compileRule>[0],
  values: readonly (number | undefined)[],
  { stepMs = second, around = {} }: { stepMs?: number; around?: Around } = {},
) {
  const runner = new RuleRunner({ ...compileRule(rule), ...(rule.quietDuringDeploy && { quietDuringDeploy: true }) }, around)
  const told: Told[] = []
  let last = ''
  values.forEach((value, i) => {
    const series = new FakeSeries()
    if (value !== undefined) series.at(i * stepMs, 'p95', { service: 'shop' }, value)
    const now = i * stepMs
    for (const put of runner.evaluate(inputsOf(series, now)).puts) {
      const what = (put.endsAt ?? 0) <= now ? 'resolved' : 'firing'
      if (what !== last) told.push({ at: i, what })
      last = what
    }
  })
  return { told, runner }
}

const high = (now: number) => inputsOf(new FakeSeries().now('p95', { service: 'shop' }, 300), now)

describe('a rule whose clock is set', () => {
  it.each([60 * minute, -60 * minute])('by %i ms waits as long as it would have, and ends', (by) => {
    const at = 1_700_000_000_000
    const runner = new RuleRunner(compileRule({ name: 'Slow', when: 'p95(shop) > 250ms', for: minutes(5) }))
    runner.evaluate(high(at))
    runner.evaluate(high(at + 4 * minute))
    runner.shift(by)
    expect(runner.evaluate(high(at + by + 4.5 * minute)).puts).toEqual([])
    expect(runner.evaluate(high(at + by + 5 * minute)).puts).toMatchObject([{ startsAt: at + by + 5 * minute }])
    runner.shift(-by)
    const [end] = runner.evaluate(inputsOf(new FakeSeries(), at + 6 * minute)).puts
    expect(end).toMatchObject({ startsAt: at + 5 * minute, endsAt: at + 6 * minute })
  })

  it('while it was away goes on by the new one', () => {
    const at = 1_700_000_000_000
    const rule = compileRule({ name: 'Slow', when: 'p95(shop) > 250ms' })
    const before = new RuleRunner(rule)
    before.evaluate(high(at))
    const after = new RuleRunner(rule)
    after.restore(before.alerts, at + second, at - 60 * minute)
    const [end] = after.evaluate(inputsOf(new FakeSeries(), at - 59 * minute)).puts
    expect(end).toMatchObject({ startsAt: at - 60 * minute - second, endsAt: at - 59 * minute })
  })
})

describe('a rule that is changed', () => {
  const made = (more: object = {}) => new RuleRunner(compileRule({ name: 'Slow', when: 'p95(shop) > 250ms', ...more }))

  it('in its words alone goes on firing, without telling anybody', () => {
    const before = made()
    before.evaluate(high(0))
    const after = made({ annotations: { description: 'more' }, keepFiringFor: minute })
    expect(after.takeOver(before).size).toBe(1)
    expect(after.evaluate(high(second)).puts).toEqual([])
    expect(after.evaluate(high(2 * minute)).puts).toMatchObject([{ startsAt: 0, annotations: { description: 'more' } }])
  })

  it('in its severity is told by the new one, at once', () => {
    const before = made()
    before.evaluate(high(0))
    const after = made({ severity: 'critical', for: 10 * minute })
    expect(after.takeOver(before).size).toBe(0)
    expect(after.evaluate(high(second)).puts).toMatchObject([{ labels: { severity: 'critical' } }])
  })
})

describe('a rule', () => {
  it('tells once that it fires, and once that it is over', () => {
    expect(run({ name: 'Slow', when: 'p95(shop) > 250ms' }, [1, 300, 300, 300, 1, 1]).told).toEqual([
      { at: 1, what: 'firing' },
      { at: 4, what: 'resolved' },
    ])
  })

  it('says what fires, with which value, and how to help', () => {
    const rule = {
      name: 'Slow',
      when: 'p95 > 250ms',
      labels: { team: 'web' },
      annotations: { description: '{{service}} needs {{value}}{{nothing}}' },
      runbook: 'https://runbooks/{{ service }}',
      owner: 'web',
    }
    const runner = new RuleRunner(compileRule(rule), { change: () => ({ text: 'revision 4 of shop, 42 s before', event: 'e1' }) })
    const { puts } = runner.evaluate(inputsOf(new FakeSeries().now('p95', { service: 'shop' }, 312.44), 600_000))
    expect(puts).toEqual([
      {
        labels: { service: 'shop', team: 'web', alertname: 'Slow', severity: 'warning' },
        annotations: {
          summary: 'Slow of shop: 312 ms (p95 > 250ms)',
          description: 'shop needs 312 ms',
          value: '312 ms',
          runbook: 'https://runbooks/shop',
          owner: 'web',
          change: 'revision 4 of shop, 42 s before',
          event: 'e1',
        },
        startsAt: 600_000,
        endsAt: 600_000 + 4 * minute,
      },
    ])
  })

  it('goes on until it is clearly over, where there is a second condition for that', () => {
    const rule = { name: 'Slow', when: 'p95(shop) > 250ms', clearWhen: 'p95(shop) < 200ms' }
    expect(run(rule, [300, 240, 220, 201, 199, 240]).told).toEqual([
      { at: 0, what: 'firing' },
      { at: 4, what: 'resolved' },
    ])
    expect(run(rule, [300, undefined]).told.at(-1)).toEqual({ at: 1, what: 'resolved' })
  })

  it('that changes all the time is told as one, and over when it is calm', () => {
    const flips = Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? 300 : 1))
    const { told } = run({ name: 'Slow', when: 'p95(shop) > 250ms' }, [...flips, ...Array.from({ length: 30 }, () => 1)], { stepMs: 15 * second })
    const beginning = told.filter(({ at }) => at < 20)
    expect(beginning.length).toBeLessThanOrEqual(5)
    expect(told.at(-1)?.what).toBe('resolved')
    expect(told.at(-1)?.at).toBeGreaterThan(30)
    expect(told.filter(({ at }) => at >= 8)).toHaveLength(1)
  })

  it('keeps quiet about what a new revision brings along, for that service only', () => {
    const values = [300, 300, 300, 300]
    const rule = { name: 'Slow', when: 'p95(shop) > 250ms', quietDuringDeploy: true }
    expect(run(rule, values, { around: { deploying: (service, now) => service === 'shop' && now < 2 * second } }).told).toEqual([
      { at: 2, what: 'firing' },
    ])
    expect(run(rule, values, { around: { deploying: (service) => service === 'auth' } }).told).toEqual([{ at: 0, what: 'firing' }])
  })

  it('is told again every minute, and after it is over for a quarter of an hour', () => {
    const runner = new RuleRunner(compileRule({ name: 'Slow', when: 'p95(shop) > 250ms' }))
    let puts = 0
    for (let at = 0; at < 40 * minute; at += 30 * second) {
      const series = new FakeSeries().at(at, 'p95', { service: 'shop' }, at < 10 * minute ? 300 : 1)
      puts += runner.evaluate(inputsOf(series, at)).puts.length
    }
    // Each 90 s: the first look after more than a minute.
    expect(puts).toBe(7 + 11)
    expect(runner.alerts).toEqual([])
  })

  it('goes on after a restart where it was', () => {
    const { runner } = run({ name: 'Slow', when: 'p95(shop) > 250ms', for: (10 * minute) as never }, [300, 300])
    const after = new RuleRunner(runner.rule)
    after.restore(JSON.parse(JSON.stringify(runner.alerts)) as never, second, 2 * minute)
    expect(after.alerts[0]?.state?.phase).toBe('pending')
    const firing = run({ name: 'Slow', when: 'p95(shop) > 250ms' }, [300]).runner
    const next = new RuleRunner(firing.rule)
    next.restore(JSON.parse(JSON.stringify(firing.alerts)) as never, 0, 90 * minute)
    // Too long ago to go on, but the notifier still believes that it fires.
    expect(next.evaluate(inputsOf(new FakeSeries(), 90 * minute)).puts[0]?.endsAt).toBe(90 * minute)
  })
})
