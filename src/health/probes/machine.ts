/** What this machine has in use: space, memory, cores, load, connections. */
import { statfs } from 'node:fs/promises'
import { codeOf } from '../../kernel/errors.ts'
import type { MachineView } from '../machine/machine-view.ts'
import type { Probe, ProbeResult } from '../types.ts'

const percent = (value: number, of: string): ProbeResult => ({
  outcome: 'pass',
  message: `${value.toFixed(1)}% of ${of} in use`,
  value: Math.round(value * 100) / 100,
  unit: 'percent',
})

/** As `df` counts: what only root may use is neither used nor free. */
export const diskProbe = (path: string): Probe => ({
  async run() {
    const { blocks, bfree, bavail } = await statfs(path).catch((error: unknown) => {
      if (codeOf(error) === 'ENOENT') throw new Error(`there is no ${path}`)
      throw error
    })
    const used = blocks - bfree
    return percent(used + bavail === 0 ? 0 : (100 * used) / (used + bavail), path)
  },
})

export const memoryProbe = (machine: MachineView): Probe => ({ run: () => Promise.resolve(percent(machine.memory(), 'memory')) })

/** Of the first run. */
const firstLookMs = 100

/** The first run looks at a tenth of a second; those after it at the time since the one before. */
export function cpuProbe(machine: MachineView): Probe {
  let before: ReturnType<MachineView['cpuTimes']> | undefined
  return {
    async run() {
      if (before === undefined) {
        before = machine.cpuTimes()
        await machine.wait(firstLookMs)
      }
      const now = machine.cpuTimes()
      const total = now.total - before.total
      const busy = total === 0 ? 0 : (100 * (now.busy - before.busy)) / total
      if (total > 0) before = now
      return percent(busy, 'the cores')
    },
  }
}

export const loadProbe = (machine: MachineView): Probe => ({
  run() {
    const value = Math.round(machine.load() * 100) / 100
    return Promise.resolve({ outcome: 'pass', message: `load ${value} by core`, value, unit: 'count' })
  },
})

export const connectionsProbe = (port: number | undefined, machine: MachineView): Probe => ({
  async run() {
    const ports = await machine.connections()
    const value = port === undefined ? [...ports.values()].reduce((sum, one) => sum + one, 0) : (ports.get(port) ?? 0)
    return { outcome: 'pass', message: `${value} established connections${port === undefined ? '' : ` of port ${port}`}`, value, unit: 'count' }
  },
})
