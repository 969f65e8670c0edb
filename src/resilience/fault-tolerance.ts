/** `getFaultToleranceSystem()`: breakers by name, each with its timeout and retries. A face over the policies, with nothing of its own. */
import { HoldfastError } from '../kernel/errors.ts'
import { breaker, type BreakerPolicy } from './breaker.ts'
import { kindOf } from './core/judge.ts'
import { attemptsMax, type BackoffOptions } from './core/backoff.ts'
import { compose } from './compose.ts'
import type { Call, ExecuteOptions, Policy, Tools } from './policy.ts'
import { retry } from './retry.ts'
import { timeout } from './timeout.ts'

export interface CircuitBreakerConfig {
  /** Failures in a row that open it. */
  readonly failureThreshold: number
  /** Milliseconds for one attempt. */
  readonly timeout: number
  /** Milliseconds it stays open. */
  readonly resetTimeout: number
  readonly retryPolicy?: {
    /** At most 4: five attempts in all. */
    readonly maxRetries: number
    /** Default exponential, with full jitter. */
    readonly backoffStrategy?: 'exponential' | 'fixed'
    /** Default false: what timed out or broke off may have happened, and is not tried again. */
    readonly idempotent?: boolean
  }
}

export interface FaultToleranceSystem {
  /** Throws `breaker_exists` when the name is taken. */
  registerCircuitBreaker(name: string, config: CircuitBreakerConfig): Promise<BreakerPolicy>
  /** Calls under the policies of `name`; throws `breaker_unknown`. */
  execute<T>(name: string, fn: Call<T>, options?: ExecuteOptions): Promise<T>
  getCircuitBreaker(name: string): BreakerPolicy | undefined
  removeCircuitBreaker(name: string): boolean
  names(): readonly string[]
}

/** A system of your own, e.g. with a virtual clock. */
export function createFaultToleranceSystem(tools: Tools = {}): FaultToleranceSystem {
  const all = new Map<string, { readonly breaker: BreakerPolicy; readonly policy: Policy }>()
  const strategies: Record<string, BackoffOptions> = { exponential: { type: 'full' }, fixed: { type: 'constant', baseMs: 1_000 } }
  return {
    async registerCircuitBreaker(name, config) {
      if (all.has(name))
        throw new HoldfastError('breaker_exists', `registered the circuit breaker "${name}" a second time`, { hint: 'remove it first' })
      const { failureThreshold, resetTimeout, retryPolicy } = config
      const made = breaker({
        ...tools,
        name,
        window: { type: 'consecutive', failures: failureThreshold },
        halfOpen: { type: 'sample', calls: 1 },
        openMs: resetTimeout,
        openMaxMs: resetTimeout,
        openJitter: 0,
        slowMs: Infinity,
      })
      const limit = timeout({ ...tools, ms: config.timeout, idempotent: retryPolicy?.idempotent ?? false })
      const retries = retry({
        ...tools,
        attempts: Math.min(attemptsMax, 1 + (retryPolicy?.maxRetries ?? 0)),
        backoff: strategies[retryPolicy?.backoffStrategy ?? 'exponential'] ?? {},
        idempotent: retryPolicy?.idempotent ?? false,
        // The call said by itself that it failed: asked for retries, it gets them.
        retryIf: (error) => (kindOf(error) === 'app' ? true : undefined),
      })
      all.set(name, { breaker: made, policy: compose(retries, made, limit) })
      return made
    },
    async execute(name, fn, options) {
      const found = all.get(name)
      if (found !== undefined) return found.policy.execute(fn, options)
      throw new HoldfastError('breaker_unknown', `called through the circuit breaker "${name}", which nobody registered`, {
        hint: `register it, or use one of: ${[...all.keys()].join(', ') || '(none)'}`,
      })
    },
    getCircuitBreaker: (name) => all.get(name)?.breaker,
    removeCircuitBreaker: (name) => all.delete(name),
    names: () => [...all.keys()],
  }
}

let shared: FaultToleranceSystem | undefined

/** The one of this process, made when it is first asked for. */
export const getFaultToleranceSystem = (): FaultToleranceSystem => (shared ??= createFaultToleranceSystem())
