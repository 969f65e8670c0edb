/**
 * `control.log`: what a control process that runs in the background says. Its file is its stdout and stderr, so it cannot be renamed away
 * while it runs: what is too long is copied to `control.log.1`, and the file begins anew.
 */
import { closeSync, copyFileSync, fstatSync, openSync, readSync, renameSync, statSync, truncateSync } from 'node:fs'
import path from 'node:path'
import { HoldfastError } from '../kernel/errors.ts'
import { makeDirectory } from '../kernel/files.ts'

/** Larger than this it is set aside, once: so much again is kept. */
export const controlLogBytesMax = 4_194_304
/** How many things are said between two looks at its size. */
const sayingsPerLook = 100
const tailBytes = 8_192

export const controlLogFile = (logDirectory: string): string => path.join(logDirectory, 'control.log')

export interface LogPart {
  readonly file: string
  /** Where this start's words begin. */
  readonly offset: number
}

/** For a new control process to write to. Throws `log_unwritable`. */
export function openControlLog(file: string): { readonly fd: number; readonly offset: number } {
  try {
    makeDirectory(path.dirname(file), 0o750)
    const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0
    if (size > controlLogBytesMax) renameSync(file, `${file}.1`)
    const fd = openSync(file, 'a', 0o600)
    return { fd, offset: fstatSync(fd).size }
  } catch (cause) {
    throw new HoldfastError('log_unwritable', `opening ${file} failed`, {
      cause,
      hint: 'check the permissions of its directory, or choose another one under data or log.directory',
    })
  }
}

/** The last lines written since `offset`. */
export function tailOf({ file, offset }: LogPart): string[] {
  const fd = openSync(file, 'r')
  try {
    const { size } = fstatSync(fd)
    const from = Math.max(offset, size - tailBytes)
    const buffer = Buffer.alloc(Math.max(0, size - from))
    const read = readSync(fd, buffer, 0, buffer.length, from)
    return buffer
      .toString('utf8', 0, read)
      .split('\n')
      .filter((line) => line !== '')
  } finally {
    closeSync(fd)
  }
}

/** To be called after each thing said: keeps the file short when `stdout` (a descriptor) is this very file. */
export function keepShort(file: string, stdout: number, bytesMax = controlLogBytesMax): () => void {
  if (!isSameFile(file, stdout)) return () => undefined
  let sayings = 0
  return () => {
    sayings += 1
    if (sayings % sayingsPerLook !== 0 || fstatSync(stdout).size <= bytesMax || !isSameFile(file, stdout)) return
    copyFileSync(file, `${file}.1`)
    truncateSync(file)
  }
}

function isSameFile(file: string, descriptor: number): boolean {
  const named = statSync(file, { throwIfNoEntry: false })
  const open = fstatSync(descriptor)
  return named?.ino === open.ino && named.dev === open.dev
}
