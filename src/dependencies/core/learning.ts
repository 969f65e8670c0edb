/**
 * Needs that nobody wrote down: who is seen to call whom, and who holds connections to whom. Counts fade, so that what has not happened for a week has gone.
 *
 *   seen ──seen again, and at least 1 % of what the caller does──▶ believed ──less than half of that, or not seen for a week──▶ forgotten
 *
 * Calls and connections are held against their own kind only: a service that makes a thousand calls a minute needs its one connection to a database no less.
 */
import type { Seen } from '../types.ts'

export type SeenKind = 'calls' | 'connections'

/** Shares from which a need is believed, and below which no longer. Source: handbook of alerting, "≥ 1 % of calls in 7 days". */
export const shareMin = 0.01
const shareKept = shareMin / 2
export const windowMs = 7 * 86_400_000
/** Seen so many times a need is no accident, such as somebody trying out an address by hand. */
export const sightingsMin = 3
/** Pairs that are kept; the ones seen longest ago go. */
export const pairsMax = 2_000

interface Pair {
  readonly from: string
  readonly to: string
  readonly kind: SeenKind
  /** Fades with the window; as of `lastAt`. */
  weight: number
  sightings: number
  readonly firstAt: number
  lastAt: number
  believed: boolean
}

/** As it is stored. */
export type SavedPair = readonly [
  from: string,
  to: string,
  kind: SeenKind,
  weight: number,
  sightings: number,
  firstAt: number,
  lastAt: number,
  believed: 0 | 1,
]

export interface Learned extends Seen {
  readonly from: string
  readonly to: string
  readonly kind: SeenKind
}

export interface LearningChange {
  readonly type: 'learned' | 'forgotten'
  readonly from: string
  readonly to: string
  readonly kind: SeenKind
  readonly count: number
  readonly share: number
}

export class Learning {
  readonly #pairs = new Map<string, Pair>()

  /** Once for each look: `count` calls since the last one, or 1 for a connection that is open. */
  see(from: string, to: string, kind: SeenKind, count: number, now: number): void {
    if (from === to || count <= 0) return
    const key = keyOf(from, to, kind)
    const pair = this.#pairs.get(key) ?? { from, to, kind, weight: 0, sightings: 0, firstAt: now, lastAt: now, believed: false }
    // Moved to the end: the first ones are those seen longest ago.
    this.#pairs.delete(key)
    pair.weight = faded(pair, now) + count
    pair.sightings++
    pair.lastAt = Math.max(pair.lastAt, now)
    this.#pairs.set(key, pair)
    if (this.#pairs.size > pairsMax) this.#pairs.delete(this.#pairs.keys().next().value!)
  }

  /** What is believed from now on, and what no longer. `known`: whether there still is such a node. */
  settle(now: number, known: (name: string) => boolean): readonly LearningChange[] {
    const totals = this.#totals(now)
    const changes: LearningChange[] = []
    for (const [key, pair] of this.#pairs) {
      const { from, to, kind } = pair
      const count = faded(pair, now)
      const share = shareOf(count, totals.get(keyOf(from, '', kind)))
      const gone = now - pair.lastAt > windowMs || !known(from) || !known(to)
      const believed = !gone && (pair.believed ? share >= shareKept : pair.sightings >= sightingsMin && share >= shareMin)
      if (believed !== pair.believed) changes.push({ type: believed ? 'learned' : 'forgotten', from, to, kind, count: Math.round(count), share })
      pair.believed = believed
      if (gone) this.#pairs.delete(key)
    }
    return changes
  }

  /** Everything that is believed. */
  learned(now: number): readonly Learned[] {
    const totals = this.#totals(now)
    return [...this.#pairs.values()].flatMap((pair) => {
      const { from, to, kind, firstAt, lastAt, believed } = pair
      if (!believed) return []
      const count = faded(pair, now)
      return [{ from, to, kind, firstAt, lastAt, count: Math.round(count), share: shareOf(count, totals.get(keyOf(from, '', kind))) }]
    })
  }

  /** How much each caller is known to have done in all. */
  byCaller(now: number): ReadonlyMap<string, number> {
    const sums = new Map<string, number>()
    for (const pair of this.#pairs.values()) sums.set(pair.from, (sums.get(pair.from) ?? 0) + faded(pair, now))
    return sums
  }

  save(): readonly SavedPair[] {
    return [...this.#pairs.values()].map(({ from, to, kind, weight, sightings, firstAt, lastAt, believed }) => [
      from,
      to,
      kind,
      Math.round(weight * 100) / 100,
      sightings,
      firstAt,
      lastAt,
      believed ? 1 : 0,
    ])
  }

  restore(saved: readonly SavedPair[]): void {
    for (const [from, to, kind, weight, sightings, firstAt, lastAt, believed] of saved.slice(-pairsMax))
      this.#pairs.set(keyOf(from, to, kind), { from, to, kind, weight, sightings, firstAt, lastAt, believed: believed === 1 })
  }

  #totals(now: number): ReadonlyMap<string, number> {
    const totals = new Map<string, number>()
    for (const pair of this.#pairs.values()) {
      const key = keyOf(pair.from, '', pair.kind)
      totals.set(key, (totals.get(key) ?? 0) + faded(pair, now))
    }
    return totals
  }
}

const keyOf = (from: string, to: string, kind: SeenKind): string => `${from}\n${to}\n${kind}`
const shareOf = (count: number, total = 0): number => (total <= 0 ? 0 : Math.min(1, count / total))
/** A clock that was set back fades nothing. */
const faded = ({ weight, lastAt }: Pair, now: number): number => weight * Math.exp(-Math.max(0, now - lastAt) / windowMs)
