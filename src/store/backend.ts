/**
 * What a store keeps its data in. The parts that are the same for every store (checks, the queue of
 * commits, watches) live in `store.ts`; a backend only reads and writes, at once and without waiting.
 */
import type { TransactionResult } from './port.ts'
import type { PreparedTransaction } from './core/transaction.ts'

export interface StoredEntry {
  readonly key: string
  readonly json: string
  readonly createRevision: number
  readonly modRevision: number
}

/** One line of the history that watches read. */
export interface StoredChange {
  /** Rises by one per change; a revision has as many as its transaction made. */
  readonly id: number
  readonly revision: number
  readonly key: string
  /** Undefined: the key was deleted. */
  readonly json: string | undefined
  readonly createRevision: number
}

/** Where the history ends (`revision`, `id`) and from which revision on it is whole. */
export interface Head {
  readonly revision: number
  readonly id: number
  /** The newest revision whose changes are no longer kept. */
  readonly compacted: number
}

export interface Backend {
  /** Makes it ready. Rejects with `store_unavailable` or `disk_full`. */
  open(): Promise<void>
  close(): void
  get(key: string): StoredEntry | undefined
  list(prefix: string): readonly StoredEntry[]
  /** Carries out the transactions in order, each seeing the one before; all are durable on return, or the call throws and none is. */
  apply(batch: readonly PreparedTransaction[]): readonly TransactionResult[]
  head(): Head
  /** Changes above both `id` and `revision` whose keys begin with `prefix`, oldest first, at most `limit`. */
  changes(position: { readonly id: number; readonly revision: number }, prefix: string, limit: number): readonly StoredChange[]
}
