/**
 * The far layer in Redis. Each call is answered in time or `unknown`; a breaker keeps calls away from a Redis that fails or is slow; changes that could
 * not be told are told when it is back, and until then nothing that was kept is trusted for long.
 *
 *   down ──connected, its own beat is heard, and the last changes are still known there──▶ up ──no beat for a second, or the breaker opens──▶ down
 *
 * A Redis that takes over from another may lack what was acknowledged last. So whoever made a change holds it against the new one (`journal.ts`) and says
 * again what was lost, and logical time is never less than anybody has seen.
 */
import { randomBytes } from 'node:crypto'
import type { Random } from '../../kernel/random.ts'
import { instant, type Clock } from '../../kernel/time.ts'
import { Breaker } from '../../resilience/core/breaker.ts'
import { encodeFrame } from '../core/frame.ts'
import type { Far, FarEntry, FarListener, FarReading, FarStatus, Lease } from '../ports.ts'
import { beatMs, Bus } from './bus.ts'
import { Calls, textOf, type Argument } from './calls.ts'
import { Codec } from './codec.ts'
import { loadRedis, openRedis, type RedisConnection, type Reply } from './connection.ts'
import { Journal, type Noted } from './journal.ts'
import type { RedisFarOptions } from '../types.ts'
import { Pending } from './pending.ts'
import { changeScript, confirmScript, invalidateScript, leaseScript, markScript, readScript, takeScript, tickScript, writeScript } from './scripts.ts'

export interface FarTools {
  readonly clock: Clock
  readonly random: Random
}

const prefixDefault = 'holdfast:cache:'
const [readTimeoutDefault, writeTimeoutDefault] = [50, 250]
/** For so long a change of a key is remembered, for what was being made when it happened: what takes longer to make is not stored here. */
export const changeKeptMs = 3_600_000
const day = 86_400_000
/** No entry lies there for longer, and every invalidation for longer than that. */
const [entryMostMs, invalidationKeptMs] = [30 * day, 32 * day]
const leaseMs = 5_000

/** Deaf for so long, it is not waited for that a connection mends itself. */
const renewMs = 3_000
/** Said again at a time: as many as are answered within the time of one. */
const batchMax = 500

/** Opened by half of five calls that fail, or most of them slower than 0.4 of the read timeout (20 ms of 50); tried again after 1 s, then every 2 s, with three calls. */
const slowShare = 0.4
const breakerOptions = {
  minCalls: 5,
  openMs: 1_000,
  openMaxMs: 2_000,
  halfOpen: { type: 'sample', calls: 3 },
} as const

function* batches<T>(all: readonly T[]): Generator<readonly T[]> {
  for (let i = 0; i < all.length; i += batchMax) yield all.slice(i, i + batchMax)
}

/** Braces name the slot in a cluster. */
const slotName = (key: string): string => key.replaceAll(/[{}%]/g, (each) => `%${each.charCodeAt(0).toString(16)}`)
const entryOf = (key: string): string => `{${slotName(key)}}`
/** Where the last change of the entry is. */
const changeOf = (key: string): string => `{${slotName(key)}}:g`

export class RedisFar implements Far {
  readonly #options: RedisFarOptions
  readonly #prefix: string
  readonly #tools: FarTools
  readonly #codec: Codec
  readonly #breaker: Breaker
  readonly #calls: Calls
  readonly #bus: Bus
  readonly #pending = new Pending()
  readonly #journal = new Journal()
  #listener: FarListener | undefined
  /** The latest logical time that was seen. */
  #known = 0
  #opening: RedisConnection | undefined
  #timer: Disposable | undefined
  #deafSince = 0
  #wasUp = false
  #told: boolean | undefined
  #telling = false
  #confirming = false
  #closed = false

