/**
 * One connection to the file: prepares each statement once, gives errors their meaning, and replaces
 * itself when the file failed under it.
 *
 *     closed ──use──▶ open ──I/O error──▶ broken (closed) ──next use──▶ open
 *
 * A full disk does not break it: the transaction is rolled back, reading goes on, and the next write may fit.
 */
import { statSync } from 'node:fs'
import { HoldfastError } from '../../kernel/errors.ts'
import type { Database, Driver, SqlValue, Statement } from './driver.ts'
import { needsReconnect, toHoldfastError } from './sqlite-error.ts'

/** How long to wait for another process's lock before giving up; the event loop stands still meanwhile. */
export const busyTimeoutMs = 1_000
/** The write-ahead log shrinks back to this once its content is in the file. */
const walBytesMax = 16 * 1_048_576
/** Bytes per page of the files we make. */
export const pageSize = 4_096

export interface ConnectionOptions {
  /**
   * `full`: a transaction is on the disk when it returns, also when the power fails.
   * `normal`: it survives the end of the process at once, a power failure only after the next checkpoint.
   */
  readonly synchronous: 'full' | 'normal'
  /** The size at which the file counts as a full disk. */
  readonly bytesMax: number
}

export class Connection {
  readonly path: string
  readonly #driver: Driver
  readonly #options: ConnectionOptions
  /** Which file it was at first, since the path may come to mean another one. */
  #identity: string | undefined
  #database: Database | undefined
  #statements = new Map<string, Statement>()

  constructor(driver: Driver, path: string, options: ConnectionOptions) {
    this.#driver = driver
    this.path = path
    this.#options = options
  }

  exec(sql: string): void {
    this.#guard(() => this.#open().exec(sql))
  }

  get(sql: string, ...values: SqlValue[]): unknown {
    return this.#guard(() => this.#statement(sql).get(...values))
  }

  all(sql: string, ...values: SqlValue[]): unknown[] {
    return this.#guard(() => this.#statement(sql).all(...values))
  }

  run(sql: string, ...values: SqlValue[]): void {
    this.#guard(() => this.#statement(sql).run(...values))
  }

  /** All that `work` writes, or nothing. Takes the lock for writing first, so that what it reads stays true. */
  transaction<T>(work: () => T): T {
    // A file that was deleted or replaced could still be written, but nobody would ever read it again.
    this.#guard(() => this.#checkIdentity())
    this.exec('BEGIN IMMEDIATE')
    try {
      const result = work()
      this.exec('COMMIT')
      return result
    } catch (error) {
      this.#rollback()
      throw error
    }
  }

  /** Brings the whole content into the file, so that it is complete by itself. */
  checkpoint(): void {
    try {
      this.#database?.exec('PRAGMA wal_checkpoint(TRUNCATE)')
    } catch {
      // The content is as safe in the log, and the next start finds it there.
    }
  }

  close(): void {
    this.#statements.clear()
    const database = this.#database
    this.#database = undefined
    database?.close()
  }

  /** Ends the transaction if one is open; a connection that cannot is given up. */
  #rollback(): void {
    try {
      this.#database?.exec('ROLLBACK')
    } catch (error) {
      // After a full disk or an I/O error SQLite may have rolled back by itself.
      if (!(error instanceof Error && error.message.includes('no transaction is active'))) this.close()
    }
  }

  #guard<T>(use: () => T): T {
    try {
      return use()
    } catch (cause) {
      const error = toHoldfastError('using the state file', this.path, cause)
      if (needsReconnect(cause)) {
        // First, because closing alone may leave the transaction's lock behind (see `driver.ts`).
        this.#rollback()
        this.close()
      }
      throw error
    }
  }

  #statement(sql: string): Statement {
    const database = this.#open()
    const known = this.#statements.get(sql)
    if (known) return known
    const statement = database.prepare(sql)
    this.#statements.set(sql, statement)
    return statement
  }

  #open(): Database {
    if (this.#database) return this.#database
    // SQLite would make a new, empty file where there is none; only `StateFile` may.
    this.#checkIdentity()
    const database = new this.#driver.DatabaseSync(this.path)
    try {
      this.#configure(database)
    } catch (error) {
      database.close()
      throw error
    }
    this.#database = database
    return database
  }

  #checkIdentity(): void {
    const found = statSync(this.path, { throwIfNoEntry: false })
    const identity = found && `${found.dev}:${found.ino}`
    this.#identity ??= identity
    if (identity !== undefined && identity === this.#identity) return
    const what = identity === undefined ? 'deleted' : 'replaced by another file'
    throw new HoldfastError('store_unavailable', `the state file ${this.path} was ${what} while in use`, {
      hint: 'Put the file back, or restart Holdfast to go on with what is there.',
    })
  }

  #configure(database: Database): void {
    database.exec(`PRAGMA busy_timeout = ${busyTimeoutMs}`)
    database.exec('PRAGMA trusted_schema = OFF')
    database.exec(`PRAGMA synchronous = ${this.#options.synchronous}`)
    database.exec(`PRAGMA journal_size_limit = ${walBytesMax}`)
    database.exec(`PRAGMA max_page_count = ${Math.max(1, Math.floor(this.#options.bytesMax / pageSize))}`)
  }
}
