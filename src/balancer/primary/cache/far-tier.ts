/**
 * The second tier: responses in a Redis that other nodes and programs share. It is asked for what the node does not have, and given what its workers have
 * fetched. Nobody waits for it longer than its read timeout; while it is away the node goes by itself, and when it is back nothing is trusted that was kept
 * meanwhile.
 *
 * What is read there is valid when none of its tags was invalidated after it was asked for. Invalidations since we began to hear are known; of older
 * entries the tags are looked up.
 */
import { Invalidations } from '../../../cache/core/invalidations.ts'
import type { Fields } from '../../../cache/core/http/fields.ts'
import { secondaryKey } from '../../../cache/core/http/vary.ts'
import { RedisFar } from '../../../cache/index.ts'
import type { Far, FarEntry, FarListener } from '../../../cache/ports.ts'
import { systemClock, systemRandom } from '../../../kernel/system.ts'
import {
  decodeFarValue,
  encodeFarIndex,
  encodeFarValue,
  farKey,
  farTagsOf,
  farTagsOfInvalidation,
  firstVariant,
  invalidationsOfTags,
  urlOfFarKey,
  type FarValue,
} from '../../core/cache/far-value.ts'
import type { NodeEntry } from '../../core/cache/node-store.ts'
import type { Invalidation } from '../../core/cache/purge.ts'
import type { CacheRedisView } from '../../core/cache-view.ts'

/** Larger ones are not given. */
const valueBytesMax = 8 * 1024 * 1024
/** Under way; more are not given. */
const writesMax = 256

export interface FarTierHost {
  /** Others have invalidated this. */
  invalidated(invalidation: Invalidation): void
  /** Others have a newer one. */
  changed(key: string): void
  wallTime(): number
}

export interface FarFound {
  /** undefined: it is not there. */
  readonly entry: NodeEntry | undefined
  /** What is asked for now may be stored there under this; undefined: it does not answer. */
  readonly farMark: number | undefined
}

const nothing: FarFound = { entry: undefined, farMark: undefined }

export class FarTier implements FarListener {
  readonly #far: Far & { start(): void }
  readonly #host: FarTierHost
  readonly #invalidations = new Invalidations()
  /** All invalidations after this are known. */
  #heardFrom = Infinity
  /** How often it may have changed unheard, or was changed from here: what was read before says nothing. */
  #turn = 0
  #changing = 0
  #writes = 0
  #reason: string | undefined

  constructor(view: CacheRedisView, host: FarTierHost) {
    this.#host = host
    const onChange = (_up: boolean, reason: string | undefined): void => {
      this.#reason = reason
    }
    this.#far = new RedisFar({ ...view, onChange }, { clock: systemClock, random: systemRandom })
    this.#far.listen(this)
    this.#far.start()
  }

