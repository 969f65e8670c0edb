/**
 * The state store on one machine: entries, their revisions and the recent history in `state.db`. A batch of
 * commits is one SQLite transaction with `synchronous = FULL`, so one fsync (0.2 to 4 ms measured), done in the
 * calling thread: a worker would add a hand-over to every read, and the control process has that time.
 */
import { HoldfastError } from '../../kernel/errors.ts'
import type { Backend, Head, StoredChange, StoredEntry } from '../backend.ts'
import { historyLimits, planCompaction, type HistoryLimits, type HistoryLine } from '../core/compaction.ts'
import { prefixEnd } from '../core/keys.ts'
import type { PreparedTransaction, PreparedWrite } from '../core/transaction.ts'
import type { TransactionResult } from '../port.ts'
import { Store } from '../store.ts'
import type { Connection } from './connection.ts'
import type { StateFile } from './state-file.ts'

export interface SqliteStoreOptions {
  readonly file: StateFile
  readonly history?: HistoryLimits
}

export class SqliteStore extends Store {
  constructor({ file, history = historyLimits }: SqliteStoreOptions) {
    super('state store', new SqliteBackend(file, history))
  }
}

/** The lines of `meta` that belong to the store. */
interface Meta {
  readonly revision: number
  readonly changeId: number
  readonly compacted: number
  readonly historyBytes: number
}

/** Lines of history looked at together while the oldest are dropped. */
const compactionPage = 512

class SqliteBackend implements Backend {
  readonly #file: StateFile
  readonly #limits: HistoryLimits
  #connection: Connection | undefined

  constructor(file: StateFile, limits: HistoryLimits) {
    this.#file = file
    this.#limits = limits
  }

  async open(): Promise<void> {
    const connection = await this.#file.connect('full')
    connection.get('SELECT 1 FROM meta')
    this.#connection = connection
  }

  close(): void {
    this.#connection?.checkpoint()
    this.#connection?.close()
    this.#connection = undefined
  }

  get(key: string): StoredEntry | undefined {
    return this.#sql.get('SELECT key, value AS json, createRevision, modRevision FROM entries WHERE key = ?', key) as StoredEntry | undefined
  }

  list(prefix: string): readonly StoredEntry[] {
    const select = 'SELECT key, value AS json, createRevision, modRevision FROM entries WHERE key >= ?'
    const end = prefixEnd(prefix)
    if (end === undefined) return this.#sql.all(`${select} ORDER BY key`, prefix) as StoredEntry[]
    return this.#sql.all(`${select} AND key < ? ORDER BY key`, prefix, end) as StoredEntry[]
  }

  apply(batch: readonly PreparedTransaction[]): readonly TransactionResult[] {
    return this.#sql.transaction(() => {
      const before = this.#meta()
      const session = new Session(this.#sql, this.#compact(before))
      const results = batch.map((transaction) => session.apply(transaction))
      this.#save(before, session.meta)
      return results
    })
  }

  head(): Head {
    const { revision, changeId, compacted } = this.#meta()
    return { revision, id: changeId, compacted }
  }

  changes({ id, revision }: { readonly id: number; readonly revision: number }, prefix: string, limit: number): readonly StoredChange[] {
    const rows = this.#sql.all(
      `SELECT id, revision, key, value AS json, createRevision FROM changes
       WHERE id > ? AND revision > ? AND key >= ? AND (?4 IS NULL OR key < ?4) ORDER BY id LIMIT ?`,
      id,
      revision,
      prefix,
      prefixEnd(prefix) ?? null,
      limit,
    ) as (Omit<StoredChange, 'json'> & { json: string | null })[]
    return rows.map((row) => ({ ...row, json: row.json ?? undefined }))
  }

  get #sql(): Connection {
    if (!this.#connection) throw new HoldfastError('store_unavailable', 'the state store is closed')
    return this.#connection
  }

  #meta(): Meta {
    const rows = this.#sql.all('SELECT name, value FROM meta') as { name: string; value: number }[]
    return Object.fromEntries(rows.map(({ name, value }) => [name, value])) as unknown as Meta
  }

  #save(before: Meta, now: Meta): void {
    for (const name of ['revision', 'changeId', 'compacted', 'historyBytes'] as const) {
      if (now[name] !== before[name]) this.#sql.run('UPDATE meta SET value = ? WHERE name = ?', now[name], name)
    }
  }

  #compact(meta: Meta): Meta {
    const first = this.#sql.get('SELECT min(id) AS id FROM changes') as { id: number | null }
    const size = { changes: first.id === null ? 0 : meta.changeId - first.id + 1, bytes: meta.historyBytes }
    const plan = planCompaction(size, this.#limits, this.#oldestChanges())
    if (!plan) return meta
    this.#sql.run('DELETE FROM changes WHERE id <= ?', plan.id)
    return { ...meta, compacted: plan.revision, historyBytes: meta.historyBytes - plan.bytes }
  }

  *#oldestChanges(): Generator<HistoryLine> {
    for (let id = 0; ;) {
      const page = this.#sql.all('SELECT id, revision, bytes FROM changes WHERE id > ? ORDER BY id LIMIT ?', id, compactionPage) as HistoryLine[]
      yield* page
      const last = page.at(-1)
      if (!last || page.length < compactionPage) return
      id = last.id
    }
  }
}

/** Transactions one after the other inside one SQLite transaction, with the counters they move. */
class Session {
  readonly #sql: Connection
  meta: Meta

  constructor(sql: Connection, meta: Meta) {
    this.#sql = sql
    this.meta = meta
  }

  apply({ compare, writes }: PreparedTransaction): TransactionResult {
    const succeeded = compare.every(({ key, modRevision }) => (this.#revisionsOf(key)?.modRevision ?? 0) === modRevision)
    if (succeeded) {
      const revision = this.meta.revision + 1
      for (const write of writes) this.#write(write, revision)
    }
    return { succeeded, revision: this.meta.revision }
  }

  #write({ key, json, bytes }: PreparedWrite, revision: number): void {
    const before = this.#revisionsOf(key)
    if (json === undefined && !before) return
    const createRevision = before?.createRevision ?? revision
    if (json === undefined) this.#sql.run('DELETE FROM entries WHERE key = ?', key)
    else if (before) this.#sql.run('UPDATE entries SET value = ?, modRevision = ? WHERE key = ?', json, revision, key)
    else this.#sql.run('INSERT INTO entries (key, createRevision, modRevision, value) VALUES (?, ?, ?, ?)', key, revision, revision, json)
    const id = this.meta.changeId + 1
    this.#sql.run(
      'INSERT INTO changes (id, revision, createRevision, bytes, key, value) VALUES (?, ?, ?, ?, ?, ?)',
      id,
      revision,
      createRevision,
      bytes,
      key,
      json ?? null,
    )
    this.meta = { ...this.meta, revision, changeId: id, historyBytes: this.meta.historyBytes + bytes }
  }

  #revisionsOf(key: string): { readonly createRevision: number; readonly modRevision: number } | undefined {
    return this.#sql.get('SELECT createRevision, modRevision FROM entries WHERE key = ?', key) as
      { createRevision: number; modRevision: number } | undefined
  }
}
