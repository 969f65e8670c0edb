/** Whether a process is still the one that was meant: a pid alone is reused. */
import { readFileSync } from 'node:fs'
import { codeOf } from './errors.ts'

/** Field 22 of /proc/PID/stat; undefined when the process is gone, a zombie, or there is no /proc. */
export function startTicksOf(pid: number): number | undefined {
  const fields = statFields(pid)
  if (fields === undefined || fields[0] === 'Z' || fields[0] === 'X') return undefined
  return Number(fields[19])
}

/** `startTicks` undefined: any process of that pid. */
export function isAlive(pid: number, startTicks?: number): boolean {
  if (!isThere(pid)) return false
  const fields = statFields(pid)
  if (fields === undefined) return process.platform !== 'linux'
  if (fields[0] === 'Z' || fields[0] === 'X') return false
  return startTicks === undefined || startTicks === 0 || Number(fields[19]) === startTicks
}

/** The kernel's `PF_EXITING`, in field 9: set before a process that ends closes its files. */
const exitingFlag = 4

/**
 * Whether it runs, or has ended or is on its way out. A process whose end has closed its connections is never taken to run, also while the kernel is still busy
 * with it: it is marked before its files are closed. undefined where that cannot be told: no /proc, or one that hides the processes of others.
 */
export function stateOf(pid: number, startTicks: number): 'runs' | 'ends' | undefined {
  const fields = statFields(pid)
  if (fields === undefined) return isThere(pid) ? undefined : 'ends'
  const runs = fields[0] !== 'Z' && fields[0] !== 'X' && Number(fields[19]) === startTicks && (Number(fields[6]) & exitingFlag) === 0
  return runs ? 'runs' : 'ends'
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (thrown) {
    return codeOf(thrown) === 'EPERM'
  }
}

/** From the third field (state) on; the second may itself hold blanks and brackets. */
function statFields(pid: number): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  } catch {
    return undefined
  }
}
