/** Counts processes of this machine: by name, by a file with the pid, or by a text in the command line. */
import { readFile } from 'node:fs/promises'
import type { ProcessSpec } from '../../config/types.ts'
import { codeOf } from '../../kernel/errors.ts'
import type { MachineView, ProcessEntry } from '../machine/machine-view.ts'
import type { Probe, ProbeResult } from '../types.ts'

/** As the kernel cuts names. Source: proc(5), `comm`. */
const nameMax = 15

export const processProbe = (spec: ProcessSpec, machine: MachineView): Probe => ({
  async run() {
    if (spec.pidFile !== undefined) return byPidFile(spec.pidFile)
    const found = (await machine.processes()).filter((one) => matches(spec, one))
    const value = found.length
    const what = `${value} ${value === 1 ? 'process' : 'processes'} of ${spec.name ?? JSON.stringify(spec.pattern)}`
    if (value < spec.min) return { outcome: 'fail', message: `expected at least ${spec.min}, found ${what}`, value, unit: 'count' }
    if (spec.max !== undefined && value > spec.max)
      return { outcome: 'fail', message: `expected at most ${spec.max}, found ${what}`, value, unit: 'count' }
    return { outcome: 'pass', message: what, value, unit: 'count' }
  },
})

function matches({ name, pattern }: ProcessSpec, entry: ProcessEntry): boolean {
  if (name !== undefined) return entry.name === name.slice(0, nameMax)
  return pattern !== undefined && entry.pid !== process.pid && entry.command.includes(pattern)
}

async function byPidFile(file: string): Promise<ProbeResult> {
  let text: string
  try {
    text = (await readFile(file, 'utf8')).trim()
  } catch (error) {
    return { outcome: 'fail', message: `${file} cannot be read: ${codeOf(error) ?? 'unknown'}`, value: 0, unit: 'count' }
  }
  const pid = Number(text.split('\n')[0])
  if (!Number.isInteger(pid) || pid <= 0) return { outcome: 'fail', message: `${file} holds no pid`, value: 0, unit: 'count' }
  const alive = isAlive(pid)
  return { outcome: alive ? 'pass' : 'fail', message: `process ${pid} ${alive ? 'runs' : 'does not run'}`, value: alive ? 1 : 0, unit: 'count' }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return codeOf(error) === 'EPERM' // It is there, and somebody else's.
  }
}
