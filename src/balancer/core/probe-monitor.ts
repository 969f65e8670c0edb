/**
 * Decides from the outcomes of active probes whether an endpoint may be picked.
 *
 *   healthy ──fail × fall──▶ unhealthy ──pass × rise──▶ healthy
 *
 * An endpoint begins healthy (whoever added it says it serves), but its very first probe decides alone: what has
 * never passed needs no second chance. Probes come fast while the verdict is about to change, slowly while down.
 */
import { jitter, type Random } from '../../kernel/random.ts'

/** Between two probes while outcomes contradict the verdict (HAProxy `fastinter`). */
export const transitionIntervalMs = 250
/** Between two probes of an endpoint that is down (HAProxy `downinter`), at most its own interval × 2.5. */
export const downIntervalMsMax = 5_000

export class ProbeMonitor {
  readonly #fall: number
  readonly #rise: number
  #healthy = true
  #everPassed = false
  #streak = 0
  #reason: string | undefined

  constructor(options: { readonly fall: number; readonly rise: number }) {
    this.#fall = options.fall
    this.#rise = options.rise
  }

  get healthy(): boolean {
    return this.#healthy
  }

  /** Failed probes in a row of one that is healthy still; 0: none, or it is unhealthy. */
  get failing(): number {
    return this.#healthy ? this.#streak : 0
  }

  /** Why the last failed probe failed; undefined while healthy and quiet. */
  get reason(): string | undefined {
    return this.#reason
  }

  /** Records one outcome: undefined for a pass, the reason for a failure. Returns whether the verdict changed. */
  observe(failure: string | undefined): boolean {
    const agrees = (failure === undefined) === this.#healthy
    if (failure === undefined) this.#everPassed = true
    else this.#reason = failure
    if (agrees) {
      this.#streak = 0
      if (this.#healthy) this.#reason = undefined
      return false
    }
    this.#streak++
    const needed = this.#healthy ? (this.#everPassed ? this.#fall : 1) : this.#rise
    if (this.#streak < needed) return false
    this.#healthy = !this.#healthy
    this.#streak = 0
    if (this.#healthy) this.#reason = undefined
    return true
  }

  /** A live connection to it broke: one failed probe will now do (HAProxy `on-error sudden-death`). */
  suspect(): void {
    if (this.#healthy) this.#streak = Math.max(this.#streak, this.#fall - 1)
  }

  /** How long to wait before the next probe, jittered by 10 % so that many probes do not fall together. */
  waitMs(intervalMs: number, random: Random): number {
    const base =
      this.#streak > 0 ? Math.min(transitionIntervalMs, intervalMs) : this.#healthy ? intervalMs : Math.min(intervalMs * 2.5, downIntervalMsMax)
    return jitter(random, base, 0.1)
  }
}
