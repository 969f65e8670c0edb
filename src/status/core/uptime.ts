/**
 * Uptime from real traffic: of the requests that came, how many were served. Where none came, of the time of which something is known, how much it was ready.
 * Unknown time counts for neither side, and figures are rounded down: 99.999 % is never shown as 100 %.
 */
import type { DayView, UptimeDay } from '../types.ts'

const dayMs = 86_400_000
/** From there on a day is no longer plainly good. */
const operationalPercent = 99.9
const degradedPercent = 99
const operationalDownMs = 60_000
const degradedDownMs = 15 * 60_000

/** In percent, rounded down to four places; undefined: nothing is known. `spanMs`: how long the days are together. */
export function uptimePercent(days: readonly Omit<UptimeDay, 'day'>[], spanMs: number): number | undefined {
  const sums = { good: 0, bad: 0, downMs: 0, unknownMs: 0 }
  for (const { good, bad, downMs, unknownMs } of days) {
    sums.good += good
    sums.bad += bad
    sums.downMs += downMs
    sums.unknownMs += unknownMs
  }
  const requests = sums.good + sums.bad
  if (requests > 0) return floor(sums.good / requests)
  const known = spanMs - sums.unknownMs
  return known <= 0 ? undefined : floor(Math.max(0, 1 - sums.downMs / known))
}

const floor = (share: number): number => Math.floor(share * 1e6 + 1e-9) / 1e4

/** `2026-11-21` in UTC. */
export const dayOf = (at: number): string => new Date(at).toISOString().slice(0, 10)

/** The last `count` days, each with what is known of it; `now` ends the last. */
export function dayViews(known: readonly UptimeDay[], count: number, now: number): readonly DayView[] {
  const byDay = new Map(known.map((day) => [day.day, day]))
  return Array.from({ length: count }, (_, index) => {
    const day = dayOf(now - (count - 1 - index) * dayMs)
    return dayView(day, byDay.get(day), lengthOf(day, now))
  })
}

/** Today is as long as it has lasted. */
const lengthOf = (day: string, now: number): number => (day === dayOf(now) ? Math.max(1, now % dayMs) : dayMs)

function dayView(day: string, known: UptimeDay | undefined, lengthMs: number): DayView {
  const percent = known && uptimePercent([known], lengthMs)
  if (known === undefined || percent === undefined) return { day, state: 'unknown', percent: undefined, downMs: 0, unknownMs: lengthMs }
  return {
    day,
    state: stateOf(known.good + known.bad > 0 ? percent : 100, known.downMs),
    percent,
    downMs: known.downMs,
    unknownMs: Math.min(lengthMs, known.unknownMs),
  }
}

/** `percent`: of requests; of time it would say too much of the first minutes of a day. */
function stateOf(percent: number, downMs: number): DayView['state'] {
  if (percent >= operationalPercent && downMs < operationalDownMs) return 'operational'
  return percent >= degradedPercent && downMs < degradedDownMs ? 'degraded' : 'outage'
}

/** Of all days that are shown. */
export function overallPercent(known: readonly UptimeDay[], count: number, now: number): number | undefined {
  const shown = known.filter(({ day }) => day > dayOf(now - count * dayMs) && day <= dayOf(now))
  return uptimePercent(
    shown,
    shown.reduce((sum, { day }) => sum + lengthOf(day, now), 0),
  )
}
