/**
 * The cache's dealings with the far layer: what is read there is checked against all invalidations and kept in memory; what others change is forgotten.
 *
 * Of invalidations it knows all that came after it began to hear; what is older than that is asked for, once, when an entry of that age comes.
 */
import { Changes } from './core/changes.ts'
import { Held } from './core/held.ts'
import type { Invalidations } from './core/invalidations.ts'
import { deafTtlMs } from './core/options.ts'
import type { Memory } from './memory.ts'
import type { Far, FarListener } from './ports.ts'
import type { Counters } from './stats.ts'

interface Parts {
  readonly memory: Memory
  readonly invalidations: Invalidations
  readonly flights: {
    changedElsewhere(key: string, at: number): void
    fenceAll(): void
  }
  readonly counters: Counters
  readonly now: () => number
}

/** `unknown`: it did not answer, which is no miss. */
export type Fetched = { readonly held: Held | undefined } | 'unknown'

/** No tag is empty. */
const everything = ''
/** Beyond, all are asked for again. */
const learntMax = 10_000
const nothing: Fetched = { held: undefined }

export class FarSide implements FarListener {
  readonly far: Far
  readonly #parts: Parts
  readonly #fetches = new Map<string, Promise<Fetched>>()
  readonly #changes = new Changes()
  /** All invalidations after this are known. */
  #heardFrom = Infinity
  /** Keys that are being changed from here, and how often. */
  readonly #turns = new Map<string, number>()
  /** Tags whose invalidations are known from their beginning. */
  readonly #learnt = new Set<string>()
  /** How often changes were missed: a reading from before that says nothing of what is heard. */
  #misses = 0

  constructor(far: Far, parts: Parts) {
    this.far = far
    this.#parts = parts
    far.listen(this)
  }

  get up(): boolean {
    return this.far.up
  }

  /** Once for all who ask at the same time. */
  fetch(key: string): Promise<Fetched> {
    const under = this.#fetches.get(key)
    if (under !== undefined) return under
    const fetch = this.fetchAnew(key).finally(() => {
      if (this.#fetches.get(key) === fetch) this.#fetches.delete(key)
    })
    this.#fetches.set(key, fetch)
    return fetch
  }

  /** As it is now: not as somebody found it who asked a moment ago. */
  async fetchAnew(key: string): Promise<Fetched> {
    const { memory, invalidations, counters, now } = this.#parts
    const misses = this.#misses
    const turn = this.#turns.get(key)
    const reading = await this.far.read(key)
    if (reading.kind === 'unknown') {
      counters.remoteErrors++
      return 'unknown'
    }
    invalidations.advance(reading.mark)
    if (misses === this.#misses && this.far.up) this.#heardFrom = Math.min(this.#heardFrom, reading.mark)
    if (reading.kind === 'miss') return nothing
    const { entry } = reading
    if (entry.mark < this.#heardFrom && !(await this.#learn(entry.tags))) return 'unknown'
    if (!invalidations.spares(entry.mark, entry.tags) || entry.mark < this.#changes.of(key)) return nothing
    const at = now()
    const softInMs = this.far.up ? entry.softInMs : Math.min(deafTtlMs, entry.softInMs)
    const limits = { storedAt: at, softAt: at + softInMs, hardAt: at + entry.hardInMs }
    const held = new Held({ value: entry.value, madeInMs: entry.madeInMs, bytes: memory.bytesOf(entry.value) }, limits, entry.tags, entry.mark)
    // What was missed meanwhile, or is being changed here, may be about this.
    if (misses === this.#misses && turn === undefined && !this.#turns.has(key)) memory.set(key, held)
    return { held }
  }

  /** A change made here: until it is known how it ended, nothing that is read of these keys is kept. */
  async change<T extends { readonly at: number } | undefined>(keys: readonly string[], make: () => Promise<T>): Promise<T> {
    const { invalidations } = this.#parts
    for (const key of keys) {
      this.#turns.set(key, (this.#turns.get(key) ?? 0) + 1)
      this.#fetches.delete(key)
    }
    const made = await make()
    if (made !== undefined) invalidations.advance(made.at)
    // When it cannot be told whether it is there, what was there before is not believed.
    const at = made?.at ?? invalidations.mark + 1
    for (const key of keys) {
      const others = (this.#turns.get(key) ?? 1) - 1
      if (others === 0) this.#turns.delete(key)
      else this.#turns.set(key, others)
      this.#fetches.delete(key)
      this.#changes.note(key, at)
    }
    return made
  }

  /** What was asked for once is heard of from then on. */
  async #learn(tags: readonly string[]): Promise<boolean> {
    if (this.#learnt.has(everything) && tags.every((tag) => this.#learnt.has(tag))) return true
    const { invalidations, counters } = this.#parts
    const misses = this.#misses
    const last = await this.far.lastInvalidations(tags)
    if (last === undefined) {
      counters.remoteErrors++
      return false
    }
    if (misses === this.#misses && this.far.up) {
      if (this.#learnt.size > learntMax) this.#learnt.clear()
      for (const tag of [everything, ...tags]) this.#learnt.add(tag)
    }
    if (last.all > 0) invalidations.all(last.all)
    tags.forEach((tag, i) => {
      const at = last.tags[i] ?? 0
      if (at > 0) invalidations.tag(tag, at)
    })
    return true
  }

  keysChanged(keys: readonly string[], at: number): void {
    const { memory, flights, invalidations } = this.#parts
    invalidations.advance(at)
    for (const key of keys) {
      this.#changes.note(key, at)
      this.#fetches.delete(key)
      const held = memory.peek(key)
      if (held !== undefined && held.mark <= at) memory.delete(key)
      flights.changedElsewhere(key, at)
    }
  }

  tagsInvalidated(tags: readonly string[], at: number): void {
    for (const tag of tags) this.#parts.invalidations.tag(tag, at)
  }

  allInvalidated(at: number): void {
    this.#parts.invalidations.all(at)
  }

  missed(): void {
    this.#misses++
    this.#heardFrom = Infinity
    this.#learnt.clear()
    this.#fetches.clear()
    this.#parts.memory.clear()
    this.#parts.flights.fenceAll()
  }

  /** What is kept is not given as fresh for longer than what is stored from now on. */
  deaf(): void {
    const { memory, now } = this.#parts
    const softAt = now() + deafTtlMs
    for (const [, held] of memory.entries()) if (held.softAt > softAt) held.softAt = softAt
  }
}
