/**
 * Holds requests while nothing can serve them but something soon will.
 *
 *   flowing ──no endpoint──▶ parked ──an endpoint is ready──▶ releasing ──empty──▶ flowing
 *
 * First in, first out. Release is paced: a first burst, then two for each request that finishes, so that the load on
 * a newborn instance doubles per round trip instead of arriving at once. Should all that was released be lost, so that
 * nothing is left that could finish, another burst goes.
 */

/** Requests let go at once when the first endpoint is ready: more of them only stand in line in a process that has just begun. */
export const releaseBurst = 16
/** Let go at each look, however slow those before are: requests that take for ever must not hold up the others. */
export const releasePerLook = 4
/** Further requests let go for each that finishes. */
export const releasePerFinished = 2

export interface ParkingLimits {
  readonly requests: number
  readonly bytes: number
  readonly timeoutMs: number
}

export class ParkingLot<R> {
  /** By request, with its bytes; a Map keeps the order of arrival and removes in O(1). */
  readonly #waiting = new Map<R, { readonly bytes: number; readonly deadline: number }>()
  #bytes = 0
  /** Requests that may go now; undefined: not releasing. */
  #credit: number | undefined

  get size(): number {
    return this.#waiting.size
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Takes the request in, or says no because a limit is reached. A request that was released and must wait again keeps its deadline, and with it its place. */
  park(request: R, bytes: number, now: number, limits: ParkingLimits, earlierDeadline?: number): { readonly deadline: number } | undefined {
    if (this.#waiting.size >= limits.requests || this.#bytes + bytes > limits.bytes) return undefined
    const deadline = earlierDeadline ?? now + limits.timeoutMs
    if (deadline <= now) return undefined
    const behind = earlierDeadline === undefined ? [] : [...this.#waiting].filter(([, entry]) => entry.deadline > deadline)
    this.#waiting.set(request, { bytes, deadline })
    // Those who came later go behind again, in their order.
    for (const [other, entry] of behind) {
      this.#waiting.delete(other)
      this.#waiting.set(other, entry)
    }
    this.#bytes += bytes
    return { deadline }
  }

  /** It waits no longer (its client has gone); false when it did not wait. */
  leave(request: R): boolean {
    const entry = this.#waiting.get(request)
    if (!entry) return false
    this.#waiting.delete(request)
    this.#bytes -= entry.bytes
    return true
  }

  /** An endpoint is ready: the requests to let go now. May be said again at any time; `inFlight`: requests that are under way. */
  open(inFlight: number): R[] {
    if (this.#credit === undefined || inFlight === 0) this.#credit = releaseBurst
    else this.#credit = Math.max(this.#credit, releasePerLook)
    return this.#take()
  }

  /** A request of the service has finished: the requests to let go now. */
  finished(): R[] {
    if (this.#credit === undefined) return []
    this.#credit += releasePerFinished
    return this.#take()
  }

  /** No endpoint is ready any more: what is left waits on. */
  close(): void {
    this.#credit = undefined
  }

  /** Those whose time is up, removed. */
  expired(now: number): R[] {
    const late: R[] = []
    for (const [request, entry] of this.#waiting) if (entry.deadline <= now) late.push(request)
    for (const request of late) this.leave(request)
    return late
  }

  #take(): R[] {
    const released: R[] = []
    let credit = this.#credit ?? 0
    for (const request of this.#waiting.keys()) {
      if (credit <= 0) break
      credit--
      released.push(request)
    }
    for (const request of released) this.leave(request)
    this.#credit = this.#waiting.size === 0 ? undefined : credit
    return released
  }
}
