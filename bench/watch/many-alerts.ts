/** 10,000 alerts that fire, put over HTTP as Prometheus does: how fast they are listed, in Alertmanager's form whole and in ours by pages, and taken again. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import { until } from '../../test/chaos/wait.ts'
import { Product } from '../../test/support/product.ts'
import type { Measurement, WatchRow } from './row.ts'

const alerts = 10_000
const batch = 500
const asked = 50
const targetMs = 200
/** The receiver has heard nothing for so long: it was told of all. */
const quietMs = 3_000

export const measureManyAlerts: Measurement = async () => {
  const product = await Product.create()
  let toldAt = performance.now()
  const receiver = createServer((request, response) => {
    toldAt = performance.now()
    request.resume().on('end', () => response.end())
  })
  receiver.listen(product.ports.spare, '127.0.0.1')
  await once(receiver, 'listening')
  try {
    product.configure(
      { web: { instances: 1 } },
      { alerting: { receivers: { ops: { webhook: `http://127.0.0.1:${product.ports.spare}/` } }, receiver: 'ops' } },
    )
    await product.up()
    await product.settled(1)
    for (let i = 0; i < 10; i++) await call(product, '/api/v2/silences', silenceOf(i))
    await put(product)
    const list = (): Promise<number> => call(product, '/api/v2/alerts').then(({ text }) => (JSON.parse(text) as unknown[]).length)
    await until('all of them fire', async () => (await list()) >= alerts || undefined)
    await until('the receiver has been told of all', () => performance.now() - toldAt > quietMs || undefined)
    return [
      await measured(product, 'GET /api/v2/alerts', '/api/v2/alerts', 'all of them in one answer'),
      await measured(product, 'GET /api/v2/alerts?filter=…', '/api/v2/alerts?filter=service%3D%22s7%22', '100 of them in one answer'),
      await measured(product, 'GET /api/infrastructure/alerts', '/api/infrastructure/alerts', 'the first page of 1,000, the gravest first'),
      await takenAgain(product),
    ]
  } finally {
    await product.down().catch(() => undefined)
    await product.end()
    receiver.closeAllConnections()
    receiver.close()
  }
}

interface Called {
  readonly ms: number
  readonly text: string
}

async function call({ control }: Product, path: string, body?: unknown): Promise<Called> {
  if (control === undefined) throw new Error('no control process is there')
  const headers = { authorization: `Bearer ${control.token}`, 'content-type': 'application/json' }
  const begun = performance.now()
  const response = await fetch(`${control.url}${path}`, { headers, ...(body !== undefined && { method: 'POST', body: JSON.stringify(body) }) })
  const text = await response.text()
  if (!response.ok) throw new Error(`${path} was answered ${response.status}: ${text.slice(0, 200)}`)
  return { ms: performance.now() - begun, text }
}

const alertOf = (i: number): unknown => ({
  labels: {
    ...{ alertname: `Slow${i % 10}`, service: `s${Math.floor(i / 100)}`, instance: `10.0.${Math.floor(i / 250)}.${i % 250}:9100` },
    ...{ severity: i % 20 === 0 ? 'critical' : 'warning', job: 'node', region: 'eu-1' },
  },
  annotations: { summary: `the 99th percentile of instance ${i} is above 500 ms`, runbook: 'https://runbooks.example/slow' },
  endsAt: new Date(Date.now() + 3_600_000).toISOString(),
})

const silenceOf = (i: number): unknown => ({
  matchers: [{ name: 'service', value: `s${i}|t${i}`, isRegex: true, isEqual: true }],
  ...{ startsAt: new Date().toISOString(), endsAt: new Date(Date.now() + 3_600_000).toISOString(), createdBy: 'bench', comment: 'bench' },
})

/** Milliseconds of each batch. */
async function put(product: Product): Promise<readonly number[]> {
  const times: number[] = []
  for (let i = 0; i < alerts; i += batch) {
    const body = Array.from({ length: batch }, (_, j) => alertOf(i + j))
    times.push((await call(product, '/api/v2/alerts', body)).ms)
  }
  return times
}

async function measured(product: Product, what: string, path: string, how: string): Promise<WatchRow> {
  const times: number[] = []
  let bytes = 0
  for (let i = 0; i < asked; i++) {
    const { ms, text } = await call(product, path)
    times.push(ms)
    bytes = text.length
  }
  const said = `${how} (${Math.ceil(bytes / 1_024)} KiB), asked ${asked} times over HTTP, 10 silences active, after their receiver was told of all`
  return rowOf(`${alerts.toLocaleString('en')} active alerts: ${what}`, times, said)
}

async function takenAgain(product: Product): Promise<WatchRow> {
  const times = [...(await put(product)), ...(await put(product)), ...(await put(product))]
  return rowOf(`${alerts.toLocaleString('en')} active alerts: ${batch} put again`, times, `all of them in posts of ${batch}, three times`)
}

function rowOf(what: string, times: readonly number[], how: string): WatchRow {
  const sorted = times.toSorted((a, b) => a - b)
  const [p50 = 0, p95 = 0] = [sorted[Math.floor(sorted.length / 2)], sorted[Math.ceil(sorted.length * 0.95) - 1]]
  return { what, measured: `p50 ${p50.toFixed(0)} ms, p95 ${p95.toFixed(0)} ms`, target: `p95 under ${targetMs} ms`, holds: p95 < targetMs, how }
}
