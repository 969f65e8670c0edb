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
import { instant, ms, sleep, type Clock } from '../kernel/time.ts'
import { Held, refreshesEarly } from './core/held.ts'
import { Invalidations } from './core/invalidations.ts'
import {
  deafTtlMs,
  checkKey,
  checkTags,
  defaultRules,
  negativeTtlMostMs,
  rulesOf,
  ttlSpread,
  type EntryOptions,
  type EntryRules,
} from './core/options.ts'
import { FarSide, type Fetched } from './far-side.ts'
import { Flight, Flights, Waiter, type Airline } from './flight.ts'
import { Memory, type MemoryOptions } from './memory.ts'
import type { Far, Lease } from './ports.ts'
import { Counters, type CacheStats } from './stats.ts'

export interface CacheOptions extends Omit<EntryOptions, 'tags'> {
  readonly memory?: MemoryOptions
  /** The layer that processes share. */
  readonly far?: Far
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

/** What a caller of `getOrSet` wants. */
interface Call {
  readonly key: string
  readonly factory: Factory<unknown>
  readonly options: GetOrSetOptions | undefined
  readonly rules: EntryRules
}

/** Made with the first look at its signal: most factories never look. */
class Context implements FactoryContext {
  readonly #flight: Flight<Call>

  constructor(flight: Flight<Call>) {
    this.#flight = flight
  }

  get signal(): AbortSignal {
    return this.#flight.signal
  }
}

const nothing: Promise<undefined> = Promise.resolve(undefined)
/** Whoever has no right to make a value looks for it so often, and takes the right over when it takes too long. */
const [leaseWaitMs, leaseWaitLongestMs, leaseWaitMostMs] = [25, 200, 2_000]
const noTags: readonly string[] = []

export class Cache {
  readonly #rules: EntryRules
  readonly #clock: Clock
  readonly #now: () => number
  readonly #random: Random
  readonly #memory: Memory
  readonly #invalidations = new Invalidations()
  readonly #flights = new Flights<Call>()
  readonly #airline: Airline<Call>
  readonly #counters = new Counters()
  /** Made, and being told to the others. */
  readonly #shares = new Set<Promise<void>>()
  readonly #far: FarSide | undefined

