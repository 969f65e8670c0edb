/**
 * When a slot whose process ended is started again.
 *
 * Intuition: the first failure after a good time is bad luck, so it costs nothing; each one after it doubles the wait;
 * five in ten minutes are a crash loop: said once, then tried at the cap for ever. A kill from outside is no failure
 * of the program at all, and costs nothing however often it comes, unless it comes so fast that we would spin.
 *
 *   failure 1        2          3           …  5 within 10 min
 *   now              initial    initial·2      cap, "crash looping"         healthy long enough ──▶ all forgotten
 *
 * The road not taken: systemd's and PM2's limit after which nobody tries any more. A service that nobody restarts
 * is down until a person wakes up.
 */
import type { ExitClass } from '../../registry/types.ts'
import type { RestartConfig } from '../../config/types.ts'
import { unreachable } from '../../kernel/errors.ts'
import { after, minutes, ms, type Duration, type Instant } from '../../kernel/time.ts'

/** What a slot remembers of its failures. */
export interface RestartHistory {
  /** Times of the latest failures inside the crash-loop window, oldest first; never more than `crashLoopFailures`. */
  readonly failures: readonly Instant[]
  /** Failures since the slot was last healthy for long. */
  readonly streak: number
  /** Waits given since then; the next one is initial · 2^waits. */
  readonly waits: number
  /** Kills in a row that came at once after the start. */
  readonly hotKills: number
  readonly crashLooping: boolean
}
export const cleanHistory: RestartHistory = { failures: [], streak: 0, waits: 0, hotKills: 0, crashLooping: false }

/** One end of a process of the slot, ordered ones apart. */
export interface Ending {
  readonly class: ExitClass
  /** How long it had been ready; undefined: never. */
  readonly readyFor: Duration | undefined
  /** The usual time from spawn to ready; undefined: not yet known. */
  readonly bootTime: Duration | undefined
  /** This machine had no room to start it (processes, memory, open files): wait, but do not call it a crash loop. */
  readonly resource: boolean
  /** Trying again is no use before somebody mends the configuration. */
  readonly final: boolean
}

export type Verdict =
  | { readonly type: 'restart' }
  /** `wait` is before the jitter; `entered`: this ending made it a crash loop. */
  | { readonly type: 'wait'; readonly until: Instant; readonly wait: Duration; readonly crashLooping: boolean; readonly entered: boolean }
  | { readonly type: 'done'; readonly reason: string }

export interface RestartLimits {
  /** Failures within `crashLoopWindow` that make a crash loop. @default 5 in 10 min */
  readonly crashLoopFailures: number
  readonly crashLoopWindow: Duration
  /** Ready for so long, or `healthyBoots` times the boot time if that is more: the past is forgotten. @default 10 min, 5 */
  readonly healthyAfter: Duration
  readonly healthyBoots: number
  /** A wait is drawn from ± this share of itself, so that what fell together does not rise together. @default 0.25 */
  readonly jitter: number
  /** A kill sooner after readiness than this is hot; so many of those in a row count as crashes. @default 200 ms, 20 */
  readonly hotKillWithin: Duration
  readonly hotKillsMax: number
}
export const restartLimits: RestartLimits = {
  crashLoopFailures: 5,
  crashLoopWindow: minutes(10),
  healthyAfter: minutes(10),
  healthyBoots: 5,
  jitter: 0.25,
  hotKillWithin: ms(200),
  hotKillsMax: 20,
}

export interface RestartRules {
  readonly config: RestartConfig
  readonly limits: RestartLimits
}

/** `roll`: a number in [0, 1) that draws the jitter. */
export function decideRestart(
  history: RestartHistory,
  ending: Ending,
  { config, limits }: RestartRules,
  now: Instant,
  roll: number,
): { readonly history: RestartHistory; readonly verdict: Verdict } {
  const known = wasHealthy(ending, limits) ? cleanHistory : history
  const done = givesUp(ending, config)
  if (done !== undefined) return { history: known, verdict: { type: 'done', reason: done } }
  if (ending.class === 'killed') {
    const hot = ending.readyFor === undefined || ending.readyFor < limits.hotKillWithin
    const hotKills = hot ? known.hotKills + 1 : 0
    if (hotKills < limits.hotKillsMax) return { history: { ...known, hotKills }, verdict: { type: 'restart' } }
  }
  return afterFailure(known, ending, { config, limits }, now, roll)
}

function afterFailure(
  known: RestartHistory,
  ending: Ending,
  { config, limits }: RestartRules,
  now: Instant,
  roll: number,
): { readonly history: RestartHistory; readonly verdict: Verdict } {
  const hotKills = ending.class === 'killed' ? known.hotKills : 0
  const recent = known.failures.filter((at) => now - at < limits.crashLoopWindow)
  const failures = ending.resource ? recent : [...recent, now].slice(-limits.crashLoopFailures)
  const crashLooping = known.crashLooping || failures.length >= limits.crashLoopFailures
  const counted = { failures, streak: known.streak + 1, hotKills, crashLooping }
  const firstAfterGoodTime = known.streak === 0 && ending.readyFor !== undefined && ending.class !== 'killed'
  if (firstAfterGoodTime) return { history: { ...counted, waits: 0 }, verdict: { type: 'restart' } }
  const { initial, max } = config.backoff
  const wait = crashLooping ? max : ms(Math.min(initial * 2 ** known.waits, max))
  const until = after(now, ms(wait * (1 - limits.jitter + roll * 2 * limits.jitter)))
  return {
    history: { ...counted, waits: known.waits + 1 },
    verdict: { type: 'wait', until, wait, crashLooping, entered: crashLooping && !known.crashLooping },
  }
}

function wasHealthy({ readyFor, bootTime }: Ending, limits: RestartLimits): boolean {
  return readyFor !== undefined && readyFor >= Math.max(limits.healthyAfter, limits.healthyBoots * (bootTime ?? 0))
}

/** Why the slot is not started again; undefined: it is. */
function givesUp(ending: Ending, { policy }: RestartConfig): string | undefined {
  if (ending.final) return 'configuration error'
  switch (policy) {
    case 'always':
      return undefined
    case 'on-failure':
      return ending.class === 'completed' ? 'completed' : undefined
    case 'never':
      return 'restart policy: never'
    default:
      return unreachable(policy)
  }
}
