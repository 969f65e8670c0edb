/**
 * The breakers of all workers as one: every worker counts for itself, the first that opens opens the others, and an endpoint's breaker counts as
 * closed again when the last worker has closed its own. Remembers what an operator holds open, for workers that come later.
 */
import type { BreakerState } from '../../resilience/core/breaker.ts'
import { whyOpen } from '../core/weight.ts'
import type { RoutingView } from '../core/routing-view.ts'
import type { BreakerAction, BreakerMessage } from '../messages.ts'
import { BreakerRecords, snapshotOf, type BreakerRecord } from './breaker-records.ts'
import type { Peer } from './peer.ts'

export interface BreakersOptions {
  readonly everyone: () => readonly Peer[]
  /** Monotonic milliseconds. */
  readonly now: () => number
  readonly wallTime: () => number
  /** The state over all workers has changed. */
  readonly onChange: (change: Omit<BreakerMessage, 'type'>) => void
}

/** The gravest first: it is what an endpoint's breaker is called. */
const gravity: readonly BreakerState[] = ['forcedOpen', 'open', 'halfOpen', 'disabled', 'hydrating', 'closed']

export class Breakers {
  readonly #options: BreakersOptions
  readonly #states = new Map<string, Map<Peer, BreakerState>>()
  #isolated: ReadonlySet<string>
  /** What opened the breaker of an endpoint last, and when. */
  readonly #openings = new Map<string, { readonly change: Omit<BreakerMessage, 'type'>; readonly at: number }>()

  readonly #records: BreakerRecords
  #hasView = false

  /** What the primary before knew. */
  constructor(options: BreakersOptions, isolated: readonly string[] = [], records: readonly BreakerRecord[] = []) {
    this.#options = options
    this.#isolated = new Set(isolated)
    this.#records = new BreakerRecords(records)
  }

  /** A view is on its way to all workers. Those that began before there was any did not know what they were told of. */
  viewSent(): void {
    if (!this.#hasView) for (const peer of this.#options.everyone()) this.tell(peer)
    this.#hasView = true
  }

  /** For the primary that comes next. */
  get records(): readonly BreakerRecord[] {
    return this.#records.all
  }

  /** Services that are held open by hand. */
  get isolated(): readonly string[] {
    return [...this.#isolated]
  }

  setView({ services }: RoutingView): void {
    const guarded = services.filter(({ breaker }) => breaker !== undefined)
    const ids = new Set(guarded.flatMap(({ endpoints }) => endpoints.map(({ id }) => id)))
    for (const id of this.#states.keys()) if (!ids.has(id)) this.#states.delete(id)
    for (const id of this.#openings.keys()) if (!ids.has(id)) this.#openings.delete(id)
    this.#records.retain(ids, this.#options.wallTime())
    this.#isolated = new Set(this.isolated.filter((name) => guarded.some((service) => service.name === name)))
  }

  stateOf(endpoint: string): BreakerState {
    const states = [...(this.#states.get(endpoint)?.values() ?? [])]
    return gravity.find((state) => states.includes(state)) ?? 'closed'
  }

  /** Why it is open; undefined: it is not, or is held open by hand. */
  whyOpen(endpoint: string, now: number): string | undefined {
    const opening = this.#openings.get(endpoint)
    if (opening === undefined || this.stateOf(endpoint) !== 'open') return undefined
    return whyOpen(opening.change, Math.max(0, opening.at + (opening.change.openForMs ?? 0) - now))
  }

  hear(peer: Peer, message: BreakerMessage): void {
    const { type: _, ...change } = message
    if (change.to === 'open' && change.reason !== 'told') this.#openings.set(change.endpoint, { change, at: this.#options.now() })
    const { endpoint, to, reason } = change
    const before = this.stateOf(endpoint)
    const states = this.#states.get(endpoint) ?? new Map<Peer, BreakerState>()
    this.#states.set(endpoint, states)
    if (to === 'closed') states.delete(peer)
    else states.set(peer, to)
    if (to === 'open' && reason !== 'told') for (const other of this.#options.everyone()) if (other !== peer) other.send({ type: 'trip', endpoint })
    const after = this.stateOf(endpoint)
    this.#records.changed(change, after, this.#options.wallTime())
    if (after !== before) this.#options.onChange({ ...change, from: before, to: after })
  }

  left(peer: Peer): void {
    for (const [endpoint, states] of this.#states) {
      // With the last worker nobody has closed anything: what it knew is for the next one.
      if (states.delete(peer) && this.stateOf(endpoint) === 'closed' && this.#options.everyone().some((other) => other !== peer))
        this.#records.closed(endpoint, this.#options.wallTime())
    }
  }

  order(service: string, action: BreakerAction): void {
    this.#isolated = new Set(action === 'isolate' ? [...this.#isolated, service] : this.isolated.filter((name) => name !== service))
    for (const peer of this.#options.everyone()) peer.send({ type: 'breakerOrder', service, action })
  }

  /** What a worker that begins must know. */
  tell(peer: Peer): void {
    for (const service of this.#isolated) peer.send({ type: 'breakerOrder', service, action: 'isolate' })
    for (const record of this.#records.all) {
      peer.send({ type: 'breakerRestored', endpoint: record.endpoint, snapshot: snapshotOf(record) })
      if (record.state === 'closed') continue
      // It will tell when this changes; that it is so is no news.
      const states = this.#states.get(record.endpoint) ?? new Map<Peer, BreakerState>()
      this.#states.set(record.endpoint, states)
      states.set(peer, 'open')
    }
  }
}
