/**
 * Routing views, applied one after the other. What a new one needs is opened first, then every worker routes by it, then
 * what it has no more is closed: a view that cannot be applied has changed nothing.
 */
import { HoldfastError } from '../../kernel/errors.ts'
import type { RoutingView } from '../core/routing-view.ts'
import type { NodeCache } from './cache/node-cache.ts'
import type { Coordination } from './coordination.ts'
import type { Crew } from './crew.ts'
import type { Listeners } from './listeners.ts'
import type { Peer } from './peer.ts'

export interface ViewsOptions {
  readonly crew: Crew
  readonly listeners: Listeners
  readonly coordination: Coordination
  readonly cache: Pick<NodeCache, 'apply'>
  readonly onApplied: () => Promise<void>
}

export class Views {
  readonly #options: ViewsOptions
  #current: RoutingView | undefined
  #queue: Promise<unknown> = Promise.resolve()
  #stopped = false

  constructor(options: ViewsOptions) {
    this.#options = options
  }

  get current(): RoutingView | undefined {
    return this.#current
  }

  /** Every worker that should run routes by the view. */
  get served(): boolean {
    return this.#options.crew.serves(this.#current?.version)
  }

  /** Resolves when every worker routes by it; rejects with `listen_failed` when one of its listeners cannot be opened. */
  apply(view: RoutingView): Promise<void> {
    const applied = this.#queue.then(() => this.#apply(view))
    this.#queue = applied.catch(() => undefined)
    return applied
  }

  sendTo(peer: Peer): void {
    if (this.#current) peer.send({ type: 'view', view: this.#current, unhealthy: this.#options.coordination.unhealthy })
  }

  stop(): void {
    this.#stopped = true
  }

  async #apply(view: RoutingView): Promise<void> {
    if (this.#stopped) throw new HoldfastError('proxy_unreachable', 'the proxy is stopping')
    const { crew, listeners, coordination, cache, onApplied } = this.#options
    await crew.ensure()
    await listeners.open(view.listeners)
    await cache.apply(view.cache)
    this.#current = view
    coordination.prepare(view)
    const routed = crew.route(view, coordination.unhealthy)
    coordination.sent()
    await routed
    coordination.routed(
      view,
      crew.workers.filter((worker) => worker.ready),
    )
    listeners.closeOthers(view.listeners)
    await onApplied()
  }
}
