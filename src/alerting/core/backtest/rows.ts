/** Rows of a CSV, and the labelled windows that go with them, in the form of the Numenta Anomaly Benchmark. */
import { HoldfastError } from '../../../kernel/errors.ts'
import { walk, type SeriesNode } from '../expression/ast.ts'
import { selectorOf } from '../expression/evaluate.ts'
import type { Rule } from '../rules/rule.ts'
import type { BacktestData, TimeWindow } from './backtest.ts'
import { seriesOf } from './replay.ts'

/** A year by the minute. */
export const rowsMax = 600_000

/** A cell as it is, without its quotes. */
const bare = (text: string): string => text.trim().replace(/^"|"$/g, '').trim()

/** `2014-04-01 00:00:00` is UTC; also ISO 8601, seconds and milliseconds. */
function timeOf(text: string): number {
  const plain = bare(text)
  if (/^\d{9,10}(\.\d+)?$/.test(plain)) return Number(plain) * 1_000
  if (/^\d{12,13}$/.test(plain)) return Number(plain)
  const iso = plain.replace(' ', 'T')
  return Date.parse(/[zZ]|[+-]\d\d:?\d\d$/.test(iso) ? iso : `${iso}Z`)
}

/** What others write where nothing was measured. */
const missing: readonly string[] = ['', 'nan', 'null', 'na', 'n/a', '-']

/**
 * `time,value` a line, also with `;` or a tabulator between them, in quotes, and with nothing where nothing was measured; a first line that is none of it is
 * taken for the heading. Throws `invalid_input`.
 */
export function rowsOfCsv(text: string): readonly (readonly [at: number, value: number])[] {
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '')
  if (lines.length > rowsMax) throw new HoldfastError('invalid_input', `tried to read a CSV of ${lines.length} rows, and may read ${rowsMax}`)
  const rows: [number, number][] = []
  lines.forEach((line, index) => {
    const [, time = '', cell = ''] = /^(.*)[,;\t](.*)$/.exec(line) ?? []
    const [at, text] = [timeOf(time), bare(cell)]
    if (Number.isFinite(at) && missing.includes(text.toLowerCase())) return
    const value = Number(text || NaN)
    if (Number.isFinite(at) && Number.isFinite(value)) rows.push([at, value])
    else if (index > 0)
      throw new HoldfastError(
        'invalid_input',
        `tried to read line ${index + 1} of a CSV: expected time,value, got ${JSON.stringify(line.slice(0, 80))}`,
        { hint: 'such as 2014-04-01 00:00:00,19.76' },
      )
  })
  if (rows.length === 0) throw new HoldfastError('invalid_input', 'tried to read a CSV, found no rows of time,value in it')
  return rows.sort((a, b) => a[0] - b[0])
}

/** `[[from, to], …]`, or that of one of many files: `{ "group/file.csv": [[from, to]] }`. Throws `invalid_input`. */
export function windowsOf(json: unknown, name: string): readonly TimeWindow[] {
  const list: unknown = Array.isArray(json) ? json : ofFile(json, name)
  if (!Array.isArray(list))
    throw new HoldfastError('invalid_input', `tried to read labelled windows, found none for ${name}`, {
      hint: 'a list such as [["2014-04-01 00:00:00", "2014-04-01 06:00:00"]], or a map of such lists by file',
    })
  return list.map((pair: unknown, index) => {
    const [from, to] = Array.isArray(pair) ? pair.map((end) => (typeof end === 'number' ? end : timeOf(String(end)))) : []
    if (from === undefined || to === undefined || !Number.isFinite(from) || !Number.isFinite(to))
      throw new HoldfastError('invalid_input', `tried to read the labelled window ${index + 1}: expected two times, got ${JSON.stringify(pair)}`)
    return { from, to, name: `window ${index + 1}` }
  })
}

function ofFile(json: unknown, name: string): unknown {
  if (typeof json !== 'object' || json === null) return undefined
  const base = name.split('/').at(-1) ?? name
  const found =
    Object.entries(json).find(([file]) => file === name || name.endsWith(`/${file}`)) ??
    Object.entries(json).find(([file]) => file.split('/').at(-1) === base)
  return found?.[1]
}

export const seriesNodesOf = ({ condition, clear }: Rule): readonly SeriesNode[] =>
  [...walk(condition.expression), ...(clear ? walk(clear.expression) : [])].filter((node): node is SeriesNode => node.kind === 'series')

/** The rows as the one series that the rule speaks of. Throws `invalid_input` when it speaks of several. */
export function rowsAsSeries(
  rule: Rule,
  rows: readonly (readonly [at: number, value: number])[],
  { from, to }: { readonly from?: number | undefined; readonly to?: number | undefined } = {},
): Omit<BacktestData, 'objective'> {
  const nodes = new Map(seriesNodesOf(rule).map((node) => [JSON.stringify(selectorOf(node)), node]))
  const [node] = nodes.values()
  if (nodes.size !== 1 || node === undefined) {
    throw new HoldfastError('invalid_input', `tried to back-test ${rule.name} on rows: it speaks of ${nodes.size} series, and rows are one`, {
      hint: 'give another condition, such as anomaly(request_rate)',
    })
  }
  const { metric, labels = {} } = selectorOf(node)
  const [first, last] = [rows[0]?.[0] ?? 0, rows.at(-1)?.[0] ?? 0]
  return { series: [seriesOf(metric, labels, rows)], events: [], from: from ?? first, to: to ?? last + 1 }
}
