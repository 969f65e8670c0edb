/**
 * A value in memory.
 *
 *   fresh ──soft limit──▶ stale ──hard limit──▶ useless
 *
 * While stale it may be given to whoever would have to wait for a new one. Times are monotonic milliseconds of this process: what travels between
 * processes are remaining times, so that no two clocks are ever compared.
 */
export interface HeldLimits {
  readonly softAt: number
  readonly hardAt: number
}

export class Held {
  readonly value: unknown
  /** Why there is no value; then `value` is undefined. */
  readonly failure: Error | undefined
  softAt: number
  readonly hardAt: number
  readonly storedAt: number
  /** How long it took to make, for early refreshes. 0: unknown. */
  readonly madeInMs: number
  readonly bytes: number
  readonly tags: readonly string[]
  /** The logical time at which its making began (`invalidations.ts`). */
  mark: number
  /** Up to this change of any tag it was found valid. */
  checkedAt = -1
  /** For those who wait for it asynchronously: one for all. */
  #promise: Promise<unknown> | undefined

  constructor(
    made: { readonly value?: unknown; readonly failure?: Error; readonly madeInMs?: number; readonly bytes?: number },
    limits: HeldLimits & { readonly storedAt: number },
    tags: readonly string[],
    mark: number,
  ) {
    this.value = made.value
    this.failure = made.failure
    this.madeInMs = made.madeInMs ?? 0
    this.bytes = made.bytes ?? 0
    this.softAt = limits.softAt
    this.hardAt = limits.hardAt
    this.storedAt = limits.storedAt
    this.tags = tags
    this.mark = mark
  }

  get promise(): Promise<unknown> {
    return (this.#promise ??= Promise.resolve(this.value))
  }
}

/** Beyond so many times the time it takes to make it, chance does not begin. */
const earlyFactors = 10

/**
 * Whether to make it anew before it is stale, so that not everybody finds it stale at once: the nearer the end and the longer it takes, the likelier.
 * `chance` is asked only where it matters. Source: Vattani, Chierichetti, Lowenstein: Optimal Probabilistic Cache Stampede Prevention (XFetch), β = 1.
 */
export function refreshesEarly(held: Held, now: number, chance: () => number): boolean {
  const leftMs = held.softAt - now
  return held.madeInMs > 0 && leftMs < held.madeInMs * earlyFactors && -held.madeInMs * Math.log(chance()) >= leftMs
}
