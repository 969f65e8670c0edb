/** What can be asked of the processes of this machine. `/proc` answers all of it, `ps` the most necessary. */
import { existsSync } from 'node:fs'
import type { ProcessIdentity } from '../../../registry/types.ts'
import { LinuxProcessTable } from './linux-process-table.ts'
import { PortableProcessTable } from './portable-process-table.ts'

export interface ProcessTable {
  /** Names the process beyond doubt; undefined: there is none, or it is a zombie. */
  identify(pid: number): ProcessIdentity | undefined
  /** Whether any process of the group lives; zombies do not. */
  groupLives(group: number): boolean
  /** Processes whose environment, as it was when they were started, satisfies `wanted`. */
  marked(wanted: (environment: ReadonlyMap<string, string>) => boolean): Promise<readonly FoundProcess[]>
  /** Ports on which processes of the group listen; undefined: cannot be told here. */
  listening(group: number): Promise<readonly number[] | undefined>
  /** Sockets that listen on the port, by number; empty where it cannot be told. */
  listenersOn(port: number): ReadonlySet<string>
  /** Who listens on the port; `likely` is looked at first, and is the whole answer if it does. Empty where it cannot be told. */
  holders(port: number, likely: number): Promise<readonly Holder[]>
  /** How many processes the kernel has killed for want of memory since it booted; undefined: cannot be told here. */
  oomKills(): number | undefined
  /** Processor time and memory of each group; empty where it cannot be told. */
  usage(groups: ReadonlySet<number>): ReadonlyMap<number, GroupUsage>
}

export interface FoundProcess {
  readonly identity: ProcessIdentity
  /** It leads its process group. */
  readonly leader: boolean
  readonly environment: ReadonlyMap<string, string>
}

/** A process that has a listening socket. */
export interface Holder {
  readonly pid: number
  readonly group: number
  readonly startTicks: number
  readonly environment: ReadonlyMap<string, string>
}

export interface GroupUsage {
  /** Processor time of each process, in milliseconds, by pid and start. */
  readonly cpuMs: ReadonlyMap<string, number>
  readonly memoryBytes: number
}

export const isSameProcess = (a: ProcessIdentity, b: ProcessIdentity): boolean =>
  a.pid === b.pid && a.startTicks === b.startTicks && a.bootId === b.bootId

export function systemProcessTable(): ProcessTable {
  return existsSync('/proc/self/stat') ? new LinuxProcessTable() : new PortableProcessTable()
}
