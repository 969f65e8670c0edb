/**
 * Parking in one worker within limits that hold over all of them. The lot keeps the order; two leases, of requests and of bytes, say how many
 * may wait here. Who comes when a lease is used up waits undecided for the few milliseconds in which the primary is asked; then it stays
 * like the others, or the youngest are refused.
 */
import { ParkingLot, type ParkingLimits, type ParkingPatience, type ParkingPlace } from '../core/parking-lot.ts'
import { parkingQuotas } from '../core/parking-quotas.ts'
import type { Lease } from '../core/lease.ts'
import type { Leases, QuotaUser } from './leases.ts'
import { parkingOverdraftBytes, parkingOverdraftRequests } from './limits.ts'

/** What waits in a parking lot. */
export interface Parked {
  /** `because`: what let it go, for people. */
  unpark(because?: string): void
  parkingExpired(): void
  /** It was let in undecided, and there is no place for it. */
  parkingRefused(): void
}

/** Bodies that are taken in while their requests wait leave the rest to requests that come. */
const bodiesShare = 0.75

export class Parking {
  readonly lot = new ParkingLot<Parked>()
  readonly #leases: Leases
  readonly #names: { readonly requests: string; readonly bytes: string }
  readonly #requests: Lease
  readonly #bytes: Lease
  /** Let in beyond a lease, in the order they came; some have left since. */
  readonly #undecided = new Set<Parked>()
  #limits: ParkingLimits | undefined

  constructor(service: string, leases: Leases) {
    this.#leases = leases
    this.#names = parkingQuotas(service)
    const user = (used: () => number, limit: (limits: ParkingLimits) => number): QuotaUser => ({
      used,
      limit: () => this.#limits && limit(this.#limits),
      decide: (now) => {
        this.#decide(now)
      },
    })
    this.#requests = leases.open(
      this.#names.requests,
      parkingOverdraftRequests,
      user(
        () => this.lot.size,
        ({ requests }) => requests,
      ),
    )
    this.#bytes = leases.open(
      this.#names.bytes,
      parkingOverdraftBytes,
      user(
        () => this.lot.bytes,
        ({ bytes }) => bytes,
      ),
    )
  }

  /** The limits of the view. Without parking the primary forgets what it lent, and so do we. */
  setLimits(limits: ParkingLimits | undefined): void {
    this.#limits = limits
    if (limits) return
    this.#requests.reset()
    this.#bytes.reset()
  }

  /** The service is gone. */
  close(): void {
    this.setLimits(undefined)
    this.#leases.close(this.#names.requests)
    this.#leases.close(this.#names.bytes)
  }

  /** Takes the request in, or says no because a limit is reached; see `ParkingLot.park`. */
  park(request: Parked, bytes: number, now: number, patience?: ParkingPatience, again?: ParkingPlace): ParkingPlace | undefined {
    if (!this.#limits) return undefined
    const limits = {
      requests: this.#requests.allowed(this.#limits.requests, now),
      bytes: this.#bytes.allowed(this.#limits.bytes, now),
      timeoutMs: this.#limits.timeoutMs,
    }
    const parked = this.lot.park(request, bytes, now, limits, patience, again)
    if (parked && this.#overdrawn) {
      // The last to come is the first to be refused, also when it was here before.
      this.#undecided.delete(request)
      this.#undecided.add(request)
    }
    this.#leases.grown(this.#names.requests, now)
    this.#leases.grown(this.#names.bytes, now)
    return parked
  }

  /** More of one that waits is held, or less. Returns false when there is no room for it: it could not be refused any more, so nothing is overdrawn. */
  resize(request: Parked, bytes: number, now: number): boolean {
    if (!this.#limits) return false
    const fits = this.lot.resize(request, bytes, bodiesShare * Math.min(this.#limits.bytes, this.#bytes.granted))
    this.#leases.grown(this.#names.bytes, now)
    return fits
  }

  get #overdrawn(): boolean {
    return this.lot.size > this.#requests.granted || this.lot.bytes > this.#bytes.granted
  }

  #decide(now: number): void {
    if (!this.#overdrawn) {
      this.#undecided.clear()
      return
    }
    for (const request of [...this.#undecided].reverse()) {
      const tooMany = this.#requests.isShort(now) && this.lot.size > this.#requests.granted
      const tooLarge = this.#bytes.isShort(now) && this.lot.bytes > this.#bytes.granted
      if (!tooMany && !tooLarge) return
      this.#undecided.delete(request)
      if (this.lot.leave(request)) request.parkingRefused()
    }
  }
}
