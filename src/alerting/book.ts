/**
 * What the notifier must know again after its death: alerts, groups with their timers and what each receiver was told, silences, acknowledgements, incidents, dead letters.
 * Written in the background, in batches; a silence is in the store before it is answered. What cannot be written now is tried again with the next change.
 */
import { HoldfastError } from '../kernel/errors.ts'
import { fingerprint } from '../kernel/labels.ts'
import { storeLimits, type StateStore, type Write } from '../store/port.ts'

export const kinds = ['alert', 'group', 'silence', 'ack', 'incident', 'dead'] as const
export type Kind = (typeof kinds)[number]

/** Changes are gathered for so long. */
export const gatherMs = 200

export class Book {
  readonly #store: StateStore
  readonly #pending = new Map<string, Write>()
  readonly #onError: (error: unknown) => void
  readonly #keys = new Map<Kind, readonly string[]>()
  #writing: Promise<void> = Promise.resolve()
  #failing = false

  constructor(store: StateStore, onError: (error: unknown) => void) {
    this.#store = store
    this.#onError = onError
  }

  /** What `isOne` does not take for one (it was damaged, or is of another release) is deleted, and told of. */
  async load<T>(kind: Kind, isOne: (value: T) => boolean): Promise<readonly T[]> {
    const entries = await this.#store.list<T>(`alerting/${kind}/`)
    const [good, bad] = [entries.filter(({ value }) => readable(value, isOne)), entries.filter(({ value }) => !readable(value, isOne))]
    this.#keys.set(
      kind,
      good.map(({ key }) => key),
    )
    for (const { key } of bad) this.#pending.set(key, { delete: key })
    if (bad.length > 0)
      this.#onError(
        new HoldfastError(
          'alerting_unreadable',
          `tried to read what was known of alerting: left out ${bad.length} of ${entries.length} entries of the kind ${kind}`,
        ),
      )
    return good.map(({ value }) => value)
  }

  /** What was loaded and nobody knows any more is deleted, lest it stay for ever. */
  keepOnly(kind: Kind, ids: Iterable<string>): void {
    const kept = new Set([...ids].map((id) => keyOf(kind, id)))
    for (const key of this.#keys.get(kind) ?? []) if (!kept.has(key)) this.#pending.set(key, { delete: key })
    this.#keys.delete(kind)
  }

  /** `value` undefined: it is deleted. */
  note(kind: Kind, id: string, value: unknown): void {
    const key = keyOf(kind, id)
    this.#pending.set(key, value === undefined ? { delete: key } : { put: key, value })
  }

  get isClean(): boolean {
    return this.#pending.size === 0
  }

  /** Resolves when all that was noted so far is in the store; rejects when it cannot be written. */
  write(): Promise<void> {
    this.#writing = this.#writing.catch(() => undefined).then(() => this.#write())
    return this.#writing
  }

  /** Errors go to `onError`, once for each stretch of them. */
  async writeQuietly(): Promise<void> {
    try {
      await this.write()
      this.#failing = false
    } catch (error) {
      if (!this.#failing) this.#onError(error)
      this.#failing = true
    }
  }

  /** What is too large for the store would have everything else wait with it for ever: it is deleted, and told of. */
  #batch(): [string, Write][] {
    const batch: [string, Write][] = []
    for (const [key, write] of this.#pending) {
      if (batch.length >= storeLimits.writesMax) break
      // An alert is bounded where it is taken, and there may be very many.
      const isTooLarge =
        'put' in write && !key.startsWith('alerting/alert/') && Buffer.byteLength(JSON.stringify(write.value)) > storeLimits.valueBytesMax
      if (isTooLarge)
        this.#onError(
          new HoldfastError(
            'alerting_unsaved',
            `tried to write down ${key}: it is larger than the store takes, and will not be known after a restart`,
          ),
        )
      batch.push([key, isTooLarge ? { delete: key } : write])
    }
    return batch
  }

  async #write(): Promise<void> {
    while (this.#pending.size > 0) {
      const batch = this.#batch()
      for (const [key] of batch) this.#pending.delete(key)
      try {
        await this.#store.commit({ writes: batch.map(([, write]) => write) })
      } catch (error) {
        // What has been noted meanwhile is newer.
        for (const [key, write] of batch) if (!this.#pending.has(key)) this.#pending.set(key, write)
        throw error
      }
    }
  }
}

function readable<T>(value: T, isOne: (value: T) => boolean): boolean {
  try {
    return isOne(value)
  } catch {
    return false
  }
}

/** Ids that are long are known by their fingerprint. */
const keyOf = (kind: Kind, id: string): string => `alerting/${kind}/${id.length <= 64 ? id : fingerprint({ id })}`