  get status(): { readonly up: boolean; readonly reason: string | undefined } {
    const { up } = this.#far
    return { up, reason: up ? undefined : this.#reason }
  }

  close(): void {
    void this.#far.close()
  }

  // --- reading ------------------------------------------------------------------------------------------------------

  /** `mark`: the logical time of the node when it was begun. */
  async find(key: string, request: Fields, mark: number): Promise<FarFound> {
    if (!this.#far.up) return nothing
    const first = firstVariant(request)
    const found = await this.#read(farKey(key, first))
    if (found === undefined) return nothing
    const variant = found.value === undefined ? first : secondaryKey(found.value.vary, request)
    const chosen = variant === first ? found : await this.#read(farKey(key, variant))
    if (chosen?.value === undefined) return { entry: undefined, farMark: found.farMark }
    return { entry: this.#entryOf(key, variant, chosen.value, chosen.softInMs, mark), farMark: found.farMark }
  }

  #entryOf(key: string, variant: string, value: FarValue, softInMs: number, mark: number): NodeEntry | undefined {
    const { vary, names, lifetimeMs, staleMs, head, body } = value
    if (names === undefined || lifetimeMs === undefined || staleMs === undefined || head === undefined || body === undefined) return undefined
    if (value.variant !== variant) return undefined
    // No two clocks are compared: it is as old as what is left of its lifetime says.
    const bornAt = this.#host.wallTime() - (lifetimeMs - softInMs)
    return { key, variant, vary, names, mark, bornAt, lifetimeMs, staleMs, head, body }
  }

  /** undefined: it does not answer. */
  async #read(key: string): Promise<{ readonly value: FarValue | undefined; readonly softInMs: number; readonly farMark: number } | undefined> {
    const turn = this.#turn
    const reading = await this.#far.read(key)
    if (reading.kind === 'unknown') return undefined
    if (turn === this.#turn && this.#far.up) this.#heardFrom = Math.min(this.#heardFrom, reading.mark)
    const farMark = reading.mark
    if (reading.kind === 'miss' || !(await this.#isValid(reading.entry))) return { value: undefined, softInMs: 0, farMark }
    // What was changed, or may have been, while it was read.
    if (turn !== this.#turn || this.#changing > 0) return { value: undefined, softInMs: 0, farMark }
    return { value: decodeFarValue(reading.entry.value), softInMs: reading.entry.softInMs, farMark }
  }

  async #isValid({ mark, tags }: FarEntry): Promise<boolean> {
    if (mark < this.#heardFrom) {
      const last = await this.#far.lastInvalidations(tags)
      if (last === undefined) return false
      if (last.all > 0) this.#invalidations.all(last.all)
      tags.forEach((tag, i) => {
        const at = last.tags[i] ?? 0
        if (at > 0) this.#invalidations.tag(tag, at)
      })
    }
    return this.#invalidations.spares(mark, tags)
  }

  // --- writing ------------------------------------------------------------------------------------------------------

  /** Nobody waits for it. */
  give(entry: NodeEntry, farMark: number): void {
    const bytes = entry.head.length + entry.body.length
    if (!this.#far.up || bytes > valueBytesMax || this.#writes >= writesMax) return
    const softInMs = entry.lifetimeMs - Math.max(0, this.#host.wallTime() - entry.bornAt)
    const hardInMs = Math.max(0, softInMs) + entry.staleMs
    if (hardInMs <= 0) return
    const kept = { softInMs, hardInMs, madeInMs: 0, tags: farTagsOf(entry), mark: farMark }
    this.#write(farKey(entry.key, entry.variant), { ...kept, value: encodeFarValue(entry) })
    const first = entry.variant.split('\n', 1)[0] ?? ''
    if (first !== entry.variant) this.#write(farKey(entry.key, first), { ...kept, value: encodeFarIndex(entry.vary) })
  }

  #write(key: string, entry: FarEntry): void {
    this.#writes++
    void this.#far.write(key, entry).then(() => {
      this.#writes--
    })
  }

  /** Resolves when it is said there, or is to be said later. */
  async invalidate(invalidation: Invalidation): Promise<void> {
    this.#turn++
    this.#changing++
    const tags = farTagsOfInvalidation(invalidation)
    const at = await this.#far.invalidate(tags)
    this.#turn++
    this.#changing--
    if (at !== undefined) for (const tag of tags) this.#invalidations.tag(tag, at)
  }

  // --- hearing ------------------------------------------------------------------------------------------------------

  keysChanged(keys: readonly string[]): void {
    for (const key of keys) {
      const url = urlOfFarKey(key)
      if (url !== undefined) this.#host.changed(url)
    }
  }

  tagsInvalidated(tags: readonly string[], at: number): void {
    this.#turn++
    for (const tag of tags) this.#invalidations.tag(tag, at)
    for (const invalidation of invalidationsOfTags(tags)) this.#host.invalidated(invalidation)
  }

  allInvalidated(at: number): void {
    this.#turn++
    this.#invalidations.all(at)
    this.#host.invalidated({ soft: false, all: true, names: [] })
  }

  missed(): void {
    this.#turn++
    this.#heardFrom = Infinity
    this.#host.invalidated({ soft: false, all: true, names: [] })
  }
}
