/**
 * How many requests a service's endpoints have at a time, in one worker: the slots that it was lent for each (`core/slots.ts`), and the line of
 * those who wait while all are in use. A service without a limit has none of this.
 *
 *   request ──an endpoint has room──▶ sent
 *      └──all that could take it are full──▶ in line ──a slot comes or is free again──▶ sent
 *                                              └──too long, too many──▶ 503
 */
import type { Lease } from '../core/lease.ts'
import { queueQuota } from '../core/parking-quotas.ts'
import type { ConcurrencyView } from '../core/routing-view.ts'
import { SlotLease } from '../core/slots.ts'
import { WaitLine } from '../core/wait-line.ts'
import type { WorkerToPrimary } from '../messages.ts'
import { AdaptiveSlots } from './adaptive-slots.ts'
import type { Leases } from './leases.ts'
import { queueOverdraft } from './limits.ts'
import type { EndpointPool } from './upstream.ts'

/** What waits in line. */
export interface Queued {
  /** It is its turn: it looks for an endpoint again. */
  letGo(): void
  queueExpired(): void
  /** It was let in undecided, and there is no place for it. */
  queueRefused(): void
}

export class Concurrency {
  view: ConcurrencyView
  readonly #service: string
  readonly #leases: Leases
  readonly #tell: (message: WorkerToPrimary) => void
  readonly #line = new WaitLine<Queued>()
  readonly #places: Lease
  /** Let in beyond the lease, in the order they came; some have left since. */
  readonly #undecided = new Set<Queued>()
  #endpoints: readonly EndpointPool[] = []
  /** Whose turn it is, and who have not looked yet. */
  #going = 0
  #telling = false
  #closed = false

