/** Times of the week and the year in which a route is silent, or active (Alertmanager, timeinterval): each list that is given must hold the moment; an empty one holds all. */

/** Both ends are in it, except the last minute of times. */
export interface NumberRange {
  readonly from: number
  readonly to: number
}

export interface TimeInterval {
  /** Minutes of the day; `to` is not in it. */
  readonly times: readonly NumberRange[]
  /** 0: Sunday. */
  readonly weekdays: readonly NumberRange[]
  /** From 1; negative ones count from the end of the month: -1 is its last day. */
  readonly daysOfMonth: readonly NumberRange[]
  /** From 1. */
  readonly months: readonly NumberRange[]
  readonly years: readonly NumberRange[]
  /** Name of a time zone: `Europe/Berlin`. */
  readonly location: string
}

interface LocalTime {
  readonly year: number
  readonly month: number
  readonly day: number
  readonly weekday: number
  readonly minute: number
}

/** At `at`, wall time in milliseconds. */
export function holds(interval: TimeInterval, at: number): boolean {
  const { year, month, day, weekday, minute } = localTime(at, interval.location)
  const length = new Date(Date.UTC(year, month, 0)).getUTCDate()
  return (
    within(interval.times, (range) => minute >= range.from && minute < range.to) &&
    within(interval.weekdays, (range) => weekday >= range.from && weekday <= range.to) &&
    within(interval.daysOfMonth, (range) => isOnDay(range, day, length)) &&
    within(interval.months, (range) => month >= range.from && month <= range.to) &&
    within(interval.years, (range) => year >= range.from && year <= range.to)
  )
}

const within = (ranges: readonly NumberRange[], test: (range: NumberRange) => boolean): boolean => ranges.length === 0 || ranges.some(test)

function isOnDay({ from, to }: NumberRange, day: number, length: number): boolean {
  const counted = (end: number): number => (end < 0 ? length + end + 1 : end)
  const first = counted(from)
  if (first > length) return false
  return day >= Math.max(first, -length) && day <= Math.min(counted(to), length)
}

const formats = new Map<string, Intl.DateTimeFormat>()
const weekdays = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']

/** Whether this is the name of a time zone. */
export function isLocation(name: string): boolean {
  try {
    formatOf(name)
    return true
  } catch {
    return false
  }
}

function formatOf(location: string): Intl.DateTimeFormat {
  const known = formats.get(location)
  if (known) return known
  const numeric = { year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric' } as const
  const made = new Intl.DateTimeFormat('en-US', { timeZone: location, weekday: 'short', hourCycle: 'h23', ...numeric })
  formats.set(location, made)
  return made
}

function localTime(at: number, location: string): LocalTime {
  const parts = Object.fromEntries(
    formatOf(location)
      .formatToParts(at)
      .map(({ type, value }) => [type, value]),
  )
  const number = (name: string): number => Number(parts[name])
  return {
    year: number('year'),
    month: number('month'),
    day: number('day'),
    weekday: weekdays.indexOf(parts.weekday ?? ''),
    minute: number('hour') * 60 + number('minute'),
  }
}
