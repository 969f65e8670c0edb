/**
 * A table whose rows redraw one by one: each row reads its own record, so that 200 instances that change every second cost 200 small updates and no big one. Long tables
 * draw only the rows that can be seen. It is sorted when the reader asks and when rows come or go, never by itself: rows that jump cannot be read.
 */
import type { ComponentChildren } from 'preact'
import { useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks'

export interface Column<T> {
  readonly key: string
  readonly label: string
  readonly cell: (item: T) => ComponentChildren
  readonly sort?: (item: T) => number | string | undefined
  readonly num?: boolean
  /** Left out below 640 pixels, or below 1080. */
  readonly hide?: 'narrow' | 'medium'
  readonly width?: number | undefined
  /** Below 640 pixels; by default as wide as what is left. */
  readonly narrowWidth?: number | undefined
}

interface TableProps<T> {
  readonly label: string
  readonly ids: readonly string[]
  /** The record of an id; read inside the row. */
  readonly item: (id: string) => T | undefined
  /** The same without being told of changes, for sorting. @default `item` */
  readonly peek?: (id: string) => T | undefined
  readonly columns: readonly Column<T>[]
  readonly onRow?: (item: T) => void
  readonly sortBy?: readonly [key: string, direction: 'up' | 'down']
  readonly empty: ComponentChildren
}

const rowPx = 34
/** From here on only what can be seen is drawn. */
const longTable = 60
const beyondView = 12

const classOf = ({ num, hide }: { num?: boolean | undefined; hide?: 'narrow' | 'medium' | undefined }): string =>
  `${num === true ? 'num' : ''} ${hide === 'narrow' ? 'narrow-hidden' : hide === 'medium' ? 'wide-only' : ''}`.trim()

export function Table<T>({ label, ids, item, peek = item, columns, onRow, sortBy, empty }: TableProps<T>) {
  const [sort, setSort] = useState(sortBy)
  const sorted = useMemo(() => order(ids, columns, peek, sort), [ids, sort, columns.length])
  const body = useRef<HTMLTableSectionElement>(null)
  const isLong = sorted.length > longTable
  const [from, to] = useVisible(body, isLong ? sorted.length : 0)
  if (ids.length === 0) return <>{empty}</>
  const shown = isLong ? sorted.slice(from, to) : sorted
  const toggle = (key: string): void => {
    setSort((before) => [key, before?.[0] === key && before[1] === 'down' ? 'up' : 'down'])
  }
  return (
    <div class="table-wrap">
      <table class={`table ${isLong ? 'fixed' : ''}`} aria-label={label} aria-rowcount={sorted.length + 1}>
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={column.key} scope="col" class={classOf(column)} style={widthOf(column)} aria-sort={ariaSort(sort, column.key)}>
                {column.sort ? (
                  <button type="button" data-sorted={sort?.[0] === column.key ? sort[1] : undefined} onClick={() => toggle(column.key)}>
                    {column.label}
                  </button>
                ) : (
                  column.label || <span class="visually-hidden">{column.key}</span>
                )}
              </th>
            ))}
          </tr>
        </thead>
        <tbody ref={body}>
          {isLong && <Spacer rows={from} />}
          {shown.map((id) => (
            <Row key={id} id={id} item={item} columns={columns} onRow={onRow} />
          ))}
          {isLong && <Spacer rows={sorted.length - to} />}
        </tbody>
      </table>
    </div>
  )
}

/** One cell only: with more, columns that a narrow window hides would take their part of the width. */
const Spacer = ({ rows }: { rows: number }) =>
  rows > 0 ? (
    <tr class="spacer" aria-hidden="true">
      <td style={{ height: `${rows * rowPx}px` }} />
    </tr>
  ) : null

const widthOf = ({ width, narrowWidth }: { width?: number | undefined; narrowWidth?: number | undefined }): Record<string, string> => ({
  ...(width !== undefined && { '--width': `${width}px` }),
  ...(narrowWidth !== undefined && { '--narrow-width': `${narrowWidth}px` }),
})

function Row<T>({
  id,
  item,
  columns,
  onRow,
}: {
  id: string
  item: (id: string) => T | undefined
  columns: readonly Column<T>[]
  onRow: ((item: T) => void) | undefined
}) {
  const record = item(id)
  if (record === undefined) return null
  return (
    <tr class={onRow ? 'pointer' : undefined} onClick={onRow && ((event) => isPlainClick(event) && onRow(record))}>
      {columns.map((column) => (
        <td key={column.key} class={classOf(column)}>
          {column.cell(record)}
        </td>
      ))}
    </tr>
  )
}

/** Not on a link or button, which have a meaning of their own, and not the end of a selection. */
const isPlainClick = (event: MouseEvent): boolean => !(event.target as Element).closest('a, button, input') && getSelection()?.isCollapsed !== false

const ariaSort = (sort: readonly [string, 'up' | 'down'] | undefined, key: string) =>
  sort?.[0] === key ? (sort[1] === 'up' ? 'ascending' : 'descending') : undefined

function order<T>(
  ids: readonly string[],
  columns: readonly Column<T>[],
  peek: (id: string) => T | undefined,
  sort: readonly [string, 'up' | 'down'] | undefined,
): readonly string[] {
  const valueOf = columns.find(({ key }) => key === sort?.[0])?.sort
  if (!valueOf || !sort) return ids
  const sign = sort[1] === 'up' ? 1 : -1
  const values = new Map(ids.map((id) => [id, valueOfId(id)]))
  function valueOfId(id: string): number | string | undefined {
    const record = peek(id)
    return record === undefined ? undefined : valueOf?.(record)
  }
  return ids.toSorted((a, b) => compare(values.get(a), values.get(b), sign))
}

/** What has no value comes last, whichever way it is sorted. */
function compare(a: number | string | undefined, b: number | string | undefined, sign: number): number {
  if (a === undefined || b === undefined) return a === b ? 0 : a === undefined ? 1 : -1
  if (typeof a === 'number' && typeof b === 'number') return (a - b) * sign
  return String(a).localeCompare(String(b), 'en', { numeric: true }) * sign
}

/** Which rows of so many are in view, and a few more. */
function useVisible(body: { readonly current: HTMLElement | null }, rows: number): readonly [number, number] {
  const [range, setRange] = useState<readonly [number, number]>([0, longTable])
  useLayoutEffect(() => {
    if (rows === 0) return undefined
    const look = (): void => {
      const top = body.current?.getBoundingClientRect().top ?? 0
      const first = Math.max(0, Math.floor(-top / rowPx) - beyondView)
      const last = Math.min(rows, Math.ceil((innerHeight - top) / rowPx) + beyondView)
      setRange((before) => (before[0] === first && before[1] === last ? before : [first, Math.max(first, last)]))
    }
    look()
    addEventListener('scroll', look, { passive: true })
    addEventListener('resize', look)
    return () => {
      removeEventListener('scroll', look)
      removeEventListener('resize', look)
    }
  }, [rows])
  return range
}

/** The same for a list that is there as a whole. */
export function ListTable<T>({
  rows,
  idOf,
  ...rest
}: Omit<TableProps<T>, 'ids' | 'item' | 'peek'> & { rows: readonly T[]; idOf: (item: T) => string }) {
  const [ids, byId] = useMemo(() => [rows.map(idOf), new Map(rows.map((row) => [idOf(row), row]))] as const, [rows])
  return <Table {...rest} ids={ids} item={(id) => byId.get(id)} />
}
