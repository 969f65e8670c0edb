/**
 * Where to go on after a lost connection without a gap and without saying a line twice: from the millisecond of the last
 * line shown, leaving out the lines of that millisecond that were shown before. (Times of lines may have fractions; the
 * API is asked in whole milliseconds.)
 */
import type { LogLine } from '../app/operations.ts'

export class LogResume {
  #newestMs: number | undefined
  /** Lines shown of the newest millisecond, and how many of each. */
  #shown = new Map<string, number>()
  /** Those of them that may come again. */
  #expected = new Map<string, number>()

  /** Wall time in whole milliseconds to ask from; undefined before the first line. */
  get since(): number | undefined {
    return this.#newestMs
  }

  /** A new connection begins at `since`. */
  reconnected(): void {
    this.#expected = new Map(this.#shown)
  }

  /** Whether a line has not been shown; from then on it has. */
  isNew(line: LogLine): boolean {
    const key = JSON.stringify([line.time, line.instance, line.stream, line.text])
    if (takeOne(this.#expected, key)) return false
    const at = Math.floor(line.time)
    if (this.#newestMs === undefined || at > this.#newestMs) {
      this.#newestMs = at
      this.#shown = new Map()
    }
    if (at === this.#newestMs) this.#shown.set(key, (this.#shown.get(key) ?? 0) + 1)
    return true
  }
}

function takeOne(counts: Map<string, number>, key: string): boolean {
  const count = counts.get(key) ?? 0
  if (count === 0) return false
  counts.set(key, count - 1)
  return true
}
