/**
 * Gathers what is known of the endpoints of one service over all workers, and says whose standing has changed so far that everybody should hear
 * of it. Every second:
 *
 *   counts of the workers ──▶ share of errors, median time to the first byte (of the last seconds) ─┐
 *   probes, reports of the instance, restarts ──────────────────────────────────────────────────────┴──▶ Standing ──told when it matters
 *
 * Also when slow start begins and ends, since that is the same for all workers too. Machine without I/O, time is an argument.
 */
import { Histogram, quantile, type HistogramData } from '../../kernel/histogram.ts'
import type { BalanceAlgorithm } from '../../config/types.ts'
import { standingShare, wellStanding, type Standing } from './weight.ts'
import type { EndpointView } from './routing-view.ts'

/** What is older counts no more than half, and after twice as long not at all. */
export const recentMs = 5_000
/** With fewer requests a share of errors says nothing, nor does a median. */
const requestsMin = 20
/** A difference that nobody feels is none, whatever the ratio. */
const feltUs = 20_000
/** A restart costs a tenth of the weight, and is forgotten over this time. */
const restartMemoryMs = 600_000
const restartLoss = 0.1
const restartLossMax = 0.5
/** Shares that differ less are not worth a message to every worker. */
const shareStep = 0.05
/** Slow start ends early after so many answers that were not slower than this multiple of the median of the others. */
const warmAnswersMin = 50
const warmSlownessMax = 1.5

/** What else is known of an endpoint at this moment. */
export interface Circumstances {
  readonly lagMs: number
  readonly heapShare: number
  readonly failedProbes: number
  readonly probesToFall: number
  /** Share of its weight that it asks for itself; undefined: all of it. */
  readonly askedShare?: number | undefined
}

export interface StandingRules {
  readonly algorithm: BalanceAlgorithm
  readonly slowStartMs: number
  /** Whatever is known takes nothing from a weight. */
  readonly configuredWeights?: boolean | undefined
}

interface Entry {
  readonly joinedAt: number
  restarts: number
  /** Of the last seconds, and of those before. */
  requests: [number, number]
  errors: [number, number]
  times: [Histogram, Histogram]
  /** Median time to the first byte in microseconds; undefined: too few answers of late. */
  median: number | undefined
  answers: number
  warmSince: number
  warmUntil: number
  told: Standing
}

/** One that has just joined, or came back. */
export interface Warming {
  readonly id: string
  readonly ageMs: number
  /** 0: it is over. */
  readonly windowMs: number
}

export class StandingBook {
  #rules: StandingRules
  #entries = new Map<string, Entry>()
  #turnAt: number
  /** The (lower) middle one of all medians. */
  #middle = 1

  constructor(rules: StandingRules, now: number) {
    this.#rules = rules
    this.#turnAt = now + recentMs
  }

  /** The endpoints of a new view. Those that stay keep what is known of them; of those that come to others each starts slowly. */
  setPool(rules: StandingRules, views: readonly EndpointView[], now: number): void {
    const first = this.#entries.size === 0
    this.#rules = rules
    const before = this.#entries
    this.#entries = new Map(views.map((view) => [view.id, before.get(view.id) ?? newEntry(now, first ? 0 : rules.slowStartMs)]))
    for (const { id, restarts = 0 } of views) this.#entries.get(id)!.restarts = restarts
  }

  counted(id: string, requests: number, errors: number, times: HistogramData): void {
    const entry = this.#entries.get(id)
    if (!entry) return
    entry.requests[0] += requests
    entry.errors[0] += errors
    entry.answers += times.count
    if (times.count > 0) entry.times[0].add(times)
  }

  /** It was down, and is up again: it starts slowly. */
  revived(id: string, now: number): Warming | undefined {
    const entry = this.#entries.get(id)
    const windowMs = this.#rules.slowStartMs
    if (!entry || windowMs === 0) return undefined
    entry.warmSince = now
    entry.warmUntil = now + windowMs
    entry.answers = 0
    return { id, ageMs: 0, windowMs }
  }

