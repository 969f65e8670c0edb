/** The facts without which a number means nothing. */
import { execFileSync } from 'node:child_process'
import { cpus, loadavg, release, totalmem } from 'node:os'

export interface MachineFacts {
  readonly date: string
  readonly cpu: string
  readonly cores: number
  readonly memoryGib: number
  readonly kernel: string
  readonly node: string
  /** One-minute load before the run: near 0, or somebody else was measuring too. */
  readonly loadBefore: number
  readonly commit: string
}

export function machineFacts(): MachineFacts {
  const [first] = cpus()
  return {
    date: new Date().toISOString(),
    cpu: first?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGib: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    loadBefore: loadavg()[0] ?? NaN,
    commit: firstLine('git', ['describe', '--always', '--dirty']) ?? 'unknown',
  }
}

/** The first line a command prints on either stream; undefined when it cannot be run. */
export function firstLine(command: string, args: readonly string[]): string | undefined {
  try {
    return execFileSync('/bin/sh', ['-c', '"$0" "$@" 2>&1', command, ...args], { encoding: 'utf8' }).split('\n')[0]
  } catch {
    return undefined
  }
}

/** True when the command is on the PATH. */
export function isInstalled(command: string): boolean {
  return firstLine('/bin/sh', ['-c', `command -v ${command}`]) !== undefined
}
