/**
 * One entrance of a TCP service: for connections that may write, or for those that only read. Chooses among the endpoints whose
 * role allows it, and lets connections wait here while there is none. Each entrance has a lot of its own: who waits for a primary must
 * not stand before who can be served by a replica.
 */
import type { PickRequest } from '../core/picker.ts'
import { tcpParkingName } from '../core/parking-quotas.ts'
import type { TcpView } from '../core/tcp-view.ts'
import type { Leases } from '../worker/leases.ts'
import { Parking, type Parked } from '../worker/parking.ts'
import type { ServiceRuntime } from '../worker/service.ts'
import type { EndpointPool } from '../worker/upstream.ts'

export type GateUse = 'write' | 'read'

export class TcpGate {
  readonly service: ServiceRuntime
  readonly use: GateUse
  view: TcpView
  readonly parking: Parking
  /** Connections for which an endpoint is being found or connected to. */
  finding = 0

  constructor(service: ServiceRuntime, use: GateUse, view: TcpView, leases: Leases) {
    this.service = service
    this.use = use
    this.view = view
    this.parking = new Parking(tcpParkingName(service.name, use), leases)
    this.setView(view)
  }

  setView(view: TcpView): void {
    this.view = view
    this.parking.setLimits(this.service.view.parking)
  }

  get lot(): Parking['lot'] {
    return this.parking.lot
  }

  /** By its role alone. A reader may stay at a replica that has become the primary, and at one that is behind: only new ones go elsewhere. */
  tolerates(endpoint: EndpointPool): boolean {
    if (this.view.kind === 'plain') return true
    if (this.use === 'read') return endpoint.role !== 'stale'
    if (endpoint.role === 'primary') return true
    // Nobody knows better: a primary that cannot be asked may still be one.
    return endpoint.role === 'unknown' && !this.service.endpoints.some(({ role }) => role === 'primary')
  }

  pick(request: PickRequest): EndpointPool | undefined {
    const candidates = this.#candidates(request.now)
    return this.service.pick(request, candidates) ?? (this.service.mayPark ? undefined : this.service.leastBad(request.tried, candidates))
  }

  hasAvailable(now: number): boolean {
    return this.#candidates(now).some((endpoint) => endpoint.available(now))
  }

  #candidates(now: number): readonly EndpointPool[] {
    const { endpoints } = this.service
    if (this.view.kind === 'plain') return endpoints
    if (this.use === 'write') return endpoints.filter(({ role }) => role === 'primary')
    const replicas = endpoints.filter(({ role }) => role === 'replica')
    if (!this.view.readFromPrimary || replicas.some((replica) => replica.isGood(now) && replica.available(now))) return replicas
    const primary = endpoints.filter(({ role }) => role === 'primary')
    return primary.some((endpoint) => endpoint.available(now)) ? primary : replicas
  }

  /** Lets those who wait go when something can take them. */
  wake(now: number): void {
    if (this.lot.size === 0) return
    if (this.hasAvailable(now)) {
      for (const parked of this.lot.open(this.finding)) parked.unpark()
      return
    }
    this.lot.close()
    if (!this.service.mayPark) this.close()
  }

  /** A connection stands, or will not: others may go. */
  madeRoom(): void {
    if (this.lot.size > 0) for (const parked of this.lot.finished()) parked.unpark()
  }

  sweep(now: number): void {
    if (this.lot.size > 0) this.#expire(this.lot.expired(now))
  }

  /** Nobody waits any longer. */
  close(): void {
    this.#expire(this.lot.expired(Infinity))
  }

  #expire(late: readonly Parked[]): void {
    for (const parked of late) {
      this.service.counters.shed++
      parked.parkingExpired()
    }
  }
}
