/**
 * The tables of the rate limits: every token that a worker uses was taken here (`core/rate-share.ts`). Limits that other machines share lie in
 * Redis (`shared-rates.ts`); while that does not answer, this machine goes by its own part of them.
 */
import { isDeepStrictEqual } from 'node:util'
import { Gcra } from '../../resilience/core/rate.ts'
import type { RateAsk, RateGrant } from '../core/rate-share.ts'
import { rateLimitsOf } from '../core/rate-scopes.ts'
import type { RateLimitView, RoutingView, SharedRateView } from '../core/routing-view.ts'
import type { WorkerToPrimary } from '../messages.ts'
import type { Peer } from './peer.ts'
import { giveLevels, takeLevels, type RateLevels } from './rate-levels.ts'

/** Where the tokens of one limit are taken from. */
export interface RateTable {
  take(asks: readonly RateAsk[], done: (grants: readonly RateGrant[]) => void): void
  giveBack(unused: readonly (readonly [key: string, count: number])[]): void
  close(): void
  /** Only of a table that lies here. */
  readonly own?: Gcra | undefined
}

export interface RatesOptions {
  /** Workers that take. */
  readonly workers: number
  readonly now: () => number
  readonly wallTime: () => number
  /** undefined: limits are this machine's own. */
  readonly shared?: (scope: string, view: RateLimitView, shared: SharedRateView) => RateTable
}

interface Entry {
  readonly view: RateLimitView
  readonly table: RateTable
}

export class Rates {
  readonly #options: RatesOptions
  readonly #entries = new Map<string, Entry>()
  #inherited: RateLevels | undefined

  constructor(options: RatesOptions) {
    this.#options = options
  }

  /** What of the tables lies here, for the primary that comes next. */
  levels(wall: number): RateLevels {
    const now = this.#options.now()
    return takeLevels(new Map([...this.#entries].flatMap(([scope, { table }]) => (table.own ? [[scope, table.own] as const] : []))), now, wall)
  }

  /** What the primary before knew: for the tables of the first view. */
  inherit(levels: RateLevels): void {
    this.#inherited = levels
  }

  /** Limits that stay as they were keep their tables. */
  setView(view: RoutingView): void {
    const limits = rateLimitsOf(view)
    for (const [scope, { view: limit, table }] of this.#entries) {
      if (isDeepStrictEqual(limits.get(scope), limit)) continue
      table.close()
      this.#entries.delete(scope)
    }
    for (const [scope, limit] of limits) {
      if (this.#entries.has(scope)) continue
      const table = this.#open(scope, limit)
      this.#entries.set(scope, { view: limit, table })
      if (this.#inherited && table.own) giveLevels(this.#inherited, scope, table.own, this.#options.now(), this.#options.wallTime())
    }
    this.#inherited = undefined
  }

  #open(scope: string, view: RateLimitView): RateTable {
    const { workers, now, shared } = this.#options
    if (view.shared !== undefined && shared !== undefined) return shared(scope, view, view.shared)
    return new OwnTable(new Gcra(view), workers, now)
  }

  hear(peer: Peer, message: Extract<WorkerToPrimary, { readonly type: 'takeRate' | 'returnRate' }>): void {
    const { scope } = message
    const table = this.#entries.get(scope)?.table
    // A limit that is no more, or not here yet: without an answer the worker goes by its own part.
    if (table === undefined) return
    if (message.type === 'returnRate') table.giveBack(message.unused)
    else table.take(message.asks, (grants) => peer.send({ type: 'rateGiven', scope, grants }))
  }

  close(): void {
    for (const { table } of this.#entries.values()) table.close()
    this.#entries.clear()
  }
}

export class OwnTable implements RateTable {
  readonly #gcra: Gcra
  readonly #workers: number
  readonly #now: () => number

  constructor(gcra: Gcra, workers: number, now: () => number) {
    this.#gcra = gcra
    this.#workers = workers
    this.#now = now
  }

  take(asks: readonly RateAsk[], done: (grants: readonly RateGrant[]) => void): void {
    const now = this.#now()
    done(asks.map((ask) => this.#grant(ask, now)))
  }

  #grant([key, need, want]: RateAsk, now: number): RateGrant {
    const first = this.#gcra.takeUpTo(key, now, need)
    // Ahead of need nobody gets more than half an equal part of what is left: the others may need it now.
    const ahead = Math.min(want - need, Math.floor(first.remaining / (2 * this.#workers)))
    const last = ahead > 0 ? this.#gcra.takeUpTo(key, now, ahead) : first
    return [key, ahead > 0 ? first.taken + last.taken : first.taken, last.remaining, last.resetMs, last.retryAfterMs]
  }

  get own(): Gcra {
    return this.#gcra
  }

  /** They were taken elsewhere. */
  note(grants: readonly RateGrant[]): void {
    const now = this.#now()
    for (const [key, granted] of grants) this.#gcra.takeUpTo(key, now, granted)
  }

  giveBack(unused: readonly (readonly [key: string, count: number])[]): void {
    const now = this.#now()
    for (const [key, count] of unused) this.#gcra.giveBack(key, now, count)
  }

  close(): void {
    // It holds nothing but numbers.
  }
}
