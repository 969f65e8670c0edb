/** What is known of an instance while it is looked after. */
import type { ChildProcess } from 'node:child_process'
import type { ResourceReading } from '../../../registry/types.ts'
import type { RunningInstance } from '../runtime.ts'
import type { ReadinessProbe } from './probe.ts'
import type { GroupUsage } from './process-table.ts'

export interface Watched {
  readonly instance: RunningInstance
  /** undefined: adopted. */
  readonly child: ChildProcess | undefined
  /** Sockets that listened on its port before it was started. */
  readonly strangers: ReadonlySet<string>
  probe: ReadinessProbe | undefined
  ready: boolean
  ended: boolean
  usage: GroupUsage | undefined
  reading: ResourceReading | undefined
}
