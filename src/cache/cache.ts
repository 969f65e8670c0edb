/**
 * The cache of a program: values in memory, made once however many ask for them at the same time, given stale rather than late.
 *
 *   fresh ─────────────▶ given
 *   stale ─────────────▶ given at once (or after `softTimeoutMs`), and made anew behind the caller's back
 *   none ──────────────▶ made: by one caller, for all who ask meanwhile
 *   making fails ──────▶ stale: given, the next try after `graceBackoffMs` · none: the error, to all; remembered for `negativeTtlMs`
 *   invalidated while it is made ──▶ given to who waits, not stored
 */
import { HoldfastError } from '../kernel/errors.ts'
import type { Random } from '../kernel/random.ts'
import { backgroundClock, coarseNow, systemRandom } from '../kernel/system.ts'
import { instant, type Clock } from '../kernel/time.ts'
import { Held, refreshesEarly } from './core/held.ts'
import { Invalidations } from './core/invalidations.ts'
import { checkKey, checkTags, defaultRules, negativeTtlMostMs, rulesOf, ttlSpread, type EntryOptions, type EntryRules } from './core/options.ts'
import { Flight } from './flight.ts'
import { Memory, type MemoryOptions } from './memory.ts'
import { Counters, type CacheStats } from './stats.ts'

export interface CacheOptions extends Omit<EntryOptions, 'tags'> {
  readonly memory?: MemoryOptions
  /** Where time and chance come from; the system's when left out. Timers keep no process alive. */
  readonly clock?: Clock
  readonly random?: Random
}

export interface GetOrSetOptions extends EntryOptions {
  /** The caller gives up; the making goes on while somebody else waits for it. */
  readonly signal?: AbortSignal
}

export interface FactoryContext {
  /** Aborts when nobody waits any longer. */
  readonly signal: AbortSignal
}

export type Factory<T> = (context: FactoryContext) => T | PromiseLike<T>

const nothing: Promise<undefined> = Promise.resolve(undefined)
const noTags: readonly string[] = []

export class Cache {
  readonly #rules: EntryRules
  readonly #clock: Clock
  readonly #now: () => number
  readonly #random: Random
  readonly #memory: Memory
  readonly #invalidations = new Invalidations()
  readonly #flights = new Map<string, Flight>()
  readonly #counters = new Counters()

