/**
 * What an error of SQLite or of the file system means for us. The kinds differ in what
 * follows: corrupt (set aside), full (wait for room), busy (another process has it), conflict (it is there already), unavailable (the rest).
 */
import { statfsSync } from 'node:fs'
import { dirname } from 'node:path'
import { codeOf, HoldfastError, messageOf } from '../../kernel/errors.ts'

/** Below this much room an I/O error is taken for a full disk: SQLite needs room for its index of the log (32 KiB) and does not say why it failed. */
const roomNeeded = 65_536

/** Result codes of SQLite, "Result and Error Codes". */
const resultCode = {
  BUSY: 5,
  LOCKED: 6,
  READONLY: 8,
  IOERR: 10,
  CORRUPT: 11,
  FULL: 13,
  CANTOPEN: 14,
  CONSTRAINT: 19,
  FORMAT: 24,
  NOTADB: 26,
  IOERR_SHORT_READ: 522,
} as const

/** What SQLite says of some codes (`sqlite3_errstr`): the package that Node 20 needs leaves the code out of errors of statements that read. */
const resultTexts: Readonly<Record<string, number>> = {
  'database is locked': resultCode.BUSY,
  'attempt to write a readonly database': resultCode.READONLY,
  'disk I/O error': resultCode.IOERR,
  'database disk image is malformed': resultCode.CORRUPT,
  'database or disk is full': resultCode.FULL,
  'unable to open database file': resultCode.CANTOPEN,
  'file is not a database': resultCode.NOTADB,
}

/** The extended result code of an SQLite error. */
function sqliteCode(error: unknown): number | undefined {
  if (!(error instanceof Error)) return undefined
  if ('errcode' in error && typeof error.errcode === 'number') return error.errcode
  return codeOf(error) === 'ERR_SQLITE_ERROR' ? resultTexts[error.message] : undefined
}

export function isCorrupt(error: unknown): boolean {
  const code = sqliteCode(error)
  if (code === undefined) return false
  return code === resultCode.IOERR_SHORT_READ || ([resultCode.CORRUPT, resultCode.FORMAT, resultCode.NOTADB] as number[]).includes(code & 0xff)
}

/** After one of these the connection is not to be trusted any more; a new one may do. */
export function needsReconnect(error: unknown): boolean {
  const code = sqliteCode(error)
  return code !== undefined && (isCorrupt(error) || ([resultCode.IOERR, resultCode.CANTOPEN, resultCode.READONLY] as number[]).includes(code & 0xff))
}

/** The error to tell: `what` was tried on the file `path`. A HoldfastError stays as it is. */
export function toHoldfastError(what: string, path: string, cause: unknown): HoldfastError {
  if (cause instanceof HoldfastError) return cause
  const { code, hint } = judge(path, cause)
  return new HoldfastError(code, `${what} failed (${path}): ${messageOf(cause)}`, { hint, details: { path, reason: reasonOf(cause) }, cause })
}

function judge(path: string, cause: unknown): { code: string; hint: string } {
  const system = codeOf(cause)
  const primary = (sqliteCode(cause) ?? 0) & 0xff
  if (isFull(path, system, primary)) return { code: 'disk_full', hint: 'Make room on the disk (or raise the quota); Holdfast goes on by itself.' }
  if (primary === resultCode.CONSTRAINT) return { code: 'store_conflict', hint: 'Look for a second control process on this data directory.' }
  const unavailable = (hint: string): { code: string; hint: string } => ({ code: 'store_unavailable', hint })
  if (primary === resultCode.BUSY || primary === resultCode.LOCKED) return unavailable('End the other process that has the file open.')
  if (system === 'EROFS') return unavailable('The file system is read-only: mount it for writing, or choose another data directory.')
  if (system === 'EACCES' || system === 'EPERM' || primary === resultCode.READONLY) {
    return unavailable('Let the user that runs Holdfast read and write the data directory and the files in it.')
  }
  if (isCorrupt(cause)) return unavailable('The file is damaged. Restart Holdfast: it sets the file aside and begins a new one.')
  return unavailable('Check that the data directory exists and that its disk works.')
}

function isFull(path: string, system: string | undefined, primary: number): boolean {
  if (system === 'ENOSPC' || system === 'EDQUOT' || primary === resultCode.FULL) return true
  if (primary !== resultCode.IOERR && primary !== resultCode.CANTOPEN) return false
  return roomBeside(path) < roomNeeded
}

function roomBeside(path: string): number {
  try {
    const { bavail, bsize } = statfsSync(dirname(path))
    return bavail * bsize
  } catch {
    // The directory itself is gone; that is another error than a full disk.
    return Infinity
  }
}

function reasonOf(cause: unknown): string | number | undefined {
  return sqliteCode(cause) ?? codeOf(cause)
}
