import { describe, expect, it } from 'vitest'
import type { Turn } from './command.ts'
import { faultRows, verdict } from './report.ts'

const turn = (proxy: string, errors: number, p99Ms: number, round = 0): Turn => ({
  fault: 'stall',
  proxy,
  round,
  requests: 1_000,
  errors,
  p50Ms: 2,
  p99Ms,
  p999Ms: p99Ms,
})
const verdictOf = (...turns: readonly Turn[]): string => verdict(faultRows(turns, ['stall'], ['holdfast', 'haproxy', 'nginx'])[0]!)

describe('the table of faults', () => {
  it('takes errors of all rounds and the median of their percentiles', () => {
    const [row] = faultRows([turn('holdfast', 1, 10), turn('holdfast', 2, 30, 1), turn('holdfast', 0, 500, 2)], ['stall'], ['holdfast'])
    expect(row?.cells[0]).toMatchObject({ errorRate: 0.001, p99Ms: 30 })
  })

  it('calls us lowest only when nobody is better in either figure, and says when it cannot tell', () => {
    expect(verdictOf(turn('holdfast', 0, 10), turn('haproxy', 5, 20), turn('nginx', 0, 12))).toBe('lowest')
    expect(verdictOf(turn('holdfast', 0, 13), turn('haproxy', 5, 20), turn('nginx', 0, 12))).toBe('even')
    expect(verdictOf(turn('holdfast', 0, 8), turn('haproxy', 5, 20), turn('nginx', 0, 5))).toBe('missed: p99')
    expect(verdictOf(turn('holdfast', 6, 10), turn('haproxy', 5, 20), turn('nginx', 9, 12))).toBe('missed: errors')
    expect(verdictOf(turn('holdfast', 6, 100), turn('haproxy', 5, 80), turn('nginx', 0, 90))).toBe('missed: errors, p99')
  })
})
