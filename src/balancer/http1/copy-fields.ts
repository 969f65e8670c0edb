/** Forwards the fields of a head: original bytes in runs as long as nothing is left out, and lines written anew where their white space is odd. */
import { copyBytes, latin1 } from './bytes.ts'
import { fieldStride, nameEnd, nameStart, valueEnd, valueStart, type Head } from './head.ts'

const crlf = latin1('\r\n')

/**
 * Copies the fields of `head` that `head.drop` does not mark, and before them whatever lies between `run` and the first
 * field. Returns the offset in `out` behind what was written; the empty line at the end is left to the caller.
 */
export function copyFields(out: Buffer, at: number, head: Head, buffer: Buffer, from: number): number {
  const { fields, drop, fieldCount } = head
  const fieldsEnd = head.end - 2
  let to = at
  let run = from
  for (let i = 0; i < fieldCount; i++) {
    const base = i * fieldStride
    const name = fields[base + nameStart]!
    const stop = fields[base + nameEnd]!
    const next = i + 1 < fieldCount ? fields[base + fieldStride + nameStart]! : fieldsEnd
    if (drop[i] === 1) {
      if (run < name) to = copyBytes(buffer, run, name, out, to)
      run = next
      continue
    }
    const value = fields[base + valueStart]!
    const valueStop = fields[base + valueEnd]!
    if (value === stop + 2 && buffer[stop + 1] === 32 && valueStop === next - 2) continue
    // Odd white space around the value is not passed on: the line is written anew.
    if (run < name) to = copyBytes(buffer, run, name, out, to)
    to = copyBytes(buffer, name, stop, out, to)
    out[to++] = 58
    out[to++] = 32
    to = copyBytes(buffer, value, valueStop, out, to)
    to = copyBytes(crlf, 0, 2, out, to)
    run = next
  }
  return run < fieldsEnd ? copyBytes(buffer, run, fieldsEnd, out, to) : to
}
