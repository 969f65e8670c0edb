/**
 * The state store: a small ordered map of text keys to JSON values with one revision counter for the
 * whole store, as etcd has it. SQLite keeps it on one machine; the same promises hold for every store.
 *
 * Promises (see the conformance suite in `test/conformance/`):
 * - A transaction is atomic and durable when its promise resolves; `kill -9` at any instant leaves all of it or nothing.
 * - `revision` rises by exactly one per committed transaction that changed something.
 * - A watcher sees every change under its prefix once, in the order of revisions, from the revision it asked for, and what a
 *   commit changed before that commit's promise resolves.
 *
 * Errors: `store_invalid` (a key that is empty, not well-formed text or has U+0000; a value that is not JSON; a key written twice
 * in one transaction), `store_limit`, `store_unavailable`, `disk_full`. A transaction that rejects wrote nothing.
 */
import type { Component } from '../kernel/lifecycle.ts'

export interface Entry<T = unknown> {
  readonly key: string
  /** Frozen through and through; make a copy to change it. */
  readonly value: T
  /** Store revision at which this key was created. */
  readonly createRevision: number
  /** Store revision of the last change; the number to compare in a compare-and-set. */
  readonly modRevision: number
}

/** Holds iff the key's `modRevision` is this; 0: the key does not exist. */
export interface Compare {
  readonly key: string
  readonly modRevision: number
}

export type Write = { readonly put: string; readonly value: unknown } | { readonly delete: string }

export interface Transaction {
  /** All must hold, or nothing is written. Default: none. */
  readonly compare?: readonly Compare[]
  /** At most one for each key. To delete what does not exist changes nothing. */
  readonly writes: readonly Write[]
}

export interface TransactionResult {
  readonly succeeded: boolean
  /** The store's revision afterwards. */
  readonly revision: number
}

export type Change = { readonly type: 'put'; readonly entry: Entry } | { readonly type: 'delete'; readonly key: string; readonly modRevision: number }

/** Bounds of the store; breaking one rejects with `store_limit`. */
export const storeLimits = { keyBytesMax: 512, valueBytesMax: 1_048_576, writesMax: 128 } as const

export interface StateStore extends Component {
  get<T>(key: string): Promise<Entry<T> | undefined>
  /** All entries whose key begins with `prefix`, in the order of their code points. */
  list<T>(prefix: string): Promise<readonly Entry<T>[]>
  commit(transaction: Transaction): Promise<TransactionResult>
  /**
   * Calls `onChange` for each change under `prefix` after `fromRevision` (default: from now on), in order, until disposed.
   * A watch that asks for a revision no longer kept gets `onError` with code `compacted` and has ended. Every other error, also one
   * thrown by `onChange`, goes to `onError` (without one: to the process's handler of uncaught errors) and the watch goes on.
   * To know a prefix from now on, watch it first and list it then, in the same tick.
   */
  watch(prefix: string, onChange: (change: Change) => void, options?: { fromRevision?: number; onError?: (error: Error) => void }): Disposable
}

/** One line of the event log. */
export interface StoredEvent {
  readonly id: string
  readonly seq: number
  readonly time: number
  readonly type: string
  readonly level: string
  readonly service: string | undefined
  readonly instance: string | undefined
  /** The whole event. */
  readonly event: unknown
}

export interface EventQuery {
  readonly service?: string
  /** A type, or the noun before its dot. */
  readonly type?: string
  /** This level and the graver ones. */
  readonly level?: string
  /** Only events with `seq` below this (newest first), or above this when `order` is `ascending`. */
  readonly after?: number
  /** Only events of this wall time (in milliseconds) or later. */
  readonly since?: number
  /** @default 'descending' */
  readonly order?: 'ascending' | 'descending'
  /** @default 100, at most 1,000 */
  readonly limit?: number
}

/** The log of events, kept bounded: the oldest go when there are more than `eventsMax`. */
export interface EventLog {
  /** The event is in the log on return. Throws `store_unavailable` or `disk_full`; it is then not. */
  append(event: StoredEvent): void
  query(query: EventQuery): readonly StoredEvent[]
  /** No event so far has a higher `seq`; 0 when there was none. */
  lastSeq(): number
}
/** @default 100,000 events */
export const eventsMax = 100_000
