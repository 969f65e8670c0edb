import { describe, expect, it } from 'vitest'
import { ReplayReader, seriesOf, usualStep } from './replay.ts'
import { rowsOfCsv } from './rows.ts'

describe('rows of a CSV', () => {
  const rows = [
    [1_700_000_000_000, 1.5],
    [1_700_000_060_000, -2],
  ]

  it.each([
    ['commas', 'timestamp,value\n1700000000,1.5\n1700000060,-2\n'],
    ['no heading, milliseconds, unsorted', '1700000060000,-2\r\n1700000000000,1.5\r\n'],
    ['semicolons', 'time;value\n1700000000;1.5\n1700000060;-2'],
    ['tabulators', '2023-11-14 22:13:20\t1.5\n2023-11-14T23:14:20+01:00\t-2'],
    ['quotes, and a mark of the byte order', '\uFEFF"time","value"\n"2023-11-14T22:13:20Z","1.5"\n"2023-11-14 22:14:20","-2"'],
    ['rows where nothing was measured', '1700000000,1.5\n1700000010,\n1700000020,NaN\n1700000030,"null"\n1700000060,-2'],
  ])('reads %s', (_, text) => {
    expect(rowsOfCsv(text)).toEqual(rows)
  })

  it.each(['time,value\n1700000000;1,5', 'a,b\nc,d', '1700000000,1\n1700000000,x', 'time,value', '', '1700000000,1\n,'])('refuses %j', (text) => {
    expect(() => rowsOfCsv(text)).toThrow(/tried to read/)
  })
})

it('a history that is played back has one point in each step that is asked for, as the kept one has', () => {
  const rows = Array.from({ length: 240 }, (_, second) => [second * 1_000 + 500, second] as const)
  const reader = new ReplayReader([
    seriesOf(
      'request_rate',
      {},
      [...rows, ...rows.slice(-60)].toSorted((a, b) => a[0] - b[0]),
    ),
  ])
  reader.moveTo(240_000)
  const [minutes] = reader.range({ metric: 'request_rate', from: 60_000, to: 240_000, step: 60_000 })
  expect(minutes?.points).toEqual([
    { at: 60_000, mean: 89.5, min: 60, max: 119, last: 119, count: 60 },
    { at: 120_000, mean: 149.5, min: 120, max: 179, last: 179, count: 60 },
    { at: 180_000, mean: 209.5, min: 180, max: 239, last: 239, count: 120 },
  ])
  expect(reader.range({ metric: 'request_rate', from: 60_000, to: 62_000 })[0]?.points.map(({ at }) => at)).toEqual([60_500, 61_500])
})

it('rows of the same time say nothing of how far rows are apart', () => {
  const rows = Array.from({ length: 60 }, (_, i) => [Math.floor(i / 4) * 60_000, i] as const)
  expect(usualStep(seriesOf('request_rate', {}, rows).points)).toBe(60_000)
})
