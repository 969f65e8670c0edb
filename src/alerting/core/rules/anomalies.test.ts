import { describe, expect, it } from 'vitest'
import { FakeSeries, inputsOf } from '../../testing/fake-series.ts'
import { compileCondition } from '../expression/condition.ts'
import type { AnomalyNode } from '../expression/ast.ts'
import { AnomalyMemory, anomalyRowMs } from './anomalies.ts'
import { compileRule } from './rule.ts'
import { RuleRunner } from './runner.ts'

const service = { service: 'shop' }

/** A row a minute, as far as the product itself would have read by then. */
function rate(values: readonly number[]): FakeSeries {
  const series = new FakeSeries()
  values.forEach((value, minute) => series.at(minute * anomalyRowMs, 'request_rate', service, value))
  return series
}
const values = Array.from({ length: 500 }, (_, i) => 40 + (i % 3))
const node = (compileCondition('anomaly(request_rate)').expression as AnomalyNode).of

describe('the series that anomaly rules watch', () => {
  it('say what was seen and what was expected, and go on while a row between is as it should be', () => {
    const memory = new AnomalyMemory()
    const series = rate([...values, 93, 41, 41, 41, ...Array<number>(40).fill(41)])
    const at = (rows: number): readonly unknown[] => memory.anomalies(node, rows * anomalyRowMs, series)
    expect(at(500)).toEqual([])
    const told = { labels: service, value: expect.any(Number) as number, facts: { observed: '93/s', expected: '41/s ± 0.816/s' } }
    expect(at(501)).toEqual([told])
    expect(at(503)).toEqual([told])
    expect(at(536)).toEqual([told])
    expect(at(537)).toEqual([])
  })

  it('make one alert of an episode, in words', () => {
    const memory = new AnomalyMemory()
    const series = rate([...values, 93, 41, 41, 70, ...Array<number>(60).fill(41)])
    const runner = new RuleRunner(
      compileRule({ name: 'Unusual', when: 'anomaly(request_rate)', annotations: { description: '{{observed}} of {{service}}' } }),
    )
    const told: string[] = []
    for (let minute = 495; minute < 560; minute++) {
      const inputs = inputsOf(series, minute * anomalyRowMs)
      const { puts } = runner.evaluate({ ...inputs, anomalies: (of, now, reader) => memory.anomalies(of, now, reader) })
      for (const { annotations, endsAt = 0 } of puts) {
        const what = `${endsAt > inputs.now ? 'firing' : 'resolved'} ${annotations.summary} ${annotations.description}`
        if (told.at(-1) !== what) told.push(what)
      }
    }
    const summary = 'Unusual of shop: 93/s, expected 41/s ± 0.816/s (anomaly(request_rate)) 93/s of shop'
    expect(told).toEqual([`firing ${summary}`, `resolved ${summary}`])
  })
})
