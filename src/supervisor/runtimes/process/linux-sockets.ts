/** Which process listens where, from `/proc` (proc(5)). */
import { readFileSync } from 'node:fs'
import { readdir, readlink } from 'node:fs/promises'

/** `socket:[12345]` behind the descriptors of a process. */
export async function socketsOf(pid: number): Promise<string[]> {
  const sockets: string[] = []
  try {
    for (const descriptor of await readdir(`/proc/${pid}/fd`)) {
      const socket = /^socket:\[(\d+)\]$/.exec(await readlink(`/proc/${pid}/fd/${descriptor}`))?.[1]
      if (socket !== undefined) sockets.push(socket)
    }
  } catch {
    // It ended while we looked: what it had is gone with it.
  }
  return sockets
}

/** Rows of /proc/net/tcp{,6} in state 0A, LISTEN. */
export function* listeners(): Generator<{ readonly port: number; readonly socket: string }> {
  for (const path of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const line of readTable(path).split('\n').slice(1)) {
      const fields = line.trim().split(/\s+/)
      if (fields[3] !== '0A') continue
      yield { port: parseInt(fields[1]?.split(':')[1] ?? '', 16), socket: fields[9] ?? '' }
    }
  }
}

function readTable(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    // A system without IPv6, or without a descriptor that is free: nothing is known then.
    return ''
  }
}
