/**
 * Tries again, within a budget, a deadline and the rule of what may run twice. In a tree of calls retries add and do not multiply: whoever serves
 * the retry of its caller does not retry itself, and an error that was already retried below (or whose budget is spent) is not retried above.
 */
import { HoldfastError } from '../kernel/errors.ts'
import { systemClock } from '../kernel/system.ts'
import { ms, sleep } from '../kernel/time.ts'
import { attemptsMax, backoffMs, type BackoffOptions } from './core/backoff.ts'
import { Budget, type BudgetOptions } from './core/budget.ts'
import { kindOf, mayRetry, retryAfterOf, type Answer } from './core/judge.ts'
import { whole } from './core/options.ts'
import { Emitter } from './events.ts'
import { checkBegin, Context, gaveUp, randomOf, type ExecuteOptions, type Policy, type Tools } from './policy.ts'
import { isSpent, markSpent } from './propagation.ts'

export interface RetryOptions extends Tools {
  /** All attempts, the first included. Default 3, at most 5. */
  readonly attempts?: number
  readonly backoff?: BackoffOptions
  /** A budget to share between policies of one target, or its settings. Default: 20 %, 10 saved up, 1 in 10 s as a floor. */
  readonly budget?: Budget | BudgetOptions
  /** Running twice does no harm. Default false: then only what never reached the callee is tried again. */
  readonly idempotent?: boolean
  /** Asked before the rule; true or false decides, undefined leaves it to the rule. A caller who gave up is never asked. */
  readonly retryIf?: (error: unknown) => boolean | undefined
}

export interface RetryEvents {
  retrying: { readonly attempt: number; readonly waitMs: number; readonly error: unknown }
  /** No further attempt, and why. */
  gaveUp: { readonly attempts: number; readonly reason: 'attempts' | 'budget' | 'deadline' | 'caller' | 'below'; readonly error: unknown }
}

export interface RetryPolicy extends Policy<RetryEvents> {
  readonly kind: 'retry'
  readonly budget: Budget
}

export function retry(options: RetryOptions = {}): RetryPolicy {
  // A wait between attempts is work in progress: its timer keeps the process alive.
  const clock = options.clock ?? systemClock
  const random = randomOf(options)
  const limit = whole('retry', 'attempts', options.attempts ?? 3, 1, attemptsMax)
  const budget = options.budget instanceof Budget ? options.budget : new Budget(options.budget)
  const events = new Emitter<RetryEvents>()
  const backoff = options.backoff ?? {}

  const wanted = (error: unknown, call: ExecuteOptions): boolean => {
    const kind = kindOf(error)
    if (gaveUp(call) || kind === 'cancelled' || kind === 'rejected') return false
    return options.retryIf?.(error) ?? mayRetry(error, options.idempotent ?? false)
  }

  const stopReason = (error: unknown, call: ExecuteOptions, tried: number, waitMs: number): RetryEvents['gaveUp']['reason'] | undefined => {
    if ((call.attempt ?? 0) > 0 && kindOf(error) !== 'unsent') return 'caller'
    if (isSpent(error)) return 'below'
    if (tried >= limit) return 'attempts'
    if (clock.now() + waitMs >= (call.deadline ?? Infinity)) return 'deadline'
    return budget.take(clock.now()) ? undefined : 'budget'
  }

  return {
    kind: 'retry',
    events,
    budget,
    async execute(fn, call = {}) {
      budget.earn(clock.now())
      let waitMs = 0
      for (let tried = 1; ; tried++) {
        checkBegin(clock, call)
        try {
          return await fn(new Context(call, call.signal, call.deadline, (call.attempt ?? 0) + tried - 1))
        } catch (error) {
          if (!wanted(error, call)) throw error
          waitMs = Math.max(backoffMs(backoff, tried - 1, waitMs, random), retryAfterOf(error, clock.wallTime()) ?? 0)
          const reason = stopReason(error, call, tried, waitMs)
          if (reason !== undefined) {
            markSpent(error)
            events.emit('gaveUp', { attempts: tried, reason, error })
            throw error
          }
          events.emit('retrying', { attempt: tried, waitMs, error })
        }
        await sleep(clock, ms(waitMs), call.signal)
      }
    },
  }
}

/** For `fetch`: throws an answer that calls for another attempt (5xx, 408, 429) as an error that the rules understand; gives back any other. */
export function throwIfUnavailable<T extends Answer>(answer: T): T {
  const { status, headers } = answer
  if (status < 500 && status !== 429 && status !== 408) return answer
  throw Object.assign(new HoldfastError('unavailable', `the answer was ${status}`, { details: { status } }), { status, headers })
}
