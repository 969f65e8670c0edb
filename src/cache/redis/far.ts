/**
 * The far layer in Redis. Each call is answered in time or `unknown`; a breaker keeps calls away from a Redis that fails or is slow; changes that could
 * not be told are told when it is back, and until then nothing that was kept is trusted for long.
 *
 *   down ──connected, and its own beat is heard──▶ up ──no beat for a second, or the breaker opens──▶ down
 */
import { createHash, randomBytes } from 'node:crypto'
import { withoutPasswords } from '../../config/core/words.ts'
import type { Random } from '../../kernel/random.ts'
import { instant, type Clock } from '../../kernel/time.ts'
import { Breaker, outcome } from '../../resilience/core/breaker.ts'
import type { Far, FarEntry, FarListener, FarReading, Lease } from '../ports.ts'
import { beatMs, Bus } from './bus.ts'
import { Codec } from './codec.ts'
import { loadRedis, openRedis, type RedisConnection, type RedisOptions, type Reply } from './connection.ts'
import { Pending } from './pending.ts'
import { changeScript, invalidateScript, leaseScript, markScript, tickScript, writeScript } from './scripts.ts'

export interface RedisFarOptions extends RedisOptions {
  /** Of all its keys; whoever has the same shares the cache. Default `holdfast:cache:`. */
  readonly prefix?: string
  /** Keys of 32 bytes, in hex or base64; the first encrypts, all decrypt. Default: values lie there as they are. */
  readonly encryption?: readonly (string | Buffer)[]
  /** A read that takes longer is none. Default 50 ms. */
  readonly readTimeoutMs?: number
  /** Default 250 ms. */
  readonly writeTimeoutMs?: number
  /** It is up, or away and why: once for each change. */
  readonly onChange?: (up: boolean, reason: string | undefined) => void
}

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

/** Opened by half of five calls that fail, or most of them slower than 0.4 of the read timeout (20 ms of 50); tried again after 1 s, then 2 s, up to 30 s, with one call. */
const slowShare = 0.4
const breakerOptions = {
  minCalls: 5,
  openMs: 1_000,
  openMaxMs: 30_000,
  halfOpen: { type: 'sample', calls: 3 },
} as const

const textOf = (reply: Reply): string => (Buffer.isBuffer(reply) ? reply.toString() : String(reply))
/** Braces name the slot in a cluster. */
const slotName = (key: string): string => key.replaceAll(/[{}%]/g, (each) => `%${each.charCodeAt(0).toString(16)}`)

export class RedisFar implements Far {
  readonly #options: RedisFarOptions
  readonly #prefix: string
  readonly #tools: FarTools
  readonly #codec: Codec
  readonly #breaker: Breaker
  readonly #bus: Bus
  readonly #pending = new Pending()
  readonly #sums = new Map<string, string>()
  #connection: RedisConnection | undefined
  #timer: Disposable | undefined
  #told: boolean | undefined
  #reason: string | undefined
  #telling = false
  #closed = false

  constructor(options: RedisFarOptions, tools: FarTools) {
    this.#options = options
    this.#prefix = options.prefix ?? prefixDefault
    this.#tools = tools
    this.#codec = new Codec(options.encryption ?? [])
    this.#breaker = new Breaker({ ...breakerOptions, slowMs: this.#readMs * slowShare }, tools.random)
    this.#bus = new Bus(() => this.#changed())
  }

  get up(): boolean {
    return this.#bus.hearing && this.#breaker.state === 'closed' && this.#pending.empty
  }

  listen(listener: FarListener): void {
    this.#bus.listen(listener)
  }

  /** Begins to connect, and goes on until `close`. */
  start(): void {
    void this.#connect()
    this.#tick()
  }

