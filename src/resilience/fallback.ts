/** Another answer when a call fails: the last good one while it is not too old, then another call, then a fixed value; else the error itself. */
import { messageOf } from '../kernel/errors.ts'
import { span, whole } from './core/options.ts'
import { Emitter } from './events.ts'
import { checkBegin, clockOf, Context, gaveUp, type CallContext, type ExecuteOptions, type Policy, type Tools } from './policy.ts'

export interface FallbackOptions extends Tools {
  /** Keep good answers by `key` and give them when a call fails. Default off. */
  readonly stale?: { readonly maxAgeMs: number; readonly keysMax?: number }
  /** Ask elsewhere. */
  readonly call?: (error: unknown, context: CallContext) => unknown
  /** A fixed answer. */
  readonly value?: unknown
  /** Which errors. Default: all but those of a caller who gave up. */
  readonly when?: (error: unknown) => boolean
}

export interface FallbackEvents {
  /** Counted apart from successes: a service that only falls back is not healthy. */
  used: { readonly from: 'stale' | 'call' | 'value'; readonly error: unknown; readonly ageMs?: number }
  failed: { readonly error: unknown; readonly fallbackError: unknown }
}

export interface FallbackPolicy extends Policy<FallbackEvents> {
  readonly kind: 'fallback'
}

const keysMaxDefault = 1_000

/** The type of what it gives is the caller's promise: it must be what the function returns. */
export function fallback(options: FallbackOptions): FallbackPolicy {
  const clock = clockOf(options)
  const maxAgeMs = span('fallback', 'stale.maxAgeMs', options.stale?.maxAgeMs ?? 0)
  const keysMax = whole('fallback', 'stale.keysMax', options.stale?.keysMax ?? keysMaxDefault, 1)
  const events = new Emitter<FallbackEvents>()
  const good = new Map<string, { readonly value: unknown; readonly at: number }>()

  const remember = (key: string, value: unknown): void => {
    good.delete(key)
    good.set(key, { value, at: clock.now() })
    const [oldest] = good.keys()
    if (good.size > keysMax && oldest !== undefined) good.delete(oldest)
  }

  const instead = async (error: unknown, context: Context): Promise<unknown> => {
    const kept = options.stale === undefined ? undefined : good.get(context.key ?? '')
    if (kept !== undefined && clock.now() - kept.at <= maxAgeMs) {
      events.emit('used', { from: 'stale', error, ageMs: clock.now() - kept.at })
      return kept.value
    }
    if (options.call !== undefined) {
      try {
        const value = await options.call(error, context)
        events.emit('used', { from: 'call', error })
        return value
      } catch (fallbackError) {
        events.emit('failed', { error, fallbackError })
        if (!('value' in options)) throw withCause(error, fallbackError)
      }
    }
    if (!('value' in options)) throw error
    events.emit('used', { from: 'value', error })
    return options.value
  }

  return {
    kind: 'fallback',
    events,
    async execute<T>(fn: (context: Context) => T | PromiseLike<T>, call: ExecuteOptions = {}): Promise<T> {
      const context = new Context(call)
      try {
        checkBegin(clock, call)
        const value = await fn(context)
        if (options.stale !== undefined) remember(call.key ?? '', value)
        return value
      } catch (error) {
        if (gaveUp(call) || options.when?.(error) === false) throw error
        return (await instead(error, context)) as T
      }
    },
  }
}

/** The original error, with the fallback's as its cause when it has none. */
function withCause(error: unknown, fallbackError: unknown): unknown {
  if (!(error instanceof Error)) return new Error(`${messageOf(error)}, and the fallback failed`, { cause: fallbackError })
  error.cause ??= fallbackError
  return error
}
