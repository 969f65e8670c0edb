/**
 * `sharedRateLimit({ url, … }).execute(fn, { key })`: one token bucket for each key, which all processes share over Redis. While Redis does not answer
 * in time, each process goes by an equal part of the limit; what it took from Redis is noted there too, so that losing Redis gives nobody a
 * new burst.
 */
import { RedisLink } from '../redis/index.ts'
import { Gcra, partOf, type RateDecision, type RateOptions } from './core/rate.ts'
import { rateFields, type RateFields } from './core/rate-fields.ts'
import { takeScript } from './core/rate-script.ts'
import { span, whole } from './core/options.ts'
import { Emitter } from './events.ts'
import { checkBegin, clockOf, Context, type Policy, type Tools } from './policy.ts'
import { refusal, type RateLimitEvents } from './rate-limit.ts'

export interface SharedRateLimitOptions extends RateOptions, Tools {
  /** `redis://` or `rediss://`. Needs the package `redis`. */
  readonly url: string
  /** Of its keys in Redis: whoever has the same shares the limit. Default `holdfast:limits:`. */
  readonly prefix?: string
  /** The name of the quota in the `RateLimit` fields, and part of its keys. Default `default`. */
  readonly name?: string
  /** How many processes share it, for the part of each while Redis is away. Default: as many as were there in the last 5 s, two while unknown. */
  readonly processes?: number
  /** Redis is away when it takes longer than this. Default 20 ms; more where a burst of calls, or a distant Redis, may take longer. */
  readonly timeoutMs?: number
}

export interface SharedRateLimitEvents extends RateLimitEvents {
  /** `up: false`: each process goes by its own part from now on. */
  changed: { readonly up: boolean; readonly reason: string | undefined }
}

export interface SharedRateLimitPolicy extends Policy<SharedRateLimitEvents>, Disposable {
  readonly kind: 'rateLimit'
  /** Takes `cost` for `key`, with the response fields that tell it. Never rejects for the sake of Redis. */
  take(key: string, cost?: number): Promise<RateDecision & { readonly fields: RateFields }>
  /** Ends the connection, which begins with the first use and keeps no process alive. Later calls go by the own part. */
  close(): void
}

const processesUnknown = 2
/** What Redis answers for each key: microseconds. */
type Reply = readonly [granted: number, remaining: number, resetUs: number, retryUs: number]

export function sharedRateLimit(options: SharedRateLimitOptions): SharedRateLimitPolicy {
  const { url, rate, periodMs = 1_000, burst = Math.max(1, rate), name = 'default', prefix = 'holdfast:limits:' } = options
  const processes = options.processes === undefined ? undefined : whole('sharedRateLimit', 'processes', options.processes, 1)
  const timeoutMs = options.timeoutMs === undefined ? undefined : span('sharedRateLimit', 'timeoutMs', options.timeoutMs, 1)
  const clock = clockOf(options)
  const events = new Emitter<SharedRateLimitEvents>()
  const limit = { rate, periodMs, burst, ...(options.keysMax === undefined ? {} : { keysMax: options.keysMax }) }
  const intervalUs = (periodMs * 1_000) / rate
  const told = { name, quota: rate, windowMs: periodMs }
  let link: RedisLink | undefined
  let closed = false
  let part = { of: 1, gcra: new Gcra(limit) }

  const own = (): Gcra => {
    const of = processes ?? link?.machines ?? processesUnknown
    if (part.of !== of) part = { of, gcra: new Gcra(partOf(limit, of)) }
    return part.gcra
  }
  const run = async (on: RedisLink, key: string, need: number): Promise<Reply> => {
    const args = [intervalUs, intervalUs * burst, 1, need, need].map(String)
    const [reply] = (await on.run(takeScript, [`${prefix}${name}:${key}`], args)) as readonly Reply[]
    if (reply === undefined) throw new Error('an answer without a decision')
    return reply
  }
  const takeShared = async (on: RedisLink, key: string, cost: number): Promise<RateDecision> => {
    const [granted, remaining, resetUs, retryUs] = await run(on, key, cost)
    if (granted >= cost) {
      own().takeUpTo(key, clock.now(), granted)
      return { allowed: true, remaining, retryAfterMs: 0, resetMs: resetUs / 1_000 }
    }
    // A part of the cost is of no use.
    if (granted > 0) await run(on, key, -granted)
    const retryAfterMs = cost > burst ? Infinity : (retryUs + (cost - granted - 1) * intervalUs) / 1_000
    return { allowed: false, remaining: granted, retryAfterMs, resetMs: Math.max(0, resetUs - granted * intervalUs) / 1_000 }
  }
  const decide = async (key: string, cost: number): Promise<RateDecision> => {
    if (!closed) {
      const onChange = (up: boolean, reason: string | undefined): void => events.emit('changed', { up, reason })
      link ??= new RedisLink({ url, prefix, clock, onChange, timeoutMs, unref: true })
      if (!link.up) await link.begun
    }
    if (link?.up === true) {
      try {
        return await takeShared(link, key, cost)
      } catch {
        // The link has told why.
      }
    }
    return own().take(key, clock.now(), cost)
  }
  const close = (): void => {
    closed = true
    link?.close()
  }

  return {
    kind: 'rateLimit',
    events,
    async take(key, cost = 1) {
      const decision = await decide(key, whole('sharedRateLimit', 'cost', cost, 1))
      return { ...decision, fields: rateFields(told, decision) }
    },
    async execute(fn, call = {}) {
      checkBegin(clock, call)
      const key = call.key ?? ''
      const decision = await decide(key, 1)
      if (!decision.allowed) throw refusal(events, key, decision, told)
      checkBegin(clock, call)
      return fn(new Context(call))
    },
    close,
    [Symbol.dispose]: close,
  }
}
