/** What was measured, asked over the API. */
import type { FastifyInstance } from 'fastify'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { buildApi } from './app.ts'
import { apiBase } from './deps.ts'
import { startOfTime } from './testing/fake-operations.ts'
import { ask, harness, type Answer, type Harness } from './testing/harness.ts'

let h: Harness
let app: FastifyInstance
const start = Math.floor(startOfTime / 60_000) * 60_000 - 600_000

beforeEach(async () => {
  h = await harness()
  app = buildApi(h.deps)
  for (let s = 0; s < 120; s++) {
    const sample = (instance: string, value: number) => ({ metric: 'instance_cpu', labels: { service: 'shop', instance }, value })
    h.operations.measured.add({ at: start + 1_000 * s, samples: [sample('shop-1', s), sample('shop-2', 10)] })
  }
})
afterEach(() => app.close())

const query = (parameters: string): Promise<Answer> => ask(app, { token: h.tokens.viewer, url: `${apiBase}/metrics/query?${parameters}` })

describe('GET /metrics/query', () => {
  it('gives each series, by the steps asked for', async () => {
    const { status, body } = await query('metric=instance_cpu&instance=shop-1&from=20m&step=1m')
    expect(status).toBe(200)
    expect(body.data).toMatchObject({ metric: 'instance_cpu', unit: 'percent', step: 60_000, leftOff: 0 })
    expect((body.data as { series: unknown }).series).toEqual([
      {
        labels: { service: 'shop', instance: 'shop-1' },
        points: [
          [start, 29.5, 0, 59],
          [start + 60_000, 89.5, 60, 119],
        ],
      },
    ])
  })

  it('puts series together', async () => {
    const { body } = await query('metric=instance_cpu&from=20m&step=1m&by=service&agg=sum')
    expect((body.data as { series: unknown }).series).toEqual([
      {
        labels: { service: 'shop' },
        points: [
          [start, 39.5, 10, 69],
          [start + 60_000, 99.5, 70, 129],
        ],
      },
    ])
  })

  it('does not add up times and shares unless that was asked for', async () => {
    const labels = (instance: string) => ({ service: 'shop', instance })
    const samples = ['instance_lag', 'endpoint_healthy', 'instance_memory'].flatMap((metric) => [
      { metric, labels: labels('a'), value: 1 },
      { metric, labels: labels('b'), value: 0 },
      { metric, labels: labels('c'), value: 1 },
    ])
    h.operations.measured.add({ at: start + 120_000, samples })
    const put = async (metric: string) => {
      const { body } = await query(`metric=${metric}&from=20m&step=1m&by=service`)
      return (body.data as { series: { points: number[][] }[] }).series[0]?.points[0]?.[1]
    }
    expect([await put('instance_lag'), await put('endpoint_healthy'), await put('instance_memory')]).toEqual([1, 2 / 3, 2])
  })

  it('says how many series found no place', async () => {
    const { body } = await query('metric=instance_cpu&from=20m&limit=1')
    expect(body.data).toMatchObject({ leftOff: 1, series: [{ labels: { instance: 'shop-1' } }] })
  })

  it('answers in no more than 1,000 points, and says with which step', async () => {
    const { body } = await query('metric=instance_cpu&from=7d&step=1s')
    expect(body.data).toMatchObject({ step: 900_000 })
  })

  it('says what is wrong', async () => {
    expect(await query('metric=instance_cpus')).toMatchObject({
      status: 404,
      body: { error: { code: 'unknown_metric', hint: 'did you mean instance_cpu? See: holdfast metrics list' } },
    })
    expect(await query('metric=p95&from=1h&to=2h')).toMatchObject({ status: 400, body: { error: { code: 'invalid_input' } } })
    expect(await query('metric=p95&step=0')).toMatchObject({ status: 400 })
    // To Date.parse these are times.
    for (const from of ['-5', '3-4', 'May', '1.5']) expect(await query(`metric=p95&from=${from}`)).toMatchObject({ status: 400 })
    expect(await query('metric=p95&by=a%20b')).toMatchObject({ status: 400 })
    expect(await query('metric=p95')).toMatchObject({ status: 200, body: { data: { series: [] } } })
    expect(await ask(app, { url: `${apiBase}/metrics/query?metric=p95` })).toMatchObject({ status: 401 })
  })
})

it('GET /metrics/catalogue names what is measured', async () => {
  const { body } = await ask(app, { token: h.tokens.viewer, url: `${apiBase}/metrics/catalogue` })
  expect(body.data).toContainEqual({ name: 'instance_cpu', unit: 'percent', subject: 'instance', help: 'Percent of one core.', series: 2 })
})

it('GET /services/:name/uptime tells of days', async () => {
  const uptime = (name: string) => ask(app, { token: h.tokens.viewer, url: `${apiBase}/services/${name}/uptime?days=30` })
  expect(await uptime('chat')).toMatchObject({
    status: 200,
    body: { data: [{ day: '2023-11-14', good: 999, bad: 1, unknownMs: 60_000, downMs: 5_000 }] },
  })
  expect(await uptime('nobody')).toMatchObject({ status: 404 })
})
