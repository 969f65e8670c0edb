/**
 * When lines were written. Raw output carries no times, so a file beside it says, line by line, `offset time`: all
 * bytes before `offset` had been written by `time`. The time of a line is that of the first entry at or behind its
 * end: right to a quarter of a second while a control process runs, and to the time of the last write when none does.
 */
import { appendFileSync, readFileSync, statSync, writeFileSync } from 'node:fs'

interface Mark {
  readonly offset: number
  /** Wall time in milliseconds. */
  readonly time: number
}

/** The file is thinned out when it is larger than this: some 3,000 entries. */
const fileBytesMax = 64 * 1024
/** The newest entries, which are never thinned out. */
const keptWhole = 256

export function readMarks(path: string): readonly Mark[] {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch {
    // No control process has seen this file yet.
    return []
  }
  const marks: Mark[] = []
  for (const line of text.split('\n')) {
    const [offset, time] = line.split(' ').map(Number)
    // A line torn by a full disk or a kill says nothing.
    if (Number.isFinite(offset) && Number.isFinite(time)) marks.push({ offset: Number(offset), time: Number(time) })
  }
  return marks
}

/** Throws when the disk is full. */
export function appendMark(path: string, mark: Mark): void {
  appendFileSync(path, `${mark.offset} ${Math.round(mark.time)}\n`, { mode: 0o640 })
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) <= fileBytesMax) return
  const marks = readMarks(path)
  const thinned = marks.filter((_, i) => i % 2 === 0 || i >= marks.length - keptWhole)
  writeFileSync(path, thinned.map(({ offset, time }) => `${offset} ${time}\n`).join(''))
}

/** When the byte before `end` was written; `latest` for what no entry covers. */
export function timeOf(marks: readonly Mark[], end: number, latest: number): number {
  let low = 0
  let high = marks.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((marks[middle]?.offset ?? 0) < end) low = middle + 1
    else high = middle
  }
  return marks[low]?.time ?? Math.round(latest)
}
