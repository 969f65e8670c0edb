/**
 * Permits and those who wait for one, without promises. A limit of permits may be parted: each part is guaranteed its share, and what nobody
 * else is guaranteed is free for all. Waiters leave in O(1) wherever they stand (a linked list), and the next one goes in the same step
 * (cockatiel#112). The line is first in, first out; when it has not been empty for a second, the newest goes first: the oldest have given up soon
 * anyway, and serving them would make everybody late.
 */
import { assert } from '../../kernel/errors.ts'
import { share as checkedShare, whole } from './options.ts'

export interface WaitingLineOptions {
  readonly limit: number
  /** Who may wait. Default 0. */
  readonly queue?: number
  /** Name → guaranteed share of the permits, the more important first; together at most 1. Unnamed calls have no share and come last. */
  readonly partitions?: Readonly<Record<string, number>>
}

interface Part {
  readonly share: number
  held: number
  first: Waiter | undefined
  last: Waiter | undefined
}

/** A place in the line. */
export interface Waiter {
  readonly part: string
  readonly go: () => void
  before: Waiter | undefined
  after: Waiter | undefined
  waiting: boolean
}

const congestedAfterMs = 1_000
const unnamed = ''

export class WaitingLine {
  #limit: number
  readonly #queueMax: number
  /** In the order of importance. */
  readonly #parts = new Map<string, Part>()
  #held = 0
  #waiting = 0
  #waitingSince = 0

  constructor(options: WaitingLineOptions) {
    this.#limit = whole('bulkhead', 'limit', options.limit, 1)
    this.#queueMax = whole('bulkhead', 'queue', options.queue ?? 0, 0)
    let sum = 0
    for (const [name, part] of Object.entries(options.partitions ?? {})) {
      sum += checkedShare('bulkhead', `partitions.${name}`, part)
      this.#parts.set(name, { share: part, held: 0, first: undefined, last: undefined })
    }
    checkedShare('bulkhead', 'the sum of partitions', Math.round(sum * 1e6) / 1e6)
    if (!this.#parts.has(unnamed)) this.#parts.set(unnamed, { share: 0, held: 0, first: undefined, last: undefined })
  }

  get held(): number {
    return this.#held
  }

  get waiting(): number {
    return this.#waiting
  }

  get limit(): number {
    return this.#limit
  }

  /** A new limit; waiters whom it lets through go at once. */
  setLimit(limit: number, now: number): void {
    this.#limit = limit
    this.#dispatch(now)
  }

  /** Whether a permit was given; names that were not declared share what is left over. */
  take(part: string): boolean {
    const known = this.#parts.has(part) ? part : unnamed
    if (this.#part(known).first !== undefined || !this.#mayRun(this.#part(known))) return false
    this.#hold(this.#part(known))
    return true
  }

  /** Stands in line; `go` is called when the permit is there. undefined when the line is full. */
  wait(part: string, now: number, go: () => void): Waiter | undefined {
    if (this.#waiting >= this.#queueMax) return undefined
    if (this.#waiting === 0) this.#waitingSince = now
    const name = this.#parts.has(part) ? part : unnamed
    const to = this.#part(name)
    const waiter: Waiter = { part: name, go, before: to.last, after: undefined, waiting: true }
    if (to.last === undefined) to.first = waiter
    else to.last.after = waiter
    to.last = waiter
    this.#waiting++
    return waiter
  }

  /** Leaves the line; false when the permit had come already. */
  leave(waiter: Waiter): boolean {
    if (!waiter.waiting) return false
    this.#unlink(waiter)
    return true
  }

  /** Gives a permit back. */
  release(part: string, now: number): void {
    const from = this.#part(this.#parts.has(part) ? part : unnamed)
    assert(from.held > 0, `a permit of bulkhead part "${part}" was given back that nobody holds`)
    from.held--
    this.#held--
    this.#dispatch(now)
  }

  #part(name: string): Part {
    const part = this.#parts.get(name)
    assert(part !== undefined, `no part "${name}" in the bulkhead`)
    return part
  }

  #hold(part: Part): void {
    part.held++
    this.#held++
  }

  #mayRun(part: Part): boolean {
    if (this.#held >= this.#limit) return false
    if (part.held < Math.floor(part.share * this.#limit)) return true
    let reserved = 0
    for (const other of this.#parts.values()) if (other !== part) reserved += Math.max(0, Math.floor(other.share * this.#limit) - other.held)
    return this.#held + reserved < this.#limit
  }

  #dispatch(now: number): void {
    for (let next = this.#next(now); next !== undefined; next = this.#next(now)) {
      this.#unlink(next)
      this.#hold(this.#part(next.part))
      next.go()
    }
  }

  #next(now: number): Waiter | undefined {
    if (this.#waiting === 0) return undefined
    const newestFirst = now - this.#waitingSince > congestedAfterMs
    for (const part of this.#parts.values()) {
      const waiter = newestFirst ? part.last : part.first
      if (waiter !== undefined && this.#mayRun(part)) return waiter
    }
    return undefined
  }

  #unlink(waiter: Waiter): void {
    const part = this.#part(waiter.part)
    if (waiter.before === undefined) part.first = waiter.after
    else waiter.before.after = waiter.after
    if (waiter.after === undefined) part.last = waiter.before
    else waiter.after.before = waiter.before
    waiter.waiting = false
    this.#waiting--
  }
}
