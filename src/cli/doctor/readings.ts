/** Reads this machine. Each answers a question with a value, never with a throw, since a doctor must get to the end. */
import { accessSync, constants, readFileSync, rmSync, statfsSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import path from 'node:path'
import { codeOf, messageOf } from '../../kernel/errors.ts'
import { makeDirectory } from '../../kernel/files.ts'

/** The soft limit of this process; Node raises it to the hard one when it starts. */
export function openFilesLimit(): number | undefined {
  const match = /^Max open files\s+(\S+)/m.exec(readOrNothing('/proc/self/limits'))
  if (match?.[1] === undefined) return undefined
  return match[1] === 'unlimited' ? Infinity : Number(match[1])
}

/** Whether other processes can be seen, which adoption and readings need. */
export function procReadable(): boolean {
  return readOrNothing(`/proc/${process.ppid}/stat`) !== '' && readOrNothing('/proc/stat') !== ''
}

export type DirectoryReading = { readonly freeBytes: number; readonly fileTime: number } | { readonly error: string }

/** Makes the directory when it is missing, writes a file into it, and takes away again what it has made. */
export function tryDirectory(directory: string): DirectoryReading {
  const made = firstMissing(directory)
  const probe = path.join(directory, `.doctor-${process.pid}`)
  try {
    makeDirectory(path.resolve(directory), 0o700)
    writeFileSync(probe, 'holdfast doctor\n')
    const fileTime = statSync(probe).mtimeMs
    const { bavail, bsize } = statfsSync(directory)
    return { freeBytes: bavail * bsize, fileTime }
  } catch (thrown) {
    return { error: messageOf(thrown) }
  } finally {
    rmSync(probe, { force: true })
    if (made !== undefined) rmSync(made, { recursive: true, force: true })
  }
}

/** The topmost directory of a path that is not there yet. */
function firstMissing(directory: string): string | undefined {
  if (statSync(directory, { throwIfNoEntry: false })) return undefined
  const parent = path.dirname(directory)
  return parent === directory ? undefined : (firstMissing(parent) ?? directory)
}

/** Listens for a moment. */
export function tryPort(host: string, port: number): Promise<'free' | { readonly code: string; readonly message: string }> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', (error) => {
      resolve({ code: codeOf(error) ?? '', message: error.message })
    })
    server.listen({ host, port, exclusive: true }, () => {
      server.close(() => {
        resolve('free')
      })
    })
  })
}

/** Whether a shell would find the program. */
export function programExists(word: string, cwd: string, searchPath: string): boolean {
  const places = word.includes('/') ? [path.resolve(cwd, word)] : searchPath.split(path.delimiter).map((directory) => path.join(directory, word))
  return places.some((place) => {
    try {
      accessSync(place, constants.X_OK)
      return statSync(place).isFile()
    } catch {
      return false
    }
  })
}

function readOrNothing(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