  constructor(options: RedisFarOptions, tools: FarTools) {
    this.#options = options
    this.#prefix = options.prefix ?? prefixDefault
    this.#tools = tools
    this.#codec = new Codec(options.encryption ?? [])
    this.#breaker = new Breaker({ ...breakerOptions, slowMs: this.#readMs * slowShare }, tools.random)
    this.#calls = new Calls(this.#prefix, tools.clock, this.#breaker)
    this.#bus = new Bus(() => {
      if (this.#bus.hearing) void this.#confirm()
      else this.#deafSince = tools.clock.now()
      this.#changed()
    })
  }

  get status(): FarStatus {
    return { up: this.up, breaker: this.#breaker.state, lagMs: this.#bus.lagMs, gaps: this.#bus.gaps }
  }

  get up(): boolean {
    return this.#bus.hearing && !this.#confirming && this.#breaker.state === 'closed' && this.#pending.empty
  }

  listen(listener: FarListener): void {
    this.#listener = listener
    this.#bus.listen(listener)
  }

  /** Begins to connect, and goes on until `close`. */
  start(): void {
    void this.#connect()
    this.#tick()
  }

  async #connect(): Promise<void> {
    const { clock } = this.#tools
    this.#deafSince = clock.now()
    let connection: RedisConnection | undefined
    // It may be closed at any time.
    const closed = (): boolean => this.#closed
    try {
      const redis = await loadRedis()
      if (closed()) return
      connection = openRedis(redis, this.#options, (error) => this.#calls.failed(error))
      this.#opening = connection
      // While it is not there, it is tried again by the client itself.
      await connection.connect()
      await connection.subscribe([`${this.#prefix}bus`, `${this.#prefix}bus:${this.#bus.sender}`], (message) => this.#bus.hear(message, clock.now()))
      if (this.#opening === connection && !closed()) this.#calls.connection = connection
      else connection.close()
      this.#beat()
    } catch (error) {
      connection?.close()
      // It was given up for another.
      if (connection !== undefined && this.#opening !== connection) return
      this.#calls.failed(error as Error)
      this.#changed()
      if (!this.#closed) clock.schedule(instant(clock.now() + 1_000), () => this.#renew())
    }
  }

  /** With a new connection: the old one may hang in a way that it does not notice itself. */
  #renew(): void {
    if (this.#closed) return
    this.#opening?.close()
    this.#opening = undefined
    this.#calls.connection = undefined
    void this.#connect()
  }

  #beat(): void {
    void this.#calls.send('bus', false, this.#writeMs, ['PUBLISH', `${this.#prefix}bus:${this.#bus.sender}`, this.#bus.beat(this.#tools.clock.now())])
  }

  /** Beats, notices silence, and tells what could not be told. */
  #tick(): void {
    if (this.#closed) return
    const { clock } = this.#tools
    const now = clock.now()
    this.#bus.check(now)
    this.#beat()
    if (!this.#bus.hearing && this.#calls.connection !== undefined && now - this.#deafSince >= renewMs) this.#renew()
    if (!this.#pending.empty && this.#bus.hearing) void this.#tellPending()
    this.#changed()
    this.#timer = clock.schedule(instant(now + beatMs), () => this.#tick())
  }

  #changed(): void {
    const { up } = this
    if (this.#wasUp && !up) this.#listener?.deaf?.()
    this.#wasUp = up
    const { reason } = this.#calls
    if (this.#told === up || (this.#told === undefined && !up && reason === undefined)) return
    this.#told = up
    this.#options.onChange?.(up, up ? undefined : (reason ?? 'it does not answer in time'))
  }

  /** What was acknowledged lately and is no longer known there is said again. */
  async #confirm(): Promise<void> {
    if (this.#confirming || this.#known === 0) return
    this.#confirming = true
    await this.#run(markScript, ['seq'], [String(this.#known)])
    const noted = this.#journal.recent(this.#tools.clock.now())
    for (const some of batches(noted)) await Promise.all(some.map((note) => this.#confirmOne(note)))
    this.#confirming = false
    this.#changed()
  }

  async #confirmOne({ kind, name, at }: Noted): Promise<void> {
    const reply = await (kind === 'keys'
      ? this.#run(confirmScript, [entryOf(name), changeOf(name)], [String(at), String(changeKeptMs)])
      : this.#invalidateOne(kind === 'tags' ? `t:${name}` : 'all', at))
    if (reply === 1) await this.#publish(kind, at, kind === 'all' ? [] : [name])
    else if (reply === undefined) this.#pend(kind, [name])
  }

  #pend(kind: Noted['kind'], names: readonly string[]): void {
    if (kind === 'keys') this.#pending.keys(names)
    else if (kind === 'tags') this.#pending.tags(names)
    else this.#pending.all()
    this.#changed()
  }

  get #readMs(): number {
    return this.#options.readTimeoutMs ?? readTimeoutDefault
  }

  get #writeMs(): number {
    return this.#options.writeTimeoutMs ?? writeTimeoutDefault
  }

  #run(script: string, keys: readonly string[], args: readonly Argument[], withinMs = this.#writeMs): Promise<Reply | undefined> {
    return this.#calls.run(script, withinMs, keys, args)
  }

  #seen(time: Reply): number {
    const at = Number(textOf(time))
    this.#known = Math.max(this.#known, at)
    return at
  }

  // --- calls ------------------------------------------------------------------------------------------------------

  async read(key: string): Promise<FarReading> {
    const [reading, elsewhere] = await Promise.all([
      this.#run(readScript, this.#together ? [entryOf(key), 'seq'] : [entryOf(key)], [], this.#readMs),
      this.#together ? undefined : this.#calls.send('seq', true, this.#readMs, ['GET', `${this.#prefix}seq`]),
    ])
    if (!Array.isArray(reading) || (!this.#together && elsewhere === undefined)) return { kind: 'unknown' }
    const [content, ttl, here] = reading as Reply[]
    const mark = await this.#mark((this.#together ? here : elsewhere) ?? null)
    if (mark === undefined) return { kind: 'unknown' }
    const stored = Buffer.isBuffer(content) ? this.#codec.decode(key, content) : undefined
    if (stored === undefined || typeof ttl !== 'number' || ttl <= 0 || this.#pending.concerns(key, stored.tags)) return { kind: 'miss', mark }
    const { graceMs, ...rest } = stored
    return { kind: 'hit', mark, entry: { ...rest, hardInMs: ttl, softInMs: ttl - graceMs } }
  }

  /** Keys need not be in one slot, and commands arrive in the order in which they are sent. */
  get #together(): boolean {
    return this.#options.cluster === undefined
  }

  /** A counter that was lost, or is less than what was seen, is set right first. */
  async #mark(found: Reply): Promise<number | undefined> {
    const at = found === null ? 0 : Number(textOf(found))
    if (at > 0 && at >= this.#known) return this.#seen(found)
    const made = await this.#run(markScript, ['seq'], [String(this.#known)])
    return made === undefined ? undefined : this.#seen(made)
  }

  async #time(): Promise<number | undefined> {
    const reply = await this.#run(tickScript, ['seq'], [String(this.#known)])
    return reply === undefined ? undefined : this.#seen(reply)
  }

  #encoded(key: string, { value, softInMs, hardInMs, madeInMs, mark, tags }: FarEntry): readonly [content: Buffer, ttl: string] {
    const content = this.#codec.encode(key, { value, graceMs: Math.max(0, hardInMs - softInMs), madeInMs, mark, tags })
    return [content, String(Math.max(1, Math.round(Math.min(entryMostMs, hardInMs))))]
  }

  async write(key: string, entry: FarEntry): Promise<'stored' | 'fenced' | 'unknown'> {
    const [content, ttl] = this.#encoded(key, entry)
    const reply = await this.#run(writeScript, [entryOf(key), changeOf(key)], [content, ttl, String(entry.mark)])
    if (reply === undefined) return 'unknown'
    if (reply === 0) return 'fenced'
    await this.#publish('keys', entry.mark, [key])
    return 'stored'
  }

  async put(key: string, entry: Omit<FarEntry, 'mark'>): Promise<number | undefined> {
    const at = await this.#time()
    if (at === undefined) {
      this.#pend('keys', [key])
      return undefined
    }
    const args = [String(at), String(changeKeptMs), ...this.#encoded(key, { ...entry, mark: at })]
    return await this.#acknowledged('keys', [key], at, [this.#run(changeScript, [entryOf(key), changeOf(key)], args)])
  }

  async remove(keys: readonly string[]): Promise<{ readonly count: number; readonly at: number } | undefined> {
    const at = await this.#time()
    if (at === undefined) {
      this.#pend('keys', keys)
      return undefined
    }
    const removals = keys.map((key) => this.#run(changeScript, [entryOf(key), changeOf(key)], [String(at), String(changeKeptMs)]))
    if ((await this.#acknowledged('keys', keys, at, removals)) === undefined) return undefined
    return { at, count: (await Promise.all(removals)).reduce<number>((sum, reply) => sum + Number(reply), 0) }
  }

  async invalidate(tags: readonly string[]): Promise<number | undefined> {
    const at = await this.#time()
    if (at === undefined) {
      this.#pend('tags', tags)
      return undefined
    }
    const invalidations = tags.map((tag) => this.#invalidateOne(`t:${tag}`, at))
    return await this.#acknowledged('tags', tags, at, invalidations)
  }

  #invalidateOne(key: string, at: number): Promise<Reply | undefined> {
    return this.#run(invalidateScript, [key], [String(at), String(invalidationKeptMs)])
  }

  async clear(): Promise<number | undefined> {
    const at = await this.#time()
    if (at === undefined) {
      this.#pend('all', [])
      return undefined
    }
    return await this.#acknowledged('all', [], at, [this.#invalidateOne('all', at)])
  }

  /** A change is over when it is made and told; what of that fails is told later. */
  async #acknowledged(
    kind: Noted['kind'],
    names: readonly string[],
    at: number,
    changes: readonly Promise<Reply | undefined>[],
  ): Promise<number | undefined> {
    const told = this.#together ? this.#publish(kind, at, names) : undefined
    if ((await Promise.all(changes)).includes(undefined)) {
      this.#pend(kind, names)
      return undefined
    }
    this.#journal.note(kind, names, at, this.#tools.clock.now())
    await (told ?? this.#publish(kind, at, names))
    return at
  }

  async lastInvalidations(tags: readonly string[]): Promise<{ readonly all: number; readonly tags: readonly number[] } | undefined> {
    const replies = await Promise.all(
      ['all', ...tags.map((tag) => `t:${tag}`)].map((key) => this.#calls.send(key, true, this.#readMs, ['GET', this.#prefix + key])),
    )
    if (replies.includes(undefined)) return undefined
    const [all = 0, ...rest] = replies.map((reply) => (Buffer.isBuffer(reply) ? Number(reply.toString()) : 0))
    return { all, tags: rest }
  }

  /** Who could not be told now is told later that the names have changed, whatever of them is right by then. */
  async #publish(kind: Noted['kind'], at: number, names: readonly string[]): Promise<void> {
    const frame = this.#bus.frame(kind, at, names)
    const reply = await this.#calls.send('bus', false, this.#writeMs, ['PUBLISH', `${this.#prefix}bus`, encodeFrame(frame)])
    this.#bus.sent(frame, reply !== undefined)
    if (reply === undefined) this.#pend(kind, names)
  }

  async #tellPending(): Promise<void> {
    if (this.#telling) return
    this.#telling = true
    const { all, keys, tags } = this.#pending.take()
    // What cannot be told again is pending again. What was kept here meanwhile is not newer than that.
    if (all) {
      const at = await this.clear()
      if (at !== undefined) this.#listener?.allInvalidated(at)
    }
    for (const some of batches(keys)) {
      const removed = await this.remove(some)
      if (removed !== undefined) this.#listener?.keysChanged(some, removed.at)
    }
    for (const some of batches(tags)) {
      const at = await this.invalidate(some)
      if (at !== undefined) this.#listener?.tagsInvalidated(some, at)
    }
    this.#pending.told()
    this.#telling = false
    this.#changed()
  }

  async lease(key: string, insteadOf = ''): Promise<Lease | { readonly takenBy: string } | 'unknown'> {
    const lease = `{${slotName(key)}}:l`
    const token = randomBytes(8).toString('hex')
    const reply = await this.#run(takeScript, [lease], [token, String(leaseMs), insteadOf], this.#readMs)
    if (reply === undefined) return 'unknown'
    const holder = textOf(reply)
    if (holder !== token) return { takenBy: holder }
    const { clock } = this.#tools
    let timer: Disposable | undefined
    const renew = (): void => {
      timer = clock.schedule(instant(clock.now() + leaseMs / 3), () => {
        void this.#run(leaseScript, [lease], [token, String(leaseMs)])
        renew()
      })
    }
    renew()
    return {
      release: () => {
        timer?.[Symbol.dispose]()
        void this.#run(leaseScript, [lease], [token, '0'])
      },
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#timer?.[Symbol.dispose]()
    if (!this.#pending.empty) await this.#tellPending()
    this.#opening?.close()
    this.#calls.connection = undefined
  }
}
