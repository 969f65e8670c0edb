/**
 * A connection to a Redis that is shared by several machines. Nobody waits for it longer than 20 ms.
 *
 *   away ──connected, and a beat was answered in time──▶ up ──an answer too late, an error, closed──▶ away (another beat in 100 ms)
 */
import type { createClient } from 'redis'
import { withoutPasswords } from '../config/core/words.ts'
import { newId } from '../kernel/system.ts'
import { after, ms, type Clock } from '../kernel/time.ts'
import { runScript, type RedisClient } from './script.ts'

/** Source: the handbook of resilience, 8.2. */
export const answerWithinMs = 20
/** The first one has to be connected, and its script compiled. */
const firstAnswerWithinMs = 250
/** Between two beats: while away it is tried this often whether it is back. */
const [beatMs, awayBeatMs] = [1_000, 100]
/** A machine that was not heard of for so long is not counted. */
const presentMs = 5_000
/** A connection that answers nothing for so long is given up for another. */
const deadMs = 1_000
/** Commands on their way; more are not sent. */
const commandsMax = 10_000

/** Who shares: KEYS the set of them; ARGV the own name, and for how many milliseconds one is counted. Returns how many there are. */
const presenceScript = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
redis.call('PEXPIRE', KEYS[1], 2 * ARGV[2])
return redis.call('ZCARD', KEYS[1])
`

export interface RedisLinkOptions {
  readonly url: string
  /** Of the keys that belong together. */
  readonly prefix: string
  readonly clock: Clock
  /** It went away, or is back. The first connection tells only of failure. */
  readonly onChange: (up: boolean, reason: string | undefined) => void
  /** An answer that takes longer is none. Default 20 ms. */
  readonly timeoutMs?: number | undefined
  /** It keeps no process alive, but while a call is under way. */
  readonly unref?: boolean
}

export class RedisLink {
  readonly #options: RedisLinkOptions
  readonly #name = newId()
  #client: RedisClient | undefined
  #up = false
  #told: boolean | undefined
  #timer: Disposable | undefined
  #unansweredSince: number | undefined
  #beating = false
  #underWay = 0
  #closed = false
  /** Machines that share, as far as is known. */
  machines: number | undefined
  /** Fulfilled when the first attempt has come to an end, either way: within a second or so. */
  readonly begun: Promise<void>

  constructor(options: RedisLinkOptions) {
    this.#options = options
    this.begun = this.#beat()
  }

  get #timeoutMs(): number {
    return this.#options.timeoutMs ?? answerWithinMs
  }

  get up(): boolean {
    return this.#up
  }

  /** Rejects when it is away, or has not answered in time: then it is away. */
  async run(script: string, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    const client = this.#client
    if (client === undefined || !this.#up) throw new Error('not connected')
    try {
      return await this.#inTime(client, runScript(client, script, keys, args), this.#timeoutMs)
    } catch (error) {
      if (client === this.#client) this.#lost(error as Error)
      throw error
    }
  }

  /** An answer that lies in the socket already when we were late ourselves is in time. */
  #inTime<T>(client: RedisClient, answer: Promise<T>, withinMs: number): Promise<T> {
    // A call under way is work: it does keep the process alive.
    if (this.#options.unref === true && this.#underWay++ === 0) client.ref()
    return new Promise<T>((resolve, reject) => {
      const timer = this.#after(withinMs, () => {
        setImmediate(() => {
          reject(new Error(`no answer within ${withinMs} ms`))
        })
      })
      answer.then(resolve, reject).finally(() => {
        timer[Symbol.dispose]()
      })
    }).finally(() => {
      if (this.#options.unref === true && --this.#underWay === 0) client.unref()
    })
  }

  #after(wait: number, task: () => void): Disposable {
    const { clock } = this.#options
    return clock.schedule(after(clock.now(), ms(wait)), task)
  }

  #beat(): Promise<void> {
    this.#timer?.[Symbol.dispose]()
    if (this.#closed) return Promise.resolve()
    this.#timer = this.#after(this.#up ? beatMs : awayBeatMs, () => void this.#beat())
    if (this.#beating) return Promise.resolve()
    this.#beating = true
    return this.#sayHello().finally(() => {
      this.#beating = false
    })
  }

  async #sayHello(): Promise<void> {
    const now = this.#options.clock.now()
    if (this.#unansweredSince !== undefined && now - this.#unansweredSince >= deadMs) this.#drop()
    this.#unansweredSince ??= now
    try {
      const client = (this.#client ??= await this.#connect())
      const hello = runScript(client, presenceScript, [`${this.#options.prefix}machines`], [this.#name, String(presentMs)])
      this.machines = Number(
        await this.#inTime(client, hello, this.machines === undefined ? Math.max(firstAnswerWithinMs, this.#timeoutMs) : this.#timeoutMs),
      )
      this.#unansweredSince = undefined
      if (this.#closed || client !== this.#client) return
      this.#up = true
      this.#tell(true)
    } catch (error) {
      this.#lost(error as Error)
    }
  }

  async #connect(): Promise<RedisClient> {
    let create: typeof createClient
    try {
      create = (await import('redis')).createClient
    } catch {
      throw new Error('the package redis is not installed; install it with: npm install redis')
    }
    const client: RedisClient = create({
      url: this.#options.url,
      socket: { connectTimeout: deadMs, reconnectStrategy: false },
      disableOfflineQueue: true,
      commandsQueueMaxLength: commandsMax,
      name: 'holdfast-limits',
    })
    client.on('error', (error: Error) => {
      if (client === this.#client) this.#lost(error)
    })
    await client.connect()
    if (this.#closed) client.destroy()
    return client
  }

  #lost(error: Error): void {
    if (this.#client?.isOpen === false) this.#client = undefined
    const was = this.#up
    this.#up = false
    if (this.#closed) return
    this.#tell(false, withoutPasswords(error.message === '' ? error.name : error.message))
    if (was) void this.#beat()
  }

  #tell(up: boolean, reason?: string): void {
    if (this.#told === up) return
    const first = this.#told === undefined
    this.#told = up
    if (!up || !first) this.#options.onChange(up, reason)
  }

  #drop(): void {
    const client = this.#client
    this.#client = undefined
    this.#unansweredSince = undefined
    if (client?.isOpen) client.destroy()
  }

  close(): void {
    this.#closed = true
    this.#up = false
    this.#timer?.[Symbol.dispose]()
    this.#drop()
  }
}
