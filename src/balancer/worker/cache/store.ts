/**
 * The responses that a worker holds, by what was asked for and by what the answer varies with; the least recently used go first, by bytes. With them, who
 * is asking for what at the moment, and what is known not to be kept.
 */
import { LRUCache } from 'lru-cache'
import { Invalidations } from '../../../cache/core/invalidations.ts'
import type { Fields } from '../../../cache/core/http/fields.ts'
import { secondaryKey } from '../../../cache/core/http/vary.ts'
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
  readonly invalidations = new Invalidations()
  /** Under way, by key. */
  readonly fetches = new Map<string, Fetch>()

  constructor(maxBytes: number) {
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

  /** All that is valid under a key. */
  variants(key: string): readonly StoredResponse[] {
    const all = this.#responses.get(key)
    if (all === undefined) return []
    const valid = all.filter(({ mark, tags }) => this.invalidations.spares(mark, tags))
    if (valid.length === all.length) return all
    this.#write(key, valid)
    return valid
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
    if (!this.invalidations.spares(stored.mark, stored.tags)) return
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

  remove(key: string): boolean {
    this.fetches.get(key)?.fence()
    return this.#responses.delete(key)
  }

  clear(): void {
    this.invalidations.all()
    this.#responses.clear()
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
