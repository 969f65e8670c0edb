/** Reads the lines of one raw file backwards from its end, so that the last hundred of a large file cost little. */
import { readRange, statIfThere } from './log-files.ts'
import { readMarks, timeOf } from './time-index.ts'

export interface TimedLine {
  /** Wall time in milliseconds. */
  readonly time: number
  readonly text: string
}

const blockBytes = 64 * 1024
/** A longer line is given in pieces of about this size. */
export const lineBytesMax = 64 * 1024

/** Newest first; the caller stops when it has enough. */
export function* linesFromEnd(path: string, timesPath: string): Generator<TimedLine> {
  const stat = statIfThere(path)
  if (!stat) return
  const marks = readMarks(timesPath)
  for (const { bytes, end } of piecesFromEnd(path, stat.size)) {
    yield { time: timeOf(marks, end, stat.mtimeMs), text: decodeLine(bytes) }
  }
}

/** `end`: the offset in the file behind the line's last byte. */
function* piecesFromEnd(path: string, size: number): Generator<{ readonly bytes: Buffer; readonly end: number }> {
  /** The end of a line whose beginning lies further ahead in the file. */
  let carry: Buffer = Buffer.alloc(0)
  for (let end = size; end > 0; end -= Math.min(end, blockBytes)) {
    const start = Math.max(0, end - blockBytes)
    const block = Buffer.concat([readRange(path, start, end - start), carry])
    let lineEnd = block.length
    while (lineEnd > 0) {
      const newline = block.lastIndexOf(10, lineEnd - 1)
      if (newline < 0) break
      const behindTheLast = lineEnd === newline + 1 && start + lineEnd === size
      if (!behindTheLast) yield { bytes: block.subarray(newline + 1, lineEnd), end: start + lineEnd }
      lineEnd = newline
    }
    carry = block.subarray(0, lineEnd)
    if (start === 0 ? lineEnd > 0 || block[0] === 10 : carry.length > lineBytesMax) {
      yield { bytes: carry, end: start + lineEnd }
      carry = Buffer.alloc(0)
    }
  }
}

export const decodeLine = (bytes: Buffer): string => bytes.toString('utf8').replace(/\r$/, '')
