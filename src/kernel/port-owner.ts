/** Who listens on a port of this machine, as far as `/proc` (proc(5)) tells: processes of other users keep their sockets to themselves. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

export interface PortOwner {
  readonly pid: number
  /** `python3 -m http.server 8080`, cut where it is long. */
  readonly command: string
}

const commandCharactersMax = 80
/** The state LISTEN. */
const listening = '0A'

/** undefined: nobody, or nobody that can be seen. */
export function ownerOfPort(port: number): PortOwner | undefined {
  const sockets = listenersOn(port)
  if (sockets.size === 0) return undefined
  for (const entry of entriesOf('/proc')) {
    if (!/^\d+$/.test(entry) || !holdsOneOf(entry, sockets)) continue
    return { pid: Number(entry), command: commandOf(entry) }
  }
  return undefined
}

/** `pid 4242 (python3 -m http.server)`. */
export const describeOwner = ({ pid, command }: PortOwner): string => (command === '' ? `pid ${pid}` : `pid ${pid} (${command})`)

/** `socket:[12345]` of each. */
function listenersOn(port: number): ReadonlySet<string> {
  const rows = ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((table) => textOf(table).split('\n').slice(1))
  const fields = rows.map((row) => row.trim().split(/\s+/))
  const found = fields.filter(([, local = '', , state]) => state === listening && parseInt(local.split(':')[1] ?? '', 16) === port)
  return new Set(found.map((row) => `socket:[${row[9] ?? ''}]`))
}

function holdsOneOf(pid: string, sockets: ReadonlySet<string>): boolean {
  return entriesOf(`/proc/${pid}/fd`).some((descriptor) => sockets.has(linkOf(`/proc/${pid}/fd/${descriptor}`)))
}

/** Without control characters: a process chooses its own words. */
function commandOf(pid: string): string {
  const words = textOf(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim() || textOf(`/proc/${pid}/comm`).trim()
  const clean = words.replace(/\p{Cc}/gu, ' ')
  return clean.length > commandCharactersMax ? `${clean.slice(0, commandCharactersMax)}…` : clean
}

// A process may end while it is looked at, and those of others may not be looked at: then there is nothing to see.

function entriesOf(directory: string): readonly string[] {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

function linkOf(link: string): string {
  try {
    return readlinkSync(link)
  } catch {
    return ''
  }
}
