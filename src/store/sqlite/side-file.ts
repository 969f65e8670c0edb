/**
 * An SQLite file beside the state, for what may be lost rather than keep the whole from starting: found whole, brought to its newest schema, or set aside
 * and begun anew. Its schema is a list of steps like that of the state (`migrations.ts`); how many were taken stands in the file (`user_version`).
 */
import { open, rename } from 'node:fs/promises'
import { codeOf, HoldfastError, messageOf } from '../../kernel/errors.ts'
import { privateFile } from '../../kernel/files.ts'
import { Connection } from './connection.ts'
import { loadDriver, type Driver } from './driver.ts'
import { isCorrupt } from './sqlite-error.ts'

/** What others may do with the file. */
export type SideFile = Pick<Connection, 'path' | 'exec' | 'get' | 'all' | 'run' | 'transaction' | 'checkpoint' | 'close'>

export interface SideFileOptions {
  readonly path: string
  /** A step that was ever released is never edited. */
  readonly steps: readonly string[]
  /** The size at which the file counts as a full disk. */
  readonly bytesMax: number
  /** A damaged one lies there now. */
  readonly onSetAside: (file: string, reason: string) => void
}

/** Rejects with `store_unavailable`, `store_newer` or `disk_full`. */
export async function openSideFile(options: SideFileOptions): Promise<SideFile> {
  const driver = await loadDriver()
  try {
    return await openWhole(driver, options)
  } catch (error) {
    if (!isDamaged(error)) throw error
    await setSideFileAside(options, error)
    return openWhole(driver, options)
  }
}

/** The file is not one of SQLite, or not whole; some damage is met only when what lies there is read. */
export function isDamaged(error: unknown): error is HoldfastError {
  return error instanceof HoldfastError && isCorrupt(error.cause)
}

/** A closed file that was damaged. */
export async function setSideFileAside({ path, onSetAside }: Pick<SideFileOptions, 'path' | 'onSetAside'>, why: HoldfastError): Promise<void> {
  const aside = `${path}.corrupt`
  for (const suffix of ['', '-wal', '-shm']) await rename(path + suffix, aside + suffix).catch(unlessMissing)
  onSetAside(aside, messageOf(why.cause))
}

async function openWhole(driver: Driver, { path, steps, bytesMax }: SideFileOptions): Promise<SideFile> {
  await (await open(path, 'a', privateFile)).close()
  // Nothing is worth the wait for a disk: what the death of the process leaves is whole, and after a power failure the last moments may be missing.
  const connection = new Connection(driver, path, { synchronous: 'normal', bytesMax })
  try {
    connection.exec('PRAGMA journal_mode = WAL')
    const { user_version: version } = connection.get('PRAGMA user_version') as { user_version: number }
    if (version > steps.length) {
      throw new HoldfastError('store_newer', `a newer holdfast wrote ${path} (schema ${version}; this one knows ${steps.length})`, {
        hint: 'run the newer holdfast again, or move the file away to begin without what it knows',
      })
    }
    for (let step = version; step < steps.length; step++) {
      connection.transaction(() => {
        connection.exec(steps[step] ?? '')
        connection.exec(`PRAGMA user_version = ${step + 1}`)
      })
    }
    return connection
  } catch (error) {
    connection.close()
    throw error
  }
}

function unlessMissing(error: unknown): void {
  if (codeOf(error) !== 'ENOENT') throw error
}
