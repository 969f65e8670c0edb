/**
 * Those who wait for a turn: first in, first out. When the line has not been empty for a second the newest goes first: the oldest have given up soon
 * anyway, and serving them would make everybody late. Whoever waits leaves in O(1) from wherever he stands.
 */

/** After so long without an empty line the newest goes first. */
export const congestedAfterMs = 1_000

interface Place<R> {
  readonly request: R
  readonly deadline: number
  before: Place<R> | undefined
  after: Place<R> | undefined
}

export class WaitLine<R> {
  readonly #places = new Map<R, Place<R>>()
  #first: Place<R> | undefined
  #last: Place<R> | undefined
  #since = 0

  get size(): number {
    return this.#places.size
  }

  /** `front`: it had its turn already, and found that somebody was faster. */
  add(request: R, deadline: number, now: number, front = false): void {
    if (this.#first === undefined && !front) this.#since = now
    const place: Place<R> = { request, deadline, before: front ? undefined : this.#last, after: front ? this.#first : undefined }
    if (place.before) place.before.after = place
    else this.#first = place
    if (place.after) place.after.before = place
    else this.#last = place
    this.#places.set(request, place)
  }

  leave(request: R): boolean {
    const place = this.#places.get(request)
    if (!place) return false
    this.#places.delete(request)
    if (place.before) place.before.after = place.after
    else this.#first = place.after
    if (place.after) place.after.before = place.before
    else this.#last = place.before
    return true
  }

  /** Whose turn it is, removed. */
  next(now: number): { readonly request: R; readonly deadline: number } | undefined {
    const place = now - this.#since > congestedAfterMs ? this.#last : this.#first
    if (place) this.leave(place.request)
    return place
  }

  /** Those whose time is up, removed. */
  expired(now: number): R[] {
    const late: R[] = []
    for (const [request, { deadline }] of this.#places) if (deadline <= now) late.push(request)
    for (const request of late) this.leave(request)
    return late
  }
}
