/**
 * One asking for all who want the same. Where the node has a store it is asked first, which says whether somebody of another worker asks already. The first
 * who wants it leads; the others wait until there is something for them, or it shows that there will not be, or for five seconds.
 *
 *   seeking ──found, or not to be kept──▶ all look again
 *      └──▶ leader ──stored──▶ all look again · ──not to be kept──▶ all ask for themselves · ──failed──▶ the next one leads
 */
import type { FoundFrame } from '../../core/cache/frames.ts'
import type { NodeQuestion, Seeker } from './node-link.ts'
import type { ResponseStore } from './store.ts'

export interface FetchWaiter {
  /** Look again. `waited`: for what somebody else has asked the origin. */
  wake(waited: boolean): void
  /** Ask the origin, for all who wait. */
  lead(fetch: Fetch): void
}

/** Those who wait; one more asks for himself. */
export const waitersMax = 10_000
export const waitMaxMs = 5_000

export class Fetch implements Seeker {
  readonly #store: ResponseStore
  readonly #key: string
  readonly #waiting = new Set<FetchWaiter>()
  /** Of a question to the node's store that is under way. */
  #question: number | undefined
  /** The store of the node waits for what comes of it. */
  #leadsNode = false

  constructor(store: ResponseStore, key: string) {
    this.#store = store
    this.#key = key
  }

  /** Asks the store of the node, for `first`, whose head it is; returns false when there is none that answers. */
  seek(first: FetchWaiter, question: Omit<NodeQuestion, 'key'>, head: Buffer): boolean {
    this.#question = this.#store.link?.get({ ...question, key: this.#key }, head, this)
    if (this.#question === undefined) return false
    this.#waiting.add(first)
    return true
  }

  /** false: too many wait. */
  join(waiter: FetchWaiter): boolean {
    if (this.#waiting.size >= waitersMax) return false
    this.#waiting.add(waiter)
    return true
  }

  leave(waiter: FetchWaiter): void {
    this.#waiting.delete(waiter)
    if (this.#question === undefined || this.#waiting.size > 0) return
    this.#store.link?.leave(this.#question)
    this.#over()
  }

  /** It is stored, or cannot be, or the leader has failed: all look again. The first who finds nothing, and nobody asking, leads. `told`: the node knows. */
  over(told = false): void {
    if (this.#leadsNode && !told) this.#store.link?.over(this.#key, false)
    this.#over()
  }

  #over(waited = true): void {
    this.#question = undefined
    this.#leadsNode = false
    if (this.#store.fetches.get(this.#key) === this) this.#store.fetches.delete(this.#key)
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const waiter of waiting) waiter.wake(waited)
  }

  // --- what the store of the node says ------------------------------------------------------------------------------

  found(frame: FoundFrame, head: Buffer, body: Buffer): void {
    this.#store.handed(this.#key, frame, head, body, () => {
      this.#over(frame.waited)
    })
  }

  lead(): void {
    this.#question = undefined
    const next = this.#next()
    if (next === undefined) {
      this.#store.link?.over(this.#key, false)
      this.#over()
      return
    }
    this.#leadsNode = true
    next.lead(this)
  }

  wait(): void {
    // It waits already.
  }

  go(pass: boolean): void {
    if (pass) this.#store.passed(this.#key)
    const next = pass || !this.#store.trusted ? undefined : this.#next()
    this.#question = undefined
    if (next === undefined) this.#over()
    else next.lead(this)
  }

  #next(): FetchWaiter | undefined {
    for (const waiter of this.#waiting) {
      this.#waiting.delete(waiter)
      return waiter
    }
    return undefined
  }
}