  constructor(service: string, view: ConcurrencyView, leases: Leases, tell: (message: WorkerToPrimary) => void) {
    this.view = view
    this.#service = service
    this.#leases = leases
    this.#tell = tell
    this.#places = leases.open(queueQuota(service), queueOverdraft, {
      used: () => this.#line.size,
      limit: () => (this.#closed ? undefined : this.view.queue.requests),
      decide: (now) => this.#decide(now),
    })
  }

  get queued(): number {
    return this.#line.size
  }

  setView(view: ConcurrencyView, endpoints: readonly EndpointPool[], now: number): void {
    this.view = view
    const adaptive = view.limit === 'adaptive'
    const before = this.#endpoints
    this.#endpoints = endpoints
    for (const endpoint of endpoints) {
      endpoint.slots ??= inherited(before, endpoint) ?? new SlotLease()
      endpoint.adaptive = adaptive ? (endpoint.adaptive ?? new AdaptiveSlots()) : undefined
    }
    this.#letGo(now)
    this.#tellWants()
  }

  /** The service has no limit any more, or is gone. */
  close(): void {
    this.#closed = true
    for (const endpoint of this.#endpoints) {
      endpoint.slots = undefined
      endpoint.adaptive = undefined
    }
    this.#leases.close(queueQuota(this.#service))
    for (let next = this.#line.next(0); next !== undefined; next = this.#line.next(0)) next.request.letGo()
  }

  // --- slots --------------------------------------------------------------------------------------------------------

  given(id: string, amount: number, keep: number | undefined, now: number): void {
    const endpoint = this.#endpoints.find((each) => each.id === id)
    if (endpoint?.slots === undefined) {
      if (amount > 0) this.#tell({ type: 'slots', endpoint: id, back: amount })
      return
    }
    endpoint.slots.given(amount, keep)
    // First those who wait here: what was just lent for them must not go back.
    this.#letGo(now)
    this.#giveBack(endpoint)
    this.#tellWants()
  }

  /** What was lent for each endpoint, for a new primary. What was asked of the one before is asked again. */
  held(): Record<string, number> {
    const held: Record<string, number> = {}
    for (const { id, slots } of this.#endpoints) {
      if (slots === undefined) continue
      slots.asked = 0
      if (slots.granted > 0) held[id] = slots.granted
    }
    if (this.#line.size > 0) this.#tellWants()
    return held
  }

  /** A request at the endpoint has ended. */
  freed(endpoint: EndpointPool, now: number): void {
    this.#giveBack(endpoint)
    if (this.#line.size > 0) this.#letGo(now)
  }

  #giveBack(endpoint: EndpointPool): void {
    const surplus = endpoint.slots?.takeSurplus(endpoint.active + this.#going, this.#line.size > 0) ?? 0
    if (surplus === 0) return
    this.#tell({ type: 'slots', endpoint: endpoint.id, back: surplus })
    if (this.#line.size > 0) this.#tellWants()
  }

  /** Once per turn, for all who came in it. */
  #tellWants(): void {
    if (this.#telling) return
    this.#telling = true
    setImmediate(() => {
      this.#telling = false
      if (this.#closed) return
      for (const { id, slots } of this.#endpoints) {
        const want = slots?.takeWant(this.#line.size)
        if (want !== undefined) this.#tell({ type: 'slots', endpoint: id, want })
      }
    })
  }

  // --- the line -----------------------------------------------------------------------------------------------------

  /** Stands in line, or there is no place. `earlier`: the deadline of one that had its turn in vain. */
  wait(request: Queued, now: number, earlier: number | undefined): { readonly deadline: number } | undefined {
    const { requests, timeoutMs } = this.view.queue
    if (this.#closed || (earlier === undefined && this.#line.size >= this.#places.allowed(requests, now))) return undefined
    const deadline = earlier ?? now + timeoutMs
    this.#line.add(request, deadline, now, earlier !== undefined)
    if (this.#line.size > this.#places.granted) this.#undecided.add(request)
    this.#leases.grown(queueQuota(this.#service), now)
    this.#tellWants()
    return { deadline }
  }

  leave(request: Queued): void {
    this.#undecided.delete(request)
    if (this.#line.leave(request) && this.#line.size === 0) this.#tellWants()
  }

  /** Whose turn it was has looked, found or not. */
  gone(): void {
    this.#going--
    if (this.#going > 0) return
    for (const endpoint of this.#endpoints) if (endpoint.slots?.scarce === true) this.#giveBack(endpoint)
  }

  /** Somebody stands in line, and whoever comes now stands behind. */
  get crowded(): boolean {
    return this.#line.size > 0
  }

  #letGo(now: number): void {
    for (let room = this.#room(now) - this.#going; room > 0; room--) {
      const next = this.#line.next(now)
      if (next === undefined) break
      this.#undecided.delete(next.request)
      this.#going++
      next.request.letGo()
    }
    if (this.#line.size === 0) this.#tellWants()
  }

  /** Where good ones are busy, those that are not good are no room: nobody would go there. */
  #room(now: number): number {
    const goodOnly = this.#endpoints.some((endpoint) => endpoint.isGood(now) && (endpoint.full || endpoint.available(now)))
    let room = 0
    for (const endpoint of this.#endpoints) {
      if (endpoint.available(now) && (!goodOnly || endpoint.isGood(now))) room += endpoint.slots!.granted - endpoint.active
    }
    return room
  }

  #decide(now: number): void {
    if (this.#line.size <= this.#places.granted) {
      this.#undecided.clear()
      return
    }
    if (!this.#places.isShort(now)) return
    for (const request of [...this.#undecided].reverse()) {
      if (this.#line.size <= this.#places.granted) return
      this.#undecided.delete(request)
      if (this.#line.leave(request)) request.queueRefused()
    }
  }

  sweep(now: number): void {
    for (const request of this.#line.expired(now)) {
      this.#undecided.delete(request)
      request.queueExpired()
    }
    // An endpoint may be available again without anything having ended.
    if (this.#line.size > 0) this.#letGo(now)
  }
}

/** An endpoint that has moved to another address is the same to the primary. */
function inherited(before: readonly EndpointPool[], { id }: EndpointPool): SlotLease | undefined {
  const old = before.find((each) => each.id === id)
  const slots = old?.slots
  if (old) old.slots = undefined
  return slots
}
