/** The end of an instance in the terms of the restart policy: its class, and one sentence that says how it ended. */
import type { ExitClass } from '../../registry/types.ts'
import { elapsed, ms, type Duration, type Instant } from '../../kernel/time.ts'
import { classify, describeExit, type ProcessExit } from './exit.ts'
import type { Instance } from './fleet-state.ts'
import { readySinceOf, type InstanceEnd } from './instance-machine.ts'

export interface Ended {
  readonly class: ExitClass
  /** undefined: it could not be spawned. */
  readonly exit: ProcessExit | undefined
  readonly uptime: Duration
  /** It had become ready. */
  readonly ready: boolean
  readonly reason: string
}

export function judge(instance: Instance, end: InstanceEnd, now: Instant): Ended {
  const uptime = elapsed(instance.bornAt, now)
  if (end.type === 'spawnFailure') {
    const { kind, reason } = end.failure
    return { class: kind === 'config' ? 'config' : 'startFailed', exit: undefined, uptime: ms(0), ready: false, reason }
  }
  const ready = readySinceOf(instance.state) !== undefined
  if (end.stop?.failed) return { class: 'startFailed', exit: end.exit, uptime, ready, reason: end.stop.reason }
  const exitClass = classify(end.exit, { ordered: end.signalled, ready })
  return { class: exitClass, exit: end.exit, uptime, ready, reason: describeExit(end.exit, exitClass, uptime, ready) }
}
