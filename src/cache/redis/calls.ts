/** Calls of Redis that are answered in time or not at all. Whoever calls is never told why: that is what `reason` is for. */
import { createHash } from 'node:crypto'
import { withoutPasswords } from '../../config/core/words.ts'
import { instant, type Clock } from '../../kernel/time.ts'
import { outcome, type Breaker } from '../../resilience/core/breaker.ts'
import type { RedisConnection, Reply } from './connection.ts'

export type Argument = string | Buffer

export const textOf = (reply: Reply): string => (Buffer.isBuffer(reply) ? reply.toString() : String(reply))

export class Calls {
  readonly #prefix: string
  readonly #clock: Clock
  readonly #breaker: Breaker
  readonly #sums = new Map<string, string>()
  connection: RedisConnection | undefined
  /** Of the last failure. */
  reason: string | undefined

  constructor(prefix: string, clock: Clock, breaker: Breaker) {
    this.#prefix = prefix
    this.#clock = clock
    this.#breaker = breaker
  }

  /** Something of the connection is broken. */
  failed(error: Error): void {
    this.reason = withoutPasswords(error.message === '' ? error.name : error.message)
  }

  /** undefined: no answer, or an error, or it is not asked at all. `key` says which node of a cluster it is for. */
  async send(
    key: string,
    readonly: boolean,
    withinMs: number,
    args: readonly Argument[],
    unlessKnown?: readonly Argument[],
  ): Promise<Reply | undefined> {
    const began = this.#clock.now()
    const { connection } = this
    if (connection === undefined) return undefined
    const generation = this.#breaker.allow(began)
    if (generation === 0) return undefined
    try {
      let sent = connection.send(this.#prefix + key, readonly, args)
      if (unlessKnown !== undefined) {
        sent = sent.catch((error: unknown) => {
          if (!(error as Error).message.startsWith('NOSCRIPT')) throw error
          return connection.send(this.#prefix + key, readonly, unlessKnown)
        })
      }
      const reply = await this.#inTime(sent, withinMs)
      const now = this.#clock.now()
      this.#breaker.record(now, outcome.ok, now - began, generation)
      return reply
    } catch (error) {
      this.failed(error as Error)
      const now = this.#clock.now()
      this.#breaker.record(now, outcome.failed, now - began, generation)
      return undefined
    }
  }

  #inTime(reply: Promise<Reply>, withinMs: number): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const timer = this.#clock.schedule(instant(this.#clock.now() + withinMs), () => {
        // An answer that lies in the socket already, when we were late ourselves, is in time.
        setImmediate(() => reject(new Error(`no answer within ${withinMs} ms`)))
      })
      const settled = (): void => timer[Symbol.dispose]()
      reply.then(settled, settled)
      reply.then(resolve, reject)
    })
  }

  /** A server that has started anew has to be given the text. */
  run(script: string, withinMs: number, keys: readonly string[], args: readonly Argument[]): Promise<Reply | undefined> {
    let sum = this.#sums.get(script)
    if (sum === undefined) this.#sums.set(script, (sum = createHash('sha1').update(script).digest('hex')))
    const rest = [String(keys.length), ...keys.map((each) => this.#prefix + each), ...args]
    return this.send(keys[0] ?? '', false, withinMs, ['EVALSHA', sum, ...rest], ['EVAL', script, ...rest])
  }
}
