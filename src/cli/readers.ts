/** Readers of what is typed on the command line. Each refuses with what was expected and what it got. */
import { readDuration } from '../config/core/units.ts'
import { either } from '../config/core/words.ts'
import { wallTime, type Duration, type WallTime } from '../kernel/time.ts'
import type { Reader } from './command.ts'
import { usageError } from './errors.ts'

export function integer(min: number, max: number): Reader<number> {
  return (raw, what) => {
    const value = /^\d{1,15}$/.test(raw) ? Number(raw) : NaN
    if (!(value >= min && value <= max)) throw usageError(`${what}: expected a whole number from ${min} to ${max}, got "${raw}"`)
    return value
  }
}

/** `500ms`, `10s`, `5m`, `1h`, `7d`; a bare number is milliseconds, as in the configuration. */
export const duration: Reader<Duration> = (raw, what) => {
  const length = readDuration(raw)
  if (length === undefined) throw usageError(`${what}: expected a duration like 90s, 10m or 7d, got "${raw}"`)
  return length
}

/** How long ago (`10m`), or when (`2026-11-21T08:00:00Z`); `when(now)` gives the wall time that is meant. */
export const since: Reader<(now: WallTime) => WallTime> = (raw, what) => {
  if (/^\d{4}-\d{2}-\d{2}/.test(raw)) {
    const at = Date.parse(raw)
    if (Number.isNaN(at)) throw usageError(`${what}: expected a date like 2026-11-21T08:00:00Z, got "${raw}"`)
    return () => wallTime(at)
  }
  const ago = duration(raw, what)
  return (now) => wallTime(now - ago)
}

export function oneOf<const T extends readonly string[]>(...words: T): Reader<T[number]> {
  return (raw, what) => {
    if (words.includes(raw)) return raw
    throw usageError(`${what}: expected ${either(words)}, got "${raw}"`)
  }
}
