/**
 * One control process per data directory. The lock is a file that names its owner beyond doubt (pid and start time of
 * the pid); the lock of a process that is gone is taken over.
 */
import { closeSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { codeOf, HoldfastError } from '../kernel/errors.ts'
import { makePrivateDirectory } from '../kernel/files.ts'
import { isAlive, startTicksOf } from '../kernel/process-identity.ts'
import { runDirectory } from './control-file.ts'

interface Owner {
  readonly pid: number
  readonly startTicks: number | undefined
}

/** Takes the lock; the returned function gives it back. Rejects with `already_running`, or `data_unwritable`. */
export async function lockDataDirectory(dataDir: string): Promise<() => void> {
  const directory = runDirectory(dataDir)
  const path = join(directory, 'control.lock')
  try {
    await makePrivateDirectory(dataDir)
    await makePrivateDirectory(directory)
    for (let attempt = 0; attempt < 3; attempt++) {
      if (tryLock(path)) {
        return () => {
          rmSync(path, { force: true })
        }
      }
      const owner = readOwner(path)
      if (owner && isAlive(owner.pid, owner.startTicks)) throw alreadyRunning(dataDir, owner.pid)
      // Renamed first: of two that find the same stale lock, only one can take it away.
      const stale = `${path}.${process.pid}`
      try {
        renameSync(path, stale)
        rmSync(stale, { force: true })
      } catch (error) {
        if (codeOf(error) !== 'ENOENT') throw error
      }
    }
  } catch (cause) {
    if (cause instanceof HoldfastError) throw cause
    throw unwritable(dataDir, cause)
  }
  throw alreadyRunning(dataDir, undefined)
}

function tryLock(path: string): boolean {
  const owner: Owner = { pid: process.pid, startTicks: startTicksOf(process.pid) }
  try {
    const file = openSync(path, 'wx', 0o600)
    try {
      writeSync(file, JSON.stringify(owner))
    } finally {
      closeSync(file)
    }
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    rmSync(path, { force: true })
    throw error
  }
}

function readOwner(path: string): Owner | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Owner
  } catch {
    return undefined
  }
}

function unwritable(dataDir: string, cause: unknown): HoldfastError {
  const code = codeOf(cause) ?? ''
  const isFull = code === 'ENOSPC' || code === 'EDQUOT'
  const mend =
    code === 'EROFS'
      ? 'its file system is read-only: mount it for writing'
      : code === 'EEXIST' || code === 'ENOTDIR'
        ? 'something that is no directory is in its place: move it away'
        : 'let the user that runs holdfast write to it'
  return new HoldfastError(isFull ? 'disk_full' : 'data_unwritable', `writing to the data directory ${dataDir} failed`, {
    cause,
    hint: isFull ? 'make room on its disk' : `${mend}, or choose another one under data`,
  })
}

function alreadyRunning(dataDir: string, pid: number | undefined): HoldfastError {
  return new HoldfastError(
    'already_running',
    `the data directory ${dataDir} is in use by ${pid === undefined ? 'another control process' : `pid ${pid}`}`,
    {
      hint: 'use its "holdfast" commands, stop it with "holdfast down", or give this one another directory under data',
    },
  )
}
