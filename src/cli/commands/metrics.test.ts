import { describe, expect, it } from 'vitest'
import type { MetricQuery } from '../metrics-api.ts'
import { runCli } from '../testing/run-cli.ts'

const at = Date.UTC(2026, 10, 21, 8)
const one = { labels: { service: 'shop' }, points: [[at, 1, 1, 1], [at + 60_000, 8, 2, 9.5]] as [number, number, number, number][] } // prettier-ignore

describe('metrics query', () => {
  it('shows each series on a line, with its history', async () => {
    const asked: MetricQuery[] = []
    const api = {
      queryMetrics: (query: MetricQuery) => (
        asked.push(query),
        Promise.resolve({ metric: 'p95', unit: 'ms', step: 60_000, series: [one], leftOff: 3 })
      ),
    }
    const { code, stdout } = await runCli(['metrics', 'query', 'p95', '--service', 'shop', '--step', '1m'], { api })
    expect([code, stdout]).toEqual([
      0,
      expect.stringMatching(/^p95 \(ms\)\nSERIES +HISTORY +MIN +MEAN +MAX +LAST\nshop +▁█ +1 +4.5 +9.5 +8\n3 more series: narrow it, or use --by\n$/),
    ])
    expect(asked).toMatchObject([{ metric: 'p95', service: 'shop', step: '1m', by: undefined }])
  })

  it('is CSV in the form that back-tests read, of one series', async () => {
    const api = { queryMetrics: () => Promise.resolve({ metric: 'p95', unit: 'ms', step: 60_000, series: [one], leftOff: 0 }) }
    expect((await runCli(['metrics', 'query', 'p95', '--csv'], { api })).stdout).toBe(
      'timestamp,value\n2026-11-21 08:00:00,1\n2026-11-21 08:01:00,8\n',
    )
    const two = { queryMetrics: () => Promise.resolve({ metric: 'p95', unit: 'ms', step: 60_000, series: [one, one], leftOff: 0 }) }
    expect(await runCli(['metrics', 'query', 'p95', '--csv'], { api: two })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--by') as string,
    })
  })
})

it('metrics list names what is measured', async () => {
  const api = { metricsCatalogue: () => Promise.resolve([{ name: 'p95', unit: 'ms', subject: 'service', help: 'Of it.', series: 2 }]) }
  expect((await runCli(['metrics', 'list'], { api })).stdout).toMatch(/^METRIC +UNIT +SERIES +MEANING\np95 +ms +2 +Of it\.\n$/)
})
