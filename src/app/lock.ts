/**
 * One control process per data directory. The lock is a file that names its owner beyond doubt (pid and start time of
 * the pid); the lock of a process that is gone is taken over.
 *
 *   nobody's ──link──▶ held ──unlock──▶ nobody's
 *                       └──owner dies──▶ stale ──rename, holding the lock of its breaking──▶ held
 *
 * The file is written under another name and linked to its place, so it is never there without its owner's name. A stale
 * one is replaced only by whoever holds `….break`, a lock of the same kind: between two that have read the same stale
 * lock, the slower would otherwise take away the new one of the faster.
 */
import { randomBytes } from 'node:crypto'
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { codeOf, HoldfastError } from '../kernel/errors.ts'
import { makePrivateDirectory, privateFile } from '../kernel/files.ts'
import { isAlive, startTicksOf } from '../kernel/process-identity.ts'
import { runDirectory } from './control-file.ts'

interface Owner {
  readonly pid: number
  readonly startTicks: number | undefined
}

/** How often a lock that vanishes while it is looked at is tried again. */
const attemptsMax = 10
/** A breaking that died half-way is itself broken, and so on: so many deep. */
const breakingDepthMax = 3

/** Takes the lock; the returned function gives it back. Rejects with `already_running`, or `data_unwritable`. */
export async function lockDataDirectory(dataDir: string): Promise<() => void> {
  const directory = runDirectory(dataDir)
  const path = join(directory, 'control.lock')
  try {
    await makePrivateDirectory(dataDir)
    await makePrivateDirectory(directory)
    const me = describeMe()
    if (!acquire(path, me, 0)) throw alreadyRunning(dataDir, holderOf(path))
    return () => {
      release(path, me)
    }
  } catch (cause) {
    if (cause instanceof HoldfastError) throw cause
    throw unwritable(dataDir, cause)
  }
}

function describeMe(): string {
  const me: Owner = { pid: process.pid, startTicks: startTicksOf(process.pid) }
  return JSON.stringify(me)
}

/** Whether it is ours now; if not, somebody who lives holds it, or is about to. */
function acquire(path: string, me: string, depth: number): boolean {
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    if (put(path, me)) return true
    const content = readLock(path)
    if (content === undefined) continue
    if (!isStale(content) || depth === breakingDepthMax) return false
    const breaking = `${path}.break`
    if (!acquire(breaking, me, depth + 1)) return false
    // Only we may replace a stale one now; it may have been replaced before.
    const now = readLock(path)
    if (now !== undefined && isStale(now)) {
      renameSync(breaking, path)
      return true
    }
    release(breaking, me)
  }
  return false
}

/** False when there is one already. */
function put(path: string, me: string): boolean {
  const draft = `${path}.${process.pid}-${randomBytes(6).toString('hex')}`
  try {
    writeFileSync(draft, me, { flag: 'wx', mode: privateFile })
    linkSync(draft, path)
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  } finally {
    rmSync(draft, { force: true })
  }
}

/** Leaves one that is not ours where it is: somebody has removed ours by hand, and another one runs. */
function release(path: string, me: string): void {
  if (readLock(path) === me) rmSync(path, { force: true })
}

/** undefined: there is none. */
function readLock(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

/** What names nobody was left by a crash of the machine. */
function isStale(content: string): boolean {
  const owner = ownerIn(content)
  return !owner || !isAlive(owner.pid, owner.startTicks)
}

/** undefined: it has just gone, or somebody is taking it over. */
function holderOf(path: string): number | undefined {
  const content = readLock(path)
  return content === undefined || isStale(content) ? undefined : ownerIn(content)?.pid
}

function ownerIn(content: string): Owner | undefined {
  try {
    const { pid, startTicks } = JSON.parse(content) as Partial<Owner>
    return typeof pid === 'number' && Number.isSafeInteger(pid) && pid > 0 ? { pid, startTicks } : undefined
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
