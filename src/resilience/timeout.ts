/**
 * Ends a wait. `cooperative` aborts the signal and gives the call a moment to end with its own word; `aggressive` answers at once. A call that
 * does not end is *leaked*: it is reported, and a bulkhead around it keeps its permit taken until it really ends.
 */
import { HoldfastError } from '../kernel/errors.ts'
import { instant } from '../kernel/time.ts'
import { LatencyWindow } from './core/latency.ts'
import { span } from './core/options.ts'
import { Emitter } from './events.ts'
import { checkBegin, clockOf, Context, follow, markLeaked, type ExecuteOptions, type Policy, type Tools } from './policy.ts'

export interface TimeoutOptions extends Tools {
  /** Milliseconds, or `adaptive`: three times the p99 of the last minute, at least 1 s; 5 s while less than 20 calls are known. Default adaptive. */
  readonly ms?: number | 'adaptive'
  /** Default cooperative. */
  readonly mode?: 'cooperative' | 'aggressive'
  /** How long a cooperative call may take to end after the signal. Default 250 ms. */
  readonly graceMs?: number
  /** Default false: what timed out may have happened, and the error says so (`details.unknownOutcome`). */
  readonly idempotent?: boolean
}

export interface TimeoutEvents {
  timedOut: { readonly afterMs: number }
  /** It did not end when it was told to. */
  leaked: { readonly afterMs: number }
}

export interface TimeoutPolicy extends Policy<TimeoutEvents> {
  readonly kind: 'timeout'
  /** What a call would be given now. */
  readonly currentMs: number
}

const adaptiveWindowMs = 60_000
const adaptiveCallsMin = 20
const adaptiveFactor = 3
const adaptiveLeastMs = 1_000
const adaptiveDefaultMs = 5_000

export function timeout(options: TimeoutOptions = {}): TimeoutPolicy {
  const clock = clockOf(options)
  const fixed = options.ms === undefined || options.ms === 'adaptive' ? undefined : span('timeout', 'ms', options.ms)
  const graceMs = options.mode === 'aggressive' ? 0 : span('timeout', 'graceMs', options.graceMs ?? 250)
  const latency = fixed === undefined ? new LatencyWindow(adaptiveWindowMs) : undefined
  const events = new Emitter<TimeoutEvents>()

  const allowedMs = (): number => {
    if (latency === undefined) return fixed ?? adaptiveDefaultMs
    const p99 = latency.quantile(clock.now(), 0.99, adaptiveCallsMin)
    return p99 === undefined ? adaptiveDefaultMs : Math.max(adaptiveLeastMs, adaptiveFactor * p99)
  }
  const timedOut = (afterMs: number): HoldfastError =>
    new HoldfastError('timeout', `a call took longer than ${Math.round(afterMs)} ms`, {
      details: { afterMs, unknownOutcome: options.idempotent !== true },
    })

  return {
    kind: 'timeout',
    events,
    get currentMs() {
      return allowedMs()
    },
    async execute<T>(fn: (context: Context) => T | PromiseLike<T>, call: ExecuteOptions = {}) {
      checkBegin(clock, call)
      const began = clock.now()
      const deadline = Math.min(call.deadline ?? Infinity, began + allowedMs())
      const { controller, end } = follow(call.signal)
      let timer: Disposable | undefined
      let work: Promise<T> | undefined
      const ended = new Promise<never>((_resolve, reject) => {
        controller.signal.addEventListener('abort', () => {
          const reason: unknown = controller.signal.reason
          const error = reason instanceof Error ? reason : new DOMException(String(reason), 'AbortError')
          const give = (): void => {
            events.emit('leaked', { afterMs: clock.now() - began })
            if (work !== undefined) markLeaked(error, work)
            reject(error)
          }
          timer?.[Symbol.dispose]()
          if (graceMs === 0) give()
          else timer = clock.schedule(instant(clock.now() + graceMs), give)
        })
      })
      if (deadline < Infinity) {
        timer = clock.schedule(instant(deadline), () => {
          events.emit('timedOut', { afterMs: deadline - began })
          controller.abort(timedOut(deadline - began))
        })
      }
      try {
        work = Promise.resolve(fn(new Context(call, controller.signal, deadline)))
        const value = await Promise.race([work, ended])
        latency?.record(clock.now(), clock.now() - began)
        return value
      } catch (error) {
        // "Aborted" is not what happened: the time was over, or the caller's own reason holds.
        throw controller.signal.aborted && error instanceof Error && error.name === 'AbortError' ? controller.signal.reason : error
      } finally {
        timer?.[Symbol.dispose]()
        end()
      }
    },
  }
}
