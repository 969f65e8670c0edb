/**
 * What all policies share: their shape, the context that a call is given, and the rule that nothing begins after its deadline.
 * Deadlines are points on the clock of the policy (monotonic milliseconds, `performance.now()`), so that a step of the system clock moves none.
 */
import { HoldfastError } from '../kernel/errors.ts'
import type { Random } from '../kernel/random.ts'
import { backgroundClock, systemRandom } from '../kernel/system.ts'
import type { Clock } from '../kernel/time.ts'
import type { Events } from './events.ts'

export interface CallContext {
  /** Aborts when the caller gives up or a policy does. */
  readonly signal: AbortSignal
  /** Monotonic milliseconds; Infinity when there is none. */
  readonly deadline: number
  /** 0 for the first attempt of the whole call tree; to be sent on (`propagate`). */
  readonly attempt: number
}

export interface ExecuteOptions {
  readonly signal?: AbortSignal | undefined
  readonly deadline?: number | undefined
  /** Which attempt of its caller this call serves. Default 0. */
  readonly attempt?: number | undefined
  /** Which part of a parted bulkhead, and which key of a rate limit. */
  readonly partition?: string | undefined
  readonly key?: string | undefined
}

export type Call<T> = (context: CallContext) => T | PromiseLike<T>

export type PolicyKind = 'fallback' | 'rateLimit' | 'timeout' | 'retry' | 'breaker' | 'hedge' | 'bulkhead' | 'composed'

export interface Policy<Map extends object = object> {
  readonly kind: PolicyKind
  readonly events: Events<Map>
  execute<T>(fn: Call<T>, options?: ExecuteOptions): Promise<T>
}

/** Where time and chance come from; the system's when left out. Timers do not keep the process alive. */
export interface Tools {
  readonly clock?: Clock
  readonly random?: Random
}

export const clockOf = (tools: Tools): Clock => tools.clock ?? backgroundClock
export const randomOf = (tools: Tools): Random => tools.random ?? systemRandom

/** The context of one attempt. A signal is made only when somebody asks for one. */
export class Context implements CallContext, ExecuteOptions {
  readonly deadline: number
  readonly attempt: number
  readonly partition: string | undefined
  readonly key: string | undefined
  #signal: AbortSignal | undefined

  constructor(options: ExecuteOptions, signal = options.signal, deadline = options.deadline ?? Infinity, attempt = options.attempt ?? 0) {
    this.#signal = signal
    this.deadline = deadline
    this.attempt = attempt
    this.partition = options.partition
    this.key = options.key
  }

  get signal(): AbortSignal {
    return (this.#signal ??= new AbortController().signal)
  }

  /** For the next layer: without making a signal that nobody has asked for. */
  get options(): ExecuteOptions {
    return { signal: this.#signal, deadline: this.deadline, attempt: this.attempt, partition: this.partition, key: this.key }
  }
}

/** Throws the caller's reason when it has given up, and `deadline_exceeded` when it is too late to begin. */
export function checkBegin(clock: Clock, options: ExecuteOptions): void {
  options.signal?.throwIfAborted()
  if (options.deadline !== undefined && clock.now() >= options.deadline) throw deadlineExceeded()
}

export const deadlineExceeded = (): HoldfastError =>
  new HoldfastError('deadline_exceeded', 'the call was not begun: its deadline has passed', {
    hint: 'give the call more time, or find what took it before',
  })

/** Whether the caller is who ended the call. */
export const gaveUp = (options: ExecuteOptions): boolean => options.signal?.aborted === true

/** A signal that follows the caller's and may be aborted by a policy; `end` lets go of the caller's. */
export function follow(signal: AbortSignal | undefined): { readonly controller: AbortController; readonly end: () => void } {
  const controller = new AbortController()
  if (signal === undefined) return { controller, end: () => undefined }
  const onAbort = (): void => controller.abort(signal.reason)
  if (signal.aborted) onAbort()
  else signal.addEventListener('abort', onAbort, { once: true })
  return { controller, end: () => signal.removeEventListener('abort', onAbort) }
}

/** Work that goes on although its caller was answered, by the error the caller got: it still holds what it was given. */
const leaks = new WeakMap<object, Promise<unknown>>()

export const markLeaked = (error: object, work: Promise<unknown>): void => void leaks.set(error, work)
export const leakOf = (error: unknown): Promise<unknown> | undefined => (typeof error === 'object' && error !== null ? leaks.get(error) : undefined)
