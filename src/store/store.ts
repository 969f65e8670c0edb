/**
 * The part of a state store that is the same wherever the data lies: checks at the door, commits in order
 * through one queue, watches fed from the history after each commit.
 *
 *     new ──start──▶ open ──stop──▶ closing (waiting commits are finished) ──▶ closed ──start──▶ open
 */
import { HoldfastError } from '../kernel/errors.ts'
import type { Backend, StoredEntry } from './backend.ts'
import { CommitQueue } from './commit-queue.ts'
import { fromJson } from './core/json.ts'
import { checkKey, checkPrefix, invalid } from './core/keys.ts'
import { prepareTransaction } from './core/transaction.ts'
import type { Change, Entry, StateStore, Transaction, TransactionResult } from './port.ts'
import { Watches } from './watches.ts'

export class Store implements StateStore {
  readonly name: string
  readonly #backend: Backend
  readonly #watches: Watches
  readonly #queue: CommitQueue
  #phase: 'closed' | 'opening' | 'open' | 'closing' = 'closed'

  constructor(name: string, backend: Backend) {
    this.name = name
    this.#backend = backend
    this.#watches = new Watches(backend)
    this.#queue = new CommitQueue((batch) => {
      const results = backend.apply(batch)
      this.#watches.readAll()
      return results
    })
  }

  async start(): Promise<void> {
    if (this.#phase !== 'closed') throw new HoldfastError('store_unavailable', `starting the ${this.name} failed: it is ${this.#phase}`)
    this.#phase = 'opening'
    try {
      await this.#backend.open()
      this.#phase = 'open'
    } catch (error) {
      this.#phase = 'closed'
      throw error
    }
  }

  /** Finishes the commits that were handed in; they wait for nothing but the disk, so the deadline is not needed. */
  async stop(_deadline?: AbortSignal): Promise<void> {
    if (this.#phase !== 'open') return
    this.#phase = 'closing'
    await this.#queue.idle()
    this.#watches.clear()
    this.#phase = 'closed'
    this.#backend.close()
  }

  async get<T>(key: string): Promise<Entry<T> | undefined> {
    this.#assertOpen()
    checkKey(key)
    const entry = this.#backend.get(key)
    return entry && toEntry<T>(entry)
  }

  async list<T>(prefix: string): Promise<readonly Entry<T>[]> {
    this.#assertOpen()
    checkPrefix(prefix)
    return this.#backend.list(prefix).map((entry) => toEntry<T>(entry))
  }

  async commit(transaction: Transaction): Promise<TransactionResult> {
    this.#assertOpen()
    return this.#queue.push(prepareTransaction(transaction))
  }

  watch(
    prefix: string,
    onChange: (change: Change) => void,
    { fromRevision, onError }: { fromRevision?: number; onError?: (error: Error) => void } = {},
  ): Disposable {
    this.#assertOpen()
    checkPrefix(prefix)
    if (fromRevision !== undefined && !(Number.isSafeInteger(fromRevision) && fromRevision >= 0)) {
      throw invalid(`the revision to watch from is ${fromRevision}`)
    }
    return this.#watches.add({ prefix, onChange, onError }, fromRevision)
  }

  #assertOpen(): void {
    if (this.#phase !== 'open') throw new HoldfastError('store_unavailable', `the ${this.name} is ${this.#phase}`)
  }
}

function toEntry<T>({ key, json, createRevision, modRevision }: StoredEntry): Entry<T> {
  return Object.freeze({ key, value: fromJson(json) as T, createRevision, modRevision })
}