  async #connect(): Promise<void> {
    const onError = (error: Error): void => {
      this.#reason = withoutPasswords(error.message === '' ? error.name : error.message)
    }
    const { clock } = this.#tools
    let connection: RedisConnection | undefined
    try {
      connection = openRedis(await loadRedis(), this.#options, onError)
      // While it is not there, it is tried again by the client itself.
      await connection.connect()
      await connection.subscribe([`${this.#prefix}bus`, `${this.#prefix}bus:${this.#bus.sender}`], (message) => this.#bus.hear(message, clock.now()))
      this.#connection = connection
      this.#beat()
    } catch (error) {
      onError(error as Error)
      connection?.close()
      this.#changed()
      if (!this.#closed) clock.schedule(instant(clock.now() + 1_000), () => void this.#connect())
    }
    if (this.#closed) connection?.close()
  }

  #beat(): void {
    void this.#send('bus', false, this.#writeMs, ['PUBLISH', `${this.#prefix}bus:${this.#bus.sender}`, this.#bus.frame('beat', 0)])
  }

  /** Beats, notices silence, and tells what could not be told. */
  #tick(): void {
    if (this.#closed) return
    const { clock } = this.#tools
    this.#bus.check(clock.now())
    this.#beat()
    if (!this.#pending.empty && this.#bus.hearing) void this.#tellPending()
    this.#changed()
    this.#timer = clock.schedule(instant(clock.now() + beatMs), () => this.#tick())
  }

  #changed(): void {
    const { up } = this
    if (this.#told === up || (this.#told === undefined && !up && this.#reason === undefined)) return
    this.#told = up
    this.#options.onChange?.(up, up ? undefined : (this.#reason ?? 'it does not answer in time'))
  }

  get #readMs(): number {
    return this.#options.readTimeoutMs ?? readTimeoutDefault
  }

  get #writeMs(): number {
    return this.#options.writeTimeoutMs ?? writeTimeoutDefault
  }

  // --- calls ------------------------------------------------------------------------------------------------------

  /** undefined: no answer, or an error, or it is not asked at all. */
  async #send(
    key: string,
    readonly: boolean,
    withinMs: number,
    args: readonly (string | Buffer)[],
    unlessKnown?: readonly (string | Buffer)[],
  ): Promise<Reply | undefined> {
    const { clock } = this.#tools
    const began = clock.now()
    const connection = this.#connection
    if (connection === undefined) return undefined
    const generation = this.#breaker.allow(began)
    if (generation === 0) return undefined
    try {
      const sent = connection.send(this.#prefix + key, readonly, args).catch((error: unknown) => {
        if (unlessKnown === undefined || !(error as Error).message.startsWith('NOSCRIPT')) throw error
        return connection.send(this.#prefix + key, readonly, unlessKnown)
      })
      const reply = await this.#inTime(sent, withinMs)
      this.#breaker.record(clock.now(), outcome.ok, clock.now() - began, generation)
      return reply
    } catch (error) {
      this.#reason = withoutPasswords((error as Error).message)
      this.#breaker.record(clock.now(), outcome.failed, clock.now() - began, generation)
      return undefined
    }
  }

