/**
 * The connection to the Redis that holds shared limits. Nobody waits for it longer than 20 ms.
 *
 *   away ──connected, and a beat was answered in time──▶ up ──an answer too late, an error, closed──▶ away (another beat in 100 ms)
 */
import type { createClient } from 'redis'
import { withoutPasswords } from '../../config/core/words.ts'
import { newId } from '../../kernel/system.ts'
import { after, ms, type Clock } from '../../kernel/time.ts'
import { presenceScript, type Script } from './rate-scripts.ts'

type RedisClient = ReturnType<typeof createClient>

/** Source: the handbook of resilience, 8.2. */
export const answerWithinMs = 20
/** Between two beats: while away it is tried this often whether it is back. */
const [beatMs, awayBeatMs] = [1_000, 100]
/** A machine that was not heard of for so long is not counted. */
const presentMs = 5_000
/** A connection that answers nothing for so long is given up for another. */
const deadMs = 1_000
/** Commands on their way; more are not sent. */
const commandsMax = 10_000

export interface RedisLinkOptions {
  readonly url: string
  /** Of the keys that belong together. */
  readonly prefix: string
  readonly clock: Clock
  readonly onChange: (up: boolean, reason: string | undefined) => void
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
  #closed = false
  /** Machines that share, as far as is known. */
  machines: number | undefined

  constructor(options: RedisLinkOptions) {
    this.#options = options
    this.#beat()
  }

  get up(): boolean {
    return this.#up
  }

  /** Rejects when it is away, or has not answered in time: then it is away. */
  async run(script: Script, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    const client = this.#client
    if (client === undefined || !this.#up) throw new Error('not connected')
    try {
      return await this.#inTime(runScript(client, script, keys, args))
    } catch (error) {
      if (client === this.#client) this.#lost(error as Error)
      throw error
    }
  }

  /** An answer that lies in the socket already when we were late ourselves is in time. */
  #inTime<T>(answer: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = this.#after(answerWithinMs, () => {
        setImmediate(() => {
          reject(new Error(`no answer within ${answerWithinMs} ms`))
        })
      })
      answer.then(resolve, reject).finally(() => {
        timer[Symbol.dispose]()
      })
    })
  }

  #after(wait: number, task: () => void): Disposable {
    const { clock } = this.#options
    return clock.schedule(after(clock.now(), ms(wait)), task)
  }

  #beat(): void {
    this.#timer?.[Symbol.dispose]()
    if (this.#closed) return
    if (!this.#beating) {
      this.#beating = true
      void this.#sayHello().finally(() => {
        this.#beating = false
      })
    }
    this.#timer = this.#after(this.#up ? beatMs : awayBeatMs, () => {
      this.#beat()
    })
  }

  async #sayHello(): Promise<void> {
    const now = this.#options.clock.now()
    if (this.#unansweredSince !== undefined && now - this.#unansweredSince >= deadMs) this.#drop()
    this.#unansweredSince ??= now
    try {
      const client = (this.#client ??= await this.#connect())
      const hello = runScript(client, presenceScript, [`${this.#options.prefix}machines`], [this.#name, String(presentMs)])
      this.machines = Number(await this.#inTime(hello))
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
    if (was) this.#beat()
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

/** A server that has started anew has to be given the text. */
async function runScript(client: RedisClient, { sha, text }: Script, keys: readonly string[], args: readonly string[]): Promise<unknown> {
  const parameters = { keys: [...keys], arguments: [...args] }
  try {
    return await client.evalSha(sha, parameters)
  } catch (error) {
    if (!(error as Error).message.startsWith('NOSCRIPT')) throw error
    return await client.eval(text, parameters)
  }
}
