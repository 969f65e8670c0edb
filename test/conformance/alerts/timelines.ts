/**
 * Who is told what and when, beside a real Alertmanager: the same timelines by chance, all at once, posted to it as time goes by, and played to our dispatcher, for
 * which time is a number. The notifications of each group and webhook must be the same, one after the other: what fires, what is over, in which order, and when.
 *
 * Left out, as ours is meant to be different: `urgent` routes and `escalate` are switched off. What is empty is forgotten here after 30 seconds, there at the next of
 * its looks each 30 seconds: all is over before. Two differences in the meaning of routes are in `timelines-made.ts`.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { alertmanagerForm } from '../../../src/alerting/core/alertmanager-config.ts'
import { Dispatcher } from '../../../src/alerting/core/dispatcher.ts'
import { parseMatchers } from '../../../src/alerting/core/matchers.ts'
import { statusOf, timeOf } from '../../../src/alerting/core/notification.ts'
import type { PutAlert } from '../../../src/alerting/types.ts'
import { Prng } from '../../../src/kernel/random.ts'
import { Alertmanager } from '../../support/alertmanager.ts'
import { endsMs, inhibit, intervals, moved, policyOf, receivers, rootOf, timeline, type Happening, type Timeline } from './timelines-made.ts'

/** One notification, as the receiver has it. */
interface Told {
  readonly at: number
  /** Which fire and which are over, in their order. */
  readonly what: string
  /** When each began, and ended. */
  readonly times: readonly number[]
}

/** By webhook and group. */
type Streams = ReadonlyMap<string, readonly Told[]>

/** What happens is looked at in steps of this. */
const stepMs = 10
/** Two moments of a timeline are further apart. */
const toleranceMs = 300
/** What began or ended without a time of its own, did so when the words arrived. */
const timesToleranceMs = 300

export interface TimelineScore {
  readonly timelines: number
  readonly streams: number
  readonly notifications: number
  /** Of Alertmanager's after ours: the middle one, and the farthest off. */
  readonly lateMs: { readonly p50: number; readonly p99: number; readonly worst: number }
  readonly differences: readonly string[]
}

/** Takes `seconds` and a few. At most 27 s, before an Alertmanager forgets what is empty. */
export async function compareTimelines(count: number, seed: number, seconds: number): Promise<TimelineScore> {
  const random = new Prng(seed)
  const timelines = Array.from({ length: count }, (_, i) => timeline(random, i, seconds))
  const there = await theirs(timelines, seconds)
  const here = ours(timelines, seconds, there.origin)
  return compare(timelines, here, there.streams, seconds)
}

// --- ours ---------------------------------------------------------------------------------------------------------------

const due = (timelines: readonly Timeline[]): readonly Happening[] =>
  timelines.flatMap(({ happenings }) => happenings).toSorted((a, b) => a.at - b.at)

function ours(timelines: readonly Timeline[], seconds: number, origin: number): Streams {
  const dispatcher = new Dispatcher(policyOf(timelines))
  const silences = new Map<string, string>()
  const streams = new Streamed(timelines)
  const queue = [...due(timelines)].reverse()
  for (let at = 0; at <= (seconds + 1) * 1_000; at += stepMs) {
    const now = origin + at
    while ((queue.at(-1)?.at ?? Infinity) <= at) {
      const next = queue.pop()
      if (next === undefined) break
      if ('alerts' in next)
        dispatcher.put(
          next.alerts.map((put) => moved(put, origin)),
          now,
          (error) => {
            throw error
          },
        )
      else if ('silence' in next) {
        const draft = { matchers: parseMatchers(next.matchers), startsAt: now, endsAt: next.endsAt + origin, createdBy: 'test', comment: 'test' }
        silences.set(next.silence, dispatcher.silences.set(draft, now, () => next.silence).id)
      } else if (silenceRuns(dispatcher, silences.get(next.expire), now)) dispatcher.silences.expire(silences.get(next.expire) ?? '', now)
    }
    for (const order of dispatcher.tick(now).orders) {
      const alerts = order.alerts.map((alert) => ({ ...alert, status: statusOf(alert) }))
      dispatcher.sent(order, streams.take(order.integration, order.group.key, at, alerts, origin), now)
    }
  }
  return streams.all
}

