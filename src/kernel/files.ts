/**
 * Files that are whole or not there: written beside their place, forced to the disk, then renamed onto it.
 * A reader sees the old file or the new one, also after a power failure, never a part of one.
 */
import { randomBytes } from 'node:crypto'
import { mkdir, open, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
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

/** Makes the directory and those above it, where they are missing, for the owner only. One that exists stays as it is. */
export async function makePrivateDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: privateDirectory })
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error
    // Node says ENOENT here for what keeps the last one from being made, such as EROFS; asked for that one alone, it says which.
    await mkdir(path, { mode: privateDirectory })
  }
}
