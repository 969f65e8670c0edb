/**
 * `<data>/run/control.json`: how the CLI finds the control process of a data directory. The control process
 * writes it (mode 0600, atomically) once its API listens, and removes it when it has stopped.
 * A file whose process is gone is a leftover of a kill; the reader has to look.
 */
import { readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import { codeOf, HoldfastError } from '../kernel/errors.ts'

export interface ControlFile {
  /** Where the API listens: `http://127.0.0.1:3006`. */
  readonly url: string
  /** An admin credential for this machine's CLI. */
  readonly token: string
  readonly pid: number
  /** Field 22 of /proc/PID/stat, so that a reused pid is not taken for it. */
  readonly startTicks?: number
  /** Absolute path of the configuration it runs from. */
  readonly configFile?: string
}

export function runDirectory(dataDir: string): string {
  return path.join(dataDir, 'run')
}

export function controlFilePath(dataDir: string): string {
  return path.join(runDirectory(dataDir), 'control.json')
}

/** One that cannot be removed stays: it names a process that is gone, and readers look. */
export function removeControlFile(dataDir: string): void {
  try {
    rmSync(controlFilePath(dataDir), { force: true })
  } catch {
    // Such as a directory in its place, which is not ours.
  }
}

/** undefined when there is none. Throws `control_file_unreadable` when there is one that cannot be read or understood. */
export function readControlFile(dataDir: string): ControlFile | undefined {
  const file = controlFilePath(dataDir)
  let value: unknown
  try {
    value = JSON.parse(readFileSync(file, 'utf8'))
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT' || codeOf(cause) === 'ENOTDIR') return undefined
    throw new HoldfastError('control_file_unreadable', `could not read ${file}`, {
      cause,
      hint: codeOf(cause) === 'EACCES' ? 'run as the user that started holdfast, or give --url and --token' : 'remove it if holdfast is not running',
    })
  }
  if (isControlFile(value)) return value
  throw new HoldfastError('control_file_unreadable', `could not understand ${file}: url, token and pid are expected`, {
    hint: 'remove it if holdfast is not running',
  })
}

function isControlFile(value: unknown): value is ControlFile {
  if (typeof value !== 'object' || value === null) return false
  const { url, token, pid, startTicks, configFile } = value as Record<string, unknown>
  return (
    typeof url === 'string' &&
    URL.canParse(url) &&
    typeof token === 'string' &&
    Number.isSafeInteger(pid) &&
    (pid as number) > 0 &&
    (startTicks === undefined || typeof startTicks === 'number') &&
    (configFile === undefined || typeof configFile === 'string')
  )
}
