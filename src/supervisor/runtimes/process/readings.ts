/** Reads what instances use, each with its whole process group, and whether the kernel has run out of memory. */
import type { Clock } from '../../../kernel/time.ts'
import type { GroupUsage, ProcessTable } from './process-table.ts'
import type { Watched } from './watched.ts'

export class Readings {
  readonly #clock: Clock
  readonly #table: ProcessTable
  #oomKills: number | undefined
  #readAt: number | undefined

  constructor(clock: Clock, table: ProcessTable) {
    this.#clock = clock
    this.#table = table
  }

  start(): void {
    this.#oomKills = this.#table.oomKills()
  }

  read(live: readonly Watched[]): void {
    const now = this.#clock.now()
    const elapsedMs = this.#readAt === undefined ? undefined : now - this.#readAt
    this.#readAt = now
    this.#oomKills = this.#table.oomKills()
    if (live.length === 0) return
    const usages = this.#table.usage(new Set(live.map(({ instance }) => instance.process.pid)))
    for (const watched of live) {
      const usage = usages.get(watched.instance.process.pid)
      if (usage) watched.reading = { cpuPercent: cpuPercent(usage, watched.usage, elapsedMs), memoryBytes: usage.memoryBytes }
      watched.usage = usage
    }
  }

  /** Since the last look at it. */
  oomKillsRose(): boolean {
    const before = this.#oomKills
    this.#oomKills = this.#table.oomKills()
    return before !== undefined && this.#oomKills !== undefined && this.#oomKills > before
  }
}

/** Processes that were there before count with what they have used since, new ones with all they have used. */
function cpuPercent(usage: GroupUsage, before: GroupUsage | undefined, elapsedMs: number | undefined): number {
  if (!before || elapsedMs === undefined || elapsedMs <= 0) return 0
  let usedMs = 0
  for (const [process, cpuMs] of usage.cpuMs) usedMs += cpuMs - (before.cpuMs.get(process) ?? 0)
  return Math.round((usedMs / elapsedMs) * 1000) / 10
}