const silenceRuns = (dispatcher: Dispatcher, id: string | undefined, now: number): boolean =>
  id !== undefined && (dispatcher.silences.get(id)?.endsAt ?? 0) > now

/** The receivers: they refuse the first few of each group where the timeline says so. */
class Streamed {
  readonly all = new Map<string, Told[]>()
  readonly #refusals: ReadonlyMap<string, number>

  constructor(timelines: readonly Timeline[]) {
    this.#refusals = new Map(timelines.map(({ name, refusals }) => [name, refusals]))
  }

  take(
    hook: string,
    groupKey: string,
    at: number,
    alerts: readonly { readonly fingerprint: string; readonly status: string; readonly startsAt: number; readonly endsAt: number }[],
    origin: number,
  ): boolean {
    const key = `${hook} ${groupKey}`
    const told = this.all.get(key) ?? []
    const accepts = told.length >= (this.#refusals.get(nameIn(groupKey)) ?? 0)
    const what = alerts.map(({ fingerprint, status }) => `${status === 'firing' ? '+' : '-'}${fingerprint.slice(0, 6)}`).join(' ')
    const times = alerts.flatMap(({ status, startsAt, endsAt }) => [startsAt - origin, status === 'firing' ? 0 : endsAt - origin])
    told.push({ at, what, times })
    this.all.set(key, told)
    return accepts
  }
}

const nameIn = (groupKey: string): string => /tl="(t\d+)"/.exec(groupKey)?.[1] ?? ''

// --- theirs -------------------------------------------------------------------------------------------------------------

interface Body {
  readonly groupKey: string
  readonly alerts: readonly { readonly status: string; readonly fingerprint: string; readonly startsAt: string; readonly endsAt: string }[]
}

async function theirs(timelines: readonly Timeline[], seconds: number): Promise<{ readonly origin: number; readonly streams: Streams }> {
  const streams = new Streamed(timelines)
  const state = { origin: 0 }
  const server = createServer((request, response) => {
    const at = Date.now() - state.origin
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      const { groupKey, alerts } = JSON.parse(Buffer.concat(parts).toString()) as Body
      const timed = alerts.map((alert) => ({ ...alert, startsAt: Date.parse(alert.startsAt), endsAt: Date.parse(alert.endsAt) }))
      const accepts = streams.take((request.url ?? '').slice(1), groupKey, at, timed, state.origin)
      response.writeHead(accepts ? 200 : 400).end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const alertmanager = await Alertmanager.start(configFor(timelines, `http://127.0.0.1:${port}/`))
  try {
    state.origin = Date.now() + 100
    await play(timelines, alertmanager.url, state.origin)
    await sleep(Math.max(0, state.origin + (seconds + 1) * 1_000 - Date.now()))
  } finally {
    await alertmanager.stop()
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
  return { origin: state.origin, streams: streams.all }
}

function configFor(timelines: readonly Timeline[], url: string): unknown {
  const { resolveTimeoutMs } = policyOf(timelines)
  return {
    ...alertmanagerForm({ root: rootOf(timelines), receivers, inhibit, timeIntervals: intervals, resolveTimeoutMs }),
    receivers: Object.entries(receivers).map(([name, integrations]) => ({
      name,
      webhook_configs: integrations.map(({ id, sendResolved }) => ({ url: `${url}${id}`, send_resolved: sendResolved })),
    })),
  }
}

/** Says what happens when it does. */
async function play(timelines: readonly Timeline[], url: string, origin: number): Promise<void> {
  const queue = [...due(timelines)].reverse()
  const silences = new Map<string, Promise<string>>()
  const saying: Promise<unknown>[] = []
  for (let next = queue.at(-1); next !== undefined; next = queue.at(-1)) {
    await sleep(Math.max(0, origin + next.at - Date.now()))
    const alerts: PutAlert[] = []
    for (; next !== undefined && next.at <= Date.now() - origin; next = queue.at(-1)) {
      queue.pop()
      if ('alerts' in next) alerts.push(...next.alerts)
      else if ('silence' in next) silences.set(next.silence, silence(url, next, origin))
      else saying.push(expire(url, silences.get(next.expire)))
    }
    const body = alerts.map((put) => asPosted(moved(put, origin)))
    if (body.length > 0) saying.push(say(`${url}/api/v2/alerts`, body))
  }
  await Promise.all([...saying, ...silences.values()])
}

const asPosted = ({ labels, annotations, startsAt, endsAt }: PutAlert): unknown => ({
  ...{ labels, annotations },
  ...(startsAt !== undefined && { startsAt: timeOf(startsAt) }),
  ...(endsAt !== undefined && { endsAt: timeOf(endsAt) }),
})

async function say(url: string, body: unknown): Promise<Response> {
  const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
  if (!response.ok) throw new Error(`posted to ${url}, was answered ${response.status}: ${await response.text()}`)
  return response
}

async function silence(url: string, { at, matchers, endsAt }: Extract<Happening, { readonly silence: string }>, origin: number): Promise<string> {
  const times = { startsAt: timeOf(origin + at), endsAt: timeOf(origin + endsAt) }
  const response = await say(`${url}/api/v2/silences`, { matchers: parseMatchers(matchers), ...times, createdBy: 'test', comment: 'test' })
  return ((await response.json()) as { silenceID: string }).silenceID
}

/** One that is over already cannot be ended. */
async function expire(url: string, id: Promise<string> | undefined): Promise<void> {
  const response = await fetch(`${url}/api/v2/silence/${await id}`, { method: 'DELETE' })
  const text = await response.text()
  if (!response.ok && !text.includes('already expired')) throw new Error(`tried to end a silence, was answered ${response.status}: ${text}`)
}

// --- side by side -------------------------------------------------------------------------------------------------------

function compare(timelines: readonly Timeline[], here: Streams, there: Streams, seconds: number): TimelineScore {
  const offsets = new Map(timelines.map(({ name, offset }) => [name, offset]))
  const differences: string[] = []
  const late: number[] = []
  const keys = [...new Set([...here.keys(), ...there.keys()])].sort()
  for (const key of keys) {
    // Where the last second counted ends, nothing is told.
    const end = (seconds - 1) * 1_000 + (offsets.get(nameIn(key)) ?? 0) + endsMs
    const [mine, other] = [here, there].map((streams) => (streams.get(key) ?? []).filter(({ at }) => at < end)) as [Told[], Told[]]
    const difference = firstDifference(mine, other)
    if (difference !== undefined) differences.push(`${key}: ${difference}\n  here  ${lines(mine)}\n  there ${lines(other)}`)
    else for (const [i, { at }] of other.entries()) late.push(at - (mine[i]?.at ?? 0))
  }
  late.sort((a, b) => Math.abs(a) - Math.abs(b))
  const part = (share: number): number => late[Math.max(0, Math.ceil(late.length * share) - 1)] ?? 0
  return {
    ...{ timelines: timelines.length, streams: keys.length, notifications: late.length },
    lateMs: { p50: part(0.5), p99: part(0.99), worst: part(1) },
    differences,
  }
}

function firstDifference(here: readonly Told[], there: readonly Told[]): string | undefined {
  for (let i = 0; i < Math.max(here.length, there.length); i++) {
    const [mine, other] = [here[i], there[i]]
    if (mine === undefined || other === undefined) return `${here.length} notifications here, ${there.length} there`
    if (mine.what !== other.what) return `notification ${i + 1} says something else`
    if (Math.abs(mine.at - other.at) > toleranceMs) return `notification ${i + 1} comes ${other.at - mine.at} ms later there`
    if (mine.times.some((time, j) => Math.abs(time - (other.times[j] ?? 0)) > timesToleranceMs)) return `notification ${i + 1} says other times`
  }
  return undefined
}

const lines = (told: readonly Told[]): string => told.map(({ at, what, times }) => `[${at}: ${what} (${times.join(',')})]`).join(' ')
