/** Something that balances one service of counter-origin instances and can be hurt. */
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

export const originScript = fileURLToPath(new URL('../../fixtures/counter-origin.mjs', import.meta.url))

export interface System {
  readonly name: string
  /** Where the balancer listens, on 127.0.0.1. */
  readonly port: number
  start(): Promise<void>
  /** The pids of the instances that take traffic. */
  instancePids(): Promise<readonly number[]>
  /** Requests sent again and requests held back so far; undefined when it does not tell. */
  counters(): Promise<{ retried: number; parked: number } | undefined>
  /** Ends everything. Resolves with what was left behind, which it has killed. */
  stop(): Promise<readonly string[]>
}

export interface SystemOptions {
  /** An empty folder of its own. */
  readonly directory: string
  readonly instances: number
}

/** The ids of the executed POSTs, in order, as often as they ran. */
export function readExecuted(counterFile: string): string[] {
  if (!existsSync(counterFile)) return []
  return readFileSync(counterFile, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split(' ', 1)[0] ?? '')
}

export const counterFileOf = (directory: string): string => `${directory}/executed.txt`
