/**
 * The machine: cores, memory, load, disk, network, processes. Small files of /proc are read at every tick (about 0.1 ms in all); what costs more (counting
 * processes, asking the file system, which may hang when it is of the network) is looked up every ten seconds, beside the tick.
 */
import { readFileSync } from 'node:fs'
import { readdir, statfs } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { cpuTimes, establishedOf, loadOf, memoryOf, networkOf, type CpuTimes } from '../core/proc.ts'
import type { Labels } from '../../kernel/labels.ts'
import type { Sample, SampleSource } from '../types.ts'

const slowMs = 10_000
const noLabels: Labels = {}

export interface MachineReaderOptions {
  /** Of which the file system is looked at. */
  readonly directory: string
  /** Monotonic milliseconds. */
  readonly now: () => number
  /** @default /proc */
  readonly proc?: string
}

/** What could be read, in bytes and counts. */
export interface MachineReading {
  readonly at: number
  /** Since the machine started. */
  readonly cpu: CpuTimes | undefined
  /** Of all cores since the reading before. */
  readonly cpuRatio: number | undefined
  readonly cores: number
  readonly load: number | undefined
  readonly memory: { readonly total: number; readonly available: number } | undefined
  /** Without what is kept back for root, as `df` counts. */
  readonly disk: { readonly total: number; readonly free: number } | undefined
  /** Since the machine started. */
  readonly network: { readonly received: number; readonly sent: number } | undefined
  readonly processes: number | undefined
  readonly connections: number | undefined
}

export class MachineReader implements SampleSource {
  readonly #options: Required<MachineReaderOptions>
  #latest: MachineReading | undefined
  #slowAt = -Infinity
  #looking = false
  #disk: MachineReading['disk']
  #processes: number | undefined

  constructor(options: MachineReaderOptions) {
    this.#options = { proc: '/proc', ...options }
  }

  /** As of the last tick. */
  get latest(): MachineReading | undefined {
    return this.#latest
  }

  samples(): readonly Sample[] {
    const before = this.#latest
    const now = this.#reading(before)
    this.#latest = now
    const { memory, load, disk, network } = now
    const seconds = before ? (now.at - before.at) / 1_000 : 0
    const samples: Sample[] = []
    const push = (metric: string, value: number | undefined): void => {
      if (value !== undefined && Number.isFinite(value)) samples.push({ metric, labels: noLabels, value: Math.round(value * 100) / 100 })
    }
    push('machine_cpu', now.cpuRatio && 100 * now.cpuRatio)
    push('machine_memory', memory && (100 * (memory.total - memory.available)) / memory.total)
    push('machine_load', load && load / now.cores)
    push('machine_disk', disk && (100 * (disk.total - disk.free)) / disk.total)
    if (network && before?.network && seconds > 0) {
      push('machine_network_in', Math.max(0, Math.round((network.received - before.network.received) / seconds)))
      push('machine_network_out', Math.max(0, Math.round((network.sent - before.network.sent) / seconds)))
    }
    push('machine_processes', now.processes)
    push('machine_connections', now.connections)
    return samples
  }

  #reading(before: MachineReading | undefined): MachineReading {
    const at = this.#options.now()
    if (at - this.#slowAt >= slowMs && !this.#looking) void this.#look(at)
    const cpu = this.#read('stat', cpuTimes)
    return {
      at,
      cpu,
      cpuRatio: busyRatio(cpu, before?.cpu),
      cores: availableParallelism(),
      load: this.#read('loadavg', loadOf),
      memory: this.#read('meminfo', memoryOf),
      disk: this.#disk,
      network: this.#read('net/dev', networkOf),
      processes: this.#processes,
      connections: this.#read('net/snmp', establishedOf),
    }
  }

  /** undefined where there is no such file: on another system than Linux. */
  #read<T>(file: string, parse: (text: string) => T): T | undefined {
    try {
      return parse(readFileSync(`${this.#options.proc}/${file}`, 'utf8'))
    } catch {
      return undefined
    }
  }

  async #look(at: number): Promise<void> {
    this.#slowAt = at
    this.#looking = true
    const { proc, directory } = this.#options
    // What cannot be looked up is not told of: a series that ends says so better than an old value.
    const [processes, disk] = await Promise.all([readdir(proc).catch(() => undefined), statfs(directory).catch(() => undefined)])
    this.#processes = processes?.filter((name) => /^\d+$/.test(name)).length
    const blocks = disk ? disk.blocks - disk.bfree + disk.bavail : 0
    this.#disk = disk && blocks > 0 ? { total: blocks * disk.bsize, free: disk.bavail * disk.bsize } : undefined
    this.#looking = false
  }
}

function busyRatio(now: CpuTimes | undefined, before: CpuTimes | undefined): number | undefined {
  if (now === undefined || before === undefined || now.total <= before.total) return undefined
  return Math.max(0, now.busy - before.busy) / (now.total - before.total)
}
