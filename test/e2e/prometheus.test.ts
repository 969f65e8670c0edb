/** A real Prometheus scrapes the product: what it has stored is what we say, and what rules read from it is what it has stored. */
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { PrometheusReader } from '../../src/metrics/index.ts'
import type { Series } from '../../src/metrics/types.ts'
import { until } from '../chaos/wait.ts'
import { hasPrometheus, Prometheus } from '../support/prometheus.ts'
import { Product } from '../support/product.ts'

if (!hasPrometheus()) console.log('skipped: a Prometheus that scrapes us (it is not installed; on Debian: apt-get install prometheus)')

/** Names of what stands still without traffic, as far as a second look can tell. */
const steady =
  /^holdfast_(requests_total|request_duration_seconds_|route_|endpoint_(requests|responses|first_byte|errors|up)|request_(body|retries)|service_instances)/

interface Line {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

function linesOf(page: string): Line[] {
  return page.split('\n').flatMap((line) => {
    const [, name = '', labels = '', value] = /^([a-z_]+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? []
    if (value === undefined || !steady.test(name)) return []
    const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, label = '', text = '']) => [label, text] as const)
    return [{ name, labels: Object.fromEntries(pairs), value: value === '+Inf' ? Infinity : Number(value) }]
  })
}

const keyOf = (name: string, { job: _job, ...labels }: Readonly<Record<string, string>>): string =>
  `${name} ${JSON.stringify(Object.entries(labels).toSorted())}`

const shipped = (file: string): string => readFileSync(new URL(`../../deploy/${file}`, import.meta.url), 'utf8')

/** What dashboard and rules name is on the page, and Prometheus takes every expression of theirs. */
async function everythingShippedExists(page: string, reader: PrometheusReader): Promise<void> {
  const known = new Set(
    [...page.matchAll(/^# TYPE (\S+) (\w+)$/gm)].flatMap(([, name = '', type]) =>
      type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
    ),
  )
  const panels = JSON.parse(shipped('grafana-dashboard.json')) as { panels: { targets?: { expr: string }[] }[] }
  const ofPanels = panels.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr))
  const rules = parse(shipped('prometheus-rules.yml')) as { groups: { rules: { expr: string }[] }[] }
  const ofRules = rules.groups.flatMap((group) => group.rules.map(({ expr }) => expr))
  expect([ofPanels.length > 20, ofRules.length > 10]).toEqual([true, true])
  const named = [...ofPanels, ...ofRules].flatMap((expression) => [...expression.matchAll(/\bholdfast_\w+/g)].map(([name]) => name))
  expect([...new Set(named)].filter((name) => !known.has(name))).toEqual([])
  for (const expression of [...ofPanels, ...ofRules]) await reader.query(expression.replaceAll('$__rate_interval', '1m').replaceAll('$service', '.*'))
}

it.runIf(hasPrometheus())('the shipped configuration and rules pass promtool', () => {
  for (const [what, file] of [
    ['rules', 'prometheus-rules.yml'],
    ['config', 'prometheus.yml'],
  ] as const) {
    const path = fileURLToPath(new URL(`../../deploy/${file}`, import.meta.url))
    const { status, stdout, stderr } = spawnSync('promtool', ['check', what, path], { encoding: 'utf8' })
    expect([file, status, status === 0 ? '' : stdout + stderr]).toEqual([file, 0, ''])
  }
})

it.runIf(hasPrometheus())('the shipped rule for error budgets fires for many failures, not for one', () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-rules-'))
  const series = (service: string, code: string, values: string) => ({
    series: `holdfast_requests_total{service="${service}",code="${code}"}`,
    values,
  })
  const test = {
    rule_files: [fileURLToPath(new URL('../../deploy/prometheus-rules.yml', import.meta.url))],
    evaluation_interval: '1m',
    tests: [
      {
        interval: '1m',
        input_series: [
          series('one', '5xx', '0x80 1x10'),
          series('one', '2xx', '0x90'),
          series('many', '5xx', '0+60x90'),
          series('many', '2xx', '0+60x90'),
        ],
        alert_rule_test: [
          {
            eval_time: '85m',
            alertname: 'ErrorBudgetBurn',
            exp_alerts: [{ exp_labels: { service: 'many', severity: 'critical' }, exp_annotations: { summary: 'many fails 50% of its requests' } }],
          },
        ],
      },
    ],
  }
  writeFileSync(join(folder, 'test.yml'), JSON.stringify(test))
  const { status, stdout, stderr } = spawnSync('promtool', ['test', 'rules', join(folder, 'test.yml')], { encoding: 'utf8' })
  rmSync(folder, { recursive: true })
  expect([status, status === 0 ? '' : stdout + stderr]).toEqual([0, ''])
})

