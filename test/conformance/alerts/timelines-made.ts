/**
 * Alert timelines by chance: what fires, ends, fires again, is silenced and inhibited, through routes, groups and receivers by chance, as one configuration.
 *
 * One is compared with what another program does in real time, so no outcome may hang on which of two things a few milliseconds apart came first. Each second of a
 * timeline has three moments: groups are looked at in the first, what happens happens in the second, what ends by itself ends in the third.
 */
import type { Policy } from '../../../src/alerting/core/dispatcher.ts'
import { parseMatchers } from '../../../src/alerting/core/matchers.ts'
import { routeTree, type RouteConfig } from '../../../src/alerting/core/routes.ts'
import type { PutAlert } from '../../../src/alerting/types.ts'
import { between, chance, type Prng } from '../../../src/kernel/random.ts'

const second = 1_000
/** After the first moment of a second. */
const happensMs = 330
export const endsMs = 660
const untilFlushMs = second - happensMs
const resolveTimeoutMs = 3 * second + (endsMs - happensMs)

/** Times are milliseconds since all began. */
export type Happening =
  | { readonly at: number; readonly alerts: readonly PutAlert[] }
  | { readonly at: number; readonly silence: string; readonly matchers: string; readonly endsAt: number }
  | { readonly at: number; readonly expire: string }

export interface Timeline {
  readonly name: string
  /** When its seconds begin. */
  readonly offset: number
  readonly route: RouteConfig
  readonly happenings: readonly Happening[]
  /** Its receivers refuse the first few of each group. */
  readonly refusals: number
}

function pick<T>(random: Prng, list: readonly [T, ...T[]]): T {
  return list[Math.floor(random.next() * list.length)] ?? list[0]
}

/** Each integration is a webhook of this number. */
export const receivers: Readonly<Record<string, readonly { readonly id: string; readonly sendResolved: boolean }[]>> = {
  both: [{ id: '1', sendResolved: true }],
  firing: [{ id: '2', sendResolved: false }],
  pair: [
    { id: '3', sendResolved: true },
    { id: '4', sendResolved: false },
  ],
  nobody: [],
}

type GroupBy = NonNullable<RouteConfig['groupBy']>
/** Of a child: Alertmanager takes an empty list there for none, and gives it its parent's; ours makes one group. */
const childGroupings: readonly [GroupBy, ...GroupBy[]] = [['alertname'], ['alertname', 'service'], ['service', 'missing'], '...']
const groupings: readonly [GroupBy, ...GroupBy[]] = [[], ...childGroupings]
const always = { times: [], weekdays: [], daysOfMonth: [], months: [], years: [], location: 'UTC' }
const never = { ...always, years: [{ from: 1999, to: 2000 }] }
export const intervals = { always: [always], never: [never] }

export function timeline(random: Prng, number: number, seconds: number): Timeline {
  const name = `t${number}`
  const offset = between(random, 0, 99) * 10
  const isEarly = chance(random, 0.2)
  return {
    name,
    offset,
    route: routeFor(random, name, isEarly),
    happenings: happenings(random, name, seconds, isEarly).map((each) => later(each, offset)),
    refusals: chance(random, 0.15) ? between(random, 1, 2) : 0,
  }
}

function later(happening: Happening, by: number): Happening {
  const at = happening.at + by
  if ('expire' in happening) return { ...happening, at }
  if ('silence' in happening) return { ...happening, at, endsAt: happening.endsAt + by }
  return { at, alerts: happening.alerts.map((put) => moved(put, by)) }
}

export const moved = (put: PutAlert, by: number): PutAlert => ({
  ...put,
  ...(put.startsAt !== undefined && { startsAt: put.startsAt + by }),
  ...(put.endsAt !== undefined && { endsAt: put.endsAt + by }),
})

/** An early group is looked at as soon as it is there: it waits for nothing, or its first alert has waited long already. */
function routeFor(random: Prng, name: string, isEarly: boolean): RouteConfig {
  const children = isEarly || chance(random, 0.7) ? [] : matchersOf(random).map((matchers) => childFor(random, matchers))
  return {
    ...optionsFor(random),
    ...(isEarly && { groupBy: [], groupWaitMs: chance(random, 0.5) ? 0 : between(random, 1, 3) * second }),
    matchers: parseMatchers(`tl="${name}"`),
    routes: children,
  }
}

/** Two children with the same matchers, groups and receiver share there what was told; here each has its own. */
function matchersOf(random: Prng): readonly string[] {
  const one = pick(random, childMatchers)
  const other = pick(random, childMatchers)
  return one === other ? [one] : [one, other]
}

const childMatchers = ['service="x"', 'severity=~"crit.*"', 'alertname!="A"', 'instance=~"1|2"'] as const

