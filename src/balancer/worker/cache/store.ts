/**
 * The responses that a worker holds, by what was asked for and by what the answer varies with; the least recently used go first, by bytes. With them, who
 * is asking for what at the moment, and what is known not to be kept.
 */
import { LRUCache } from 'lru-cache'
import type { Fields } from '../../../cache/core/http/fields.ts'
import { ageAt } from '../../../cache/core/http/serving.ts'
import { secondaryKey } from '../../../cache/core/http/vary.ts'
import { Marks } from '../../core/cache/marks.ts'
import type { Invalidation } from '../../core/cache/purge.ts'
import type { StoredResponse } from './stored-response.ts'
import { bytesOf } from './stored-response.ts'
import type { Fetch } from './fetch.ts'

/** HAProxy keeps as many. */
export const variantsMax = 10
/** For so long requests for what could not be kept do not wait for each other ("hit for miss"). */
export const passMs = 120_000
const passesMax = 10_000

export class ResponseStore {
  readonly #responses: LRUCache<string, readonly StoredResponse[]>
  readonly #passes = new LRUCache<string, number>({ max: passesMax })
  readonly #marks = new Marks()
  readonly #wallTime: () => number
  /** Under way, by key. */
  readonly fetches = new Map<string, Fetch>()

  constructor(maxBytes: number, wallTime: () => number) {
    this.#wallTime = wallTime
    this.#responses = new LRUCache({
      maxSize: maxBytes,
      sizeCalculation: (variants, key) => key.length + variants.reduce((sum, stored) => sum + bytesOf(stored), 0),
    })
  }

  get bytes(): number {
    return this.#responses.calculatedSize
  }

  get size(): number {
    return this.#responses.size
  }

  /** What is asked for now carries this. */
  get mark(): number {
    return this.#marks.mark
  }

  /** All that is valid under a key. */
  variants(key: string): readonly StoredResponse[] {
    const all = this.#responses.get(key)
    if (all === undefined) return []
    const { changes } = this.#marks
    for (const stored of all) if (stored.checkedAt !== changes) return this.#checked(key, all)
    return all
  }

  /** What has been invalidated since they were looked at last is gone, or stale. */
  #checked(key: string, all: readonly StoredResponse[]): readonly StoredResponse[] {
    const { changes } = this.#marks
    const valid: StoredResponse[] = []
    for (const stored of all) {
      const standing = this.#marks.standing(key, stored)
      if (standing === 'gone') continue
      const one = standing === 'stale' ? this.#expired(stored) : stored
      one.checkedAt = changes
      valid.push(one)
    }
    // The same list stays, so that whoever knows it sees that nothing has changed.
    if (valid.length === all.length && valid.every((stored, i) => stored === all[i])) return all
    this.#write(key, valid)
    return valid
  }

  /** Its lifetime ends now; a soft purge counts once. */
  #expired(stored: StoredResponse): StoredResponse {
    const lifetimeMs = Math.min(stored.facts.lifetimeMs, ageAt(stored.facts, this.#wallTime()))
    return { ...stored, facts: { ...stored.facts, lifetimeMs }, mark: this.#marks.mark }
  }

  /** The newest of those that the request selects. */
  select(variants: readonly StoredResponse[], request: Fields): StoredResponse | undefined {
    let found: StoredResponse | undefined
    for (const stored of variants) {
      if (stored.variant !== secondaryKey(stored.facts.vary, request)) continue
      if (found === undefined || stored.facts.bornAt > found.facts.bornAt) found = stored
    }
    return found
  }

  put(key: string, stored: StoredResponse): void {
    if (this.#marks.standing(key, stored) === 'gone') return
    const others = this.variants(key).filter(({ variant, facts }) => variant !== stored.variant || facts.vary.join() !== stored.facts.vary.join())
    this.#passes.delete(key)
    this.#write(key, [stored, ...others].slice(0, variantsMax))
  }

  /** In the place of what it was. */
  replace(key: string, before: StoredResponse, after: StoredResponse): void {
    this.#write(
      key,
      this.variants(key).map((stored) => (stored === before ? after : stored)),
    )
  }

  #write(key: string, variants: readonly StoredResponse[]): void {
    if (variants.length === 0) this.#responses.delete(key)
    else this.#responses.set(key, variants)
  }

  /** What is kept of a URL is not what the origin says now. */
  drop(key: string): void {
    this.#responses.delete(key)
  }

  /** What is kept is wrong, and so is what was asked for before now. */
  invalidate(invalidation: Invalidation): void {
    this.#marks.apply(invalidation)
  }

  /** The same, of few or of many; returns how many responses it takes. */
  purge(invalidation: Invalidation): number {
    this.invalidate(invalidation)
    let count = 0
    for (const [key, variants] of this.#responses.entries()) {
      for (const stored of variants) if (this.#marks.standing(key, stored) !== 'valid') count++
      this.#checked(key, variants)
    }
    return count
  }

  /** What comes under this key is not kept: nobody waits for it. */
  pass(key: string, now: number): void {
    this.#passes.set(key, now + passMs)
  }

  passes(key: string, now: number): boolean {
    const until = this.#passes.get(key)
    return until !== undefined && now < until
  }
}
