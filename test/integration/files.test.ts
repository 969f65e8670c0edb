import { existsSync } from 'node:fs'
import { chmod, lstat, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { codeOf } from '../../src/kernel/errors.ts'
import { makePrivateDirectory, writeFileAtomic } from '../../src/kernel/files.ts'

let directory: string
let path: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-files-'))
  path = join(directory, 'secret')
})
afterEach(() => rm(directory, { recursive: true, force: true }))

const modeOf = async (file: string): Promise<number> => (await stat(file)).mode & 0o777
const codeFrom = (promise: Promise<unknown>): Promise<string | undefined> => promise.then(() => 'resolved', codeOf)

describe('writeFileAtomic', () => {
  it('makes the file for the owner only, unless told otherwise', async () => {
    await writeFileAtomic(path, 'one')
    expect([await readFile(path, 'utf8'), await modeOf(path)]).toEqual(['one', 0o600])
    await writeFileAtomic(path, 'two', 0o640)
    expect([await readFile(path, 'utf8'), await modeOf(path)]).toEqual(['two', 0o640])
  })

  it('gives exactly the mode asked for, whatever the umask', async () => {
    const umask = process.umask(0o077)
    try {
      await writeFileAtomic(path, 'x', 0o644)
    } finally {
      process.umask(umask)
    }
    expect(await modeOf(path)).toBe(0o644)
  })

  it('writes bytes', async () => {
    const bytes = new Uint8Array([0, 255, 10, 13])
    await writeFileAtomic(path, bytes)
    expect(new Uint8Array(await readFile(path))).toEqual(bytes)
  })

  it('replaces what is there, also a file open to all and a link, not what the link points to', async () => {
    const target = join(directory, 'target')
    await writeFile(target, 'target')
    await symlink(target, path)
    await writeFileAtomic(path, 'new')
    expect((await lstat(path)).isSymbolicLink()).toBe(false)
    expect(await readFile(target, 'utf8')).toBe('target')
    await chmod(path, 0o666)
    await writeFileAtomic(path, 'newer')
    expect(await modeOf(path)).toBe(0o600)
  })

  it('leaves the old file and no other when it fails', async () => {
    await mkdir(path)
    await writeFile(join(path, 'inside'), 'kept')
    expect(await codeFrom(writeFileAtomic(path, 'new'))).toBe('EISDIR')
    expect(await readdir(directory)).toEqual(['secret'])
    expect(await readFile(join(path, 'inside'), 'utf8')).toBe('kept')
    expect(await codeFrom(writeFileAtomic(join(directory, 'missing', 'file'), 'x'))).toBe('ENOENT')
  })

  it('shows a reader one whole version at any time', async () => {
    const versions = Array.from({ length: 20 }, (_, n) => String(n % 10).repeat(50_000 + n))
    await writeFileAtomic(path, versions[0] ?? '')
    const progress = { writing: true }
    const writer = (async () => {
      for (const version of versions) await writeFileAtomic(path, version)
      progress.writing = false
    })()
    let reads = 0
    while (progress.writing) {
      expect(versions).toContain(await readFile(path, 'utf8'))
      reads++
    }
    await writer
    expect(reads).toBeGreaterThan(0)
  })

  it('of many at once one wins whole', async () => {
    const versions = Array.from({ length: 10 }, (_, n) => String(n).repeat(10_000))
    await Promise.all(versions.map((version) => writeFileAtomic(path, version)))
    expect(versions).toContain(await readFile(path, 'utf8'))
    expect(await readdir(directory)).toEqual(['secret'])
  })
})

describe('makePrivateDirectory', () => {
  it.runIf(existsSync('/proc/self'))('says so where nothing can be made, and returns', async () => {
    await expect(makePrivateDirectory('/proc/holdfast/run')).rejects.toMatchObject({ code: 'ENOENT' })
  })

  it('makes what is missing for the owner only and leaves what exists as it is', async () => {
    const inner = join(directory, 'a', 'b')
    await makePrivateDirectory(inner)
    expect([await modeOf(join(directory, 'a')), await modeOf(inner)]).toEqual([0o700, 0o700])
    await chmod(inner, 0o750)
    await makePrivateDirectory(inner)
    expect(await modeOf(inner)).toBe(0o750)
  })
})
