/**
 * What is known of the endpoints' breakers for workers that come later, and for the primary that comes next: how often each has opened in a row,
 * and until when. With it a breaker that is open stays so for the rest of its time, and one that opens again stays open for longer each time.
 */
import type { BreakerSnapshot, BreakerState } from '../../resilience/core/breaker.ts'
import type { BreakerMessage } from '../messages.ts'

/** Of one endpoint. */
export interface BreakerRecord {
  readonly endpoint: string
  readonly state: BreakerSnapshot['state']
  /** In a row. */
  readonly openings: number
  /** Wall-clock milliseconds; 0 unless open. */
  readonly openUntil: number
  /** When it came to this, by the wall clock. */
  readonly at: number
}

/** So long after it has closed its openings are history. */
const forgottenMs = 600_000

export class BreakerRecords {
  readonly #records: Map<string, BreakerRecord>

  constructor(saved: readonly BreakerRecord[] = []) {
    this.#records = new Map(saved.map((record) => [record.endpoint, record]))
  }

  /** `state`: of all workers together, after this change. */
  changed({ endpoint, to, reason, openings, openForMs = 0 }: Omit<BreakerMessage, 'type'>, state: BreakerState, wall: number): void {
    if (to === 'open' && reason !== 'told') this.#records.set(endpoint, { endpoint, state: 'open', openings, openUntil: wall + openForMs, at: wall })
    else if (state === 'halfOpen') this.#set(endpoint, 'halfOpen', openings, wall)
    else if (state === 'closed' && openings > 0) this.#set(endpoint, 'closed', openings, wall)
    else if (state === 'closed') this.#records.delete(endpoint)
  }

  #set(endpoint: string, state: 'halfOpen' | 'closed', openings: number, wall: number): void {
    const known = this.#records.get(endpoint)
    if (known?.state !== state)
      this.#records.set(endpoint, { endpoint, state, openings: Math.max(openings, known?.openings ?? 0), openUntil: 0, at: wall })
  }

  /** The last worker whose breaker was not closed is gone, and others have closed theirs. */
  closed(endpoint: string, wall: number): void {
    const known = this.#records.get(endpoint)
    if (known && known.state !== 'closed') this.#set(endpoint, 'closed', known.openings, wall)
  }

  retain(endpoints: ReadonlySet<string>, wall: number): void {
    for (const { endpoint, state, at } of this.#records.values()) {
      if (!endpoints.has(endpoint) || (state === 'closed' && wall - at >= forgottenMs)) this.#records.delete(endpoint)
    }
  }

  get all(): readonly BreakerRecord[] {
    return [...this.#records.values()]
  }
}

/** What a breaker takes over. What is slow it learns anew. */
export const snapshotOf = ({ state, openings, openUntil }: BreakerRecord): BreakerSnapshot => ({
  state,
  openings,
  openUntilWall: openUntil,
  baselineP95Ms: 0,
})
