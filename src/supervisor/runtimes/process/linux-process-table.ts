/** Reads `/proc` (proc(5)). A process may end between two reads, so every read may find nothing. */
import { readdirSync, readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import type { ProcessIdentity } from '../../../registry/types.ts'
import { codeOf } from '../../../kernel/errors.ts'
import { listeners, socketsOf } from './linux-sockets.ts'
import type { FoundProcess, GroupUsage, Holder, ProcessTable } from './process-table.ts'

/** The fields of /proc/PID/stat that we use. */
interface Stat {
  readonly pid: number
  readonly state: string
  readonly group: number
  readonly cpuTicks: number
  readonly startTicks: number
  readonly memoryPages: number
}

/** USER_HZ, which the kernel's interface fixes at 100 on every architecture that Node runs on. */
const ticksPerSecond = 100
/** How many environments are read at the same time. */
const readsAtOnce = 16

export class LinuxProcessTable implements ProcessTable {
  #bootId: string | undefined
  #pageBytes: number | undefined
  /** Processes known to belong to other groups, so that a reading need not look at them again. */
  #foreign = new Map<number, number>()

  identify(pid: number): ProcessIdentity | undefined {
    const stat = readStat(pid)
    if (!stat || isZombie(stat)) return undefined
    this.#bootId ??= readNow('/proc/sys/kernel/random/boot_id')?.trim() ?? ''
    return { pid, startTicks: stat.startTicks, bootId: this.#bootId }
  }

  groupLives(group: number): boolean {
    if (!groupExists(group)) return false
    return livePids().some((pid) => {
      const stat = readStat(pid)
      return stat?.group === group && !isZombie(stat)
    })
  }

  async marked(wanted: (environment: ReadonlyMap<string, string>) => boolean): Promise<readonly FoundProcess[]> {
    const waiting = livePids().filter((pid) => pid !== process.pid)
    const found: FoundProcess[] = []
    const look = async (): Promise<void> => {
      for (let pid = waiting.pop(); pid !== undefined; pid = waiting.pop()) {
        const environment = parseEnvironment(await readLater(`/proc/${pid}/environ`))
        if (!wanted(environment)) continue
        const identity = this.identify(pid)
        if (identity) found.push({ identity, leader: readStat(pid)?.group === pid, environment })
      }
    }
    await Promise.all(Array.from({ length: readsAtOnce }, look))
    return found
  }

  async listening(group: number): Promise<readonly number[]> {
    const members = livePids().filter((pid) => readStat(pid)?.group === group)
    const own = new Set<string>()
    for (const pid of members) for (const socket of await socketsOf(pid)) own.add(socket)
    const ports = new Set<number>()
    for (const { port, socket } of listeners()) if (own.has(socket)) ports.add(port)
    return [...ports].sort((a, b) => a - b)
  }

  listenersOn(port: number): ReadonlySet<string> {
    return new Set([...listeners()].filter((listener) => listener.port === port).map(({ socket }) => socket))
  }

  async holders(port: number, likely: number): Promise<readonly Holder[]> {
    const sockets = this.listenersOn(port)
    if (sockets.size === 0) return []
    const holds = async (pid: number): Promise<boolean> => (await socketsOf(pid)).some((socket) => sockets.has(socket))
    if (await holds(likely)) return holderOf(likely, new Map())
    const holders: Holder[] = []
    for (const pid of livePids()) if (await holds(pid)) holders.push(...holderOf(pid, parseEnvironment(await readLater(`/proc/${pid}/environ`))))
    return holders
  }

  oomKills(): number | undefined {
    const count = readNow('/proc/vmstat')?.match(/^oom_kill (\d+)$/m)?.[1]
    return count === undefined ? undefined : Number(count)
  }

  usage(groups: ReadonlySet<number>): ReadonlyMap<number, GroupUsage> {
    const sums = new Map<number, { cpuMs: Map<string, number>; memoryBytes: number }>()
    const foreign = new Map<number, number>()
    for (const pid of livePids()) {
      const skip = this.#foreign.get(pid) ?? 0
      if (skip > 0) {
        foreign.set(pid, skip - 1)
        continue
      }
      const stat = readStat(pid)
      if (!stat || isZombie(stat)) continue
      if (!groups.has(stat.group)) {
        foreign.set(pid, foreignReadings)
        continue
      }
      const sum = sums.get(stat.group) ?? { cpuMs: new Map<string, number>(), memoryBytes: 0 }
      sum.cpuMs.set(`${pid}/${stat.startTicks}`, (stat.cpuTicks * 1000) / ticksPerSecond)
      sum.memoryBytes += stat.memoryPages * (this.#pageBytes ??= readPageBytes())
      sums.set(stat.group, sum)
    }
    this.#foreign = foreign
    return sums
  }
}

/** A process of another group is looked at again after so many readings: its pid may have come to one of ours. */
const foreignReadings = 15

const isZombie = ({ state }: Stat): boolean => state === 'Z' || state === 'X'

function livePids(): number[] {
  try {
    return readdirSync('/proc')
      .map(Number)
      .filter((pid) => Number.isInteger(pid) && pid > 0)
  } catch {
    // No descriptor is free in this moment: the next look will tell.
    return []
  }
}

function readNow(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    // The process has ended, or is not ours to look at: the same as not being there.
    return undefined
  }
}

async function readLater(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch {
    // As above.
    return ''
  }
}

/** The name in field 2 may hold spaces and brackets, so the count begins behind its last bracket, with field 3. */
function readStat(pid: number): Stat | undefined {
  const text = readNow(`/proc/${pid}/stat`)
  if (text === undefined) return undefined
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const field = (number: number): number => Number(fields[number - 3])
  return {
    pid,
    state: fields[0] ?? '',
    group: field(5),
    cpuTicks: field(14) + field(15),
    startTicks: field(22),
    memoryPages: field(24),
  }
}

/** None: it has just ended. */
function holderOf(pid: number, environment: ReadonlyMap<string, string>): readonly Holder[] {
  const stat = readStat(pid)
  return stat ? [{ pid, group: stat.group, startTicks: stat.startTicks, environment }] : []
}

function parseEnvironment(text: string): ReadonlyMap<string, string> {
  const environment = new Map<string, string>()
  for (const entry of text.split('\0')) {
    const equals = entry.indexOf('=')
    if (equals > 0) environment.set(entry.slice(0, equals), entry.slice(equals + 1))
  }
  return environment
}

/** The group has members, zombies among them. */
export function groupExists(group: number): boolean {
  try {
    process.kill(-group, 0)
    return true
  } catch (error) {
    return codeOf(error) === 'EPERM'
  }
}

/** AT_PAGESZ of the auxiliary vector (getauxval(3)): pairs of native words. */
function readPageBytes(): number {
  const atPageSize = 6n
  try {
    const vector = readFileSync('/proc/self/auxv')
    for (let offset = 0; offset + 16 <= vector.length; offset += 16) {
      if (vector.readBigUInt64LE(offset) === atPageSize) return Number(vector.readBigUInt64LE(offset + 8))
    }
  } catch {
    // Not readable in this sandbox: nearly every machine has pages of this size.
  }
  return 4096
}
