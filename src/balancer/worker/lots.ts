/** Where requests and connections of this worker wait; looked after often while anybody does, and not at all otherwise. */
import type { Leases } from './leases.ts'
import { lotSweepMs } from './limits.ts'

export interface WaitingLot {
  /** Others who wait, besides those in the lot. */
  readonly queued?: number
  readonly lot: { readonly size: number }
  sweep(now: number): void
  wake(now: number): void
}

export class Lots {
  readonly #lots = new Set<WaitingLot>()
  readonly #now: () => number
  readonly #leases: Leases
  #timer: NodeJS.Timeout | undefined

  /** `leases`: what those who wait are let in by. */
  constructor(now: () => number, leases: Leases) {
    this.#now = now
    this.#leases = leases
  }

  watch(lot: WaitingLot): void {
    this.#lots.add(lot)
    this.#timer ??= setInterval(() => {
      this.#sweep()
    }, lotSweepMs)
  }

  #sweep(): void {
    const now = this.#now()
    for (const lot of this.#lots) {
      lot.sweep(now)
      lot.wake(now)
      if (lot.lot.size === 0 && (lot.queued ?? 0) === 0) this.#lots.delete(lot)
    }
    this.#leases.sweep(now)
    if (this.#lots.size === 0) this.close()
  }

  close(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}