  #inTime(reply: Promise<Reply>, withinMs: number): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const { clock } = this.#tools
      const timer = clock.schedule(instant(clock.now() + withinMs), () => {
        // An answer that lies in the socket already, when we were late ourselves, is in time.
        setImmediate(() => reject(new Error(`no answer within ${withinMs} ms`)))
      })
      reply.then(resolve, reject).finally(() => {
        timer[Symbol.dispose]()
      })
    })
  }

  /** A server that has started anew has to be given the text. */
  async #run(script: string, key: string, keys: readonly string[], args: readonly (string | Buffer)[]): Promise<Reply | undefined> {
    let sum = this.#sums.get(script)
    if (sum === undefined) this.#sums.set(script, (sum = createHash('sha1').update(script).digest('hex')))
    const rest = [String(keys.length), ...keys.map((each) => this.#prefix + each), ...args]
    return await this.#send(key, false, this.#writeMs, ['EVALSHA', sum, ...rest], ['EVAL', script, ...rest])
  }

  async read(key: string): Promise<FarReading> {
    const name = slotName(key)
    const entry = `{${name}}`
    const [content, ttl, mark] = await Promise.all([
      this.#send(entry, true, this.#readMs, ['GET', this.#prefix + entry]),
      this.#send(entry, true, this.#readMs, ['PTTL', this.#prefix + entry]),
      this.#mark(),
    ])
    if (content === undefined || ttl === undefined || mark === undefined) return { kind: 'unknown' }
    const stored = Buffer.isBuffer(content) ? this.#codec.decode(key, content) : undefined
    if (stored === undefined || typeof ttl !== 'number' || ttl <= 0) return { kind: 'miss', mark }
    const { graceMs, ...rest } = stored
    return { kind: 'hit', mark, entry: { ...rest, hardInMs: ttl, softInMs: ttl - graceMs } }
  }

  async #mark(): Promise<number | undefined> {
    const reply = await this.#send('seq', true, this.#readMs, ['GET', `${this.#prefix}seq`])
    if (Buffer.isBuffer(reply)) return Number(reply.toString())
    if (reply === undefined) return undefined
    const made = await this.#run(markScript, 'seq', ['seq'], [])
    return made === undefined ? undefined : Number(textOf(made))
  }

  async #time(): Promise<number | undefined> {
    const reply = await this.#run(tickScript, 'seq', ['seq'], [])
    return reply === undefined ? undefined : Number(textOf(reply))
  }

  #encoded(key: string, { value, softInMs, hardInMs, madeInMs, mark, tags }: FarEntry): readonly [content: Buffer, ttl: string] {
    const content = this.#codec.encode(key, { value, graceMs: Math.max(0, hardInMs - softInMs), madeInMs, mark, tags })
    return [content, String(Math.max(1, Math.round(Math.min(entryMostMs, hardInMs))))]
  }

  async write(key: string, entry: FarEntry): Promise<'stored' | 'fenced' | 'unknown'> {
    const name = slotName(key)
    const [content, ttl] = this.#encoded(key, entry)
    const reply = await this.#run(writeScript, `{${name}}`, [`{${name}}`, `{${name}}:g`], [content, ttl, String(entry.mark)])
    if (reply === undefined) return 'unknown'
    if (reply === 0) return 'fenced'
    this.#publish('keys', entry.mark, [key])
    return 'stored'
  }

  async put(key: string, entry: Omit<FarEntry, 'mark'>): Promise<number | undefined> {
    const at = await this.#time()
    const name = slotName(key)
    const done =
      at !== undefined &&
      (await this.#run(
        changeScript,
        `{${name}}`,
        [`{${name}}`, `{${name}}:g`],
        [String(at), String(changeKeptMs), ...this.#encoded(key, { ...entry, mark: at })],
      )) !== undefined
    if (done) this.#publish('keys', at, [key])
    else this.#pending.keys([key])
    return done ? at : undefined
  }

  async remove(keys: readonly string[]): Promise<number | undefined> {
    const at = await this.#time()
    const replies = at === undefined ? [undefined] : await Promise.all(keys.map((key) => this.#removeOne(key, at)))
    if (at === undefined || replies.includes(undefined)) {
      this.#pending.keys(keys)
      return undefined
    }
    this.#publish('keys', at, keys)
    return replies.reduce<number>((sum, reply) => sum + Number(reply), 0)
  }

  #removeOne(key: string, at: number): Promise<Reply | undefined> {
    const name = slotName(key)
    return this.#run(changeScript, `{${name}}`, [`{${name}}`, `{${name}}:g`], [String(at), String(changeKeptMs)])
  }

  async invalidate(tags: readonly string[]): Promise<number | undefined> {
    const at = await this.#time()
    const replies = at === undefined ? [undefined] : await Promise.all(tags.map((tag) => this.#invalidateOne(`t:${tag}`, at)))
    if (at === undefined || replies.includes(undefined)) {
      this.#pending.tags(tags)
      return undefined
    }
    this.#publish('tags', at, tags)
    return at
  }

  #invalidateOne(key: string, at: number): Promise<Reply | undefined> {
    return this.#run(invalidateScript, key, [key], [String(at), String(invalidationKeptMs)])
  }

  async clear(): Promise<number | undefined> {
    const at = await this.#time()
    if (at === undefined || (await this.#invalidateOne('all', at)) === undefined) {
      this.#pending.all()
      return undefined
    }
    this.#publish('all', at, [])
    return at
  }

  async lastInvalidations(tags: readonly string[]): Promise<{ readonly all: number; readonly tags: readonly number[] } | undefined> {
    const replies = await Promise.all(
      ['all', ...tags.map((tag) => `t:${tag}`)].map((key) => this.#send(key, true, this.#readMs, ['GET', this.#prefix + key])),
    )
    if (replies.includes(undefined)) return undefined
    const [all = 0, ...rest] = replies.map((reply) => (Buffer.isBuffer(reply) ? Number(reply.toString()) : 0))
    return { all, tags: rest }
  }

  #publish(kind: 'keys' | 'tags' | 'all', at: number, names: readonly string[]): void {
    void this.#send('bus', false, this.#writeMs, ['PUBLISH', `${this.#prefix}bus`, this.#bus.frame(kind, at, names)])
  }

  async #tellPending(): Promise<void> {
    if (this.#telling) return
    this.#telling = true
    const { all, keys, tags } = this.#pending.take()
    // What cannot be told again is pending again.
    if (all) await this.clear()
    if (keys.length > 0) await this.remove(keys)
    if (tags.length > 0) await this.invalidate(tags)
    this.#telling = false
    this.#changed()
  }

  async lease(key: string): Promise<Lease | 'taken' | 'unknown'> {
    const lease = `{${slotName(key)}}:l`
    const token = randomBytes(8).toString('hex')
    const reply = await this.#send(lease, false, this.#readMs, ['SET', this.#prefix + lease, token, 'NX', 'PX', String(leaseMs)])
    if (reply === undefined) return 'unknown'
    if (reply === null) return 'taken'
    const { clock } = this.#tools
    let timer: Disposable | undefined
    const renew = (): void => {
      timer = clock.schedule(instant(clock.now() + leaseMs / 3), () => {
        void this.#run(leaseScript, lease, [lease], [token, String(leaseMs)])
        renew()
      })
    }
    renew()
    return {
      release: () => {
        timer?.[Symbol.dispose]()
        void this.#run(leaseScript, lease, [lease], [token, '0'])
      },
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#timer?.[Symbol.dispose]()
    if (!this.#pending.empty) await this.#tellPending()
    this.#connection?.close()
    this.#connection = undefined
  }
}
