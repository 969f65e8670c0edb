/**
 * How old a response is and for how long it is fresh (RFC 9111, 4.2). All times are milliseconds since 1970, as the proxy's own clock tells them; what an
 * origin says of time is taken as a difference only.
 */
import type { Control } from './control.ts'
import { parseDelta } from './directives.ts'
import { parseHttpDate } from './dates.ts'
import { single, type Fields } from './fields.ts'

/** When the request went out and its answer came in. */
export interface Exchanged {
  readonly requestTime: number
  readonly responseTime: number
}

export interface HeuristicOptions {
  /** Share of the time since `Last-Modified` that a response without a lifetime is fresh. 0: never (default). */
  readonly heuristic: number
}

const day = 86_400_000
/** RFC 9111, 4.2.2, has no limit; a day is what caches use. */
const heuristicMax = day
/** Status codes that may be kept without being told (RFC 9110, 15.1). */
const heuristicStatuses: ReadonlySet<number> = new Set([200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501])

/** Whether it may be kept although it says of no lifetime (RFC 9111, 3). */
export const keptUnasked = (status: number, directives: Control['directives']): boolean => heuristicStatuses.has(status) || directives.public

/** `Date`, or when it came: an origin without a clock sends none. */
export const dateOf = (response: Fields, { responseTime }: Exchanged): number =>
  parseHttpDate(single(response, 'date') ?? '', responseTime) ?? responseTime

/** The age that it had when it came in. An `Age` that is no number is none; of a list the first (RFC 9111, 5.1). */
export function initialAge(response: Fields, exchanged: Exchanged): number {
  const { requestTime, responseTime } = exchanged
  const apparent = Math.max(0, responseTime - dateOf(response, exchanged))
  const told = parseDelta(single(response, 'age')?.split(',')[0]?.trim()) ?? 0
  return Math.max(apparent, told * 1_000 + (responseTime - requestTime))
}

/** For how long it is fresh, from its birth; undefined: it does not say, and nothing may be guessed. */
export function lifetimeOf(status: number, response: Fields, control: Control, exchanged: Exchanged, options: HeuristicOptions): number | undefined {
  const { directives, targeted } = control
  const seconds = directives.sMaxage ?? directives.maxAge
  if (seconds !== undefined) return seconds * 1_000
  const date = dateOf(response, exchanged)
  const expires = targeted ? [] : response.all('expires')
  // Two that differ are invalid, and an invalid one is past (5.3).
  if (expires.length > 0) {
    const [first, ...rest] = expires
    if (rest.some((other) => other !== first)) return 0
    return Math.max(0, (parseHttpDate(first ?? '', exchanged.responseTime) ?? -Infinity) - date)
  }
  return heuristicLifetime(status, response, control, date, options)
}

function heuristicLifetime(
  status: number,
  response: Fields,
  { directives }: Control,
  date: number,
  { heuristic }: HeuristicOptions,
): number | undefined {
  if (heuristic === 0 || !keptUnasked(status, directives)) return undefined
  const modified = parseHttpDate(single(response, 'last-modified') ?? '', date)
  return modified === undefined || modified > date ? undefined : Math.min(heuristicMax, (date - modified) * heuristic)
}
