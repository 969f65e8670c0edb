/**
 * What each service served and failed, day by day (UTC), and how long nothing of it was ready, or nothing was known. Counts come from the data plane, which
 * counts since it started and outlives the control process: what it did meanwhile is the difference to what was written down last, so nothing is lost and
 * nothing counted twice. Another balancer (another pid or start) counts from zero.
 */
import { dayMs } from './steps.ts'

export interface ServiceCounts {
  /** Answers that are not 5xx. */
  readonly good: number
  readonly bad: number
}

/** What a balancer has counted since it started. */
export interface Totals {
  readonly pid: number
  readonly startedAt: number
  readonly at: number
  readonly services: Readonly<Record<string, ServiceCounts>>
}

export interface Day extends ServiceCounts {
  /** `2026-11-21`, UTC. */
  readonly day: string
  readonly unknownMs: number
  readonly downMs: number
}

export interface ServiceDay extends Day {
  readonly service: string
}

/** Between two ticks; more is a gap. */
const tickMax = 5_000
/** What was never ready yet may take so long to start before that counts as its being down. */
const startMs = 60_000
/** A balancer that is older than this when it is met for the first time has counted what is not ours to tell of. */
const strangerMs = 15_000

const dayOf = (at: number): string => new Date(at).toISOString().slice(0, 10)

export interface BookNotes {
  readonly totals: Totals | undefined
  readonly lastAt: number | undefined
}

export class UptimeBook {
  readonly #services = new Map<string, Map<string, Day>>()
  readonly #changed = new Map<string, ServiceDay>()
  /** Those that start for the first time, and when they were met. */
  readonly #starting = new Map<string, number>()
  #totals: Totals | undefined
  #lastAt: number | undefined
  /** Not known yet whether the balancer went on counting meanwhile. */
  #gap: { from: number; to: number } | undefined

  restore(days: readonly ServiceDay[], notes: BookNotes): void {
    for (const { service, ...day } of days) this.#daysOf(service).set(day.day, day)
    this.#totals = notes.totals
    this.#lastAt = notes.lastAt
  }

  get notes(): BookNotes {
    return { totals: this.#totals, lastAt: this.#lastAt }
  }

  /** Days that are other than when `saved` was called last. */
  get unsaved(): readonly ServiceDay[] {
    return [...this.#changed.values()]
  }

  /** Of all services. */
  all(): readonly ServiceDay[] {
    return [...this.#services].flatMap(([service, days]) => [...days.values()].map((day) => ({ ...day, service })))
  }

  saved(days: readonly ServiceDay[]): void {
    for (const day of days) if (this.#changed.get(`${day.day} ${day.service}`) === day) this.#changed.delete(`${day.day} ${day.service}`)
  }

  /** What came since the totals before, by service. */
  count(now: Totals, at: number): ReadonlyMap<string, ServiceCounts> {
    const before = this.#totals
    const same = before?.pid === now.pid && before.startedAt === now.startedAt
    this.#settleGap(same)
    this.#totals = now
    const since = new Map<string, ServiceCounts>()
    const unknown = before === undefined && now.at - now.startedAt > strangerMs
    for (const [service, { good, bad }] of Object.entries(now.services)) {
      const from = same ? (before.services[service] ?? none) : unknown ? { good, bad } : none
      const counts = { good: Math.max(0, good - from.good), bad: Math.max(0, bad - from.bad) }
      since.set(service, counts)
      if (counts.good + counts.bad > 0) this.#add(service, dayOf(at), counts)
    }
    return since
  }

  /** Once a second. `known`: the balancer is in reach. */
  tick(at: number, services: readonly { readonly name: string; readonly unavailable: boolean }[], known: boolean): void {
    const before = this.#lastAt
    this.#lastAt = at
    const elapsed = before === undefined ? 0 : Math.max(0, at - before)
    if (before !== undefined && elapsed > tickMax) this.#gap ??= { from: before, to: at }
    for (const { name, unavailable } of services) {
      if (!this.#services.has(name)) {
        this.#add(name, dayOf(at), { unknownMs: at % dayMs })
        if (unavailable) this.#starting.set(name, at)
        continue
      }
      const isStarting = unavailable && at - (this.#starting.get(name) ?? -Infinity) < startMs
      if (!isStarting) this.#starting.delete(name)
      if (elapsed > tickMax || this.#gap) continue
      if (!known || isStarting) this.#add(name, dayOf(at), { unknownMs: elapsed })
      else if (unavailable) this.#add(name, dayOf(at), { downMs: elapsed })
      else if (this.#daysOf(name).get(dayOf(at)) === undefined) this.#add(name, dayOf(at), {})
    }
  }

  /** Bridged by a balancer that went on, or time of which nothing is known. */
  #settleGap(bridged: boolean): void {
    const gap = this.#gap
    this.#gap = undefined
    if (gap === undefined || bridged) return
    for (const service of this.#services.keys()) {
      for (let from = gap.from; from < gap.to; from = (Math.floor(from / dayMs) + 1) * dayMs) {
        const to = Math.min(gap.to, (Math.floor(from / dayMs) + 1) * dayMs)
        this.#add(service, dayOf(from), { unknownMs: to - from })
      }
    }
  }

  /** The last `count` days up to that of `at`, oldest first; of some nothing may be known. */
  days(service: string, count: number, at: number): readonly Day[] {
    const since = dayOf(at - (count - 1) * dayMs)
    const until = dayOf(at)
    const days = [...(this.#services.get(service)?.values() ?? [])].filter(({ day }) => day >= since && day <= until)
    return days.toSorted((a, b) => (a.day < b.day ? -1 : 1))
  }

  /** The newest so many of each service stay. */
  keep(count: number): void {
    for (const days of this.#services.values()) {
      for (const day of [...days.keys()].toSorted().slice(0, Math.max(0, days.size - count))) days.delete(day)
    }
  }

  #daysOf(service: string): Map<string, Day> {
    let days = this.#services.get(service)
    if (days === undefined) this.#services.set(service, (days = new Map<string, Day>()))
    return days
  }

  #add(service: string, day: string, more: Partial<Omit<Day, 'day'>>): void {
    const days = this.#daysOf(service)
    const { good, bad, unknownMs, downMs } = days.get(day) ?? { ...none, unknownMs: 0, downMs: 0 }
    const sum = {
      day,
      good: good + (more.good ?? 0),
      bad: bad + (more.bad ?? 0),
      unknownMs: unknownMs + (more.unknownMs ?? 0),
      downMs: downMs + (more.downMs ?? 0),
    }
    days.set(day, sum)
    this.#changed.set(`${day} ${service}`, { ...sum, service })
  }
}

const none: ServiceCounts = { good: 0, bad: 0 }
