/**
 * This machine, as checks of it see it: memory, cores, load, interfaces, processes and connections. What is dear to read (all processes, all connections) is read once
 * for all checks that ask within a second.
 */
import { readFileSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { availableParallelism, cpus, freemem, loadavg, totalmem } from 'node:os'
import { elapsed, ms, seconds, sleep, type Clock, type Instant } from '../../kernel/time.ts'
import { connectionsIn, devicesIn, memoryIn, type DeviceCounts } from './proc-text.ts'

export interface ProcessEntry {
  readonly pid: number
  /** The program's name, at most 15 characters. Source: proc(5), `comm`. */
  readonly name: string
  /** Its arguments, separated by spaces; of a kernel thread: empty. */
  readonly command: string
}

/** What was read within this time is read again only for those who ask later. */
const freshFor = seconds(1)
/** Files of /proc that are read at the same time. */
const readsMax = 64

export class MachineView {
  readonly #clock: Clock
  #processes: { readonly at: Instant; readonly list: Promise<readonly ProcessEntry[]> } | undefined
  #connections: { readonly at: Instant; readonly ports: Promise<ReadonlyMap<number, number>> } | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Percent that is not available. */
  memory(): number {
    try {
      const { total, available } = memoryIn(readFileSync('/proc/meminfo', 'utf8'))
      return (100 * (total - available)) / total
    } catch {
      // Where there is no /proc, what is free is the nearest to it.
      return (100 * (totalmem() - freemem())) / totalmem()
    }
  }

  /** Load average of a minute, by core. */
  load(): number {
    return (loadavg()[0] ?? 0) / availableParallelism()
  }

  cpuTimes(): { readonly busy: number; readonly total: number } {
    let [busy, total] = [0, 0]
    for (const { times } of cpus()) {
      const { user, nice, sys, idle, irq } = times
      busy += user + nice + sys + irq
      total += user + nice + sys + irq + idle
    }
    return { busy, total }
  }

  async devices(): Promise<ReadonlyMap<string, DeviceCounts>> {
    return devicesIn(await readFile('/proc/net/dev', 'utf8'))
  }

  /** `up`, `down`, `unknown` (of those that have no such state: tunnels). */
  async deviceState(name: string): Promise<string> {
    return (await readFile(`/sys/class/net/${name}/operstate`, 'utf8')).trim()
  }

  processes(): Promise<readonly ProcessEntry[]> {
    const at = this.#clock.now()
    if (this.#processes === undefined || elapsed(this.#processes.at, at) > freshFor) this.#processes = { at, list: readProcesses() }
    return this.#processes.list
  }

  /** Established TCP connections by local port. */
  connections(): Promise<ReadonlyMap<number, number>> {
    const at = this.#clock.now()
    if (this.#connections === undefined || elapsed(this.#connections.at, at) > freshFor) this.#connections = { at, ports: readConnections() }
    return this.#connections.ports
  }

  now(): Instant {
    return this.#clock.now()
  }

  wait(forMs: number): Promise<void> {
    return sleep(this.#clock, ms(forMs))
  }
}

async function readProcesses(): Promise<readonly ProcessEntry[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const found: ProcessEntry[] = []
  for (let from = 0; from < pids.length; from += readsMax) {
    const read = await Promise.all(pids.slice(from, from + readsMax).map(readProcess))
    found.push(...read.filter((one) => one !== undefined))
  }
  return found
}

async function readProcess(pid: string): Promise<ProcessEntry | undefined> {
  try {
    const [name, command] = await Promise.all([readFile(`/proc/${pid}/comm`, 'utf8'), readFile(`/proc/${pid}/cmdline`, 'utf8')])
    return { pid: Number(pid), name: name.trimEnd(), command: command.replaceAll('\0', ' ').trimEnd() }
  } catch {
    return undefined // It has ended meanwhile.
  }
}

async function readConnections(): Promise<ReadonlyMap<number, number>> {
  const tables = await Promise.all(['/proc/net/tcp', '/proc/net/tcp6'].map((file) => readFile(file, 'utf8').catch(() => '')))
  return connectionsIn(tables)
}
