/**
 * Tables without lines, as docker and kubectl print them: aligned columns. Where the terminal is too narrow, columns that may shrink give
 * way first, then those that may be missing are left out, and what is then still too long is cut: one row stays one line.
 */
import CliTable from 'cli-table3'
import { stripVTControlCharacters } from 'node:util'
import { fit } from './live.ts'

export interface Column {
  readonly title: string
  readonly align?: 'left' | 'right'
  /** May become narrower, down to this many columns, when the terminal is too narrow for all. */
  readonly shrinkTo?: number
  /** May be left out when all have shrunk as far as they may; the highest goes first. */
  readonly spare?: number
}

const gap = 2
const noLines = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: ' '.repeat(gap),
}

export function renderTable(
  allColumns: readonly Column[],
  allRows: readonly (readonly string[])[],
  width: number,
  styleTitle: (title: string) => string,
): string {
  const shown = columnsThatFit(allColumns, allRows, width)
  const columns = shown.flatMap((i) => allColumns[i] ?? [])
  const rows = allRows.map((row) => shown.map((i) => row[i] ?? ''))
  const widths = columnWidths(columns, rows, width)
  const table = new CliTable({
    chars: noLines,
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [] },
    colWidths: [...widths],
    colAligns: columns.map((column) => column.align ?? 'left'),
  })
  table.push(columns.map((column) => styleTitle(column.title)))
  for (const row of rows) table.push([...row])
  return table
    .toString()
    .split('\n')
    .map((line) => fit(line.trimEnd(), width))
    .join('\n')
}

/** The places of the columns that are shown. */
function columnsThatFit(columns: readonly Column[], rows: readonly (readonly string[])[], width: number): readonly number[] {
  const places = columns.map((_, i) => i)
  for (;;) {
    const widths = columnWidths(
      places.flatMap((i) => columns[i] ?? []),
      rows.map((row) => places.map((i) => row[i] ?? '')),
      width,
    )
    if (totalOf(widths) <= width) return places
    const spared = places.filter((i) => columns[i]?.spare !== undefined).sort((a, b) => (columns[b]?.spare ?? 0) - (columns[a]?.spare ?? 0))[0]
    if (spared === undefined) return places
    places.splice(places.indexOf(spared), 1)
  }
}

const totalOf = (widths: readonly number[]): number => widths.reduce((sum, each) => sum + each, 0) + gap * (widths.length - 1)

/** As wide as the widest cell; if that is too much, the columns that may shrink give way, the widest first. */
export function columnWidths(columns: readonly Column[], rows: readonly (readonly string[])[], width: number): readonly number[] {
  const widths = columns.map((column, i) => Math.max(1, lengthOf(column.title), ...rows.map((row) => lengthOf(row[i] ?? ''))))
  let excess = totalOf(widths) - width
  while (excess > 0) {
    const widest = columns
      .map((column, i) => ({ i, spare: (widths[i] ?? 0) - (column.shrinkTo ?? Infinity) }))
      .filter(({ spare }) => spare > 0)
      .sort((a, b) => b.spare - a.spare)[0]
    if (!widest) break
    widths[widest.i] = (widths[widest.i] ?? 0) - 1
    excess -= 1
  }
  return widths
}

function lengthOf(cell: string): number {
  return stripVTControlCharacters(cell).length
}
