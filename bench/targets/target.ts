/** A proxy that can be measured: how it is started in front of the one origin. */
import type { Child } from '../lib/process.ts'

export interface TargetContext {
  /** An empty folder of its own. */
  readonly directory: string
  /** Where it must listen, on 127.0.0.1. */
  readonly port: number
  readonly originPort: number
  readonly core: number
  readonly env: Record<string, string>
}

export interface Target {
  readonly name: string
  /** What the numbers are about; undefined when it is not installed here. */
  version(): string | undefined
  start(context: TargetContext): Promise<RunningTarget>
}

export interface RunningTarget {
  readonly child: Child
  /** The processes whose CPU time and memory count. */
  pids(): readonly number[]
}
