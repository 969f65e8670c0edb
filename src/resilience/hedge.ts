/**
 * A second attempt while the first one is still out, when that is slower than usual; the first success wins and the other is aborted. Only for
 * what may run twice, and for at most 5 % of calls: hedges that answer an overload would feed it.
 */
import { HoldfastError } from '../kernel/errors.ts'
import { instant } from '../kernel/time.ts'
import { Budget } from './core/budget.ts'
import { LatencyWindow } from './core/latency.ts'
import { share, span } from './core/options.ts'
import { Emitter } from './events.ts'
import { checkBegin, clockOf, Context, follow, type ExecuteOptions, type Policy, type Tools } from './policy.ts'

export interface HedgeOptions extends Tools {
  /** Must be said: it runs twice. */
  readonly idempotent: true
  /** Default: the p95 of the last minute, at least 10 ms; no hedge while fewer than 20 calls are known. */
  readonly delayMs?: number
  /** Hedges per call in the long run. Default 0.05, with 10 saved up. */
  readonly ratio?: number
  /** Asked before each hedge: false while the pool is busy (above 0.7 of its limit) or a breaker is not closed. */
  readonly when?: () => boolean
}

export interface HedgeEvents {
  hedged: { readonly afterMs: number }
  won: { readonly by: 'first' | 'hedge' }
}

export interface HedgePolicy extends Policy<HedgeEvents> {
  readonly kind: 'hedge'
}

const windowMs = 60_000
const callsMin = 20
const delayLeastMs = 10
const savedMax = 10

interface Attempt {
  readonly name: 'first' | 'hedge'
  readonly controller: AbortController
  readonly end: () => void
}

export function hedge(options: HedgeOptions): HedgePolicy {
  const clock = clockOf(options)
  const fixed = options.delayMs === undefined ? undefined : span('hedge', 'delayMs', options.delayMs)
  const budget = new Budget({ ratio: share('hedge', 'ratio', options.ratio ?? 0.05), capacity: savedMax, perSecond: 0 })
  const latency = new LatencyWindow(windowMs)
  const events = new Emitter<HedgeEvents>()
  // A program in JavaScript has no type that says it.
  if (!(options.idempotent as boolean)) throw new HoldfastError('invalid_option', 'hedge: idempotent must be true, for a hedged call may run twice')

  const delayMs = (): number | undefined => {
    if (fixed !== undefined) return fixed
    const p95 = latency.quantile(clock.now(), 0.95, callsMin)
    return p95 === undefined ? undefined : Math.max(delayLeastMs, p95)
  }

  return {
    kind: 'hedge',
    events,
    execute: <T>(fn: (context: Context) => T | PromiseLike<T>, call: ExecuteOptions = {}) =>
      new Promise<T>((resolve, reject) => {
        checkBegin(clock, call)
        budget.earn(clock.now())
        const attempts: Attempt[] = []
        let open = 0
        let firstError: unknown
        let timer: Disposable | undefined

        const finish = (): void => {
          timer?.[Symbol.dispose]()
          for (const { end } of attempts) end()
        }
        const start = (name: Attempt['name']): void => {
          const began = clock.now()
          const attempt: Attempt = { name, ...follow(call.signal) }
          attempts.push(attempt)
          open++
          const context = new Context(call, attempt.controller.signal, call.deadline, (call.attempt ?? 0) + (name === 'first' ? 0 : 1))
          // In a promise, so that what is thrown at once is a rejection too.
          void new Promise<T>((run) => run(fn(context))).then(
            (value) => {
              latency.record(clock.now(), clock.now() - began)
              finish()
              for (const other of attempts)
                if (other !== attempt) other.controller.abort(new DOMException('another attempt was faster', 'AbortError'))
              if (attempts.length > 1) events.emit('won', { by: name })
              resolve(value)
            },
            (error: unknown) => {
              open--
              if (name === 'first') firstError = error
              if (open > 0) return
              finish()
              const reason = (attempts.length > 1 ? (firstError ?? error) : error) as Error
              reject(reason)
            },
          )
        }
        const wait = delayMs()
        if (wait !== undefined) {
          timer = clock.schedule(instant(clock.now() + wait), () => {
            const now = clock.now()
            if (now >= (call.deadline ?? Infinity) || options.when?.() === false || !budget.take(now)) return
            events.emit('hedged', { afterMs: wait })
            start('hedge')
          })
        }
        start('first')
      }),
  }
}
