/** Reads the machine: how busy its cores have been since the reading before, and how much memory is taken. */
import { cpus, freemem, totalmem } from 'node:os'
import { elapsed, instant, seconds, type Clock, type Instant } from '../kernel/time.ts'

export interface MachineReading {
  readonly cpu: { /** Percent of all cores. */ readonly usage: number; readonly cores: number }
  /** Bytes. */
  readonly memory: { readonly total: number; readonly used: number }
}

interface CpuTimes {
  readonly busy: number
  readonly total: number
}

/** Readings closer together than this would measure the reading itself. */
const intervalMin = seconds(1)

export class MachineReader {
  readonly #clock: Clock
  #at: Instant = instant(-Infinity)
  #times: CpuTimes = { busy: 0, total: 0 }
  #usage = 0
  #cores = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** The first reading covers the time since the machine booted. */
  read(): MachineReading {
    const now = this.#clock.now()
    if (elapsed(this.#at, now) >= intervalMin) this.#measure(now)
    const total = totalmem()
    return { cpu: { usage: this.#usage, cores: this.#cores }, memory: { total, used: total - freemem() } }
  }

  #measure(now: Instant): void {
    const cores = cpus()
    const times = cores.map((core) => timesOf(core.times)).reduce(add, { busy: 0, total: 0 })
    const total = times.total - this.#times.total
    if (total > 0) this.#usage = Math.round((1_000 * (times.busy - this.#times.busy)) / total) / 10
    this.#times = times
    this.#cores = cores.length
    this.#at = now
  }
}

const add = (a: CpuTimes, b: CpuTimes): CpuTimes => ({ busy: a.busy + b.busy, total: a.total + b.total })

function timesOf({ user, nice, sys, idle, irq }: { user: number; nice: number; sys: number; idle: number; irq: number }): CpuTimes {
  const busy = user + nice + sys + irq
  return { busy, total: busy + idle }
}
