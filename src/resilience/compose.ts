/**
 * Several policies as one, outermost first, in the one order in which they mean what they say:
 *
 *   fallback → rate limit → total timeout → retry → breaker → hedge → bulkhead → attempt timeout → call
 *
 * Retry outside the breaker: an open breaker ends the retries. The breaker sees attempts, not retried calls, or three failures would count
 * once. A bulkhead inside the hedge: each attempt needs its own permit. Another order is refused rather than put right: it says that
 * something else is expected.
 */
import { HoldfastError } from '../kernel/errors.ts'
import { Emitter } from './events.ts'
import { Context, type Call, type CallContext, type ExecuteOptions, type Policy, type PolicyKind } from './policy.ts'

const places: Readonly<Record<PolicyKind, readonly number[]>> = {
  composed: [0],
  fallback: [1],
  rateLimit: [2],
  timeout: [3, 8],
  retry: [4],
  breaker: [5],
  hedge: [6],
  bulkhead: [7],
}

const order = 'fallback, rateLimit, timeout (of all attempts), retry, breaker, hedge, bulkhead or adaptiveConcurrency, timeout (of one attempt)'

function checkOrder(policies: readonly Policy[]): void {
  let place = 0
  let before: PolicyKind = 'composed'
  for (const { kind } of policies) {
    const next = kind === 'composed' ? undefined : places[kind].find((candidate) => candidate > place)
    if (next === undefined) {
      throw new HoldfastError('policy_order', `composed ${policies.map((policy) => policy.kind).join(' → ')}: ${kind} cannot be inside ${before}`, {
        hint: `give them outermost first, each once: ${order}`,
      })
    }
    place = next
    before = kind
  }
}

export interface ComposedPolicy extends Policy {
  readonly kind: 'composed'
}

/** Throws `policy_order` when the order is not the stated one. Events are those of the parts. */
export function compose(...policies: readonly Policy[]): ComposedPolicy {
  checkOrder(policies)
  const run = <T>(at: number, fn: Call<T>, options: ExecuteOptions): Promise<T> => {
    const policy = policies[at]
    if (policy === undefined) throw new HoldfastError('invalid_option', 'composed no policies', { hint: 'give compose() at least one policy' })
    return policy.execute(at === policies.length - 1 ? fn : (context) => run(at + 1, fn, optionsOf(context, options)), options)
  }
  return { kind: 'composed', events: new Emitter<object>(), execute: async (fn, options = {}) => run(0, fn, options) }
}

/** Our policies hand on a `Context`; another implementation may hand on anything of that shape. */
const optionsOf = (context: CallContext, outer: ExecuteOptions): ExecuteOptions =>
  context instanceof Context ? context.options : { ...outer, signal: context.signal, deadline: context.deadline, attempt: context.attempt }
