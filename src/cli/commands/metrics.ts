import { readDuration } from '../../config/core/units.ts'
import { defineCommand, flag, optional, required, text, type Reader } from '../command.ts'
import { usageError } from '../errors.ts'
import { plural } from '../format.ts'
import type { MetricSeries } from '../metrics-api.ts'
import { since as sinceReader } from '../readers.ts'
import { printable } from '../style.ts'
import { renderTable, type Column } from '../table.ts'

const defaultSpanMs = 3_600_000
const bars = '▁▂▃▄▅▆▇█'
/** Characters of a sparkline. */
const sparkWidth = 30

const listColumns: readonly Column[] = [
  { title: 'METRIC' },
  { title: 'UNIT' },
  { title: 'SERIES', align: 'right' },
  { title: 'MEANING', shrinkTo: 20 },
]
const queryColumns: readonly Column[] = [
  { title: 'SERIES', shrinkTo: 12 },
  { title: 'HISTORY' },
  { title: 'MIN', align: 'right' },
  { title: 'MEAN', align: 'right' },
  { title: 'MAX', align: 'right' },
  { title: 'LAST', align: 'right' },
]

const step: Reader<string> = (raw, what) => {
  if (readDuration(raw) === undefined) throw usageError(`${what}: expected a duration like 10s, 1m or 1h, got "${raw}"`)
  return raw
}

export const metricsList = defineCommand({
  name: 'metrics list',
  summary: 'what is measured',
  examples: ['holdfast metrics list'],
  async run(context) {
    const api = await context.connect()
    const metrics = await api.metricsCatalogue()
    const { columns, paint } = context.out
    const rows = metrics.map(({ name, unit, series, help }) => [printable(name, false), unit, String(series), help])
    return { data: metrics, text: renderTable(listColumns, rows, columns, (title) => paint('dim', title)) }
  },
})

export const metricsQuery = defineCommand({
  name: 'metrics query',
  summary: 'how a metric went',
  description:
    'Kept by the second for an hour, by the minute for 7 days, by the hour for 400 days. With --csv: a line for each step, "timestamp,value" (UTC, the mean), of one series; what back-tests of alert rules read.',
  arguments: { metric: required('<metric>', 'a name of metrics list', text) },
  options: {
    service: optional('--service <name>', 'only of this service', text),
    instance: optional('--instance <id>', 'only of this instance', text),
    check: optional('--check <name>', 'only of this check', text),
    since: optional('--since <age>', 'from so long ago (90m), or from this time on; default: 1h', sinceReader),
    step: optional('--step <duration>', 'what one point stands for; default: as fine as 1,000 points allow', step),
    by: optional('--by <labels>', 'all series with the same values of these labels in one: summed; of times the largest, of shares the mean', text),
    csv: flag('--csv', 'as CSV'),
  },
  examples: [
    'holdfast metrics query p95 --service shop',
    'holdfast metrics query instance_memory --by service --since 7d',
    'holdfast metrics query request_rate --service shop --since 1d --csv',
  ],
  async run(context, { metric, service, instance, check, since, step: every, by, csv }) {
    const now = context.clock.wallTime()
    const api = await context.connect()
    const found = await api.queryMetrics({ metric, service, instance, check, from: since?.(now) ?? now - defaultSpanMs, step: every, by })
    if (csv) return { data: found, text: csvOf(found) }
    const { columns, paint } = context.out
    if (found.series.length === 0) return { data: found, text: `nothing was measured of ${metric} in that time` }
    const rest = found.leftOff > 0 ? `\n${plural(found.leftOff, 'more series', 'more series')}: narrow it, or use --by` : ''
    const table = renderTable(queryColumns, found.series.map(rowOf), columns, (title) => paint('dim', title))
    return { data: found, text: `${metric}${found.unit === null ? '' : ` (${found.unit})`}\n${table}${rest}` }
  },
})

function rowOf({ labels, points }: MetricSeries['series'][number]): readonly string[] {
  const name = Object.values(labels)
    .map((value) => printable(value, false))
    .join(' ')
  const means = points.map(([, mean]) => mean)
  const mean = means.reduce((sum, value) => sum + value, 0) / means.length
  const [min, max] = [
    points.reduce((low, point) => Math.min(low, point[2]), Infinity),
    points.reduce((high, point) => Math.max(high, point[3]), -Infinity),
  ]
  return [name === '' ? 'all' : name, sparkline(means), shown(min), shown(mean), shown(max), shown(means.at(-1) ?? NaN)]
}

/** The mean of each part of the time, between the smallest and the largest of them. */
function sparkline(values: readonly number[]): string {
  const width = Math.min(sparkWidth, values.length)
  const parts = Array.from({ length: width }, (_, i) => {
    const part = values.slice(Math.floor((i * values.length) / width), Math.floor(((i + 1) * values.length) / width))
    return part.reduce((sum, value) => sum + value, 0) / part.length
  })
  const [low, high] = [Math.min(...parts), Math.max(...parts)]
  return parts.map((value) => bars[high > low ? Math.round(((value - low) / (high - low)) * (bars.length - 1)) : 0] ?? '').join('')
}

const shown = (value: number): string => (Math.abs(value) >= 1e6 ? value.toExponential(3) : String(Number(value.toPrecision(4))))

function csvOf({ series, metric }: MetricSeries): string {
  const [one, ...more] = series
  if (one === undefined || more.length > 0) {
    throw usageError(
      `--csv: holds one series, and ${metric} has ${series.length} in that time; narrow it with --service, --instance or --check, or use --by`,
    )
  }
  const lines = one.points.map(([at, mean]) => `${new Date(at).toISOString().slice(0, 19).replace('T', ' ')},${mean}`)
  return ['timestamp,value', ...lines].join('\n')
}
