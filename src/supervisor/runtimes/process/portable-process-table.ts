/** Where there is no `/proc` (macOS): `kill 0` tells whether a pid lives and `ps` when it began; the rest is left out. */
import { execFileSync } from 'node:child_process'
import type { ProcessIdentity } from '../../../registry/types.ts'
import { groupExists } from './linux-process-table.ts'
import type { FoundProcess, GroupUsage, Holder, ProcessTable } from './process-table.ts'

export class PortableProcessTable implements ProcessTable {
  identify(pid: number): ProcessIdentity | undefined {
    const line = ps('-o', 'stat=,lstart=', '-p', String(pid))
    const [, state = 'Z', started = ''] = /^(\S+)\s+(.+)$/.exec(line.trim()) ?? []
    return state.startsWith('Z') ? undefined : { pid, startTicks: Date.parse(started) / 1000, bootId: '' }
  }

  groupLives(group: number): boolean {
    if (!groupExists(group)) return false
    return ps('-o', 'stat=', '-g', String(group))
      .split('\n')
      .some((state) => state.trim() !== '' && !state.trim().startsWith('Z'))
  }

  async marked(): Promise<readonly FoundProcess[]> {
    return Promise.resolve([])
  }

  async listening(): Promise<undefined> {
    return Promise.resolve(undefined)
  }

  holders(): Promise<readonly Holder[]> {
    return Promise.resolve([])
  }

  listenersOn(): ReadonlySet<string> {
    return new Set()
  }

  oomKills(): undefined {
    return undefined
  }

  usage(): ReadonlyMap<number, GroupUsage> {
    return new Map()
  }
}

function ps(...args: readonly string[]): string {
  try {
    return execFileSync('ps', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], timeout: 2_000 })
  } catch {
    // `ps` exits with 1 when it finds no such process.
    return ''
  }
}
