import { describe, expect, it } from 'vitest'
import { refusalOf, samplesOf, seriesOf } from './prometheus-answer.ts'

const success = (resultType: string, result: unknown) => ({ status: 'success', data: { resultType, result } })

describe('an answer of Prometheus', () => {
  it('to a query is samples', () => {
    const vector = success('vector', [
      { metric: { __name__: 'up', job: 'a' }, value: [1_800_000_000.123, '1'] },
      { metric: { job: 'b' }, value: [1_800_000_000, '+Inf'] },
      { metric: { job: 'c' }, value: [1_800_000_000, 'NaN'] },
    ])
    expect(samplesOf(vector)).toEqual([
      { metric: 'up', labels: { job: 'a' }, value: 1 },
      { metric: '', labels: { job: 'b' }, value: Infinity },
    ])
    expect(samplesOf(success('scalar', [1_800_000_000, '2.5']))).toEqual([{ metric: '', labels: {}, value: 2.5 }])
  })

  it('to a range is series', () => {
    const matrix = success('matrix', [{ metric: { __name__: 'up' }, values: [[1.5, '1'], [2.5, 'NaN'], [3.5, '0']] }]) // prettier-ignore
    expect(seriesOf(matrix)).toEqual([
      {
        metric: 'up',
        labels: {},
        points: [
          { at: 1_500, mean: 1, min: 1, max: 1, last: 1, count: 1 },
          { at: 3_500, mean: 0, min: 0, max: 0, last: 0, count: 1 },
        ],
      },
    ])
  })

  it.each([
    [success('matrix', []), 'wrap it in a function'],
    [success('string', [1, 'x']), 'gives a string'],
    [success('vector', {}), 'not a list'],
    [success('vector', [{ metric: {}, value: [1] }]), 'not a time and a number'],
    [success('vector', [{ value: [1, '1'] }]), 'no labels'],
    [{ ok: true }, 'not a Prometheus server'],
    ['<html>', 'not a Prometheus server'],
    [null, 'not a Prometheus server'],
  ])('that cannot be used is an error: %j', (answer, why) => {
    expect(() => samplesOf(answer)).toThrow(why)
  })

  it('may be a refusal', () => {
    expect(refusalOf({ status: 'error', errorType: 'bad_data', error: 'parse error' })).toEqual({ type: 'bad_data', reason: 'parse error' })
    expect(refusalOf(success('vector', []))).toBeUndefined()
  })
})
