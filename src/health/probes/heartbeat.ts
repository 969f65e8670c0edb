/** Dead man: somebody else is to be heard of again and again. */
import type { CheckSpec } from '../../config/types.ts'
import type { Clock } from '../../kernel/time.ts'
import type { Heartbeats } from '../heartbeats.ts'
import type { Probe, ProbeResult } from '../types.ts'

export function heartbeatProbe(
  name: string,
  { every, grace }: Extract<CheckSpec, { kind: 'heartbeat' }>,
  heartbeats: Heartbeats,
  clock: Clock,
): Probe {
  const since = clock.wallTime()
  const judge = (): ProbeResult => {
    const last = heartbeats.last(name)
    const silentMs = clock.wallTime() - (last?.at ?? since)
    if (silentMs > every + grace)
      return {
        outcome: 'fail',
        message: `nothing heard for ${Math.round(silentMs / 1_000)} s, expected every ${every / 1_000} s`,
        value: silentMs,
        unit: 'ms',
      }
    if (last === undefined) return { outcome: 'inconclusive', message: 'nothing heard yet' }
    const said = last.message === undefined ? '' : `: ${last.message}`
    if (last.ok === false) return { outcome: 'fail', message: `it said itself that it failed${said}`, value: silentMs, unit: 'ms' }
    return { outcome: 'pass', message: `heard ${Math.round(silentMs / 1_000)} s ago${said}`, value: silentMs, unit: 'ms' }
  }
  return { run: () => Promise.resolve(judge()) }
}
