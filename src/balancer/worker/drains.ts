/**
 * Endpoints that are on their way out, as one worker sees them: an endpoint is drained when nothing is under way there any more, or when its time is
 * over. Tunnels would stay for ever: they are asked to come again elsewhere, one after the other.
 */
import type { WorkerToPrimary } from '../messages.ts'
import { tunnelDrainMs } from './limits.ts'
import type { Tunnel } from './tunnel.ts'
import type { EndpointPool } from './upstream.ts'

interface Drain {
  readonly id: number
  readonly endpoint: EndpointPool
  readonly deadline: number
}

export class WorkerDrains {
  readonly #tell: (message: WorkerToPrimary) => void
  readonly #tunnels = new Set<Tunnel>()
  #drains: Drain[] = []
  /** All of the worker ends. */
  #leaving = false

  constructor(tell: (message: WorkerToPrimary) => void) {
    this.#tell = tell
  }

  get running(): boolean {
    return this.#drains.length > 0
  }

  begin(id: number, endpoint: EndpointPool, now: number, deadlineMs: number): void {
    this.#drains.push({ id, endpoint, deadline: now + deadlineMs })
    this.#closeTunnels(
      [...this.#tunnels].filter((tunnel) => tunnel.endpoint === endpoint),
      now,
      deadlineMs,
    )
  }

  /** Nothing is under way at the endpoint, and nothing will come back. */
  done(endpoint: EndpointPool): void {
    if (this.#drains.length === 0) return
    for (const drain of this.#drains.filter((each) => each.endpoint === endpoint)) this.#tell({ type: 'drained', id: drain.id, remaining: 0 })
    this.#drains = this.#drains.filter((drain) => drain.endpoint !== endpoint)
  }

  sweep(now: number): void {
    for (const tunnel of [...this.#tunnels]) tunnel.sweep(now)
    for (const drain of this.#drains) {
      if (now < drain.deadline) continue
      this.#tell({ type: 'drained', id: drain.id, remaining: drain.endpoint.active + drain.endpoint.tunnels })
      for (const tunnel of [...this.#tunnels]) if (tunnel.endpoint === drain.endpoint) tunnel.cut()
    }
    this.#drains = this.#drains.filter((drain) => now < drain.deadline)
  }

  opened(tunnel: Tunnel, now: number): void {
    this.#tunnels.add(tunnel)
    if (this.#leaving || this.#drains.some(({ endpoint }) => endpoint === tunnel.endpoint)) tunnel.closeAt = now
  }

  closed(tunnel: Tunnel): void {
    this.#tunnels.delete(tunnel)
  }

  /** The worker ends: all tunnels close within the time. */
  leave(now: number, deadlineMs: number): void {
    this.#leaving = true
    this.#closeTunnels([...this.#tunnels], now, deadlineMs)
  }

  /** Spread out, so that the clients do not all come back in the same instant. */
  #closeTunnels(tunnels: readonly Tunnel[], now: number, deadlineMs: number): void {
    const window = Math.min(tunnelDrainMs, deadlineMs / 2)
    tunnels.forEach((tunnel, index) => {
      tunnel.closeAt = now + (tunnels.length > 1 ? (index / (tunnels.length - 1)) * window : 0)
    })
  }
}