function optionsFor(random: Prng): RouteConfig & { readonly receiver: string } {
  return {
    receiver: pick(random, ['both', 'both', 'firing', 'pair']),
    groupBy: pick(random, groupings),
    groupWaitMs: between(random, 0, 3) * second + untilFlushMs,
    groupIntervalMs: between(random, 1, 4) * second,
    // Between two looks, so that it is plain at which of them it is over.
    repeatIntervalMs: pick(random, [1, 2, 4, 7, 60]) * second + second / 2,
  }
}

function childFor(random: Prng, matchers: string): RouteConfig {
  const own = { ...optionsFor(random), groupBy: pick(random, childGroupings) }
  return {
    ...(chance(random, 0.6) ? own : { receiver: own.receiver }),
    matchers: parseMatchers(matchers),
    continue: chance(random, 0.5),
    ...(chance(random, 0.15) && { muteTimes: [pick(random, ['always', 'never'])] }),
    ...(chance(random, 0.15) && { activeTimes: [pick(random, ['always', 'never'])] }),
  }
}

interface Known {
  readonly labels: PutAlert['labels']
  /** When it last fired; undefined: never. */
  startsAt: number | undefined
}

function happenings(random: Prng, name: string, seconds: number, isEarly: boolean): readonly Happening[] {
  const isInhibited = chance(random, 0.3)
  const alerts = Array.from({ length: between(random, 1, 5) }, (_, i): Known => ({
    labels: {
      ...{
        alertname: pick(random, ['A', 'B']),
        service: pick(random, ['x', 'y']),
        instance: String(i),
        severity: pick(random, ['warning', 'critical']),
      },
      ...{ tl: name, ...(isInhibited && { kind: 'inhibits' }) },
    },
    startsAt: undefined,
  }))
  const made: Happening[] = []
  const [firstAlert] = alerts
  if (isEarly && firstAlert !== undefined) {
    firstAlert.startsAt = -10 * second
    made.push({ at: 0, alerts: [{ labels: firstAlert.labels, annotations: {}, startsAt: -10 * second, endsAt: 3_600 * second }] })
  }
  const open: string[] = []
  for (let at = happensMs + between(random, 0, 1) * second; at < (seconds - 2) * second; at += pick(random, [1, 1, 1, 2, 2, 3, 5, 8]) * second) {
    const draw = random.next()
    if (draw < 0.07) {
      const silence = `${name}s${made.length}`
      const matchers = `tl="${name}",${pick(random, ['instance="0"', 'service="x"', 'alertname=~"A|C"', 'severity!="warning"'])}`
      made.push({ at, silence, matchers, endsAt: at + between(random, 1, 6) * second + (endsMs - happensMs) })
      open.push(silence)
    } else if (draw < 0.1 && open.length > 0) made.push({ at, expire: open.pop() ?? '' })
    else
      made.push({ at, alerts: alerts.filter(() => chance(random, alerts.length === 1 ? 1 : 0.5)).map((alert) => change(random, alert, at, isEarly)) })
  }
  return made
}

/** It fires, fires on, or ends. */
function change(random: Prng, alert: Known, at: number, isEarly: boolean): PutAlert {
  const put = { labels: alert.labels, annotations: { at: String(at) } }
  const draw = random.next()
  if (draw < 0.4) return { ...put, ...(chance(random, 0.7) && { startsAt: alert.startsAt }), endsAt: at }
  // What has begun long ago is told of at once, which early groups are for.
  const isOld = isEarly && chance(random, 0.2)
  alert.startsAt = isOld ? at - 5 * second : at
  const startsAt = chance(random, 0.7) ? { startsAt: alert.startsAt } : {}
  if (draw < 0.6) return { ...put, ...startsAt }
  if (draw < 0.88) return { ...put, ...startsAt, endsAt: at + 3_600 * second }
  // With a beginning: without one it would begin when it ends, and that is when what was put before times out.
  return { ...put, startsAt: alert.startsAt, endsAt: at + between(random, 1, 6) * second + (endsMs - happensMs) }
}

export const inhibit = [
  { source: parseMatchers('kind="inhibits",severity="critical"'), target: parseMatchers('kind="inhibits",severity="warning"'), equal: ['tl'] },
  {
    source: parseMatchers('kind="inhibits",service="x",instance="0"'),
    target: parseMatchers('kind="inhibits",service="x"'),
    equal: ['tl', 'alertname'],
  },
]

export const rootOf = (timelines: readonly Timeline[]): RouteConfig & { readonly receiver: string } => ({
  receiver: 'nobody',
  routes: timelines.map(({ route }) => route),
})

export const policyOf = (timelines: readonly Timeline[]): Policy => ({
  root: routeTree(rootOf(timelines)),
  inhibit,
  intervals,
  receivers,
  resolveTimeoutMs,
})
