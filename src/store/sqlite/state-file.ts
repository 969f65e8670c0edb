/**
 * The file `state.db` in the data directory: found whole, or set aside and begun anew, never silently
 * replaced. A new one is built beside its place and renamed onto it, so an empty `state.db` is always a loss
 * and never a beginning.
 *
 *     missing ─────────────────────────────▶ make ──▶ ready
 *     whole, this version or older ──▶ migrate ──────▶ ready
 *     damaged, foreign ──▶ set aside ──▶ make ──▶ ready      (told through `onSetAside`)
 *     newer, not readable, locked, no room ──▶ an error; the file stays where it is
 *
 * One of a newer version is whole, and whoever went back to an older program can go forward again: beginning anew would
 * lose what it knows.
 */
import { access, chmod, constants, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { codeOf, HoldfastError, messageOf } from '../../kernel/errors.ts'
import { makePrivateDirectory, privateFile, syncDirectory } from '../../kernel/files.ts'
import type { Clock } from '../../kernel/time.ts'
import { Connection, pageSize, type ConnectionOptions } from './connection.ts'
import { loadDriver, type Driver } from './driver.ts'
import { migrate, schemaVersion, versionOf } from './migrations.ts'
import { isCorrupt, toHoldfastError } from './sqlite-error.ts'

/** SQLite keeps this number in the header for the program that owns the file: "HFst". */
const applicationId = 0x48467374
const fileName = 'state.db'
const magic = 'SQLite format 3\0'
/** What lies beside an SQLite file: the write-ahead log and its index. */
const companions = ['-wal', '-shm'] as const

export interface SetAside {
  /** Where the damaged file lies now. */
  readonly file: string
  readonly reason: string
}

export interface StateFileOptions {
  /** Where `state.db` lies; made with mode 0700 when missing. */
  readonly directory: string
  readonly clock: Clock
  /** Told when a damaged file was set aside and a new, empty one is about to be made. */
  readonly onSetAside: (setAside: SetAside) => void
  /** The size at which the file counts as a full disk. @default 4 GiB */
  readonly bytesMax?: number
}

/** The file, shared by the store and the event log that keep their data in it. One process at a time may use a directory; who calls sees to that. */
export class StateFile {
  readonly path: string
  readonly #options: StateFileOptions
  #driver: Promise<Driver> | undefined

  constructor(options: StateFileOptions) {
    this.#options = options
    this.path = join(options.directory, fileName)
  }

  /**
   * Makes sure of the file, once, and opens a connection to it.
   * Rejects with `store_unavailable`, `store_newer` or `disk_full`; calling it again tries again.
   */
  async connect(synchronous: ConnectionOptions['synchronous']): Promise<Connection> {
    this.#driver ??= this.#prepare()
    try {
      return this.#connection(await this.#driver, this.path, synchronous)
    } catch (error) {
      this.#driver = undefined
      throw error
    }
  }

  #connection(driver: Driver, path: string, synchronous: ConnectionOptions['synchronous']): Connection {
    return new Connection(driver, path, { synchronous, bytesMax: this.#options.bytesMax ?? 4 * 2 ** 30 })
  }

  async #prepare(): Promise<Driver> {
    const driver = await loadDriver()
    try {
      await makePrivateDirectory(this.#options.directory)
      // SQLite would only say "unable to open database file".
      await access(this.#options.directory, constants.R_OK | constants.W_OK | constants.X_OK)
      const problem = await this.#findDamage(driver)
      if (problem === undefined) {
        await this.#openExisting(driver)
        return driver
      }
      // Told before the new file is made: that may fail, and the next attempt would find nothing amiss.
      if (problem !== 'missing') this.#options.onSetAside({ file: await this.#setAside(), reason: problem.reason })
      await this.#make(driver)
    } catch (cause) {
      throw toHoldfastError('opening the state file', this.path, cause)
    }
    return driver
  }

  /** `'missing'`: there is no file yet. Undefined: it is whole. */
  async #findDamage(driver: Driver): Promise<'missing' | { readonly reason: string } | undefined> {
    const header = await readHeader(this.path)
    if (header === undefined) return (await this.#hasOrphanedLog()) ? { reason: 'state.db is missing, but its write-ahead log is there' } : 'missing'
    if (header.length < 100) return { reason: `it is cut off after ${header.length} bytes` }
    if (header.toString('latin1', 0, 16) !== magic) return { reason: 'it is not an SQLite file' }
    if (header.readUInt32BE(68) !== applicationId) return { reason: 'it is an SQLite file of another program' }
    return this.#findDamageInside(driver)
  }

  #findDamageInside(driver: Driver): { readonly reason: string } | undefined {
    const connection = this.#connection(driver, this.path, 'full')
    try {
      const [first] = connection.all('PRAGMA quick_check(1)') as { quick_check: string }[]
      // The last line says what is wrong, the one before it only in which database.
      if (first?.quick_check !== 'ok') return { reason: `its check found: ${first?.quick_check.split('\n').at(-1) ?? 'nothing'}` }
      const version = versionOf(connection)
      if (version === 0) return { reason: 'it has no schema' }
      if (version > schemaVersion) throw newerState(this.path, version)
      return undefined
    } catch (error) {
      if (error instanceof HoldfastError && isCorrupt(error.cause)) return { reason: messageOf(error.cause) }
      throw error
    } finally {
      connection.close()
    }
  }

  async #openExisting(driver: Driver): Promise<void> {
    const { mode, uid } = await stat(this.path)
    // A copy brought back from a backup may be open to everybody.
    if ((mode & 0o077) !== 0 && uid === process.getuid?.()) await chmod(this.path, privateFile)
    const connection = this.#connection(driver, this.path, 'full')
    try {
      migrate(connection, versionOf(connection), this.#options.clock.wallTime())
    } finally {
      connection.close()
    }
  }

  async #setAside(): Promise<string> {
    const stamp = new Date(this.#options.clock.wallTime()).toISOString().replaceAll(/[-:]|\.\d+/g, '')
    let aside = `${this.path}.corrupt-${stamp}`
    for (let n = 2; await anyExists(aside); n++) aside = `${this.path}.corrupt-${stamp}-${n}`
    for (const suffix of ['', ...companions]) await renameIfThere(this.path + suffix, aside + suffix)
    await syncDirectory(this.#options.directory)
    return aside
  }

  /** Builds the empty file beside its place, whole, and moves it there. */
  async #make(driver: Driver): Promise<void> {
    const draft = `${this.path}.new`
    const leftovers = ['', ...companions].map((suffix) => draft + suffix)
    await removeAll(leftovers)
    try {
      await writeEmpty(draft)
      this.#fill(driver, draft, await this.#firstSeq())
      await syncFile(draft)
      await rename(draft, this.path)
    } catch (error) {
      await removeAll(leftovers)
      throw error
    }
    // The index of a log that is gone would be read as that of the new file.
    await rm(`${this.path}-shm`, { force: true })
    await syncDirectory(this.#options.directory)
  }

  /** Those who follow the events remember numbers of a file that was lost; the wall clock is above any it can have had. */
  async #firstSeq(): Promise<number> {
    const names = await readdir(this.#options.directory)
    return names.some((name) => name.startsWith(`${fileName}.corrupt-`)) ? Math.trunc(this.#options.clock.wallTime()) : 0
  }

  #fill(driver: Driver, draft: string, lastSeq: number): void {
    const connection = this.#connection(driver, draft, 'full')
    try {
      connection.exec(`PRAGMA page_size = ${pageSize}`)
      connection.exec(`PRAGMA application_id = ${applicationId}`)
      connection.exec('PRAGMA journal_mode = WAL')
      migrate(connection, 0, this.#options.clock.wallTime())
      connection.exec(`UPDATE meta SET value = ${lastSeq} WHERE name = 'lastSeq'`)
      connection.exec('PRAGMA wal_checkpoint(TRUNCATE)')
    } finally {
      connection.close()
    }
  }

  /** A log without its file: SQLite would play it into the new file. */
  async #hasOrphanedLog(): Promise<boolean> {
    const found = await stat(`${this.path}-wal`).catch(onMissing)
    return found !== undefined && found.size > 0
  }
}

function newerState(path: string, version: number): HoldfastError {
  return new HoldfastError('store_newer', `a newer holdfast wrote the state file ${path} (schema ${version}; this one knows ${schemaVersion})`, {
    hint: 'run the newer holdfast again, or move the file away to begin without what it knows',
    details: { path, version, known: schemaVersion },
  })
}

/** The first 100 bytes; undefined when there is no file. Opens it for writing, so that missing rights show here and not in the middle of work. */
async function readHeader(path: string): Promise<Buffer | undefined> {
  const found = await stat(path).catch(onMissing)
  if (!found) return undefined
  if (!found.isFile()) {
    throw new HoldfastError('store_unavailable', `${path} is not a regular file`, { hint: 'Move it away, or choose another data directory.' })
  }
  const file = await open(path, 'r+')
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(100), 0, 100, 0)
    return buffer.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}

function onMissing(error: unknown): undefined {
  if (codeOf(error) !== 'ENOENT') throw error
}

async function anyExists(path: string): Promise<boolean> {
  for (const suffix of ['', ...companions]) if (await stat(path + suffix).catch(onMissing)) return true
  return false
}

async function renameIfThere(from: string, to: string): Promise<void> {
  await rename(from, to).catch(onMissing)
}

async function removeAll(paths: readonly string[]): Promise<void> {
  for (const path of paths) await rm(path, { force: true })
}

async function writeEmpty(path: string): Promise<void> {
  await (await open(path, 'wx', privateFile)).close()
}

async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r+')
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}
