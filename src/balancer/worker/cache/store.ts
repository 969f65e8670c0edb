/**
 * The responses that a worker holds, by what was asked for and by what the answer varies with; the least recently used go first, by bytes. With them, who
 * is asking for what at the moment, and what is known not to be kept.
 */
import { LRUCache } from 'lru-cache'
import type { FoundFrame } from '../../core/cache/frames.ts'
import type { Fields } from '../../../cache/core/http/fields.ts'
import { ageAt } from '../../../cache/core/http/serving.ts'
import { secondaryKey } from '../../../cache/core/http/vary.ts'
import { Marks } from '../../core/cache/marks.ts'
import type { Invalidation } from '../../core/cache/purge.ts'
import type { StoredResponse } from './stored-response.ts'
import { bytesOf } from './stored-response.ts'
import type { CollectingRoom } from './collector.ts'
import { frameOf, headOf, responseOf } from './entry-codec.ts'
import type { Fetch } from './fetch.ts'
import { NodeLink, type NodeLinkHost } from './node-link.ts'

/** HAProxy keeps as many. */
export const variantsMax = 10
/** For so long requests for what could not be kept do not wait for each other ("hit for miss"). */
export const passMs = 120_000
const passesMax = 10_000

export interface StoreClock {
  /** Monotonic milliseconds, as of the current event. */
  now(): number
  wallTime(): number
}

const nothing: readonly StoredResponse[] = []

const sameVariant = (a: StoredResponse, b: StoredResponse): boolean => a.variant === b.variant && a.facts.vary.join() === b.facts.vary.join()

export class ResponseStore implements NodeLinkHost {
  #responses: LRUCache<string, readonly StoredResponse[]>
  /** Lists that are gone, or have made room for others. */
  #removed = 0
  readonly #passes = new LRUCache<string, number>({ max: passesMax })
  readonly #marks = new Marks()
  readonly #clock: StoreClock
  #maxBytes: number
  /** For the bodies that are on their way here. */
  readonly collecting: CollectingRoom = { used: 0 }
  /** Under way, by key. */
  readonly fetches = new Map<string, Fetch>()

  /** To the store that the workers of the node share; undefined: this one is alone. */
  link: NodeLink | undefined
  /** What the store of the node has given in this turn: it may be too large to be kept here. */
  #inHand: { readonly key: string; readonly stored: StoredResponse } | undefined

  constructor(maxBytes: number, clock: StoreClock) {
    this.#clock = clock
    this.#maxBytes = maxBytes
    this.#responses = this.#room(maxBytes)
  }

