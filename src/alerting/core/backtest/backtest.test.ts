import { describe, expect, it } from 'vitest'
import { compileRule } from '../rules/rule.ts'
import { backtest, type BacktestData } from './backtest.ts'
import { seriesOf } from './replay.ts'
import { backtestSentence } from './words.ts'

const minute = 60_000
const hour = 60 * minute
const rows = (value: (i: number) => number, count = 120): [number, number][] => Array.from({ length: count }, (_, i) => [i * minute, value(i)])
const data = (given: Partial<BacktestData>): BacktestData => ({ series: [], events: [], from: 0, to: 2 * hour, objective: () => 0.999, ...given })
const slow = compileRule({ name: 'Slow', when: 'p95(shop) > 250ms', for: (2 * minute) as never })

describe('a back-test', () => {
  it('says how often a rule would have fired, and for how long', () => {
    const report = backtest(
      slow,
      data({
        series: [
          seriesOf(
            'p95',
            { service: 'shop' },
            rows((i) => ((i >= 10 && i < 20) || (i >= 60 && i < 61) || i >= 100 ? 300 : 1)),
          ),
        ],
      }),
    )
    expect(report.episodes.map(({ from, to }) => [from / minute, to === undefined ? undefined : to / minute])).toEqual([
      [12, 20],
      [102, undefined],
    ])
    expect(report).toMatchObject({ fired: 2, firingMs: 26 * minute, flapped: 0, withoutImpact: 0, evaluations: 120, stepMs: minute })
    expect(backtestSentence(report)).toBe('would have fired 2 times in 2 h, 26 min in all')
  })

  it('says which known incidents it would have caught, and what was nothing', () => {
    const series = [
      seriesOf(
        'p95',
        { service: 'shop' },
        rows((i) => ((i >= 10 && i < 20) || (i >= 60 && i < 70) ? 300 : 1)),
      ),
      seriesOf(
        'requests_good',
        { service: 'shop' },
        rows(() => 1_000),
      ),
      seriesOf(
        'requests_bad',
        { service: 'shop' },
        rows((i) => (i >= 10 && i < 20 ? 100 : 0)),
      ),
    ]
    const windows = [
      { from: 9 * minute, to: 25 * minute, name: 'incident 1' },
      { from: 30 * minute, to: 35 * minute, name: 'incident 2' },
    ]
    const report = backtest(slow, data({ series, windows }))
    expect(report.windows.map(({ caught }) => caught)).toEqual([true, false])
    expect(report.episodes.map(({ impact, inWindow }) => [impact, inWindow])).toEqual([
      [true, true],
      [false, false],
    ])
    expect(backtestSentence(report)).toBe(
      'would have fired 2 times in 2 h, 16 min in all; 1 without impact; would have caught 1 of 2 known incidents; missed incident 2; 1 outside of them',
    )
  })

  it('counts events, too', () => {
    const events = [10, 11, 12, 90].map((at) => ({ at: at * minute, type: 'instance.exited', labels: { service: 'shop', class: 'crash' } }))
    const report = backtest(compileRule({ name: 'Crashes', when: 'events(instance.exited, shop, 5m) >= 3' }), data({ events }))
    expect(report.episodes.map(({ from, to }) => [from / minute, (to ?? 0) / minute])).toEqual([[12, 15]])
  })

  it('tells of a rule that flaps', () => {
    const report = backtest(
      compileRule({ name: 'Slow', when: 'p95(shop) > 250ms' }),
      data({
        series: [
          seriesOf(
            'p95',
            { service: 'shop' },
            rows((i) => (i % 2 === 0 ? 300 : 1)),
          ),
        ],
      }),
    )
    expect(report.flapped).toBeGreaterThan(0)
    expect(report.fired).toBeLessThan(10)
  })
})
