/** `breaker(options).execute(fn)`: the face of core/breaker.ts for calls that are promises. */
import { HoldfastError } from '../kernel/errors.ts'
import { Breaker, outcome, type BreakerChange, type BreakerSnapshot, type BreakerState, type Outcome } from './core/breaker.ts'
import type { BreakerOptions } from './core/breaker-options.ts'
import { isAnswer, outcomeOf, outcomeOfStatus, retryAfterOf } from './core/judge.ts'
import { Emitter } from './events.ts'
import { checkBegin, clockOf, Context, gaveUp, randomOf, type Policy, type Tools } from './policy.ts'

/** What came of a call: a value, or what was thrown. */
export type Settled = { readonly value: unknown } | { readonly error: unknown }

export interface BreakerPolicyOptions extends BreakerOptions, Tools {
  /** Said in errors and events. */
  readonly name?: string
  /** What a result counts as. Default: errors fail, but for 4xx, 501 and 505; 429 and 503 with `Retry-After` are slow; a `Response` goes by its status. */
  readonly judge?: (settled: Settled) => Outcome
}

export interface BreakerEvents {
  changed: BreakerChange & { readonly name: string }
  rejected: { readonly name: string; readonly retryAfterMs: number }
}

export interface BreakerPolicy extends Policy<BreakerEvents> {
  readonly kind: 'breaker'
  readonly name: string
  readonly state: BreakerState
  counts(): { readonly calls: number; readonly failed: number; readonly slow: number }
  /** Held open until every handle is disposed. */
  isolate(): Disposable
  setDisabled(disabled: boolean): void
  reset(): void
  /** What to keep over a restart. */
  snapshot(): BreakerSnapshot
  restore(snapshot: BreakerSnapshot): void
}

function judgeByDefault(settled: Settled): Outcome {
  if ('error' in settled) return outcomeOf(settled.error)
  const { value } = settled
  return isAnswer(value) ? outcomeOfStatus(value.status, retryAfterOf(value, 0) !== undefined) : outcome.ok
}

/** Rejects with `breaker_open` while it is not closed. */
export function breaker(options: BreakerPolicyOptions = {}): BreakerPolicy {
  const clock = clockOf(options)
  const name = options.name ?? 'breaker'
  const judge = options.judge ?? judgeByDefault
  const core = new Breaker(options, randomOf(options))
  const events = new Emitter<BreakerEvents>()
  core.onChange = (change) => events.emit('changed', { name, ...change })

  const refuse = (now: number): HoldfastError => {
    const retryAfterMs = core.retryAfterMs(now)
    events.emit('rejected', { name, retryAfterMs })
    const wait = retryAfterMs > 0 && retryAfterMs < Infinity ? ` for another ${Math.ceil(retryAfterMs)} ms` : ''
    return new HoldfastError('breaker_open', `called ${name}, whose breaker is ${core.state}${wait}`, {
      hint: 'answer from a fallback, or try again later',
      details: { name, state: core.state, retryAfterMs },
    })
  }

  return {
    kind: 'breaker',
    name,
    events,
    get state() {
      return core.poll(clock.now())
    },
    counts: () => core.counts(clock.now()),
    isolate: () => core.isolate(clock.now()),
    setDisabled: (disabled) => core.setDisabled(disabled, clock.now()),
    reset: () => core.reset(clock.now()),
    snapshot: () => core.snapshot(clock.now(), clock.wallTime()),
    restore: (snapshot) => core.restore(snapshot, clock.now(), clock.wallTime()),
    async execute(fn, call = {}) {
      checkBegin(clock, call)
      const began = clock.now()
      const generation = core.allow(began)
      if (generation === 0) throw refuse(began)
      // The predicate is the user's: whatever it throws, the trial's permit comes back.
      let result: Outcome = outcome.ignored
      try {
        const value = await fn(new Context(call))
        result = judge({ value })
        return value
      } catch (error) {
        if (!gaveUp(call)) result = judge({ error })
        throw error
      } finally {
        const now = clock.now()
        core.record(now, result, now - began, generation)
      }
    },
  }
}
