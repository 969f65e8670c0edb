/** The slots of all endpoints whose service limits them: joins `core/slots.ts` to the messages with the workers, and learns the limits that are to be learned. */
import { Gradient, type LatencyWindow } from '../../resilience/core/gradient.ts'
import type { RoutingView, ServiceView } from '../core/routing-view.ts'
import { Slots, type SlotOrder } from '../core/slots.ts'
import type { WorkerDelta, WorkerToPrimary } from '../messages.ts'
import type { Peer } from './peer.ts'

interface Entry {
  readonly service: string
  readonly slots: Slots<Peer>
  /** undefined: the limit is a number of the configuration. */
  gradient: Gradient | undefined
  /** What each worker had at most under way, by its last report. */
  readonly inFlight: Map<Peer, number>
}

export class ConcurrencyLimits {
  readonly #holders: number
  readonly #now: () => number
  readonly #entries = new Map<string, Entry>()
  /** What endpoints ask for themselves at most. */
  readonly #caps = new Map<string, number>()

  constructor(holders: number, now: () => number) {
    this.#holders = holders
    this.#now = now
  }

  setView({ services }: RoutingView): void {
    const limits = new Map(
      services.flatMap(({ name, concurrency, endpoints }) =>
        concurrency ? endpoints.map(({ id }) => [id, [name, concurrency.limit]] as const) : [],
      ),
    )
    for (const id of this.#entries.keys()) if (!limits.has(id)) this.#entries.delete(id)
    for (const [id, [service, limit]] of limits) {
      const known = this.#entries.get(id)
      const adaptive = limit === 'adaptive' ? (known?.gradient ?? new Gradient()) : undefined
      const now = this.#capped(id, adaptive?.limit ?? (limit as number))
      if (known) {
        known.gradient = adaptive
        if (known.slots.limit !== now) this.#send(id, service, known.slots.setLimit(now))
      } else this.#entries.set(id, { service, slots: new Slots<Peer>(now, this.#holders), gradient: adaptive, inFlight: new Map() })
    }
  }

  /** What the endpoint asks for itself at most; undefined: nothing. Means nothing where its service has no limit. */
  cap(id: string, most: number | undefined, views: readonly ServiceView[]): void {
    if (this.#caps.get(id) === most) return
    if (most === undefined) this.#caps.delete(id)
    else this.#caps.set(id, most)
    const entry = this.#entries.get(id)
    const limit = views.find(({ name }) => name === entry?.service)?.concurrency?.limit
    if (entry === undefined || limit === undefined) return
    const wanted = this.#capped(id, entry.gradient?.limit ?? (limit as number))
    if (wanted !== entry.slots.limit) this.#send(id, entry.service, entry.slots.setLimit(wanted))
  }

  #capped(id: string, limit: number): number {
    return Math.min(limit, this.#caps.get(id) ?? Infinity)
  }

  /** Of an endpoint; undefined: none. */
  limitOf(endpoint: string): number | undefined {
    return this.#entries.get(endpoint)?.slots.limit
  }

  hear(peer: Peer, { endpoint, want, back }: Extract<WorkerToPrimary, { readonly type: 'slots' }>): void {
    const entry = this.#entries.get(endpoint)
    if (!entry) return
    const { service, slots } = entry
    if (back !== undefined) this.#send(endpoint, service, slots.giveBack(peer, back))
    if (want !== undefined) this.#send(endpoint, service, slots.ask(peer, want))
  }

  /** An orphan tells what it was lent by the primary before us. */
  claimed(peer: Peer, held: Readonly<Record<string, number>>): void {
    for (const [id, amount] of Object.entries(held)) this.#entries.get(id)?.slots.claim(peer, amount)
  }

  left(peer: Peer): void {
    for (const [id, { service, slots, inFlight }] of this.#entries) {
      inFlight.delete(peer)
      this.#send(id, service, slots.leave(peer))
    }
  }

  /** What a worker saw in the last second. */
  counted(peer: Peer, { endpoints }: WorkerDelta): void {
    for (const [id, { latency }] of Object.entries(endpoints)) {
      const entry = this.#entries.get(id)
      if (entry?.gradient !== undefined && latency !== undefined) this.#learn(id, entry, peer, latency)
    }
  }

  #learn(id: string, { service, slots, gradient, inFlight }: Entry, peer: Peer, window: LatencyWindow): void {
    inFlight.set(peer, window.inFlightMax)
    let inFlightMax = 0
    for (const count of inFlight.values()) inFlightMax += count
    gradient!.observe({ ...window, inFlightMax }, this.#now())
    const limit = this.#capped(id, gradient!.limit)
    if (limit !== slots.limit) this.#send(id, service, slots.setLimit(limit))
  }

  #send(endpoint: string, service: string, orders: readonly SlotOrder<Peer>[]): void {
    for (const { holder, amount, keep } of orders) holder.send({ type: 'slotsGiven', service, endpoint, amount, keep })
  }
}
