/** The table of a chaos run, for a terminal and for Markdown alike. */
import type { CaseResult } from './run.ts'

const columns: readonly (readonly [string, (result: CaseResult) => string])[] = [
  ['case', ({ case: name }) => name],
  ['system', ({ system }) => system],
  ['done', ({ disturbance }) => String(disturbance.actions)],
  ['requests', ({ tally }) => String(tally.requests)],
  ['failed GET', ({ tally }) => String(tally.failedGet)],
  ['failed POST', ({ tally }) => String(tally.failedPost)],
  ['of these 502 with reason', ({ tally }) => String(tally.failedPostExplained)],
  ['failed but executed', ({ tally }) => String(tally.executedButFailed)],
  ['POST twice', ({ tally }) => String(tally.executedTwice)],
  ['retried', ({ retried }) => count(retried)],
  ['parked', ({ parked }) => count(parked)],
  ['p50 ms', ({ tally }) => tally.p50Ms.toFixed(1)],
  ['p99 ms', ({ tally }) => tally.p99Ms.toFixed(1)],
  ['longest gap ms', ({ tally }) => tally.longestGapMs.toFixed(0)],
]

export function toTable(results: readonly CaseResult[]): string {
  const cells = [columns.map(([title]) => title), ...results.map((result) => columns.map(([, cell]) => cell(result)))]
  const widths = columns.map((_, i) => Math.max(...cells.map((row) => row[i]?.length ?? 0)))
  const line = (row: readonly string[]): string => `| ${row.map((cell, i) => pad(cell, widths[i] ?? 0, i)).join(' | ')} |`
  const rule = `| ${widths.map((width, i) => (i < 2 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)).join(' | ')} |`
  const [head = [], ...rows] = cells
  return [line(head), rule, ...rows.map(line)].join('\n')
}

/** What the failures of a run looked like to its clients; undefined when there were none. */
export function failuresOf({ case: name, system, tally }: CaseResult): string | undefined {
  const kinds = Object.entries(tally.failures)
  if (kinds.length === 0) return undefined
  return `${name}, ${system}: clients saw ${kinds.map(([kind, times]) => `${times} × ${kind}`).join(', ')}`
}

const pad = (cell: string, width: number, column: number): string => (column < 2 ? cell.padEnd(width) : cell.padStart(width))
const count = (value: number | undefined): string => (value === undefined ? '–' : String(value))
