/**
 * Which endpoints of a service are taken out for a while because they fail although they are up. One book for all workers, kept by the primary:
 * workers tell runs of failures, the book decides, so that the bound on how many are out holds over all of them. Machine without I/O.
 *
 *   in ──run of failures, or far below the others──▶ ejected ──cool-down over, or a probe passed──▶ in, on probation
 *
 * The cool-down grows with ejections in a row and shrinks with calm time. A single endpoint is never ejected: there is nobody to take over.
 */
import { jitter, type Random } from '../../kernel/random.ts'
import type { EjectionView } from './routing-view.ts'

/** `failures`: refused, reset, no answer in time. `errors`: 5xx that it answered. `rate`: far below the success of the others. */
export type OutlierKind = 'failures' | 'errors' | 'rate'

/** Success rates are compared among so many endpoints at least; below that a mean says nothing. */
export const rateEndpointsMin = 5
/** … with so many requests each. */
export const rateRequestsMin = 100
/** … over so long. */
export const rateIntervalMs = 10_000
/** Envoy's factor: ejected below mean − 1.9 × standard deviation. */
const rateDeviations = 1.9
/** Differences below this are noise, however small the deviation. */
const rateGapMin = 0.05
const cooldownJitter = 0.1
/** At most this share is out, and one of two or more. */
const ejectedShareMax = 0.5

export interface Ejection {
  readonly kind: OutlierKind
  readonly reason: string
  readonly forMs: number
}

export interface SavedEjection extends Ejection {
  readonly id: string
  /** Ejections in a row. */
  readonly inRow: number
}

interface Entry {
  requests: number
  errors: number
  /** Ejections in a row. */
  inRow: number
  until: number
  ejection: Ejection | undefined
  calmSince: number
}

/** How many of `n` configured endpoints may be out at once. */
export function ejectedMax(n: number): number {
  return Math.max(Math.floor(n * ejectedShareMax), n > 1 ? 1 : 0)
}

export class OutlierBook {
  readonly #random: Random
  #rules: EjectionView
  #entries = new Map<string, Entry>()
  #rateAt: number

  constructor(rules: EjectionView, random: Random, now: number) {
    this.#rules = rules
    this.#random = random
    this.#rateAt = now + rateIntervalMs
  }

  /** The endpoints of a new view: those that stay keep their history. */
  setPool(rules: EjectionView, ids: readonly string[], now: number): void {
    this.#rules = rules
    this.#entries = new Map(
      ids.map((id) => [id, this.#entries.get(id) ?? { requests: 0, errors: 0, inRow: 0, until: 0, ejection: undefined, calmSince: now }]),
    )
  }

  /** Why and how much longer it is out; undefined: it is in. */
  ejectionOf(id: string, now: number): Ejection | undefined {
    const entry = this.#entries.get(id)
    return entry?.ejection && { ...entry.ejection, forMs: Math.max(0, entry.until - now) }
  }

  /** Ejections as an heir may take them over. */
  saved(now: number): readonly SavedEjection[] {
    return [...this.#entries].flatMap(([id, { ejection, until, inRow }]) =>
      ejection === undefined ? [] : [{ ...ejection, id, inRow, forMs: Math.max(0, until - now) }],
    )
  }

  /** Takes over what another book had taken out, if it is in the pool. */
  restore({ id, inRow, kind, reason, forMs }: SavedEjection, now: number): boolean {
    const entry = this.#entries.get(id)
    if (!entry || forMs <= 0) return false
    entry.inRow = inRow
    entry.ejection = { kind, reason, forMs }
    entry.until = now + forMs
    return true
  }

  get ejected(): readonly string[] {
    return [...this.#entries].filter(([, { ejection }]) => ejection !== undefined).map(([id]) => id)
  }

  /** A worker saw `count` of them in a row. */
  run(id: string, kind: 'failures' | 'errors', count: number, now: number): Ejection | undefined {
    return this.#eject(id, kind, kind === 'errors' ? `${count} errors in a row` : `${count} connections in a row failed or were not answered`, now)
  }

  counted(id: string, requests: number, errors: number): void {
    const entry = this.#entries.get(id)
    if (!entry) return
    entry.requests += requests
    entry.errors += errors
  }

  /** Its probe passes again. That says nothing of errors, but of connections all. */
  recovered(id: string): boolean {
    const entry = this.#entries.get(id)
    if (entry?.ejection?.kind !== 'failures') return false
    entry.ejection = undefined
    return true
  }

  /** What time brings: cool-downs that are over, and every interval a comparison of success rates. */
  sweep(now: number): { readonly reinstated: readonly string[]; readonly ejected: readonly string[] } {
    const reinstated: string[] = []
    for (const [id, entry] of this.#entries) {
      if (entry.ejection !== undefined && now >= entry.until) {
        entry.ejection = undefined
        entry.calmSince = now
        reinstated.push(id)
      } else if (entry.ejection === undefined && entry.inRow > 0 && now - entry.calmSince >= this.#rules.baseMs) {
        entry.inRow--
        entry.calmSince = now
      }
    }
    return { reinstated, ejected: this.#compare(now) }
  }

  #compare(now: number): readonly string[] {
    if (now < this.#rateAt) return []
    this.#rateAt = now + rateIntervalMs
    const known = [...this.#entries].filter(([, { requests, ejection }]) => requests >= rateRequestsMin && ejection === undefined)
    const rates = known.map(([id, { requests, errors }]) => ({ id, rate: 1 - errors / requests }))
    for (const entry of this.#entries.values()) {
      entry.requests = 0
      entry.errors = 0
    }
    if (rates.length < rateEndpointsMin) return []
    const mean = rates.reduce((sum, { rate }) => sum + rate, 0) / rates.length
    const deviation = Math.sqrt(rates.reduce((sum, { rate }) => sum + (rate - mean) ** 2, 0) / rates.length)
    const least = Math.min(mean - rateDeviations * deviation, mean - rateGapMin)
    return rates
      .filter(({ rate }) => rate < least)
      .filter(({ id, rate }) => this.#eject(id, 'rate', `${percent(rate)} of its requests succeed, of the others' ${percent(mean)}`, now))
      .map(({ id }) => id)
  }

  #eject(id: string, kind: OutlierKind, reason: string, now: number): Ejection | undefined {
    const entry = this.#entries.get(id)
    if (!entry || entry.ejection !== undefined || this.ejected.length >= ejectedMax(this.#entries.size)) return undefined
    entry.inRow++
    const { baseMs, maxMs } = this.#rules
    const forMs = Math.round(jitter(this.#random, Math.min(baseMs * entry.inRow, maxMs), cooldownJitter))
    entry.ejection = { kind, reason, forMs }
    entry.until = now + forMs
    return entry.ejection
  }
}

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`