describe.runIf(hasPrometheus())('a Prometheus that scrapes us', () => {
  let product: Product
  let prometheus: Prometheus | undefined
  beforeEach(async () => {
    product = await Product.create()
  })
  afterEach(async () => {
    await prometheus?.stop()
    prometheus = undefined
    expect(await product.end()).toEqual([])
  })

  it('has stored what our page says, and what our own history adds up to', async () => {
    product.configure({ web: { instances: 2 }, other: { routes: [{ path: '/other' }] }, dead: { endpoints: ['127.0.0.1:1'], routes: ['/dead'] } })
    await product.up()
    prometheus = await Prometheus.start([`127.0.0.1:${product.ports.metrics}`])
    const reader = new PrometheusReader({ url: prometheus.url })
    const page = () => fetch(`http://127.0.0.1:${product.ports.metrics}/metrics`).then((answer) => answer.text())
    for (let i = 0; i < 40; i++) await product.get(['/', '/other', '/nothing', '/dead'][i % 4])
    const ours = await until('all requests are counted, and nothing changes any more', async () => {
      const before = await page()
      const sum = linesOf(before).reduce((total, { name, value }) => (name === 'holdfast_requests_total' ? total + value : total), 0)
      return sum === 40 ? before : undefined
    })
    const stored = await until('Prometheus has scraped that', async () => {
      const samples = await reader.query('{job="holdfast"}')
      const sum = samples.reduce((total, { metric, value }) => (metric === 'holdfast_requests_total' ? total + value : total), 0)
      return sum === 40 ? samples : undefined
    })
    const theirs = new Map(
      stored.map(({ metric, labels: { instance: _target, exported_instance: _own, ...labels }, value }) => [keyOf(metric, labels), value]),
    )
    const lines = linesOf(ours)
    expect(lines.length).toBeGreaterThan(100)
    const different = lines
      .filter(({ name, labels, value }) => theirs.get(keyOf(name, labels.le === undefined ? labels : { ...labels, le: labels.le })) !== value)
      .map(({ name, labels, value }) => [keyOf(name, labels), value, theirs.get(keyOf(name, labels))])
    expect(different).toEqual([])

    const answer = await product.ask<{ series: { labels: { service: string }; points: [number, number][] }[] }>(
      '/metrics/query?metric=requests_good&from=10m&step=1s',
    )
    expect(answer).toMatchObject({ step: 1_000 })
    const counted = Object.fromEntries(answer.series.map(({ labels, points }) => [labels.service, points.reduce((sum, [, value]) => sum + value, 0)]))
    const good = await reader.query('sum by (service) (holdfast_requests_total{code=~"[1-4]xx"})')
    for (const { labels, value } of good) expect([labels.service, counted[labels.service ?? '']]).toEqual([labels.service, value])

    await everythingShippedExists(await page(), reader)
    const at = Date.now()
    const [up]: readonly Series[] = await reader.range('up{job="holdfast"}', { from: at - 3_000, to: at, step: 1_000 })
    expect(up?.points.at(-1)).toMatchObject({ last: 1, count: 1 })
    await expect(reader.query('sum by (')).rejects.toMatchObject({
      code: 'prometheus_query',
      message: expect.stringContaining('parse error') as string,
    })
    await expect(reader.query('up[5m]')).rejects.toMatchObject({ code: 'prometheus_query' })
    await product.down()
  })

  it('that is not there, or is none, is an error that names it, without its password', async () => {
    const gone = new PrometheusReader({ url: 'http://ops:secret@127.0.0.1:1/' })
    const error = await gone.query('up').catch((cause: unknown) => cause)
    expect(error).toMatchObject({ code: 'prometheus_unreachable', message: expect.stringContaining('http://127.0.0.1:1/') as string })
    expect(String(error)).not.toContain('secret')
    const server = createServer((_request, response) => response.end('{"hello":"world"}')).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const none = new PrometheusReader({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
    await expect(none.query('up')).rejects.toMatchObject({ code: 'prometheus_unreachable' })
    server.close()
  })
})
