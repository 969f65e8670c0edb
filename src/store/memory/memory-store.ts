/**
 * The state store without a disk: every promise but durability. For tests, and for programs that embed
 * Holdfast and keep nothing.
 */
import type { Backend, Head, StoredChange, StoredEntry } from '../backend.ts'
import { historyLimits, planCompaction, type HistoryLimits } from '../core/compaction.ts'
import { compareKeys } from '../core/keys.ts'
import type { PreparedTransaction, PreparedWrite } from '../core/transaction.ts'
import type { TransactionResult } from '../port.ts'
import { Store } from '../store.ts'

export interface MemoryStoreOptions {
  readonly history?: HistoryLimits
}

export class MemoryStore extends Store {
  constructor({ history = historyLimits }: MemoryStoreOptions = {}) {
    super('memory store', new MemoryBackend(history))
  }
}

interface MemoryChange extends StoredChange {
  readonly bytes: number
}

class MemoryBackend implements Backend {
  readonly #limits: HistoryLimits
  readonly #entries = new Map<string, StoredEntry>()
  #history: MemoryChange[] = []
  #historyBytes = 0
  #head: Head = { revision: 0, id: 0, compacted: 0 }

  constructor(limits: HistoryLimits) {
    this.#limits = limits
  }

  open(): Promise<void> {
    return Promise.resolve()
  }

  close(): void {
    // What is in memory stays for the next start, as a file would.
  }

  get(key: string): StoredEntry | undefined {
    return this.#entries.get(key)
  }

  list(prefix: string): readonly StoredEntry[] {
    return [...this.#entries.values()].filter(({ key }) => key.startsWith(prefix)).sort((a, b) => compareKeys(a.key, b.key))
  }

  apply(batch: readonly PreparedTransaction[]): readonly TransactionResult[] {
    this.#compact()
    return batch.map((transaction) => this.#applyOne(transaction))
  }

  head(): Head {
    return this.#head
  }

  changes(position: { readonly id: number; readonly revision: number }, prefix: string, limit: number): readonly StoredChange[] {
    const found: StoredChange[] = []
    for (const change of this.#history) {
      if (found.length === limit) break
      if (change.id > position.id && change.revision > position.revision && change.key.startsWith(prefix)) found.push(change)
    }
    return found
  }

  #applyOne({ compare, writes }: PreparedTransaction): TransactionResult {
    const succeeded = compare.every(({ key, modRevision }) => (this.#entries.get(key)?.modRevision ?? 0) === modRevision)
    if (succeeded) {
      const revision = this.#head.revision + 1
      for (const write of writes) this.#write(write, revision)
    }
    return { succeeded, revision: this.#head.revision }
  }

  #write({ key, json, bytes }: PreparedWrite, revision: number): void {
    const before = this.#entries.get(key)
    if (json === undefined && !before) return
    const createRevision = before?.createRevision ?? revision
    if (json === undefined) this.#entries.delete(key)
    else this.#entries.set(key, { key, json, createRevision, modRevision: revision })
    this.#head = { ...this.#head, revision, id: this.#head.id + 1 }
    this.#history.push({ id: this.#head.id, revision, key, json, createRevision, bytes })
    this.#historyBytes += bytes
  }

  #compact(): void {
    const size = { changes: this.#history.length, bytes: this.#historyBytes }
    const plan = planCompaction(size, this.#limits, this.#history)
    if (!plan) return
    this.#history = this.#history.filter(({ id }) => id > plan.id)
    this.#historyBytes -= plan.bytes
    this.#head = { ...this.#head, compacted: plan.revision }
  }
}