  constructor(options: CacheOptions = {}) {
    this.#rules = rulesOf(options, defaultRules)
    const { clock } = options
    this.#clock = clock ?? backgroundClock
    this.#now = clock === undefined ? coarseNow : () => clock.now()
    this.#random = options.random ?? systemRandom
    this.#memory = new Memory(options.memory ?? {}, () => {
      this.#counters.evictions++
    })
  }

  /** The value, when it is fresh; undefined otherwise. */
  get<T>(key: string): Promise<T | undefined> {
    const held = this.#memory.get(key)
    if (held !== undefined && held.failure === undefined && this.#now() < held.softAt && this.#invalidations.holds(held)) {
      this.#counters.hits++
      return held.promise as Promise<T>
    }
    this.#counters.misses++
    return nothing
  }

  /** The same, of what is in memory, without waiting. */
  peek(key: string): unknown {
    const held = this.#memory.peek(key)
    return held !== undefined && this.#now() < held.softAt && this.#invalidations.holds(held) ? held.value : undefined
  }

  async has(key: string): Promise<boolean> {
    return this.peek(key) !== undefined
  }

  async set(key: string, value: unknown, options?: EntryOptions): Promise<void> {
    checkKey(key)
    const tags = tagsOf(options, value)
    // Newer than whatever is being made.
    this.#flights.get(key)?.fence()
    this.#store(key, value, rulesOf(options, this.#rules), tags, this.#invalidations.mark, 0)
  }

  /** Whether there was something. What is being made for it meanwhile is not stored. */
  async delete(key: string): Promise<boolean> {
    this.#flights.get(key)?.fence()
    return this.#memory.delete(key)
  }

  async mget<T>(keys: Iterable<string>): Promise<Map<string, T>> {
    const found = new Map<string, T>()
    for (const key of keys) {
      const value = await this.get<T>(key)
      if (value !== undefined) found.set(key, value)
    }
    return found
  }

  async mset(entries: Iterable<readonly [string, unknown]>, options?: EntryOptions): Promise<void> {
    for (const [key, value] of entries) await this.set(key, value, options)
  }

  /** Everything that carries one of them, now and what is being made. */
  async invalidateTags(...tags: readonly string[]): Promise<void> {
    for (const tag of checkTags(tags)) this.#invalidations.tag(tag)
  }

  async clear(): Promise<void> {
    this.#invalidations.all()
    this.#memory.clear()
  }

  stats(): CacheStats {
    return this.#counters.stats(this.#memory.size, this.#memory.bytes)
  }

  /** The value: from memory, or made by `factory`, once for all who ask meanwhile. Rejects with its error when there is nothing to give. */
  getOrSet<T>(key: string, factory: Factory<T>, options?: GetOrSetOptions): Promise<T> {
    const now = this.#now()
    const held = this.#valid(key, now)
    if (held === undefined || now >= held.softAt) return this.#obtain(key, held, factory, options) as Promise<T>
    this.#counters.hits++
    if (held.failure !== undefined) return Promise.reject(held.failure)
    if (held.madeInMs > 0 && refreshesEarly(held, now, () => this.#random.next()) && !this.#flights.has(key))
      this.#start(key, held, factory, options).keep()
    return held.promise as Promise<T>
  }

  #valid(key: string, now: number): Held | undefined {
    const held = this.#memory.get(key)
    return held !== undefined && now < held.hardAt && this.#invalidations.holds(held) ? held : undefined
  }

  async #obtain(key: string, held: Held | undefined, factory: Factory<unknown>, options: GetOrSetOptions | undefined): Promise<unknown> {
    options?.signal?.throwIfAborted()
    const stale = held?.failure === undefined ? held : undefined
    const flying = this.#flights.get(key)
    const flight = flying ?? this.#start(key, held, factory, options)
    const rules = rulesOf(options, this.#rules)
    if (stale !== undefined) return await this.#refreshed(flight, stale, rules)
    if (flying === undefined) this.#counters.misses++
    else this.#counters.collapsed++
    return await this.#inTime(flight.join(options?.signal), rules.hardTimeoutMs, () => {
      throw new HoldfastError(
        'cache_timeout',
        `waited ${rules.hardTimeoutMs} ms for the value of ${JSON.stringify(key)}, and it is still being made`,
        {
          hint: 'give hardTimeoutMs more time, or find what keeps the factory',
          details: { key, hardTimeoutMs: rules.hardTimeoutMs },
        },
      )
    })
  }

  /** A stale value is given rather than waited for long, and rather than an error. */
  async #refreshed(flight: Flight, stale: Held, { softTimeoutMs }: EntryRules): Promise<unknown> {
    flight.keep()
    const giveStale = (): unknown => {
      this.#counters.staleHits++
      return stale.value
    }
    if (softTimeoutMs === 0) return giveStale()
    return await this.#inTime(flight.result, softTimeoutMs, giveStale).catch(giveStale)
  }

  #inTime(result: Promise<unknown>, withinMs: number, otherwise: () => unknown): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const timer = this.#clock.schedule(instant(this.#clock.now() + withinMs), () => {
        // What it throws, the caller is given.
        resolve(new Promise((settle) => settle(otherwise())))
      })
      result.then(resolve, reject).finally(() => {
        timer[Symbol.dispose]()
      })
    })
  }

  #start(key: string, held: Held | undefined, factory: Factory<unknown>, options: GetOrSetOptions | undefined): Flight {
    checkKey(key)
    const flight = new Flight()
    this.#flights.set(key, flight)
    flight.run(async () => {
      try {
        return await this.#make(key, held, flight, factory, options)
      } finally {
        this.#flights.delete(key)
      }
    })
    return flight
  }

  async #make(
    key: string,
    held: Held | undefined,
    flight: Flight,
    factory: Factory<unknown>,
    options: GetOrSetOptions | undefined,
  ): Promise<unknown> {
    const rules = rulesOf(options, this.#rules)
    const { mark } = this.#invalidations
    const beganAt = this.#clock.now()
    this.#counters.factoryCalls++
    try {
      const value = await factory({ signal: flight.signal })
      const tags = tagsOf(options, value)
      if (flight.fenced || !this.#invalidations.spares(mark, tags)) this.#counters.fenced++
      else this.#store(key, value, rules, tags, mark, this.#clock.now() - beganAt)
      return value
    } catch (error) {
      this.#counters.factoryFailures++
      if (!flight.signal.aborted && !flight.fenced) this.#failed(key, held, error, rules, mark)
      throw error
    }
  }

  /** With a stale value it is left alone for a while; without, so is the factory. */
  #failed(key: string, held: Held | undefined, error: unknown, rules: EntryRules, mark: number): void {
    const now = this.#clock.now()
    if (held !== undefined && held.failure === undefined) {
      if (this.#memory.peek(key) === held && now + rules.graceBackoffMs < held.hardAt) held.softAt = now + rules.graceBackoffMs
      return
    }
    if (rules.negativeTtlMs === 0 || !(error instanceof Error)) return
    const before = held === undefined ? 0 : held.softAt - held.storedAt
    const softAt = now + Math.min(negativeTtlMostMs, Math.max(rules.negativeTtlMs, before * 2))
    // It is remembered for longer than it is given, so that the next one in a row can double it.
    this.#memory.set(key, new Held({ failure: error }, { storedAt: now, softAt, hardAt: softAt + negativeTtlMostMs }, noTags, mark))
  }

  #store(key: string, value: unknown, rules: EntryRules, tags: readonly string[], mark: number, madeInMs: number): void {
    // There is no way to tell it from a miss.
    if (value === undefined) return
    const now = this.#clock.now()
    const softAt = now + rules.ttlMs * (1 + ttlSpread * (2 * this.#random.next() - 1))
    const limits = { storedAt: now, softAt, hardAt: softAt + rules.graceMs }
    this.#memory.set(key, new Held({ value, madeInMs, bytes: this.#memory.bytesOf(value) }, limits, tags, mark))
  }
}

function tagsOf(options: EntryOptions | undefined, value: unknown): readonly string[] {
  if (options?.tags === undefined) return noTags
  return checkTags(typeof options.tags === 'function' ? options.tags(value as never) : options.tags)
}
