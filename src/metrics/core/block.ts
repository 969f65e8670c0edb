/**
 * A minute of everything: the times of its readings once, and a column for each series that had a sample. Open it is plain numbers and grows; sealed
 * it is one run of bytes, the same in memory and on the disk, in which a series is found by its number:
 *
 *   version · start · times as differences · how many series · their numbers, rising · length of each column · columns · sum
 */
import { HoldfastError } from '../../kernel/errors.ts'
import { ByteReader, ByteWriter, whole } from './bytes.ts'
import { readColumn, writeColumn } from './column.ts'

export const blockMs = 60_000
const version = 2
/** Readings of a minute, one a second and some to spare. */
const capacityFirst = 64

export interface Block {
  /** Wall time, a whole minute. */
  readonly start: number
  /** Rising; the first `length` of them. */
  readonly times: Float64Array
  readonly length: number
  /** Numbers of those that have a column. */
  readonly series: Iterable<number>
  /** The values of a series at `times` into `into`; false: it has none here. */
  read(series: number, into: Float64Array): boolean
}

export class OpenBlock implements Block {
  readonly start: number
  times = new Float64Array(capacityFirst)
  length = 0
  readonly #columns = new Map<number, Float64Array>()

  constructor(start: number) {
    this.start = start
  }

  /** To go on with a minute that was sealed already. */
  static reopened(sealed: SealedBlock): OpenBlock {
    const block = new OpenBlock(sealed.start)
    while (block.times.length < sealed.length) block.times = grown(block.times)
    block.times.set(sealed.times)
    block.length = sealed.length
    for (const series of sealed.series) {
      const column = new Float64Array(block.times.length).fill(NaN)
      sealed.read(series, column)
      block.#columns.set(series, column)
    }
    return block
  }

  get series(): Iterable<number> {
    return this.#columns.keys()
  }

  /** A new row; later than the last one. */
  begin(at: number): void {
    if (this.length === this.times.length) this.times = grown(this.times)
    this.times[this.length++] = at
  }

  /** Into the newest row. */
  set(series: number, value: number): void {
    let column = this.#columns.get(series)
    if (column === undefined || column.length < this.length) {
      column = column === undefined ? new Float64Array(this.times.length).fill(NaN) : grown(column, NaN)
      this.#columns.set(series, column)
    }
    column[this.length - 1] = value
  }

  read(series: number, into: Float64Array): boolean {
    const column = this.#columns.get(series)
    if (column === undefined) return false
    into.fill(NaN, 0, this.length)
    into.set(column.subarray(0, Math.min(this.length, column.length)))
    return true
  }

  seal(): Uint8Array {
    const out = new ByteWriter()
    const numbers = [...this.#columns.keys()].sort((a, b) => a - b)
    writeHead(out, this.start, this.times, this.length)
    out.varint(numbers.length)
    let before = 0
    for (const number of numbers) {
      out.varint(number - before)
      before = number
    }
    const columns = new ByteWriter()
    for (const number of numbers) {
      const from = columns.length
      writeColumn(columns, this.#columns.get(number) ?? [], this.length)
      out.varint(columns.length - from)
    }
    out.bytes(columns.take())
    return out.sealed()
  }
}

function grown(column: Float64Array, filler = 0): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(2 * column.length).fill(filler)
  larger.set(column)
  return larger
}

function writeHead(out: ByteWriter, start: number, times: Float64Array, length: number): void {
  out.byte(version)
  out.varint(start)
  out.varint(length)
  // Whole milliseconds: a wall clock gives no others.
  let before = start
  for (let i = 0; i < length; i++) {
    const at = times[i] ?? start
    out.varint(at - before)
    before = at
  }
}

export class SealedBlock implements Block {
  readonly bytes: Uint8Array
  readonly start: number
  readonly times: Float64Array
  readonly length: number
  readonly series: Uint32Array
  /** Where the column of the series with the same index begins. */
  readonly #offsets: Uint32Array

  /** Throws `history_damaged` when they are no block. */
  constructor(bytes: Uint8Array) {
    try {
      const from = new ByteReader(bytes)
      if (from.byte() !== version) throw new RangeError('another version')
      const end = whole(bytes)
      this.bytes = bytes
      this.start = from.varint()
      this.length = bounded(from.varint(), bytes.length)
      this.times = new Float64Array(this.length)
      let at = this.start
      for (let i = 0; i < this.length; i++) this.times[i] = at += from.varint()
      const count = bounded(from.varint(), bytes.length)
      this.series = new Uint32Array(count)
      this.#offsets = new Uint32Array(count)
      let number = 0
      for (let i = 0; i < count; i++) this.series[i] = number += from.varint()
      let offset = 0
      for (let i = 0; i < count; i++) {
        this.#offsets[i] = offset
        offset += from.varint()
      }
      for (let i = 0; i < count; i++) this.#offsets[i] = (this.#offsets[i] ?? 0) + from.at
      if (from.at + offset !== end) throw new RangeError('cut off')
    } catch (cause) {
      throw new HoldfastError('history_damaged', 'a minute of the history is not readable', { cause })
    }
  }

  read(series: number, into: Float64Array): boolean {
    const index = this.#indexOf(series)
    if (index < 0) return false
    readColumn(new ByteReader(this.bytes, this.#offsets[index]), into, this.length)
    return true
  }

  #indexOf(series: number): number {
    let [low, high] = [0, this.series.length - 1]
    while (low <= high) {
      const middle = (low + high) >> 1
      const found = this.series[middle] ?? 0
      if (found === series) return middle
      if (found < series) low = middle + 1
      else high = middle - 1
    }
    return -1
  }
}

/** No count in a block is larger than its bytes. */
function bounded(count: number, max: number): number {
  if (count > max) throw new RangeError('a count is too large')
  return count
}
