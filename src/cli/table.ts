/** Tables without lines, as docker and kubectl print them: aligned columns, cut to the width of the terminal where one may be cut. */
import CliTable from 'cli-table3'
import { stripVTControlCharacters } from 'node:util'

export interface Column {
  readonly title: string
  readonly align?: 'left' | 'right'
  /** May become narrower, down to this many columns, when the terminal is too narrow for all. */
  readonly shrinkTo?: number
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
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  width: number,
  styleTitle: (title: string) => string,
): string {
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
    .map((line) => line.trimEnd())
    .join('\n')
}

/** As wide as the widest cell; if that is too much, the columns that may shrink give way, the widest first. */
export function columnWidths(columns: readonly Column[], rows: readonly (readonly string[])[], width: number): readonly number[] {
  const widths = columns.map((column, i) => Math.max(1, shown(column.title), ...rows.map((row) => shown(row[i] ?? ''))))
  let excess = widths.reduce((sum, each) => sum + each, 0) + gap * (columns.length - 1) - width
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

function shown(cell: string): number {
  return stripVTControlCharacters(cell).length
}
