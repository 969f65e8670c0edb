/**
 * Those who wait for a turn: first in, first out. When the line has not been empty for a second the newest goes first: the oldest have given up soon
 * anyway, and serving them would make everybody late. Whoever waits leaves in O(1) from wherever he stands.
 */
import { Line } from './line.ts'

/** After so long without an empty line the newest goes first. */
export const congestedAfterMs = 1_000

export class WaitLine<R> {
  readonly #line = new Line<R>()
  #since = 0
  #orders = 0
  #fronts = 0

  get size(): number {
    return this.#line.size
  }

  /** `front`: it had its turn already, and found that somebody was faster. */
  add(request: R, deadline: number, now: number, front = false): void {
    if (this.#line.size === 0 && !front) this.#since = now
    this.#line.add({ request, deadline, latest: deadline, bytes: 0, order: front ? --this.#fronts : this.#orders++ })
  }

  leave(request: R): boolean {
    return this.#line.leave(request) !== undefined
  }

  /** Whose turn it is, removed. */
  next(now: number): { readonly request: R; readonly deadline: number } | undefined {
    const place = now - this.#since > congestedAfterMs ? this.#line.last : this.#line.first
    if (place) this.#line.leave(place.request)
    return place
  }

  /** Those whose time is up, removed. */
  expired(now: number): R[] {
    const late = this.#line.late(now)
    for (const request of late) this.#line.leave(request)
    return late
  }
}
