/** The settings of a breaker: every default with its reason, checked once when the breaker is made. */
import { share, span, whole } from './options.ts'

/** `time`: the last `durationMs`. `count`: the last `calls` calls. `consecutive`: so many failures in a row. */
export type WindowOptions =
  | { readonly type: 'time'; readonly durationMs?: number; readonly buckets?: number }
  | { readonly type: 'count'; readonly calls: number }
  | { readonly type: 'consecutive'; readonly failures: number }

/** `ramp`: concurrency rises in a line from `from` to `to` in `rampMs`. `sample`: exactly `calls` calls decide, at latest after two `rampMs`. */
export type TrialOptions =
  | { readonly type: 'ramp'; readonly rampMs?: number; readonly from?: number; readonly to?: number }
  | { readonly type: 'sample'; readonly calls: number; readonly rampMs?: number }

export interface BreakerOptions {
  /** Default: 10 s in 10 buckets. */
  readonly window?: WindowOptions
  /** Fewer calls in the window never open it. Default 20: the first failure of the day is not an outage (opossum#288). Not for `consecutive`. */
  readonly minCalls?: number
  /** Share of failed calls that opens it. Default 0.5. */
  readonly failureRate?: number
  /** Share of slow calls that opens it. Default 0.8; 1 and `slowMs: Infinity` switch it off. */
  readonly slowRate?: number
  /** What is slow, in milliseconds. Default: `slowFactor` times the p95 of the calm time before, at least `slowFloorMs`. */
  readonly slowMs?: number
  /** Default 4. */
  readonly slowFactor?: number
  /** Default 100 ms. */
  readonly slowFloorMs?: number
  /** How long it is open for the first time. Default 5 s. */
  readonly openMs?: number
  /** Times this at each opening in a row. Default 2. */
  readonly openFactor?: number
  /** Default 60 s. */
  readonly openMaxMs?: number
  /** So that breakers do not try all at once. Default 0.2: ±20 %. */
  readonly openJitter?: number
  /** Closed for so long, it begins with `openMs` again. Default 60 s. */
  readonly closedResetMs?: number
  /** Default: a ramp of 10 s from 5 to 100 calls at a time. */
  readonly halfOpen?: TrialOptions
}

export interface ResolvedBreaker {
  readonly window: Required<WindowOptions>
  readonly minCalls: number
  readonly failureRate: number
  readonly slowRate: number
  readonly slowMs: number | undefined
  readonly slowFactor: number
  readonly slowFloorMs: number
  readonly openMs: number
  readonly openFactor: number
  readonly openMaxMs: number
  readonly openJitter: number
  readonly closedResetMs: number
  readonly halfOpen: Required<TrialOptions>
}

/** Checks and completes; throws `invalid_option`. */
export function resolveBreaker(options: BreakerOptions): ResolvedBreaker {
  const openMs = span('breaker', 'openMs', options.openMs ?? 5_000)
  return {
    window: resolveWindow(options.window ?? { type: 'time' }),
    minCalls: whole('breaker', 'minCalls', options.minCalls ?? 20, 1),
    failureRate: share('breaker', 'failureRate', options.failureRate ?? 0.5),
    slowRate: share('breaker', 'slowRate', options.slowRate ?? 0.8),
    slowMs: options.slowMs === undefined || options.slowMs === Infinity ? options.slowMs : span('breaker', 'slowMs', options.slowMs),
    slowFactor: span('breaker', 'slowFactor', options.slowFactor ?? 4, 1),
    slowFloorMs: span('breaker', 'slowFloorMs', options.slowFloorMs ?? 100),
    openMs,
    openFactor: span('breaker', 'openFactor', options.openFactor ?? 2, 1),
    openMaxMs: Math.max(openMs, span('breaker', 'openMaxMs', options.openMaxMs ?? 60_000)),
    openJitter: share('breaker', 'openJitter', options.openJitter ?? 0.2),
    closedResetMs: span('breaker', 'closedResetMs', options.closedResetMs ?? 60_000),
    halfOpen: resolveTrial(options.halfOpen ?? { type: 'ramp' }),
  }
}

/** Counters of a count window are one byte a call. */
const windowCallsMax = 100_000

function resolveWindow(window: WindowOptions): Required<WindowOptions> {
  switch (window.type) {
    case 'time':
      return {
        type: 'time',
        durationMs: span('breaker', 'window.durationMs', window.durationMs ?? 10_000, 1),
        buckets: whole('breaker', 'window.buckets', window.buckets ?? 10, 1, 1_000),
      }
    case 'count':
      return { type: 'count', calls: whole('breaker', 'window.calls', window.calls, 1, windowCallsMax) }
    case 'consecutive':
      return { type: 'consecutive', failures: whole('breaker', 'window.failures', window.failures, 1) }
  }
}

function resolveTrial(trial: TrialOptions): Required<TrialOptions> {
  const rampMs = span('breaker', 'halfOpen.rampMs', trial.rampMs ?? 10_000, 1)
  if (trial.type === 'sample') return { type: 'sample', calls: whole('breaker', 'halfOpen.calls', trial.calls, 1), rampMs }
  const from = whole('breaker', 'halfOpen.from', trial.from ?? 5, 1)
  return { type: 'ramp', rampMs, from, to: whole('breaker', 'halfOpen.to', trial.to ?? Math.max(from, 100), from) }
}
