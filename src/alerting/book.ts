/**
 * What the notifier must know again after its death: alerts, groups with their timers and what each receiver was told, silences, acknowledgements, incidents, dead letters.
 * Written in the background, in batches; a silence is in the store before it is answered. What cannot be written now is tried again with the next change.
 */
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
  #writing: Promise<void> = Promise.resolve()
  #failing = false

  constructor(store: StateStore, onError: (error: unknown) => void) {
    this.#store = store
    this.#onError = onError
  }

  async load<T>(kind: Kind): Promise<readonly T[]> {
    return (await this.#store.list<T>(`alerting/${kind}/`)).map(({ value }) => value)
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

  async #write(): Promise<void> {
    while (this.#pending.size > 0) {
      const batch = [...this.#pending].slice(0, storeLimits.writesMax)
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

/** Ids that are long are known by their fingerprint. */
const keyOf = (kind: Kind, id: string): string => `alerting/${kind}/${id.length <= 64 ? id : fingerprint({ id })}`
