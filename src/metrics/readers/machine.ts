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

interface Before {
  readonly at: number
  readonly cpu: CpuTimes | undefined
  readonly network: { readonly received: number; readonly sent: number } | undefined
}

export class MachineReader implements SampleSource {
  readonly #options: Required<MachineReaderOptions>
  #before: Before | undefined
  #slowAt = -Infinity
  #looking = false
  #disk: number | undefined
  #processes: number | undefined

  constructor(options: MachineReaderOptions) {
    this.#options = { proc: '/proc', ...options }
  }

  samples(): readonly Sample[] {
    const at = this.#options.now()
    if (at - this.#slowAt >= slowMs && !this.#looking) void this.#look(at)
    const samples: Sample[] = []
    const push = (metric: string, value: number | undefined): void => {
      if (value !== undefined && Number.isFinite(value)) samples.push({ metric, labels: noLabels, value: Math.round(value * 100) / 100 })
    }
    const now: Before = { at, cpu: this.#read('stat', cpuTimes), network: this.#read('net/dev', networkOf) }
    const before = this.#before
    this.#before = now
    const memory = this.#read('meminfo', memoryOf)
    const load = this.#read('loadavg', loadOf)
    push('machine_cpu', cpuPercent(now.cpu, before?.cpu))
    push('machine_memory', memory && (100 * (memory.total - memory.available)) / memory.total)
    push('machine_load', load === undefined ? undefined : load / availableParallelism())
    push('machine_disk', this.#disk)
    if (now.network && before?.network) {
      const seconds = (now.at - before.at) / 1_000
      push('machine_network_in', Math.max(0, Math.round((now.network.received - before.network.received) / seconds)))
      push('machine_network_out', Math.max(0, Math.round((now.network.sent - before.network.sent) / seconds)))
    }
    push('machine_processes', this.#processes)
    push('machine_connections', this.#read('net/snmp', establishedOf))
    return samples
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
    // As `df` counts: of what is not kept back for root.
    const used = disk && disk.blocks - disk.bfree
    this.#disk = disk && used !== undefined && used + disk.bavail > 0 ? (100 * used) / (used + disk.bavail) : undefined
    this.#looking = false
  }
}

function cpuPercent(now: CpuTimes | undefined, before: CpuTimes | undefined): number | undefined {
  if (now === undefined || before === undefined || now.total <= before.total) return undefined
  return (100 * Math.max(0, now.busy - before.busy)) / (now.total - before.total)
}