  #room(maxSize: number): LRUCache<string, readonly StoredResponse[]> {
    return new LRUCache({
      maxSize,
      dispose: () => {
        this.#removed++
      },
      sizeCalculation: (variants, key) => key.length + variants.reduce((sum, stored) => sum + bytesOf(stored), 0),
    })
  }

  resize(maxBytes: number): void {
    if (maxBytes === this.#maxBytes) return
    this.#maxBytes = maxBytes
    this.#responses = this.#room(maxBytes)
    this.#removed++
  }

  // --- the store of the node ----------------------------------------------------------------------------------------

  /** Joins the store of the node, which listens there. */
  join(path: string): void {
    if (this.link !== undefined) return
    this.link = new NodeLink(path, this)
    this.link.open()
  }

  leave(): void {
    this.link?.close()
    this.link = undefined
  }

  /** All that was invalidated is known: what is kept may be used. */
  get trusted(): boolean {
    return this.link === undefined || this.link.trusted
  }

  now(): number {
    return this.#clock.now()
  }

  joined(mark: number): void {
    this.#marks.apply({ soft: false, all: true, names: [] }, mark)
    this.#responses.clear()
    this.#passes.clear()
  }

  advance(mark: number): void {
    this.#marks.advance(mark)
  }

  invalidated(invalidation: Invalidation, at: number): void {
    this.#marks.apply(invalidation, at)
    if (!invalidation.soft) for (const name of invalidation.names) if (name.startsWith('u:')) this.#responses.delete(name.slice(2))
  }

  renewed(key: string): void {
    this.#responses.delete(key)
  }

  /** What the store of the node had: it is there for those who look while `look` runs, and later if there is room. */
  handed(key: string, frame: FoundFrame, head: Buffer, body: Buffer, look: () => void): void {
    const response = responseOf(head, body, frame)
    const stored = frame.stale ? this.#expired(response) : response
    this.#keep(key, stored)
    this.#inHand = { key, stored }
    look()
    this.#inHand = undefined
  }

  /** What it holds, and what was counted since the last time. */
  take(): { readonly workerEntries: number; readonly workerBytes: number; readonly unanswered: number } {
    const unanswered = this.link?.unanswered ?? 0
    if (this.link !== undefined) this.link.unanswered = 0
    return { workerEntries: this.#responses.size, workerBytes: this.#responses.calculatedSize, unanswered }
  }

  /** What is asked for now carries this. */
  get mark(): number {
    return this.#marks.mark
  }

  /** As long as it stays the same, what was found is there and valid. */
  get version(): number {
    return this.#removed + this.#marks.changes
  }

  /** All that is valid under a key. */
  variants(key: string): readonly StoredResponse[] {
    const all = this.#responses.get(key) ?? this.#givenNow(key)
    if (all === undefined) return nothing
    const { changes } = this.#marks
    for (const stored of all) if (stored.checkedAt !== changes) return this.#checked(key, all)
    return all
  }

  #givenNow(key: string): readonly StoredResponse[] | undefined {
    return this.#inHand?.key === key ? [this.#inHand.stored] : undefined
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
    // A second ago, for whoever has looked at the clock a moment before.
    const lifetimeMs = Math.min(stored.facts.lifetimeMs, Math.max(0, ageAt(stored.facts, this.#clock.wallTime()) - 1_000))
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

  /** Of the origin. Returns false when it was invalidated while it was asked for. */
  put(key: string, stored: StoredResponse): boolean {
    this.link?.put(frameOf(key, stored), headOf(stored), stored.body)
    return this.#keep(key, stored)
  }

  #keep(key: string, stored: StoredResponse): boolean {
    if (this.#marks.standing(key, stored) === 'gone') return false
    const others = this.variants(key).filter((other) => !sameVariant(stored, other))
    this.#passes.delete(key)
    this.#write(key, [stored, ...others].slice(0, variantsMax))
    return true
  }

  /** In the place of what it was. */
  replace(key: string, before: StoredResponse, after: StoredResponse): void {
    const variants = this.variants(key)
    if (!variants.includes(before)) return
    this.link?.put(frameOf(key, after), headOf(after), after.body)
    this.#write(
      key,
      variants.map((stored) => (stored === before ? after : stored)),
    )
  }

  #write(key: string, variants: readonly StoredResponse[]): void {
    if (variants.length === 0) this.#responses.delete(key)
    else this.#responses.set(key, variants)
  }

  /** What is kept of a URL is not what the origin says now. */
  drop(key: string): void {
    this.link?.drop(key)
    this.#responses.delete(key)
  }

  /**
   * What is kept is wrong, and so is what was asked for before now: in no worker of the node is it used any more. Returns true when that is so at once;
   * otherwise `done` is called when it is.
   */
  invalidate(invalidation: Invalidation, done: () => void): boolean {
    if (this.link === undefined) {
      this.#marks.apply(invalidation)
      return true
    }
    this.link.invalidate(invalidation, done)
    return false
  }

  /** Of this store alone, when there is no other; returns how many responses it takes. */
  purge(invalidation: Invalidation): number {
    this.#marks.apply(invalidation)
    let count = 0
    for (const [key, variants] of this.#responses.entries()) {
      for (const stored of variants) if (this.#marks.standing(key, stored) !== 'valid') count++
      this.#checked(key, variants)
    }
    return count
  }

  /** What comes under this key is not kept: nobody waits for it. */
  pass(key: string): void {
    this.link?.over(key, true)
    this.passed(key)
  }

  /** The same, as others have found out. */
  passed(key: string): void {
    this.#passes.set(key, this.#clock.now() + passMs)
  }

  passes(key: string, now: number): boolean {
    const until = this.#passes.get(key)
    return until !== undefined && now < until
  }
}
