/**
 * What is believed of something that is checked. One failure is a suspicion, confirmed a second apart; one pass out of a suspicion is a blip.
 *
 *   unknown ──pass──▶ up ──fail──▶ suspect ──fails: `fall` in a row──▶ down ──pass──▶ recovering ──passes: `rise` in a row──▶ up
 *      └──fail──▶ suspect      ◀──pass (a blip)──┘                  ▲                    └──fail──┐
 *                                                                   └────────────────────────────┘
 *
 * A check that could not be made says nothing of what it checks (`inconclusive`): no count changes. `paused` is maintenance: nothing is counted, and it begins
 * anew as unknown.
 */
export type MonitorState = 'unknown' | 'up' | 'suspect' | 'down' | 'recovering' | 'paused'
export type CheckOutcome = 'pass' | 'fail' | 'inconclusive'

export interface MonitorRules {
  readonly intervalMs: number
  /** Failures in a row until it is down. Default 3. */
  readonly fall: number
  /** Passes in a row until it is up again. Default 2. */
  readonly rise: number
  /** Between the checks that confirm a suspicion or a recovery. Default 1 s. */
  readonly confirmMs: number
}

export interface Monitor {
  readonly state: MonitorState
  /** Since when. */
  readonly since: number
  readonly failures: number
  readonly passes: number
  /** Suspicions that came to nothing. */
  readonly blips: number
}

export const monitorDefaults: MonitorRules = { intervalMs: 10_000, fall: 3, rise: 2, confirmMs: 1_000 }

export const newMonitor = (now: number): Monitor => ({ state: 'unknown', since: now, failures: 0, passes: 0, blips: 0 })

export function observe(monitor: Monitor, outcome: CheckOutcome, now: number, rules: MonitorRules): Monitor {
  if (outcome === 'inconclusive' || monitor.state === 'paused') return monitor
  return outcome === 'pass' ? passed(monitor, now, rules) : failed(monitor, now, rules)
}

function passed(monitor: Monitor, now: number, { rise }: MonitorRules): Monitor {
  const counted = { ...monitor, passes: monitor.passes + 1, failures: 0 }
  switch (monitor.state) {
    case 'suspect':
      return { ...into(counted, 'up', now), blips: monitor.blips + 1 }
    case 'down':
    case 'recovering':
      return into(counted, counted.passes >= rise ? 'up' : 'recovering', now)
    default:
      return into(counted, 'up', now)
  }
}

function failed(monitor: Monitor, now: number, { fall }: MonitorRules): Monitor {
  const counted = { ...monitor, failures: monitor.failures + 1, passes: 0 }
  // Whoever has not come back yet does not fall anew.
  if (monitor.state === 'down' || monitor.state === 'recovering') return into(counted, 'down', now)
  return into(counted, counted.failures >= fall ? 'down' : 'suspect', now)
}

const into = (monitor: Monitor, state: MonitorState, now: number): Monitor => (state === monitor.state ? monitor : { ...monitor, state, since: now })

export const paused = (monitor: Monitor, now: number): Monitor => ({ ...newMonitor(now), state: 'paused', blips: monitor.blips })
export const resumed = (monitor: Monitor, now: number): Monitor => ({ ...newMonitor(now), blips: monitor.blips })

/** Until the next check, before jitter. */
export const nextCheckMs = ({ state }: Monitor, { intervalMs, confirmMs }: MonitorRules): number =>
  state === 'suspect' || state === 'recovering' ? Math.min(confirmMs, intervalMs) : intervalMs
