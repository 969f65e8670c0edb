/** Calls at a time: `bulkhead` with a limit of your own, `adaptiveConcurrency` with one that is learned. Both wait in core/waiting-line.ts. */
import { HoldfastError } from '../kernel/errors.ts'
import { instant } from '../kernel/time.ts'
import { Gradient, type GradientOptions } from './core/gradient.ts'
import { kindOf } from './core/judge.ts'
import { span } from './core/options.ts'
import { WaitingLine, type Waiter, type WaitingLineOptions } from './core/waiting-line.ts'
import { Emitter } from './events.ts'
import { checkBegin, clockOf, Context, deadlineExceeded, leakOf, type ExecuteOptions, type Policy, type Tools } from './policy.ts'

interface WaitOptions extends Tools {
  /** Default 1 s. */
  readonly maxWaitMs?: number
}

export interface BulkheadOptions extends WaitingLineOptions, WaitOptions {}
export interface AdaptiveConcurrencyOptions extends GradientOptions, Omit<WaitingLineOptions, 'limit'>, WaitOptions {}

export interface BulkheadEvents {
  rejected: { readonly reason: 'full' | 'timeout'; readonly running: number; readonly waiting: number }
  limitChanged: { readonly limit: number }
}

export interface BulkheadPolicy extends Policy<BulkheadEvents> {
  readonly kind: 'bulkhead'
  readonly running: number
  readonly waiting: number
  readonly limit: number
}

/** At most `limit` calls at a time; `queue` more wait up to `maxWaitMs`. Rejects with `bulkhead_full` or `bulkhead_timeout`. */
export const bulkhead = (options: BulkheadOptions): BulkheadPolicy => make(options, new WaitingLine(options), undefined)

/** A bulkhead whose limit follows the latency of the calls. */
export function adaptiveConcurrency(options: AdaptiveConcurrencyOptions = {}): BulkheadPolicy {
  const gradient = new Gradient(options)
  return make(options, new WaitingLine({ ...options, limit: gradient.limit }), gradient)
}

function make(options: WaitOptions, line: WaitingLine, gradient: Gradient | undefined): BulkheadPolicy {
  const clock = clockOf(options)
  const maxWaitMs = span('bulkhead', 'maxWaitMs', options.maxWaitMs ?? 1_000)
  const events = new Emitter<BulkheadEvents>()

  const reject = (reason: 'full' | 'timeout'): HoldfastError => {
    const { held: running, waiting, limit } = line
    events.emit('rejected', { reason, running, waiting })
    const got = reason === 'full' ? `${waiting} wait already` : `none was free within ${maxWaitMs} ms`
    return new HoldfastError(`bulkhead_${reason}`, `asked for one of ${limit} permits, and ${got}`, { details: { limit, running, waiting } })
  }

  /** Resolves with the permit held; whatever else ends the wait leaves the line in the same tick. */
  const wait = (part: string, call: ExecuteOptions): Promise<void> =>
    new Promise((resolve, rejectWait) => {
      const finish = (): void => {
        timer[Symbol.dispose]()
        call.signal?.removeEventListener('abort', onAbort)
      }
      const leave = (waiter: Waiter, error: Error): void => {
        if (!line.leave(waiter)) return
        finish()
        rejectWait(error)
      }
      const placed = line.wait(part, clock.now(), () => {
        finish()
        resolve()
      })
      const onAbort = (): void => {
        if (placed !== undefined) leave(placed, call.signal?.reason as Error)
      }
      if (placed === undefined) {
        rejectWait(reject('full'))
        return
      }
      const until = Math.min(clock.now() + maxWaitMs, call.deadline ?? Infinity)
      const timer = clock.schedule(instant(until), () => leave(placed, until === call.deadline ? deadlineExceeded() : reject('timeout')))
      call.signal?.addEventListener('abort', onAbort, { once: true })
    })

  const learn = (began: number, inFlight: number, dropped: boolean): void => {
    if (gradient === undefined) return
    const now = clock.now()
    const before = gradient.limit
    if (dropped) gradient.drop(now, inFlight)
    else gradient.record(now, now - began, inFlight)
    if (gradient.limit === before) return
    line.setLimit(gradient.limit, now)
    events.emit('limitChanged', { limit: gradient.limit })
  }

  return {
    kind: 'bulkhead',
    events,
    get running() {
      return line.held
    },
    get waiting() {
      return line.waiting
    },
    get limit() {
      return line.limit
    },
    async execute(fn, call = {}) {
      checkBegin(clock, call)
      const part = call.partition ?? ''
      if (!line.take(part)) await wait(part, call)
      const began = clock.now()
      const inFlight = line.held
      let leak: Promise<unknown> | undefined
      try {
        checkBegin(clock, call)
        const value = await fn(new Context(call))
        learn(began, inFlight, false)
        return value
      } catch (error) {
        leak = leakOf(error)
        if (kindOf(error) === 'timeout') learn(began, inFlight, true)
        throw error
      } finally {
        const release = (): void => line.release(part, clock.now())
        if (leak === undefined) release()
        else void leak.then(release, release)
      }
    },
  }
}
