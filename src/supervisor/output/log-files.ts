/**
 * Where the output of instances lies and how it is opened, cut and thrown away.
 *
 *   <logs>/<service>/<id>.stdout.log   .1 .2 .3     the raw output, as the instance wrote it
 *   <logs>/<service>/<id>.stdout.times .1 .2 .3     when which byte was seen (see time-index.ts)
 *
 * Instances write straight into files opened with O_APPEND: never into a pipe, which would break when the control
 * process dies (a piped Node process is killed by EPIPE at its next line), and never through us, who might be slow.
 * Files are therefore cut by copying and truncating; an O_APPEND writer goes on at the new end.
 */
import { makeDirectory } from '../../kernel/files.ts'
import {
  closeSync,
  constants,
  existsSync,
  fchownSync,
  fstatSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  type Stats,
} from 'node:fs'
import { appendFile, copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { minutes, type Duration, type WallTime } from '../../kernel/time.ts'
import type { Output } from '../runtimes/process/process-runtime.ts'

export type LogStream = 'stdout' | 'stderr'
export const logStreams = ['stdout', 'stderr'] as const

export interface LogLimits {
  /** A raw file is cut when it is larger. @default 16 MiB */
  readonly fileBytes: number
  /** Cut pieces kept of each file. @default 3 */
  readonly pieces: number
  /** Of instances that are gone, the output of so many is kept for each service. @default 10 */
  readonly goneInstances: number
  /** And for no longer than this. @default 7 d */
  readonly goneFor: Duration
  /** A file's size limit when the disk is nearly full; nothing is kept of what is cut then. @default 1 MiB */
  readonly lowDiskFileBytes: number
}
export const logLimits: LogLimits = {
  fileBytes: 16 * 1024 * 1024,
  pieces: 3,
  goneInstances: 10,
  goneFor: minutes(7 * 24 * 60),
  lowDiskFileBytes: 1024 * 1024,
}

/** How much of the end of a file is read for the last lines of a process that died. */
const tailBytesMax = 64 * 1024
/** A longer line is cut in a report. */
const tailLineCharsMax = 2_000

export class LogFiles implements Output {
  readonly #directory: string
  readonly #limits: LogLimits
  readonly #onProblem: (error: unknown) => void

  constructor(directory: string, limits: LogLimits, onProblem: (error: unknown) => void) {
    this.#directory = directory
    this.#limits = limits
    this.#onProblem = onProblem
  }

  folder(service: string): string {
    return join(this.#directory, encodeURIComponent(service))
  }

  /** `piece` 0: the file being written; 1: the latest piece cut from it. */
  path(service: string, id: string, stream: LogStream, piece = 0): string {
    return join(this.folder(service), `${encodeURIComponent(id)}.${stream}.log${piece === 0 ? '' : `.${piece}`}`)
  }

  timesPath(service: string, id: string, stream: LogStream, piece = 0): string {
    return join(this.folder(service), `${encodeURIComponent(id)}.${stream}.times${piece === 0 ? '' : `.${piece}`}`)
  }

  open(service: string, id: string, owner?: number): { stdout: number; stderr: number } {
    const stdout = this.#openOne(service, id, 'stdout', owner)
    try {
      return { stdout, stderr: this.#openOne(service, id, 'stderr', owner) }
    } catch (error) {
      closeSync(stdout)
      throw error
    }
  }

  /** A service must not fail because its output cannot be kept. */
  #openOne(service: string, id: string, stream: LogStream, owner: number | undefined): number {
    try {
      makeDirectory(this.folder(service), 0o750)
      const file = openSync(this.path(service, id, stream), constants.O_APPEND | constants.O_CREAT | constants.O_WRONLY, 0o640)
      if (owner !== undefined) this.#give(file, owner)
      return file
    } catch (error) {
      this.#onProblem(error)
      return openSync('/dev/null', 'a')
    }
  }

  /** A program that opens /dev/stdout anew can do so only when the file behind it is its own. Most never do. */
  #give(file: number, owner: number): void {
    const sameGroup = -1
    try {
      fchownSync(file, owner, sameGroup)
    } catch (error) {
      this.#onProblem(error)
    }
  }

  stderrTail(service: string, id: string, lines: number): readonly string[] {
    const end = tailOf(this.path(service, id, 'stderr'))
    const found = end.length >= lines ? end : [...tailOf(this.path(service, id, 'stderr', 1)), ...end]
    return found.slice(-lines)
  }

  /** Empties the file; what was in it becomes its piece 1 if `keep`. `beforeEmptying`: the last moment to read it. */
  async cut(service: string, id: string, stream: LogStream, keep: boolean, beforeEmptying: () => void = () => undefined): Promise<void> {
    const live = this.path(service, id, stream)
    const kept = keep && (await this.#copyToPiece(service, id, stream, live))
    beforeEmptying()
    truncateSync(live)
    if (kept) this.#shift((piece) => this.timesPath(service, id, stream, piece))
    else rmSync(this.timesPath(service, id, stream), { force: true })
  }

  /** What is written while the copy runs is appended to it; only what comes between the last read and the truncation is lost. */
  async #copyToPiece(service: string, id: string, stream: LogStream, live: string): Promise<boolean> {
    const piece = this.path(service, id, stream, 1)
    const next = `${piece}.new`
    try {
      await copyFile(live, next)
      const copied = statSync(next).size
      const rest = readRange(live, copied, this.#limits.fileBytes)
      if (rest.length > 0) await appendFile(next, rest)
      this.#shift((number) => (number === 0 ? next : this.path(service, id, stream, number)))
      return true
    } catch (error) {
      rmSync(next, { force: true })
      this.#onProblem(error)
      return false
    }
  }

  #shift(path: (piece: number) => string): void {
    for (let piece = this.#limits.pieces - 1; piece >= 0; piece--) {
      if (existsSync(path(piece))) renameSync(path(piece), path(piece + 1))
    }
  }

  /** Ids of all instances that have files, the latest written first. */
  instances(service: string): readonly { readonly id: string; readonly writtenAt: number }[] {
    const writtenAt = new Map<string, number>()
    for (const name of listNames(this.folder(service))) {
      const id = /^(.+)\.(?:stdout|stderr)\.log$/.exec(name)?.[1]
      if (id === undefined) continue
      const at = statIfThere(join(this.folder(service), name))?.mtimeMs ?? 0
      writtenAt.set(decodeURIComponent(id), Math.max(at, writtenAt.get(decodeURIComponent(id)) ?? 0))
    }
    return [...writtenAt].map(([id, at]) => ({ id, writtenAt: at })).sort((a, b) => b.writtenAt - a.writtenAt)
  }

  /** Throws away the output of instances that went long ago. */
  prune(service: string, isLive: (id: string) => boolean, now: WallTime): void {
    const gone = this.instances(service).filter(({ id }) => !isLive(id))
    const old = gone.filter(({ writtenAt }, i) => i >= this.#limits.goneInstances || now - writtenAt > this.#limits.goneFor)
    const names = old.length > 0 ? listNames(this.folder(service)) : []
    for (const { id } of old) {
      const prefix = `${encodeURIComponent(id)}.`
      for (const name of names) if (name.startsWith(prefix)) rmSync(join(this.folder(service), name), { force: true })
    }
  }

  /** Names of services that have output. */
  services(): readonly string[] {
    return listNames(this.#directory).map(decodeURIComponent)
  }
}

/** undefined: there is no such file. */
export function statIfThere(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false })
  } catch {
    // A folder on the way is missing, closed or no folder: then there is no such file either.
    return undefined
  }
}

function listNames(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    // Nothing has been written there yet.
    return []
  }
}

/** The last lines of a file, oldest first; none when there is no such file. */
function tailOf(path: string): string[] {
  const size = statIfThere(path)?.size ?? 0
  const text = readRange(path, Math.max(0, size - tailBytesMax), tailBytesMax).toString('utf8')
  const lines = text.split('\n').map((line) => line.replace(/\r$/, '').slice(0, tailLineCharsMax))
  if (lines.at(-1) === '') lines.pop()
  if (size > tailBytesMax) lines.shift()
  return lines
}

/** The bytes from `start` to the end, at most `bytesMax`; none when they cannot be read. */
export function readRange(path: string, start: number, bytesMax: number): Buffer {
  let descriptor: number
  try {
    descriptor = openSync(path, 'r')
  } catch {
    // It has been thrown away or was never written.
    return Buffer.alloc(0)
  }
  try {
    const length = Math.max(0, Math.min(bytesMax, fstatSync(descriptor).size - start))
    const buffer = Buffer.alloc(length)
    return buffer.subarray(0, readSync(descriptor, buffer, 0, length, start))
  } finally {
    closeSync(descriptor)
  }
}
