/** The TCP services of one worker: their entrances by listener, and the connections that are open. */
import type { Socket } from 'node:net'
import { listenerAddress, type RoutingView } from '../core/routing-view.ts'
import type { EndpointRole } from '../core/tcp-view.ts'
import type { Leases } from '../worker/leases.ts'
import type { ServiceRuntime } from '../worker/service.ts'
import type { EndpointPool } from '../worker/upstream.ts'
import type { WorkerListener } from '../worker/connections.ts'
import type { Worker } from '../worker/worker.ts'
import { TcpGate, type GateUse } from './gate.ts'
import { cutWindowMs, quietMs } from './limits.ts'
import { TcpSession } from './session.ts'

export class TcpFront {
  readonly #worker: Worker
  readonly #leases: Leases
  readonly #sessions = new Set<TcpSession>()
  /** By service and use. */
  #gates = new Map<string, TcpGate>()
  /** By the listener's name, and by its address. */
  readonly #byName = new Map<string, TcpGate>()
  readonly #byAddress = new Map<string, TcpGate>()
  readonly #draining = new Map<EndpointPool, number>()
  /** Everything ends, with nobody to come back to. */
  #closing = false

  constructor(worker: Worker, leases: Leases) {
    this.#worker = worker
    this.#leases = leases
  }

  get size(): number {
    return this.#sessions.size
  }

  applyView(view: RoutingView, services: ReadonlyMap<string, ServiceRuntime>): void {
    const gates = new Map<string, TcpGate>()
    this.#byName.clear()
    this.#byAddress.clear()
    for (const { name, tcp } of view.services) {
      const service = services.get(name)
      if (tcp === undefined || service === undefined) continue
      const add = (use: GateUse, listener: string): void => {
        const key = `${use} ${name}`
        const gate = this.#gates.get(key) ?? new TcpGate(service, use, tcp, this.#leases)
        gate.setView(tcp)
        gates.set(key, gate)
        this.#byName.set(listener, gate)
      }
      add('write', tcp.listener)
      if (tcp.replicas !== undefined) add('read', tcp.replicas)
    }
    for (const listener of view.listeners) {
      const gate = this.#byName.get(listener.name)
      if (gate) this.#byAddress.set(listenerAddress(listener), gate)
    }
    for (const [key, gate] of this.#gates) {
      if (gates.has(key)) continue
      gate.close()
      gate.parking.close()
    }
    this.#gates = gates
    this.#cutIntolerable()
    this.wake()
  }

  /** Takes a connection; `address`: the client's, without port. */
  accept(listener: WorkerListener, socket: Socket, address = socket.remoteAddress ?? 'unknown'): void {
    // Whoever came in at an address belongs to the listener that has it now.
    const gate = this.#byAddress.get(listener.address) ?? this.#byName.get(listener.name)
    if (gate === undefined) {
      this.#worker.countRefused('no_route')
      socket.on('error', () => undefined)
      socket.destroy()
      return
    }
    const session = new TcpSession(this, this.#worker, gate, socket, address)
    this.#sessions.add(session)
    session.start()
  }

  opened(session: TcpSession, endpoint: EndpointPool): void {
    const deadline = this.#draining.get(endpoint)
    if (deadline !== undefined) session.cutAt = deadline
  }

  ended(session: TcpSession): void {
    this.#sessions.delete(session)
    this.#worker.connectionLeft()
  }

  // --- news -----------------------------------------------------------------------------------------------------

  /** By endpoint. Connections that may write are cut from what is not the primary any more. */
  roles(roles: Readonly<Record<string, EndpointRole>>): void {
    for (const [id, role] of Object.entries(roles)) {
      const endpoint = this.#worker.fleet.endpoint(id)
      if (endpoint) endpoint.role = role
    }
    this.#cutIntolerable()
    this.wake()
  }

  #cutIntolerable(): void {
    for (const session of [...this.#sessions]) if (session.endpoint && !session.gate.tolerates(session.endpoint)) session.cut()
  }

  wake(): void {
    for (const gate of this.#gates.values()) gate.wake(this.#worker.now)
  }

  /** Its process has exited: what is open there has ended, even if the kernel has not said so yet. */
  gone(endpoint: EndpointPool): void {
    this.#draining.delete(endpoint)
    for (const session of [...this.#sessions]) if (session.endpoint === endpoint) session.endpointGone()
  }

  /** Waiting connections of the service. */
  parked(service: ServiceRuntime): number {
    return this.#gateLot('write', service) + this.#gateLot('read', service)
  }

  #gateLot(use: GateUse, { name }: ServiceRuntime): number {
    return this.#gates.get(`${use} ${name}`)?.lot.size ?? 0
  }

  sweep(now: number): void {
    for (const session of [...this.#sessions]) {
      session.sweep(now)
      if (this.#closing && session.isQuiet(now, quietMs)) session.cut()
    }
    for (const [endpoint, deadline] of this.#draining) if (now >= deadline) this.#draining.delete(endpoint)
  }

  // --- ending ---------------------------------------------------------------------------------------------------

  /** What is open there goes on until the deadline, on the worker's clock. */
  drain(endpoint: EndpointPool, deadline: number): void {
    if (endpoint.tunnels === 0) return
    this.#draining.set(endpoint, deadline)
    this.#endBy(
      [...this.#sessions].filter((session) => session.endpoint === endpoint),
      deadline,
    )
  }

  /** `succeeded`: somebody else serves from now on, so nothing is in a hurry. Otherwise what is quiet ends at once. */
  shutdown(deadline: number, succeeded: boolean): void {
    this.#closing = !succeeded
    this.#endBy([...this.#sessions], deadline)
    this.sweep(this.#worker.now)
  }

  /** The last one at the deadline, the others spread over a while before it. */
  #endBy(sessions: readonly TcpSession[], deadline: number): void {
    const window = Math.min(cutWindowMs, (deadline - this.#worker.now) / 2)
    sessions.forEach((session, index) => {
      session.cutAt = deadline - (1 - (index + 1) / sessions.length) * window
    })
  }

  destroy(): void {
    for (const session of [...this.#sessions]) session.cut()
  }
}
