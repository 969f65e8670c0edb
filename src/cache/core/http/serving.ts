/**
 * Whether a stored response answers a request (RFC 9111, 4): at once, at once while it is validated behind the client's back, only when the origin has
 * said yes, or not at all. One function, so that the answer can be explained.
 *
 *            fresh ──age ≥ lifetime──▶ stale ──in stale-while-revalidate──▶ used, and validated in the background
 *              │                         ├──the client takes it (max-stale)──▶ used
 *              ▼                         ├──otherwise──▶ validated ──the origin fails, in stale-if-error or grace──▶ used
 *             used                       └──forbidden (must-revalidate, …)──▶ validated ──the origin fails──▶ 504
 */
import { directivesOf, requestDirectives, type RequestDirectives } from './directives.ts'
import { listed, type Fields } from './fields.ts'
import type { StoredFacts } from './storing.ts'

export interface ServingOptions {
  /** The operator's own stale-if-error, in milliseconds; what forbids staleness still wins. */
  readonly graceMs: number
  /** In place of a failure what is stored is never too old, as the operator says; what forbids staleness still wins. */
  readonly anyAge?: boolean | undefined
  /** What a client says of freshness counts. Default true; false against clients that make every request a miss. */
  readonly obeyClients: boolean
}

export type Verdict =
  | { readonly use: 'now'; readonly ageMs: number; readonly ttlMs: number }
  | { readonly use: 'now-and-validate'; readonly ageMs: number; readonly ttlMs: number }
  | { readonly use: 'validated'; readonly why: 'stale' | 'request'; readonly ageMs: number; readonly ttlMs: number }

const noWishes: RequestDirectives = requestDirectives(new Map())

/** What the client says. `Pragma: no-cache` counts where `Cache-Control` is not sent (RFC 9111, 5.4). */
export function wishesOf(request: Fields): RequestDirectives {
  const control = listed(request, 'cache-control')
  if (control !== undefined) return requestDirectives(directivesOf(control))
  const pragma = listed(request, 'pragma')
  return pragma !== undefined && directivesOf(pragma).has('no-cache') ? { ...noWishes, noCache: true } : noWishes
}

export const ageAt = (facts: StoredFacts, now: number): number => Math.max(0, now - facts.bornAt)

export function mayUse(facts: StoredFacts, wishes: RequestDirectives, now: number, options: ServingOptions): Verdict {
  const ageMs = ageAt(facts, now)
  const ttlMs = facts.lifetimeMs - ageMs
  const asked = options.obeyClients ? wishes : noWishes
  if (facts.noCache) return { use: 'validated', why: 'stale', ageMs, ttlMs }
  if (asked.noCache || (asked.maxAge !== undefined && ageMs > asked.maxAge * 1_000)) return { use: 'validated', why: 'request', ageMs, ttlMs }
  if (ttlMs > 0) {
    const freshEnough = asked.minFresh === undefined || ttlMs >= asked.minFresh * 1_000
    return freshEnough ? { use: 'now', ageMs, ttlMs } : { use: 'validated', why: 'request', ageMs, ttlMs }
  }
  if (facts.staleForbidden || asked.minFresh !== undefined) return { use: 'validated', why: 'stale', ageMs, ttlMs }
  if (asked.maxStale !== undefined && -ttlMs <= asked.maxStale * 1_000) return { use: 'now', ageMs, ttlMs }
  // Within a second all is one: a window of 0 is none.
  if (-ttlMs < facts.staleWhileRevalidateMs) return { use: 'now-and-validate', ageMs, ttlMs }
  return { use: 'validated', why: 'stale', ageMs, ttlMs }
}

/** Statuses that a stored response may stand in for (RFC 5861, 4). */
export const isFailure = (status: number): boolean => status === 500 || (status >= 502 && status <= 504)

/** Whether it stands in for an origin that fails (RFC 5861, 4; RFC 9111, 4.2.4). */
export function mayUseOnError(facts: StoredFacts, now: number, options: ServingOptions): boolean {
  // A failure that was kept is no better than the one of now.
  if (facts.staleForbidden || isFailure(facts.status)) return false
  const staleMs = ageAt(facts, now) - facts.lifetimeMs
  return options.anyAge === true || staleMs <= 0 || staleMs < Math.max(facts.staleIfErrorMs ?? 0, options.graceMs)
}

/** Nothing may be done with it any more, and nothing can be validated: from then on it only takes room. */
export function uselessAt(facts: StoredFacts, options: ServingOptions & { readonly validatorsForMs: number }): number {
  if (options.anyAge === true && !facts.staleForbidden) return Infinity
  const staleFor = facts.staleForbidden ? 0 : Math.max(facts.staleWhileRevalidateMs, facts.staleIfErrorMs ?? 0, options.graceMs)
  const validatable = facts.etag === undefined && facts.lastModified === undefined ? 0 : options.validatorsForMs
  return facts.bornAt + facts.lifetimeMs + Math.max(staleFor, validatable)
}
