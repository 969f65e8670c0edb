/**
 * The cache's dealings with the far layer: what is read there is checked against all invalidations and kept in memory; what others change is forgotten.
 *
 * Of invalidations it knows all that came after it began to hear; what is older than that is asked for, once, when an entry of that age comes.
 */
import { Held } from './core/held.ts'
import type { Invalidations } from './core/invalidations.ts'
import type { Flight } from './flight.ts'
import type { Memory } from './memory.ts'
import type { Far, FarListener } from './ports.ts'
import type { Counters } from './stats.ts'

/** While changes are not heard of, nothing is fresh for longer. */
export const deafTtlMs = 10_000

interface Parts {
  readonly memory: Memory
  readonly invalidations: Invalidations
  readonly flights: ReadonlyMap<string, Flight>
  readonly counters: Counters
  readonly now: () => number
}

/** `unknown`: it did not answer, which is no miss. */
export type Fetched = { readonly held: Held | undefined } | 'unknown'

export class FarSide implements FarListener {
  readonly far: Far
  readonly #parts: Parts
  readonly #fetches = new Map<string, Promise<Fetched>>()
  /** All invalidations after this are known. */
  #heardFrom = Infinity
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
      this.#fetches.delete(key)
    })
    this.#fetches.set(key, fetch)
    return fetch
  }

  /** As it is now: not as somebody found it who asked a moment ago. */
  async fetchAnew(key: string): Promise<Fetched> {
    const { memory, invalidations, counters, now } = this.#parts
    const misses = this.#misses
    const reading = await this.far.read(key)
    if (reading.kind === 'unknown') {
      counters.remoteErrors++
      return 'unknown'
    }
    invalidations.advance(reading.mark)
    if (misses === this.#misses && this.far.up) this.#heardFrom = Math.min(this.#heardFrom, reading.mark)
    if (reading.kind === 'miss') return { held: undefined }
    const { entry } = reading
    if (entry.mark < this.#heardFrom && !(await this.#learn(entry.tags))) return 'unknown'
    if (!invalidations.spares(entry.mark, entry.tags)) return { held: undefined }
    const at = now()
    const softInMs = this.far.up ? entry.softInMs : Math.min(deafTtlMs, entry.softInMs)
    const limits = { storedAt: at, softAt: at + softInMs, hardAt: at + entry.hardInMs }
    const held = new Held({ value: entry.value, madeInMs: entry.madeInMs, bytes: memory.bytesOf(entry.value) }, limits, entry.tags, entry.mark)
    // What was missed meanwhile may have been about this.
    if (misses === this.#misses) memory.set(key, held)
    return { held }
  }

  async #learn(tags: readonly string[]): Promise<boolean> {
    const { invalidations, counters } = this.#parts
    const last = await this.far.lastInvalidations(tags)
    if (last === undefined) {
      counters.remoteErrors++
      return false
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
      memory.delete(key)
      flights.get(key)?.changedElsewhere(at)
    }
  }

  tagsInvalidated(tags: readonly string[], at: number): void {
    for (const tag of tags) this.#parts.invalidations.tag(tag, at)
  }

  allInvalidated(at: number): void {
    this.#parts.invalidations.all(at)
  }

  missed(): void {
    const { memory, flights } = this.#parts
    this.#misses++
    this.#heardFrom = Infinity
    memory.clear()
    for (const flight of flights.values()) flight.fence()
  }
}
