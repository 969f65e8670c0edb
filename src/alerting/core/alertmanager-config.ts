/** Our routes in the form of Alertmanager's configuration, for tools that read that; receivers by name only, so that no secret is in it. */
import type { InhibitRule } from './inhibition.ts'
import { written } from './matchers.ts'
import type { RouteConfig } from './routes.ts'
import type { NumberRange, TimeInterval } from './time-intervals.ts'

export interface Configured {
  readonly root: RouteConfig & { readonly receiver: string }
  readonly receivers: Readonly<Record<string, unknown>>
  readonly inhibit: readonly InhibitRule[]
  readonly timeIntervals: Readonly<Record<string, readonly TimeInterval[]>>
  readonly resolveTimeoutMs: number
}

/** Alertmanager wants a receiver at the root; this one tells nobody. */
export const nobody = 'shown-only'

/** To be written as YAML. */
export function alertmanagerForm({ root, receivers, inhibit, timeIntervals, resolveTimeoutMs }: Configured): Record<string, unknown> {
  const names = [...Object.keys(receivers), ...(root.receiver === '' ? [nobody] : [])]
  const intervals = Object.entries(timeIntervals).map(([name, each]) => ({ name, time_intervals: each.map(intervalForm) }))
  return {
    global: { resolve_timeout: duration(resolveTimeoutMs) },
    route: routeForm(root.receiver === '' ? { ...root, receiver: nobody } : root),
    inhibit_rules: inhibit.map(({ source, target, equal }) => ({
      source_matchers: source.map(written),
      target_matchers: target.map(written),
      equal,
    })),
    receivers: names.map((name) => ({ name })),
    ...(intervals.length > 0 && { time_intervals: intervals }),
  }
}

function routeForm(route: RouteConfig): Record<string, unknown> {
  const { receiver, groupBy, matchers = [], routes = [], muteTimes = [], activeTimes = [] } = route
  return {
    ...(receiver !== undefined && { receiver }),
    ...(groupBy !== undefined && { group_by: groupBy === '...' ? ['...'] : groupBy }),
    ...(route.continue === true && { continue: true }),
    ...(matchers.length > 0 && { matchers: matchers.map(written) }),
    ...(muteTimes.length > 0 && { mute_time_intervals: muteTimes }),
    ...(activeTimes.length > 0 && { active_time_intervals: activeTimes }),
    ...(route.groupWaitMs !== undefined && { group_wait: duration(route.groupWaitMs) }),
    ...(route.groupIntervalMs !== undefined && { group_interval: duration(route.groupIntervalMs) }),
    ...(route.repeatIntervalMs !== undefined && { repeat_interval: duration(route.repeatIntervalMs) }),
    ...(routes.length > 0 && { routes: routes.map(routeForm) }),
  }
}

const duration = (ms: number): string => (ms % 1_000 === 0 ? `${ms / 1_000}s` : `${ms}ms`)

const two = (n: number): string => String(n).padStart(2, '0')
const clock = (minute: number): string => `${two(Math.floor(minute / 60))}:${two(minute % 60)}`
const days = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday']

function intervalForm({ times, weekdays, daysOfMonth, months, years, location }: TimeInterval): Record<string, unknown> {
  const ranges = (list: readonly NumberRange[], text: (n: number) => string = String): string[] =>
    list.map(({ from, to }) => (from === to ? text(from) : `${text(from)}:${text(to)}`))
  return {
    ...(times.length > 0 && { times: times.map(({ from, to }) => ({ start_time: clock(from), end_time: clock(to) })) }),
    ...(weekdays.length > 0 && { weekdays: ranges(weekdays, (n) => days[n] ?? '') }),
    ...(daysOfMonth.length > 0 && { days_of_month: ranges(daysOfMonth) }),
    ...(months.length > 0 && { months: ranges(months) }),
    ...(years.length > 0 && { years: ranges(years) }),
    ...(location !== 'UTC' && { location }),
  }
}
