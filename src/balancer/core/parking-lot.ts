/**
 * Holds requests while nothing can serve them but something soon will.
 *
 *   flowing ──no endpoint──▶ parked ──an endpoint is ready──▶ releasing ──empty──▶ flowing
 *
 * First in, first out. Release is paced: a first burst, then two for each request that finishes, so that the load on
 * a newborn instance doubles per round trip instead of arriving at once. Should all that was released be lost, so that
 * nothing is left that could finish, another burst goes.
 *
 * When more comes than is let go, so that whoever comes last will wait past his deadline, the newest goes first until the lot is empty: first in,
 * first out would make everybody wait as long as they may, and the oldest would leave just before their turn.
 */
import { Line } from './line.ts'

/** Requests let go at once when the first endpoint is ready: more of them only stand in line in a process that has just begun. */
export const releaseBurst = 16
/** Let go at each look, however slow those before are: requests that take for ever must not hold up the others. */
export const releasePerLook = 4
/** Further requests let go for each that finishes. */
export const releasePerFinished = 2
/** So long some must have waited, and others been let go, before the pace says anything. */
export const congestedAfterMs = 1_000

export interface ParkingLimits {
  readonly requests: number
  readonly bytes: number
  readonly timeoutMs: number
}

/** What a request that was let go, and must wait again, brings back. */
export interface ParkingPlace {
  /** It waits until then, unless there is more reason to wait by that time; never longer than `latest`. */
  readonly deadline: number
  readonly latest: number
  readonly order: number
}

/** How long one may wait, besides the limit. */
export interface ParkingPatience {
  /** It cannot wait longer than that. */
  readonly until?: number
  /** By then an endpoint should have come; it may turn out later that it takes longer. */
  readonly expected?: number
}

export class ParkingLot<R> {
  readonly #line = new Line<R>()
  /** Let go, and perhaps back in a moment: with the bytes that are held for them all the while. */
  readonly #looking = new Map<R, number>()
  #bytes = 0
  #orders = 0
  /** Since when somebody has been waiting. */
  #busySince = 0
  /** Requests that may go now; undefined: not releasing. */
  #credit: number | undefined
  /** Since this release began, at the first look behind it: when, and how many have gone. */
  #releasingSince: number | undefined
  #released = 0
  #newestFirst = false

  get size(): number {
    return this.#line.size
  }

  /** Held for those that wait, and for those that were let go and have found nothing yet. */
  get bytes(): number {
    return this.#bytes
  }

  /** More comes than goes: the newest goes first. */
  get newestFirst(): boolean {
    return this.#newestFirst
  }

  /**
   * Takes the request in, or says no because a limit is reached. `again`: it was let go, must wait once more, and keeps its place and its latest
   * deadline.
   */
  park(
    request: R,
    bytes: number,
    now: number,
    limits: ParkingLimits,
    patience: ParkingPatience = {},
    again?: ParkingPlace,
  ): ParkingPlace | undefined {
    this.#forget(request)
    if (this.#line.size >= limits.requests || this.#bytes + bytes > limits.bytes) return undefined
    const latest = again?.latest ?? Math.min(patience.until ?? Infinity, now + limits.timeoutMs)
    if (latest <= now) return undefined
    const place = { deadline: Math.min(latest, patience.expected ?? Infinity), latest, order: again?.order ?? this.#orders++ }
    if (this.#line.size === 0) this.#busySince = now
    this.#line.add({ request, bytes, ...place })
    this.#bytes += bytes
    return place
  }

  /** What is held for one that waits grows or shrinks. Returns false when there is no room; then all is as before. */
  resize(request: R, bytes: number, bytesMax: number): boolean {
    const place = this.#line.place(request)
    if (!place || this.#bytes - place.bytes + bytes > Math.max(bytesMax, this.#bytes)) return false
    this.#bytes += bytes - place.bytes
    place.bytes = bytes
    return true
  }

  /** It waits no longer and does not come back: it has found an endpoint, or its client has gone. False when it did not wait. */
  leave(request: R): boolean {
    this.#forget(request)
    const place = this.#line.leave(request)
    if (!place) return false
    this.#bytes -= place.bytes
    if (this.#line.size === 0) this.#newestFirst = false
    return true
  }

  #forget(request: R): void {
    this.#bytes -= this.#looking.get(request) ?? 0
    this.#looking.delete(request)
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
    this.#releasingSince = undefined
    this.#newestFirst = false
  }

  /** Those whose time is up, removed. `expected`: there is reason to wait until then. */
  expired(now: number, expected = -Infinity): R[] {
    const late = this.#line.late(now).filter((request) => !this.#waitsOn(request, now, expected))
    for (const request of late) this.leave(request)
    if (this.#credit === undefined) return late
    if (this.#releasingSince === undefined) {
      this.#releasingSince = now
      this.#released = 0
    } else this.#newestFirst ||= this.#isCongested(now, this.#releasingSince)
    return late
  }

  #waitsOn(request: R, now: number, expected: number): boolean {
    const place = this.#line.place(request)
    if (!place || Math.min(place.latest, expected) <= now) return false
    place.deadline = Math.min(place.latest, expected)
    return true
  }

  /** The last in line will have left before its turn. */
  #isCongested(now: number, since: number): boolean {
    const { last } = this.#line
    if (last === undefined || now - this.#busySince <= congestedAfterMs || now - since <= congestedAfterMs) return false
    const waitMs = (this.#line.size * (now - since)) / Math.max(1, this.#released)
    return now + waitMs > last.deadline
  }

  #take(): R[] {
    const released: R[] = []
    for (; (this.#credit ?? 0) > 0; this.#credit!--) {
      const next = this.#newestFirst ? this.#line.last : this.#line.first
      if (next === undefined) break
      this.#line.leave(next.request)
      this.#looking.set(next.request, next.bytes)
      released.push(next.request)
    }
    this.#released += released.length
    if (this.#line.size > 0) return released
    this.#newestFirst = false
    this.#credit = undefined
    this.#releasingSince = undefined
    return released
  }
}
