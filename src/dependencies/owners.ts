/**
 * Which service holds a socket: looked up among the processes of instances only, by their open descriptors (proc(5)). A look costs one directory for each of their
 * processes and one link for each descriptor; so many links at most, and the next look goes on where this one has stopped.
 */
import { readdir, readFile, readlink } from 'node:fs/promises'

/** Links read in one look. */
const linksMax = 4_000
/** Processes of one instance that are looked at. */
const processesMax = 64
/** Owners that are remembered; those of sockets that are gone go with the next look that does not find them. */
const rememberedMax = 20_000

export interface RunningInstance {
  readonly service: string
  /** Of its first process. */
  readonly pid: number
}

export class SocketOwners {
  /** By inode. */
  readonly #owners = new Map<string, string>()
  #next = 0

  /** undefined: not known to belong to an instance. */
  ownerOf(inode: string): string | undefined {
    return this.#owners.get(inode)
  }

  /** Looks for the owners of these sockets; stops when it has them all. */
  async find(inodes: ReadonlySet<string>, instances: readonly RunningInstance[]): Promise<void> {
    const missing = new Set([...inodes].filter((inode) => !this.#owners.has(inode)))
    let links = 0
    for (let looked = 0; looked < instances.length && missing.size > 0 && links < linksMax; looked++) {
      const { service, pid } = instances[this.#next++ % instances.length]!
      for (const member of await familyOf(pid)) {
        for (const inode of await socketsOf(member, () => {
          links++
        })) {
          missing.delete(inode)
          this.#owners.set(inode, service)
        }
      }
    }
    if (this.#owners.size > rememberedMax) this.#owners.clear()
  }

  /** Only of sockets that are still there: numbers are used again. */
  retain(inodes: ReadonlySet<string>): void {
    for (const inode of this.#owners.keys()) if (!inodes.has(inode)) this.#owners.delete(inode)
  }
}

/** The process and its descendants, as far as they were started by main threads. */
async function familyOf(pid: number): Promise<readonly number[]> {
  const family = [pid]
  for (let index = 0; index < family.length && family.length < processesMax; index++) {
    const children = await textOf(`/proc/${family[index]!}/task/${family[index]!}/children`)
    family.push(...children.split(' ').filter(Boolean).map(Number))
  }
  return family
}

async function socketsOf(pid: number, onLink: () => void): Promise<readonly string[]> {
  const sockets: string[] = []
  try {
    for (const descriptor of await readdir(`/proc/${pid}/fd`)) {
      onLink()
      const inode = /^socket:\[(\d+)\]$/.exec(await readlink(`/proc/${pid}/fd/${descriptor}`).catch(() => ''))?.[1]
      if (inode !== undefined) sockets.push(inode)
    }
  } catch {
    // It has ended, or belongs to somebody whose descriptors may not be seen: nothing is known of it then.
  }
  return sockets
}

/** Empty: there is no such file (any more). */
export async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch {
    return ''
  }
}