  constructor(options: CacheOptions = {}) {
    this.#rules = rulesOf(options, defaultRules)
    const { clock } = options
    this.#clock = clock ?? backgroundClock
    this.#now = clock === undefined ? coarseNow : () => clock.now()
    this.#random = options.random ?? systemRandom
    this.#memory = new Memory(options.memory ?? {}, () => {
      this.#counters.evictions++
    })
    this.#airline = {
      clock: this.#clock,
      late: ({ call: { key, rules }, reject }) => reject(tooLate(key, rules.hardTimeoutMs)),
      outdated: (flight, waiter) => flight.mark < waiter.mark && !this.#invalidations.spares(flight.mark, flight.tags),
      again: (waiter) => this.#make(waiter, undefined),
    }
    if (options.far !== undefined) {
      const parts = {
        memory: this.#memory,
        invalidations: this.#invalidations,
        flights: this.#flights,
        counters: this.#counters,
        now: () => this.#clock.now(),
      }
      this.#far = new FarSide(options.far, parts)
    }
  }

  /** The value, when it is fresh; undefined otherwise. */
  get<T>(key: string): Promise<T | undefined> {
    const held = this.#memory.get(key)
    if (held !== undefined && held.failure === undefined && this.#now() < held.softAt && this.#invalidations.holds(held)) {
      this.#counters.hits++
      return held.promise as Promise<T>
    }
    if (this.#far !== undefined) return this.#fetched(key, this.#far) as Promise<T | undefined>
    this.#counters.misses++
    return nothing
  }

  async #fetched(key: string, far: FarSide): Promise<unknown> {
    checkKey(key)
    const fetched = await far.fetch(key)
    const held = fetched === 'unknown' ? undefined : fetched.held
    if (held === undefined || this.#clock.now() >= held.softAt) {
      // No answer is no miss.
      if (fetched !== 'unknown') this.#counters.misses++
      return undefined
    }
    this.#counters.remoteHits++
    return held.value
  }

  /** The same, of what is in memory, without waiting. */
  peek(key: string): unknown {
    const held = this.#memory.peek(key)
    return held !== undefined && this.#now() < held.softAt && this.#invalidations.holds(held) ? held.value : undefined
  }

  async has(key: string): Promise<boolean> {
    return (await this.get(key)) !== undefined
  }

  async set(key: string, value: unknown, options?: EntryOptions): Promise<void> {
    checkKey(key)
    const tags = tagsOf(options, value)
    // Newer than whatever is being made.
    this.#flights.fence(key)
    const far = this.#far
    const held = this.#store(key, value, rulesOf(options, this.#rules), tags, this.#invalidations.mark, undefined)
    if (far === undefined || held === undefined) return
    const entry = { value, softInMs: held.softAt - held.storedAt, hardInMs: held.hardAt - held.storedAt, madeInMs: 0, tags }
    const put = await far.change([key], async () => {
      const at = await far.far.put(key, entry)
      return at === undefined ? undefined : { at }
    })
    if (put !== undefined) held.mark = put.at
  }

  /** Whether there was something. What is being made for it meanwhile is not stored. */
  async delete(key: string): Promise<boolean> {
    checkKey(key)
    this.#flights.fence(key)
    const here = this.#memory.delete(key)
    const far = this.#far
    const there = await far?.change([key], () => far.far.remove([key]))
    return here || (there?.count ?? 0) > 0
  }

  async mget<T>(keys: Iterable<string>): Promise<Map<string, T>> {
    const found = new Map<string, T>()
    const asked = [...keys]
    const values = await Promise.all(asked.map((key) => this.get<T>(key)))
    asked.forEach((key, i) => {
      const value = values[i]
      if (value !== undefined) found.set(key, value)
    })
    return found
  }

  async mset(entries: Iterable<readonly [string, unknown]>, options?: EntryOptions): Promise<void> {
    await Promise.all([...entries].map(async ([key, value]) => this.set(key, value, options)))
  }

  /** Everything that carries one of them, now and what is being made. */
  async invalidateTags(...tags: readonly string[]): Promise<void> {
    for (const tag of checkTags(tags)) this.#invalidations.tag(tag)
    if (this.#far === undefined || tags.length === 0) return
    const at = await this.#far.far.invalidate(tags)
    // By the time of all. When it could not be told, later than all that is known.
    for (const tag of tags) this.#invalidations.tag(tag, at)
  }

  async clear(): Promise<void> {
    this.#invalidations.all()
    this.#memory.clear()
    this.#flights.fenceAll()
    if (this.#far !== undefined) this.#invalidations.all(await this.#far.far.clear())
  }

  /** Ends the connection to the far layer, when all that was made has got there or could not. What is in memory stays. */
  async close(): Promise<void> {
    await Promise.all(this.#shares)
    await this.#far?.far.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  stats(): CacheStats {
    return this.#counters.stats(this.#memory.size, this.#memory.bytes, this.#far?.far.status)
  }

  /** The value: from memory, or made by `factory`, once for all who ask meanwhile. Rejects with its error when there is nothing to give. */
  getOrSet<T>(key: string, factory: Factory<T>, options?: GetOrSetOptions): Promise<T> {
    const now = this.#now()
    const held = this.#valid(key, now)
    if (held === undefined || now >= held.softAt) return this.#obtain(key, held, factory, options) as Promise<T>
    this.#counters.hits++
    if (held.failure !== undefined) return Promise.reject(held.failure)
    if (held.madeInMs > 0 && refreshesEarly(held, now, () => this.#random.next()) && !this.#flights.has(key))
      this.#start(held, { key, factory, options, rules: rulesOf(options, this.#rules) }).keep()
    return held.promise as Promise<T>
  }

  #valid(key: string, now: number): Held | undefined {
    const held = this.#memory.get(key)
    return held !== undefined && now < held.hardAt && this.#invalidations.holds(held) ? held : undefined
  }

  #obtain(key: string, held: Held | undefined, factory: Factory<unknown>, options: GetOrSetOptions | undefined): Promise<unknown> {
    if (options?.signal?.aborted === true) return Promise.reject(options.signal.reason as Error)
    try {
      const rules = rulesOf(options, this.#rules)
      const call: Call = { key, factory, options, rules }
      if (held !== undefined && held.failure === undefined) return this.#refreshed(held, call)
      const waiter = new Waiter(call, this.#clock.now() + rules.hardTimeoutMs, options?.signal)
      if (held !== undefined || this.#far === undefined || this.#flights.has(key)) this.#make(waiter, held)
      else {
        checkKey(key)
        this.#ask(waiter, this.#far).catch(waiter.reject)
      }
      return waiter.promise
    } catch (error) {
      // Of what was given: a key, options.
      return Promise.reject(error instanceof Error ? error : new Error(String(error)))
    }
  }

  /** Perhaps somebody else has made it already. */
  async #ask(waiter: Waiter<Call>, far: FarSide): Promise<void> {
    const { call } = waiter
    const held = this.#usable(await far.fetch(call.key), call)
    if (held !== undefined && this.#clock.now() < held.softAt) {
      this.#counters.remoteHits++
      waiter.resolve(held.value)
      return
    }
    waiter.signal?.throwIfAborted()
    if (held !== undefined) waiter.resolve(this.#refreshed(held, call))
    else this.#make(waiter, undefined)
  }

  /** An invalidation may have passed by what another version of the program has stored without one of the tags that it has now. */
  #usable(fetched: Fetched, { key, options }: Call): Held | undefined {
    const held = fetched === 'unknown' ? undefined : fetched.held
    if (held === undefined || tagsOf(options, held.value).every((tag) => held.tags.includes(tag))) return held
    this.#memory.delete(key)
    return undefined
  }

  /** It is being made, or is made now. */
  #make(waiter: Waiter<Call>, held: Held | undefined): void {
    const flying = this.#flights.get(waiter.call.key)
    if (flying === undefined) this.#counters.misses++
    else this.#counters.collapsed++
    waiter.mark = this.#invalidations.mark
    const flight = flying ?? this.#start(held, waiter.call)
    flight.join(waiter)
  }

  /** A stale value is given rather than waited for long, and rather than an error. */
  #refreshed(stale: Held, call: Call): Promise<unknown> {
    const flight = this.#flights.get(call.key) ?? this.#start(stale, call)
    flight.keep()
    const giveStale = (): unknown => {
      this.#counters.staleHits++
      return stale.value
    }
    const { softTimeoutMs } = call.rules
    if (softTimeoutMs === 0) return Promise.resolve(giveStale())
    return this.#inTime(flight.result, softTimeoutMs, giveStale).catch(giveStale)
  }

  #inTime(result: Promise<unknown>, withinMs: number, otherwise: () => unknown): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const timer = this.#clock.schedule(instant(this.#clock.now() + withinMs), () => resolve(otherwise()))
      const settled = (): void => timer[Symbol.dispose]()
      result.then(settled, settled)
      result.then(resolve, reject)
    })
  }

  #start(held: Held | undefined, call: Call): Flight<Call> {
    checkKey(call.key)
    const flight = new Flight(this.#airline)
    this.#flights.add(call.key, flight)
    flight.run(async () => {
      try {
        return await this.#value(held, flight, call)
      } finally {
        this.#flights.over(call.key, flight)
      }
    })
    return flight
  }

  async #value(held: Held | undefined, flight: Flight<Call>, call: Call): Promise<unknown> {
    const { key, factory, options, rules } = call
    const lease = this.#far?.up === true ? await this.#lease(held, flight, this.#far, call) : undefined
    if (lease instanceof Held) {
      flight.mark = lease.mark
      flight.tags = lease.tags
      return lease.value
    }
    const { mark } = this.#invalidations
    flight.mark = mark
    const beganAt = this.#clock.now()
    this.#counters.factoryCalls++
    let kept: Held | undefined
    try {
      const value = await factory(new Context(flight))
      const tags = tagsOf(options, value)
      flight.tags = tags
      if (flight.fenced || !this.#invalidations.spares(mark, tags)) this.#counters.fenced++
      else kept = this.#store(key, value, rules, tags, mark, this.#clock.now() - beganAt)
      return value
    } catch (error) {
      this.#counters.factoryFailures++
      if (!flight.aborted && !flight.fenced) this.#failed(key, held, error, rules, mark)
      throw error
    } finally {
      this.#counters.factoryMs += this.#clock.now() - beganAt
      if (this.#far !== undefined) this.#sharing(this.#share(key, kept, lease, this.#far))
    }
  }

  /**
   * The right to make it, among all processes. A value, when somebody else has made it meanwhile; undefined when nobody knows, or it took too long to be
   * made. From one who has the right and takes too long, one of those who wait takes it over.
   */
  async #lease(before: Held | undefined, flight: Flight<Call>, far: FarSide, call: Call): Promise<Lease | Held | undefined> {
    const { key } = call
    const { hardTimeoutMs } = call.rules
    // What is left then is for the making.
    const patienceMs = Math.min(leaseWaitMostMs, hardTimeoutMs / 2)
    const latest = this.#clock.now() + hardTimeoutMs * 0.75
    const newerThan = before !== undefined && this.#clock.now() < before.softAt ? before.softAt + before.madeInMs : 0
    let holder: string | undefined
    let patientUntil = Infinity
    for (let wait = leaseWaitMs; ; wait = Math.min(wait * 2, leaseWaitLongestMs)) {
      const lease = await far.far.lease(key, this.#clock.now() < patientUntil ? undefined : holder)
      if (lease === 'unknown') return undefined
      const made = this.#usable(await far.fetchAnew(key), call)
      if (made !== undefined && made.softAt > Math.max(newerThan, this.#clock.now())) {
        if (!('takenBy' in lease)) lease.release()
        return made
      }
      if (!('takenBy' in lease)) return lease
      const now = this.#clock.now()
      if (lease.takenBy !== holder) {
        holder = lease.takenBy
        patientUntil = now + patienceMs
      }
      if (now >= latest || flight.aborted) return undefined
      await flight.pause(sleep(this.#clock, ms(Math.min(wait, latest - now, Math.max(1, patientUntil - now)))))
    }
  }

  #sharing(share: Promise<void>): void {
    this.#shares.add(share)
    void share.finally(() => this.#shares.delete(share))
  }

  /** After those who waited here were given it: so that others are. */
  async #share(key: string, kept: Held | undefined, lease: Lease | undefined, { far }: FarSide): Promise<void> {
    if (kept !== undefined) {
      const { value, tags, mark, madeInMs, softAt, hardAt } = kept
      const now = this.#clock.now()
      const written = await far.write(key, { value, tags, mark, madeInMs, softInMs: softAt - now, hardInMs: hardAt - now })
      if (written === 'fenced') {
        this.#counters.fenced++
        if (this.#memory.peek(key) === kept) this.#memory.delete(key)
      } else if (written === 'unknown') this.#counters.remoteErrors++
    }
    lease?.release()
  }

  /** With a stale value it is left alone for a while; without, so is the factory. */
  #failed(key: string, held: Held | undefined, error: unknown, rules: EntryRules, mark: number): void {
    const now = this.#clock.now()
    if (held !== undefined && held.failure === undefined) {
      if (this.#memory.peek(key) === held) held.softAt = Math.max(held.softAt, Math.min(held.hardAt, now + rules.graceBackoffMs))
      return
    }
    if (rules.negativeTtlMs === 0 || !(error instanceof Error)) return
    const before = held === undefined ? 0 : held.softAt - held.storedAt
    const softAt = now + Math.min(negativeTtlMostMs, Math.max(rules.negativeTtlMs, before * 2))
    // It is remembered for longer than it is given, so that the next one in a row can double it.
    this.#memory.set(key, new Held({ failure: error }, { storedAt: now, softAt, hardAt: softAt + negativeTtlMostMs }, noTags, mark))
  }

  #store(key: string, value: unknown, rules: EntryRules, tags: readonly string[], mark: number, madeInMs: number | undefined): Held | undefined {
    // There is no way to tell it from a miss.
    if (value === undefined) return undefined
    const now = this.#clock.now()
    const ttlMs = this.#far === undefined || this.#far.up ? rules.ttlMs : Math.min(deafTtlMs, rules.ttlMs)
    // Who sets a value has said for how long.
    const sooner = madeInMs === undefined ? 0 : ttlSpread * (1 - this.#random.next())
    const softAt = now + ttlMs * (1 - sooner)
    const limits = { storedAt: now, softAt, hardAt: softAt + rules.graceMs }
    const held = new Held({ value, madeInMs: madeInMs ?? 0, bytes: this.#memory.bytesOf(value) }, limits, tags, mark)
    this.#memory.set(key, held)
    return held
  }
}

function tagsOf(options: EntryOptions | undefined, value: unknown): readonly string[] {
  if (options?.tags === undefined) return noTags
  return checkTags(typeof options.tags === 'function' ? options.tags(value as never) : options.tags)
}

const tooLate = (key: string, hardTimeoutMs: number): HoldfastError =>
  new HoldfastError('cache_timeout', `waited ${hardTimeoutMs} ms for the value of ${JSON.stringify(key)}, and it is still being made`, {
    hint: 'give hardTimeoutMs more time, or find what keeps the factory',
    details: { key, hardTimeoutMs },
  })
