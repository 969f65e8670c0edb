/**
 * Those who wait, in the order they came. Whoever waits leaves in O(1) from wherever he stands; one who had his turn and must wait again stands
 * before all who came after him.
 */

export interface Place<R> {
  readonly request: R
  deadline: number
  /** Its deadline is never moved beyond this. */
  readonly latest: number
  /** Of its arrival: the lower, the earlier. */
  readonly order: number
  bytes: number
}

interface Link<R> extends Place<R> {
  before: Link<R> | undefined
  after: Link<R> | undefined
}

export class Line<R> {
  readonly #places = new Map<R, Link<R>>()
  #first: Link<R> | undefined
  #last: Link<R> | undefined

  get size(): number {
    return this.#places.size
  }

  get first(): Place<R> | undefined {
    return this.#first
  }

  get last(): Place<R> | undefined {
    return this.#last
  }

  place(request: R): Place<R> | undefined {
    return this.#places.get(request)
  }

  /** Behind the last that came no later than it. */
  add(place: Place<R>): void {
    const before = this.#lastNotAfter(place.order)
    const link: Link<R> = { ...place, before, after: before === undefined ? this.#first : before.after }
    if (link.before) link.before.after = link
    else this.#first = link
    if (link.after) link.after.before = link
    else this.#last = link
    this.#places.set(place.request, link)
  }

  /** From both ends: who comes back belongs near the one or the other. */
  #lastNotAfter(order: number): Link<R> | undefined {
    let low = this.#first
    for (let high = this.#last; high !== undefined && low !== undefined; high = high.before, low = low.after) {
      if (high.order <= order) return high
      if (low.order > order) return low.before
    }
    return undefined
  }

  leave(request: R): Place<R> | undefined {
    const link = this.#places.get(request)
    if (!link) return undefined
    this.#places.delete(request)
    if (link.before) link.before.after = link.after
    else this.#first = link.after
    if (link.after) link.after.before = link.before
    else this.#last = link.before
    return link
  }

  /** Those whose time is up, in order; they stand there still. */
  late(now: number): R[] {
    const late: R[] = []
    for (let next = this.#first; next !== undefined; next = next.after) if (next.deadline <= now) late.push(next.request)
    return late
  }
}
