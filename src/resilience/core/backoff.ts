/**
 * How long to wait before the next attempt. Jitter is on unless switched off: callers that failed together must not come back together.
 * `full` is best against a herd; `decorrelated` grows from the wait before (both: M. Brooker, "Exponential Backoff And Jitter").
 */
import type { Random } from '../../kernel/random.ts'

/** All attempts of one call, the first one included, whatever is configured: 250 retries on 503 amplified an overload (ray#63507). */
export const attemptsMax = 5

export interface BackoffOptions {
  /** Default `full`. `exponential` and `constant` have no jitter. */
  readonly type?: 'full' | 'decorrelated' | 'exponential' | 'constant'
  /** Default 100 ms. */
  readonly baseMs?: number
  /** Default 5 s. */
  readonly maxMs?: number
}

/** Milliseconds before retry `n` (0 is the first); `previousMs` is the wait before it, 0 at first. */
export function backoffMs(options: BackoffOptions, n: number, previousMs: number, random: Random): number {
  const { type = 'full', baseMs = 100, maxMs = 5_000 } = options
  const grown = Math.min(maxMs, baseMs * 2 ** n)
  switch (type) {
    case 'full':
      return random.next() * grown
    case 'decorrelated':
      return Math.min(maxMs, baseMs + random.next() * (Math.max(baseMs, previousMs) * 3 - baseMs))
    case 'exponential':
      return grown
    case 'constant':
      return Math.min(maxMs, baseMs)
  }
}

/** `Retry-After` as milliseconds from now, given as seconds or as a date; undefined when it is neither. A date of the past is 0. */
export function parseRetryAfter(value: string, wallNow: number): number | undefined {
  const trimmed = value.trim()
  if (/^\d{1,10}$/.test(trimmed)) return Number(trimmed) * 1_000
  // Date.parse takes almost anything ("2026", "-1"); an HTTP date begins with the name of a day.
  const at = /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)/.test(trimmed) ? Date.parse(trimmed) : NaN
  return Number.isNaN(at) ? undefined : Math.max(0, at - wallNow)
}
