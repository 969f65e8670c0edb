/**
 * The SQLite binding: Node's own where it has one (22.13 and later), else a package with the same
 * interface. Only what both have and we use is written down here.
 *
 * One difference matters: the package's `close` ends a connection only when its prepared statements have been
 * collected as garbage. Until then its locks on the file stay, and SQLite lets all connections of a process to
 * one file share one index of the log, whatever the file's name was. A connection to a file that is about to
 * be renamed therefore uses `exec` alone.
 */
import { HoldfastError } from '../../kernel/errors.ts'

export type SqlValue = string | number | null | Uint8Array

export interface Statement {
  get(...values: SqlValue[]): unknown
  all(...values: SqlValue[]): unknown[]
  run(...values: SqlValue[]): { readonly changes: number | bigint }
}

export interface Database {
  exec(sql: string): void
  prepare(sql: string): Statement
  close(): void
}

export interface Driver {
  readonly DatabaseSync: new (path: string) => Database
}

export async function loadDriver(): Promise<Driver> {
  // eslint-disable-next-line n/no-unsupported-features/node-builtins -- asked for, not relied on: undefined where it is missing
  const builtIn = process.getBuiltinModule('node:sqlite') as Driver | undefined
  if (builtIn) return builtIn
  try {
    return await import('@photostructure/sqlite')
  } catch (cause) {
    throw new HoldfastError('store_unavailable', `loading SQLite for Node ${process.versions.node} on ${process.platform}-${process.arch} failed`, {
      hint: 'Use Node 22.13 or later, which has SQLite built in, or install the package @photostructure/sqlite again.',
      cause,
    })
  }
}
