/**
 * One try of a request: the endpoint it went to, the connection it went over, and what its breaker gave for it. An exchange has one for as long
 * as its client's connection lives, and fills it anew for each try. All that belongs to a try alone is in here and nowhere else, so that another
 * one, sent side by side with it, can take its place (`Attempts.current`).
 *
 *   chosen ──▶ in flight (counted at the endpoint, with a connection) ──▶ connection given back │ dropped ──▶ left
 */
import { outcome } from '../../resilience/core/breaker.ts'
import type { EndpointPool, Upstream, UpstreamUser } from './upstream.ts'
import type { Worker } from './worker.ts'

export class Attempt {
  /** Where it goes; its breaker has let it. */
  chosen: EndpointPool | undefined
  /** Where it is in flight, and counted. */
  endpoint: EndpointPool | undefined
  upstream: Upstream | undefined
  /** The connection has carried requests before. */
  reused = false
  sentAt = 0
  /** What the breaker of the endpoint gave for it; 0: there is none, or it has been told how it went. */
  generation = 0

  /** Nothing of an earlier one is left in flight. */
  reset(): void {
    this.endpoint = undefined
    this.upstream = undefined
  }

  /** It is counted at the endpoint already. */
  found(endpoint: EndpointPool, upstream: Upstream, user: UpstreamUser): void {
    this.endpoint = endpoint
    this.upstream = upstream
    upstream.user = user
  }

  /** The connection goes back unharmed. `hintSeconds`: what the origin says of how long it keeps it. */
  giveBack(now: number, hintSeconds: number | undefined): void {
    const { upstream } = this
    this.upstream = undefined
    if (upstream !== undefined) this.endpoint!.release(upstream, now, hintSeconds)
  }

  drop(): void {
    const { upstream } = this
    this.upstream = undefined
    upstream?.destroy()
  }

  /** No more in flight at the endpoint. */
  leave(worker: Worker): void {
    const { endpoint } = this
    if (endpoint === undefined) return
    endpoint.active--
    this.endpoint = undefined
    worker.fleet.maybeDrained(endpoint)
  }

  /** What the breaker gave, to tell it how it went: once. */
  takeGeneration(): number {
    const { generation } = this
    this.generation = 0
    return generation
  }

  /** Nobody sees how it ends: the breaker gets its place back. */
  forgetGeneration(): void {
    this.chosen?.breaker?.record(this.sentAt, outcome.ignored, 0, this.takeGeneration())
  }
}
