/** What becomes of `state.db` when it is damaged, foreign, locked, unreadable or out of room. */
import { copyFile, chmod, mkdir, mkdtemp, open, readdir, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { HoldfastError } from '../../src/kernel/errors.ts'
import { VirtualClock } from '../../src/kernel/testing/virtual-clock.ts'
import { SqliteEventLog, SqliteStore, StateFile, type SetAside } from '../../src/store/index.ts'
import { loadDriver, type Database } from '../../src/store/sqlite/driver.ts'

const { DatabaseSync } = await loadDriver()
const clock = new VirtualClock()
const stamp = '20231114T221320Z'

let directory: string
let path: string
let setAside: SetAside[]
const running: (SqliteStore | SqliteEventLog)[] = []

beforeEach(async () => {
  directory = join(await mkdtemp(join(tmpdir(), 'holdfast-file-')), 'data')
  path = join(directory, 'state.db')
  setAside = []
})
afterEach(async () => {
  for (const one of running.splice(0)) await one.stop()
  await rm(join(directory, '..'), { recursive: true, force: true })
})

const fileIn = (where: string, bytesMax?: number): StateFile =>
  new StateFile({ directory: where, clock, onSetAside: (told) => setAside.push(told), ...(bytesMax === undefined ? {} : { bytesMax }) })

async function startStore(where = directory, options: { bytesMax?: number; changesMax?: number } = {}): Promise<SqliteStore> {
  const { bytesMax, changesMax = 10_000 } = options
  const store = new SqliteStore({ file: fileIn(where, bytesMax), history: { changesMax, bytesMax: 2 ** 26 } })
  await store.start()
  running.push(store)
  return store
}

async function startLog(where = directory): Promise<SqliteEventLog> {
  const log = new SqliteEventLog({ file: fileIn(where) })
  await log.start()
  running.push(log)
  return log
}

const put = (store: SqliteStore, key: string, value: unknown) => store.commit({ writes: [{ put: key, value }] })
const errorOf = (promise: Promise<unknown>): Promise<HoldfastError> =>
  promise.then(
    () => expect.unreachable('it should have failed'),
    (error: unknown) => error as HoldfastError,
  )
const appendTo = (log: SqliteEventLog, seq: number): void =>
  log.append({
    id: `e${seq}`,
    seq,
    time: 0,
    type: 'a.b',
    level: 'info',
    service: undefined,
    instance: undefined,
    event: { filling: 'x'.repeat(2_000) },
  })

/** Works on the file with plain SQLite, as another program would. */
function withDatabase(file: string, work: (database: Database) => void): void {
  const database = new DatabaseSync(file)
  try {
    work(database)
  } finally {
    database.close()
  }
}

/** A whole `state.db` of a few hundred pages without companions, as a clean stop or a backup leaves it. */
async function makeFile(): Promise<void> {
  const store = await startStore()
  for (let n = 0; n < 40; n++) await put(store, `k${n}`, 'x'.repeat(20_000))
  await store.stop()
  withDatabase(path, (database) => database.exec('PRAGMA wal_checkpoint(TRUNCATE)'))
  await rm(`${path}-wal`, { force: true })
  await rm(`${path}-shm`, { force: true })
}

async function overwrite(at: number, bytes: Buffer): Promise<void> {
  const file = await open(path, 'r+')
  await file.write(bytes, 0, bytes.length, at)
  await file.close()
}

describe('a new state file', () => {
  it('and its directory are for the owner only', async () => {
    const store = await startStore()
    await put(store, 'a', 1)
    expect((await stat(directory)).mode & 0o777).toBe(0o700)
    for (const name of await readdir(directory)) expect([name, (await stat(join(directory, name))).mode & 0o777]).toEqual([name, 0o600])
    expect((await readdir(directory)).sort()).toEqual(['state.db', 'state.db-shm', 'state.db-wal'])
  })

  it('leaves the directory as it is when it exists, and closes an open file to others', async () => {
    await mkdir(directory, { mode: 0o755 })
    await (await startStore()).stop()
    await chmod(path, 0o644)
    await startStore()
    expect((await stat(directory)).mode & 0o777).toBe(0o755)
    expect((await stat(path)).mode & 0o777).toBe(0o600)
  })

  it('is complete by itself after a stop', async () => {
    const store = await startStore()
    const log = await startLog()
    await put(store, 'a', 1)
    appendTo(log, 1)
    await log.stop()
    await store.stop()
    await mkdir(`${directory}/b`)
    await copyFile(path, `${directory}/b/state.db`)
    expect((await (await startStore(`${directory}/b`)).get('a'))?.value).toBe(1)
    expect((await startLog(`${directory}/b`)).lastSeq()).toBe(1)
  })

  it('takes the place of a draft that was never finished', async () => {
    await mkdir(directory)
    await writeFile(`${path}.new`, 'half a draft')
    await writeFile(`${path}.new-wal`, 'half a log')
    await put(await startStore(), 'a', 1)
    expect((await readdir(directory)).filter((name) => name.includes('.new'))).toEqual([])
    expect(setAside).toEqual([])
  })
})

describe('a state file of a newer holdfast', () => {
  it('is refused and left as it is', async () => {
    await makeFile()
    withDatabase(path, (db) => db.exec('INSERT INTO migrations VALUES (99, 0)'))
    const error = await errorOf(startStore())
    expect([error.code, error.message]).toEqual(['store_newer', `a newer holdfast wrote the state file ${path} (schema 99; this one knows 1)`])
    expect(setAside).toEqual([])
    expect(await readdir(directory)).toContain('state.db')
    withDatabase(path, (db) => db.exec('DELETE FROM migrations WHERE version = 99'))
    expect((await (await startStore()).list('')).length).toBe(40)
  })
})

describe('a damaged state file', () => {
  const damages: [string, RegExp, () => unknown][] = [
    ['that is empty', /cut off after 0 bytes/, () => truncate(path, 0)],
    ['cut off in its header', /cut off after 50 bytes/, () => truncate(path, 50)],
    ['cut off between two pages', /its check found: Tree|malformed/, () => truncate(path, 40 * 4_096)],
    ['cut off within a page', /its check found: Tree|malformed/, () => truncate(path, 40 * 4_096 + 100)],
    ['that is something else', /not an SQLite file/, () => writeFile(path, 'hello '.repeat(1_000))],
    ['of zeros', /not an SQLite file/, () => writeFile(path, Buffer.alloc(65_536))],
    ['with a page of zeros', /its check found|malformed/, () => overwrite(4_096 * 2, Buffer.alloc(4_096))],
    ['with noise in it', /its check found|malformed/, () => overwrite(4_096 * 3, Buffer.alloc(8_192, 0xa5))],
    ['with a broken root', /malformed|its check found/, () => overwrite(100, Buffer.alloc(60, 0xff))],
    [
      'of another program',
      /another program/,
      () => withDatabase(path, (db) => db.exec('PRAGMA application_id = 7; PRAGMA wal_checkpoint(TRUNCATE)')),
    ],
    ['without a schema', /no schema/, () => withDatabase(path, (db) => db.exec('DROP TABLE migrations'))],
  ]

  it.each(damages)('%s is set aside, told of, and a new one begun', async (_, reason, damage) => {
    await makeFile()
    await damage()
    const before = await readFile(path)
    const store = await startStore()
    const file = `${path}.corrupt-${stamp}`
    expect(setAside).toEqual([{ file, reason: expect.stringMatching(reason) as string }])
    expect((await readFile(file)).equals(before)).toBe(true)
    expect(await store.list('')).toEqual([])
    expect(await put(store, 'a', 1)).toEqual({ succeeded: true, revision: 1 })
    await store.stop()
    expect((await (await startStore()).get('a'))?.value).toBe(1)
    expect(setAside).toHaveLength(1)
  })

  it('keeps its log beside it, and the ones set aside before', async () => {
    const store = await startStore()
    await put(store, 'a', 1)
    for (const suffix of ['', '-wal']) await copyFile(path + suffix, `${directory}/copy${suffix}`)
    await store.stop()
    for (let n = 0; n < 3; n++) {
      await rm(`${path}-shm`, { force: true })
      await writeFile(path, 'not a database')
      await copyFile(`${directory}/copy-wal`, `${path}-wal`)
      await (await startStore()).stop()
    }
    const names = (await readdir(directory)).filter((name) => name.includes('corrupt') && !name.endsWith('-shm')).sort()
    const first = `state.db.corrupt-${stamp}`
    expect(names).toEqual([first, `${first}-2`, `${first}-2-wal`, `${first}-3`, `${first}-3-wal`, `${first}-wal`])
    expect(await readFile(join(directory, `${first}-wal`))).toEqual(await readFile(`${directory}/copy-wal`))
  })

  it('that is missing while its log is there is not replaced in silence', async () => {
    const store = await startStore()
    await put(store, 'a', 1)
    await mkdir(`${directory}/b`)
    await copyFile(`${path}-wal`, `${directory}/b/state.db-wal`)
    expect(await (await startStore(`${directory}/b`)).list('')).toEqual([])
    expect(setAside.map(({ reason }) => reason)).toEqual(['state.db is missing, but its write-ahead log is there'])
  })

  it('does not make the numbers of events begin again', async () => {
    const log = await startLog()
    appendTo(log, 1)
    await log.stop()
    await writeFile(path, 'not a database')
    expect((await startLog()).lastSeq()).toBe(clock.wallTime())
  })

  it('is told of even when there is no room for a new one', async () => {
    await makeFile()
    await writeFile(path, 'not a database')
    // A directory cannot be removed as a draft: the making fails after the setting aside.
    await mkdir(`${path}.new`)
    expect((await errorOf(startStore())).code).toBe('store_unavailable')
    expect(setAside).toHaveLength(1)
    await rm(`${path}.new`, { recursive: true })
    expect((await startLog()).lastSeq()).toBe(clock.wallTime())
    expect(setAside).toHaveLength(1)
  })

  it('is whole again with the log that a dead process left', async () => {
    const store = await startStore()
    for (let n = 0; n < 50; n++) await put(store, `k${n}`, n)
    await mkdir(`${directory}/b`)
    for (const suffix of ['', '-wal']) await copyFile(path + suffix, `${directory}/b/state.db${suffix}`)
    expect(await (await startStore(`${directory}/b`)).list('')).toHaveLength(50)
    expect(setAside).toEqual([])
  })
})

describe('a state file out of reach', () => {
  /** As root nothing is out of reach, so these tests act as somebody else meanwhile. */
  async function asNobody<T>(work: () => Promise<T>): Promise<T> {
    if (process.getuid?.() !== 0) return work()
    process.seteuid?.(65_534)
    try {
      return await work()
    } finally {
      process.seteuid?.(0)
    }
  }

  it.each([
    ['the file may not be read', () => chmod(path, 0o000)],
    ['the directory may not be entered', () => chmod(directory, 0o000)],
    ['the directory may not be written', () => chmod(directory, 0o555)],
  ])('is not set aside: %s', async (_, forbid) => {
    await makeFile()
    const before = await readFile(path)
    await chmod(join(directory, '..'), 0o755)
    await forbid()
    const error = await asNobody(() => errorOf(startStore()))
    expect(error).toMatchObject({ code: 'store_unavailable', hint: expect.stringContaining('Let the user that runs Holdfast') as string })
    expect(error.message).toContain('EACCES')
    await chmod(directory, 0o700)
    await chmod(path, 0o600)
    expect(await readdir(directory)).toEqual(['state.db'])
    expect((await readFile(path)).equals(before)).toBe(true)
    expect(setAside).toEqual([])
    expect(await (await startStore()).list('')).toHaveLength(40)
  })

  it('a directory that cannot be made says so', async () => {
    await writeFile(join(directory, '..', 'file'), '')
    const error = await errorOf(startStore(join(directory, '..', 'file', 'data')))
    expect(error).toMatchObject({ code: 'store_unavailable', message: expect.stringContaining('ENOTDIR') as string })
  })

  it('something that is no file in its place stays there', async () => {
    await mkdir(path, { recursive: true })
    expect(await errorOf(startStore())).toMatchObject({ code: 'store_unavailable', message: `${path} is not a regular file` })
  })

  it('may be tried again on the same object', async () => {
    await mkdir(path, { recursive: true })
    const store = new SqliteStore({ file: fileIn(directory) })
    expect((await errorOf(store.start())).code).toBe('store_unavailable')
    await rm(path, { recursive: true })
    await store.start()
    running.push(store)
    expect((await put(store, 'a', 1)).revision).toBe(1)
  })

  it('a lock of another program fails commits, not reads, and is over when it is', async () => {
    const store = await startStore()
    await put(store, 'a', 1)
    const other = new DatabaseSync(path)
    other.exec('BEGIN IMMEDIATE')
    expect(await errorOf(put(store, 'a', 2))).toMatchObject({ code: 'store_unavailable', hint: 'End the other process that has the file open.' })
    expect((await store.get('a'))?.value).toBe(1)
    other.exec('ROLLBACK')
    expect((await put(store, 'a', 3)).revision).toBe(2)
    other.close()
  })

  it('that was deleted or replaced while in use is not written on in silence; put back, it goes on', async () => {
    const store = await startStore()
    await put(store, 'a', 1)
    await rename(path, `${path}.away`)
    expect(await errorOf(put(store, 'a', 2))).toMatchObject({ code: 'store_unavailable', message: `the state file ${path} was deleted while in use` })
    await writeFile(path, 'something else')
    expect((await errorOf(put(store, 'a', 2))).message).toContain('replaced by another file')
    expect((await store.get('a'))?.value).toBe(1)
    await rename(`${path}.away`, path)
    expect((await put(store, 'a', 3)).revision).toBe(2)
  })
})

describe('a state file out of room', () => {
  it('refuses what does not fit, loses nothing, and goes on when there is room', async () => {
    const store = await startStore(directory, { bytesMax: 400 * 1_024, changesMax: 3 })
    const log = await startLog()
    const seen: string[] = []
    store.watch('', (change) => seen.push(change.type === 'put' ? change.entry.key : change.key))
    let kept = 0
    let error: HoldfastError | undefined
    while (!error && kept < 1_000) {
      await put(store, `k${kept}`, 'x'.repeat(10_000)).then(
        () => kept++,
        (thrown: unknown) => (error = thrown as HoldfastError),
      )
    }
    expect(error).toMatchObject({ code: 'disk_full', hint: expect.stringContaining('Make room') as string })
    expect(kept).toBeGreaterThan(10)
    expect(await store.list('')).toHaveLength(kept)
    expect(seen).toHaveLength(kept)

    // What is small still fits, though it comes in one batch with what does not.
    const [large, small] = await Promise.allSettled([put(store, 'large', 'x'.repeat(500_000)), put(store, 'k0', 1)])
    expect([large.status, small.status]).toEqual(['rejected', 'fulfilled'])
    expect(await store.get('large')).toBeUndefined()
    appendTo(log, 1)

    for (let n = 1; n < 10; n++) await store.commit({ writes: [{ delete: `k${n}` }] })
    await put(store, 'again', 'x'.repeat(10_000))
    const { revision } = await store.commit({ writes: [] })
    expect(revision).toBe(kept + 1 + 9 + 1)
    await store.stop()
    expect(await (await startStore()).list('')).toHaveLength(kept - 9 + 1)
  })
})