  /** What a worker that begins must know. */
  warming(now: number): readonly Warming[] {
    const windowMs = this.#rules.slowStartMs
    return [...this.#entries].flatMap(([id, { warmSince, warmUntil }]) => (now < warmUntil ? [{ id, ageMs: now - warmSince, windowMs }] : []))
  }

  told(id: string): Standing {
    return this.#entries.get(id)?.told ?? wellStanding
  }

  /** Those that are not well, as they were told. */
  get notable(): readonly (readonly [string, Standing])[] {
    return [...this.#entries].flatMap(([id, { told }]) => (told === wellStanding ? [] : [[id, told] as const]))
  }

  /** The standing of one endpoint, when it has changed so far that workers should hear of it. */
  look(id: string, circumstances: Circumstances, now: number): Standing | undefined {
    const entry = this.#entries.get(id)
    if (!entry) return undefined
    const standing = this.#rules.configuredWeights === true ? asAsked(circumstances) : this.#standing(entry, circumstances, now)
    if (!worthTelling(entry.told, standing)) return undefined
    entry.told = standingShare(standing) === 1 ? wellStanding : standing
    return entry.told
  }

  /** What time brings: older counts fade, and whoever has proven itself needs no slow start. */
  sweep(now: number): readonly Warming[] {
    for (const entry of this.#entries.values()) entry.median = medianOf(entry)
    const medians = [...this.#entries.values()].flatMap(({ median }) => median ?? []).toSorted((a, b) => a - b)
    this.#middle = Math.max(1, medians[Math.floor((medians.length - 1) / 2)] ?? 1)
    const over: Warming[] = []
    for (const [id, entry] of this.#entries) {
      if (now >= entry.warmUntil || entry.answers < warmAnswersMin || this.#slowness(entry, 0) > warmSlownessMax) continue
      entry.warmUntil = -Infinity
      over.push({ id, ageMs: 0, windowMs: 0 })
    }
    if (now >= this.#turnAt) {
      this.#turnAt = now + recentMs
      for (const entry of this.#entries.values()) fade(entry)
    }
    return over
  }

  #standing(entry: Entry, circumstances: Circumstances, now: number): Standing {
    const requests = entry.requests[0] + entry.requests[1]
    const errors = entry.errors[0] + entry.errors[1]
    const age = now - entry.joinedAt
    const loss = Math.min(restartLossMax, entry.restarts * restartLoss) * Math.max(0, 1 - age / restartMemoryMs)
    return {
      ...circumstances,
      errorShare: requests < requestsMin ? 0 : Math.min(1, errors / requests),
      // Who chooses by latency needs no weight for it.
      slowness: this.#rules.algorithm === 'p2c-ewma' ? 1 : this.#slowness(entry, feltUs),
      restartLoss: loss,
    }
  }

  /** Its median as a multiple of that of the pool; 1 where that is unknown, or the difference at most `least` µs. */
  #slowness({ median }: Entry, least: number): number {
    if (median === undefined || this.#entries.size < 2 || median - this.#middle <= least) return 1
    return median / this.#middle
  }
}

/** What it asks for itself is no guess of ours. */
const asAsked = ({ askedShare }: Circumstances): Standing => (askedShare === undefined ? wellStanding : { ...wellStanding, askedShare })

const newEntry = (now: number, warmMs: number): Entry => ({
  joinedAt: now,
  restarts: 0,
  requests: [0, 0],
  errors: [0, 0],
  times: [new Histogram(), new Histogram()],
  median: undefined,
  answers: 0,
  warmSince: now,
  warmUntil: warmMs > 0 ? now + warmMs : -Infinity,
  told: wellStanding,
})

function fade(entry: Entry): void {
  entry.requests = [0, entry.requests[0]]
  entry.errors = [0, entry.errors[0]]
  const [recent, older] = entry.times
  older.reset()
  entry.times = [older, recent]
}

function medianOf({ times: [recent, older] }: Entry): number | undefined {
  if (recent.count + older.count < requestsMin) return undefined
  const both = new Histogram()
  both.add(recent.data())
  both.add(older.data())
  return quantile(both.data(), 0.5)
}

function worthTelling(told: Standing, now: Standing): boolean {
  const before = standingShare(told)
  const after = standingShare(now)
  return before !== after && (after === 1 || before === 1 || Math.abs(before - after) >= shareStep)
}
