/**
 * A column: values of one series at the times of its block, in few bytes and without loss. Most are of one of three kinds, and the writer looks which:
 *
 *   constant    the value once                                      (3 bytes for 60 seconds of `ready`)
 *   decimals    whole numbers after times 10^k, as differences      (1 or 2 bytes a value: counts, percents, bytes, rounded milliseconds)
 *   floats      the bytes in which a value differs from the one before it
 *
 * NaN stands for "no sample then"; which those are lies before the values, one bit each. Not taken: Gorilla's bit streams, half as large for floats
 * and several times the work in JavaScript, for readings that are rounded to decimals anyway.
 */
import { assert } from '../../kernel/errors.ts'
import { wholeMax, type ByteReader, type ByteWriter } from './bytes.ts'

const kinds = { constant: 0, decimals: 1, floats: 2, none: 3 } as const
const hasGaps = 4
/** Powers of ten that are tried. */
const scales = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000]
/** The scale's place in the first byte. `floats` there: no scale, the constant is written as it is. */
const scaleShift = 3
const noScale = 7

const words = new DataView(new ArrayBuffer(16))

/** The first `length` of `values`. */
export function writeColumn(out: ByteWriter, values: ArrayLike<number>, length: number): void {
  let [given, constant, first] = [0, true, NaN]
  for (let i = 0; i < length; i++) {
    const value = values[i] ?? NaN
    if (Number.isNaN(value)) continue
    if (given++ === 0) first = value
    else if (value !== first) constant = false
  }
  if (given === 0) {
    out.byte(kinds.none)
    return
  }
  const scale = scaleOf(values, length)
  const kind = constant ? kinds.constant : scale === noScale ? kinds.floats : kinds.decimals
  out.byte(kind | (given < length ? hasGaps : 0) | (scale << scaleShift))
  if (given < length) writeGaps(out, values, length)
  if (kind === kinds.constant) {
    if (scale === noScale) out.float(first)
    else out.signed(Math.round(first * (scales[scale] ?? 1)))
  } else if (kind === kinds.decimals) writeDecimals(out, values, length, scales[scale] ?? 1)
  else writeFloats(out, values, length)
}

/** Index of the smallest power of ten that makes all of them whole; `noScale`: none does. */
function scaleOf(values: ArrayLike<number>, length: number): number {
  let index = 0
  for (let i = 0; i < length; i++) {
    const value = values[i] ?? NaN
    if (Number.isNaN(value)) continue
    for (;;) {
      const factor = scales[index]
      if (factor === undefined) return noScale
      const whole = Math.round(value * factor)
      if (whole / factor === value && Math.abs(whole) <= wholeMax) break
      index++
    }
  }
  // One that fitted a smaller power fits a larger one too, unless it is too large or rounds: then look again.
  const factor = scales[index] ?? 1
  for (let i = 0; i < length; i++) {
    const value = values[i] ?? NaN
    if (Number.isNaN(value)) continue
    const whole = Math.round(value * factor)
    if (whole / factor !== value || Math.abs(whole) > wholeMax) return noScale
  }
  return index
}

function writeGaps(out: ByteWriter, values: ArrayLike<number>, length: number): void {
  for (let from = 0; from < length; from += 8) {
    let bits = 0
    for (let i = 0; i < 8 && from + i < length; i++) if (!Number.isNaN(values[from + i] ?? NaN)) bits |= 1 << i
    out.byte(bits)
  }
}

function writeDecimals(out: ByteWriter, values: ArrayLike<number>, length: number, factor: number): void {
  let before = 0
  for (let i = 0; i < length; i++) {
    const value = values[i] ?? NaN
    if (Number.isNaN(value)) continue
    const whole = Math.round(value * factor)
    out.signed(whole - before)
    before = whole
  }
}

/** Of each value a byte that says how many equal bytes it begins and ends with, then the others. */
function writeFloats(out: ByteWriter, values: ArrayLike<number>, length: number): void {
  words.setFloat64(8, 0)
  for (let i = 0; i < length; i++) {
    const value = values[i] ?? NaN
    if (Number.isNaN(value)) continue
    words.setFloat64(0, value)
    let [lead, trail] = [0, 0]
    while (lead < 8 && words.getUint8(lead) === words.getUint8(8 + lead)) lead++
    while (trail < 8 - lead && words.getUint8(7 - trail) === words.getUint8(15 - trail)) trail++
    out.byte((lead << 4) | trail)
    for (let at = lead; at < 8 - trail; at++) out.byte(words.getUint8(at))
    words.setFloat64(8, value)
  }
}

/** Into the first `length` of `into`; NaN where there was no sample. */
export function readColumn(from: ByteReader, into: Float64Array, length: number): void {
  const head = from.byte()
  const kind = head & 3
  const scale = head >> scaleShift
  if (kind === kinds.none) {
    into.fill(NaN, 0, length)
    return
  }
  const gaps: number[] = []
  if ((head & hasGaps) !== 0) for (let at = 0; at < length; at += 8) gaps.push(from.byte())
  const factor = scales[scale] ?? 1
  const constant = kind !== kinds.constant ? NaN : scale === noScale ? from.float() : from.signed() / factor
  let before = 0
  words.setFloat64(8, 0)
  for (let i = 0; i < length; i++) {
    if (gaps.length > 0 && ((gaps[i >> 3] ?? 0) & (1 << (i & 7))) === 0) into[i] = NaN
    else if (kind === kinds.constant) into[i] = constant
    else if (kind === kinds.decimals) {
      before += from.signed()
      into[i] = before / factor
    } else into[i] = readFloat(from)
  }
}

function readFloat(from: ByteReader): number {
  const head = from.byte()
  const [lead, trail] = [head >> 4, head & 15]
  assert(lead + trail <= 8, 'a column of floats is not whole')
  for (let at = lead; at < 8 - trail; at++) words.setUint8(8 + at, from.byte())
  return words.getFloat64(8)
}
