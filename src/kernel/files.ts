/**
 * Files that are whole or not there: written beside their place, forced to the disk, then renamed onto it.
 * A reader sees the old file or the new one, also after a power failure, never a part of one.
 */
import { randomBytes } from 'node:crypto'
import { mkdirSync, statSync } from 'node:fs'
import { open, rename, rm } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { codeOf } from './errors.ts'

/** Only the owner may read and write it. */
export const privateFile = 0o600
/** Only the owner may enter it. */
export const privateDirectory = 0o700

/**
 * Replaces the file `path` (or makes it) with `data`. Its directory must exist.
 *
 * @param mode - permissions of the new file, exactly: the process's umask does not apply. Default: 0600.
 * @throws the system's error (`ENOSPC`, `EACCES`, …); the old file is then untouched.
 */
export async function writeFileAtomic(path: string, data: string | Uint8Array, mode: number = privateFile): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`)
  try {
    await writeDurably(temporary, data, mode)
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
  await syncDirectory(dirname(path))
}

async function writeDurably(path: string, data: string | Uint8Array, mode: number): Promise<void> {
  const file = await open(path, 'wx', mode)
  try {
    await file.chmod(mode)
    await file.writeFile(data)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** Forces what was created, renamed or removed in the directory to the disk. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } catch (error) {
    // Some file systems cannot sync a directory and say so; they order renames by themselves or not at all.
    if (!['EINVAL', 'ENOTSUP', 'EISDIR', 'EPERM'].includes(codeOf(error) ?? '')) throw error
  } finally {
    await directory.close()
  }
}

/**
 * Makes the directory and those above it, where they are missing. One that exists stays as it is.
 * Not by Node's own `recursive`: it never returns where a directory seems to be missing and cannot be made (below /proc),
 * and says ENOENT for whatever keeps the last one from being made.
 */
export function makeDirectory(path: string, mode: number): void {
  try {
    mkdirSync(path, { mode })
  } catch (error) {
    const code = codeOf(error)
    if (code === 'EEXIST' && statSync(path).isDirectory()) return
    const parent = dirname(path)
    if (code !== 'ENOENT' || parent === path) throw error
    makeDirectory(parent, mode)
    // Somebody else may have made it meanwhile.
    if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) mkdirSync(path, { mode })
  }
}

/** `makeDirectory` for the owner only. */
export function makePrivateDirectory(path: string): Promise<void> {
  return Promise.resolve().then(() => {
    makeDirectory(resolve(path), privateDirectory)
  })
}
