/** Steps of one series over an hour or a day, in few bytes and without loss: version · how many · their places · sums, smallest, largest, last, counts · sum of it. */
import { HoldfastError } from '../../kernel/errors.ts'
import { ByteReader, ByteWriter, whole } from './bytes.ts'
import type { Cell } from './cell.ts'
import { readColumn, writeColumn } from './column.ts'

const version = 2
const fields = ['sum', 'min', 'max', 'last', 'count'] as const
/** A day has 24 hours, an hour 60 minutes. */
const cellsMax = 1_440

/** `cells` in order of time, none before `start`, on steps of `stepMs`. */
export function encodeChunk(cells: readonly Cell[], start: number, stepMs: number): Uint8Array {
  const out = new ByteWriter(512)
  out.byte(version)
  out.varint(cells.length)
  let before = 0
  for (const { at } of cells) {
    const place = (at - start) / stepMs
    out.varint(place - before)
    before = place
  }
  const column = new Float64Array(cells.length)
  for (const field of fields) {
    cells.forEach((cell, i) => (column[i] = cell[field]))
    writeColumn(out, column, cells.length)
  }
  return out.sealed()
}

/** Throws `history_damaged`. */
export function decodeChunk(bytes: Uint8Array, start: number, stepMs: number): Cell[] {
  try {
    const from = new ByteReader(bytes)
    if (from.byte() !== version) throw new RangeError('another version')
    whole(bytes)
    const length = from.varint()
    if (length > cellsMax) throw new RangeError('too many steps')
    let place = 0
    const cells: Cell[] = Array.from({ length }, () => {
      place += from.varint()
      return { at: start + place * stepMs, sum: 0, min: 0, max: 0, last: 0, count: 0 }
    })
    const column = new Float64Array(length)
    for (const field of fields) {
      readColumn(from, column, length)
      cells.forEach((cell, i) => (cell[field] = column[i] ?? NaN))
    }
    return cells
  } catch (cause) {
    throw new HoldfastError('history_damaged', 'a part of the history is not readable', { cause })
  }
}
