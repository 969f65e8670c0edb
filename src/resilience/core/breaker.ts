/**
 * The circuit breaker: stops calling what fails, so that callers fail fast and the callee may recover.
 *
 *            too many failed or slow calls                 open time is over, a call comes
 *   closed ─────────────────────────────────▶ open ───────────────────────────────────────▶ halfOpen
 *     ▲                                        ▲   fails again: open for twice as long          │
 *     │                                        └─────────────────────────────────────────────┤
 *     └───────────────────────────────────────────────── enough of the trial went well ◀─────┘
 *
 *   forcedOpen (by counted handles) and disabled (measures only) lie above; hydrating is closed, restored, and still without a result.
 *
 * `allow(now)` gives a generation (0: refused) and `record(…, generation)` takes it back: the result of a call that began in another state
 * is ignored, which is what left the breakers of others stuck (opossum#385, #484). In the closed state neither allocates: counters are
 * typed arrays, and all arithmetic is on numbers. Time is monotonic; only a snapshot speaks wall time.
 * Trials are admitted along a ramp, or as a fixed sample; what is beyond is refused, never queued, and no trial lasts longer than two ramps.
 */
import type { Random } from '../../kernel/random.ts'
import { jitter } from '../../kernel/random.ts'
import { resolveBreaker, type BreakerOptions, type ResolvedBreaker } from './breaker-options.ts'
import { makeWindow, type BreakerWindow } from './breaker-window.ts'
import { bucketOf, LatencyBaseline } from './latency.ts'

/** How a call ended, as the breaker counts it. `ignored`: the caller gave up, or our own limiter refused; it counts nowhere. */
export const outcome = { ok: 0, failed: 1, slow: 2, ignored: 3 } as const
export type Outcome = (typeof outcome)[keyof typeof outcome]

export type BreakerState = 'closed' | 'open' | 'halfOpen' | 'forcedOpen' | 'disabled' | 'hydrating'

export type BreakerReason =
  'failures' | 'slow' | 'trialFailed' | 'trialPassed' | 'openTimeOver' | 'isolated' | 'released' | 'disabled' | 'enabled' | 'reset' | 'told'

/** What a change of state tells. Numbers are of the window that led to it. */
export interface BreakerChange {
  readonly from: BreakerState
  readonly to: BreakerState
  readonly reason: BreakerReason
  readonly calls: number
  readonly failed: number
  readonly slow: number
  /** How long it stays open, when it opened. */
  readonly openForMs?: number
}

/** What survives a restart: plain JSON. */
export interface BreakerSnapshot {
  readonly state: 'closed' | 'open' | 'halfOpen'
  /** Openings in a row, which the open time grows with. */
  readonly openings: number
  /** Wall-clock milliseconds; 0 unless open. */
  readonly openUntilWall: number
  readonly baselineP95Ms: number
}

/** The states below forcedOpen and disabled, as numbers for the hot path. */
const closed = 0
const open = 1
const halfOpen = 2
type Inner = typeof closed | typeof open | typeof halfOpen

/** Failures of a trial that end it early, when they are also half the share that opens. */
const trialFailuresMax = 3
/** Calls that judge a ramp; with fewer, a single failure prolongs it by one ramp. */
const rampCallsMin = 10
const generationMax = 2 ** 30
/** How often 5 s can be doubled until any cap is reached. */
const doublingsMax = 30

const openUntilAt = 0
const closedSinceAt = 1
const trialBeganAt = 2
/** Slower than this is slow: kept beside the times, for a double in a field or from a getter is a new number on the heap. */
const slowerThanAt = 3
const windowTurnsAt = 4

export class Breaker {
  readonly options: ResolvedBreaker
  /** Called after each change of state, from within the call that caused it. It must not throw. */
  onChange: ((change: BreakerChange) => void) | undefined
  readonly #random: Random
  readonly #window: BreakerWindow
  readonly #baseline: LatencyBaseline | undefined
  readonly #times = new Float64Array(5)
  #inner: Inner = closed
  /** Refuses or lets through whatever the inner state says. */
  #override = false
  #isolations = 0
  #disabled = false
  #hydrating = false
  #generation = 1
  #openings = 0
  #trialInFlight = 0
  #trialAdmitted = 0
  #trialCalls = 0
  #trialFailed = 0
  #trialSlow = 0
  #trialExtended = false

  constructor(options: BreakerOptions, random: Random) {
    this.options = resolveBreaker(options)
    this.#random = random
    this.#window = makeWindow(this.options)
    this.#baseline = this.options.slowMs === undefined ? new LatencyBaseline() : undefined
    this.#learnSlowness()
  }

  /** Without looking at the clock: an open breaker whose time is over says `open` until a call comes. */
  get state(): BreakerState {
    if (this.#isolations > 0) return 'forcedOpen'
    if (this.#disabled) return 'disabled'
    if (this.#inner === open) return 'open'
    if (this.#inner === halfOpen) return 'halfOpen'
    return this.#hydrating ? 'hydrating' : 'closed'
  }

  /** Openings in a row. */
  get openings(): number {
    return this.#openings
  }

  /** Calls slower than this count as slow; Infinity while nothing is known. */
  get slowerThanMs(): number {
    return this.#time(slowerThanAt)
  }

  /** What the window holds at `now`. */
  counts(now: number): { readonly calls: number; readonly failed: number; readonly slow: number } {
    if (this.#inner === halfOpen) return { calls: this.#trialCalls, failed: this.#trialFailed, slow: this.#trialSlow }
    this.#window.turn(now)
    return { calls: this.#window.calls, failed: this.#window.failed, slow: this.#window.slow }
  }

  /** Asks for one call: its generation, to be handed to `record` exactly once, or 0 when it is refused. */
  allow(now: number): number {
    if (this.#inner === closed && !this.#override) return this.#generation
    return this.#allowSlowly(now)
  }

  /** How a call ended that `allow` let through. Results of an older generation are ignored. */
  record(now: number, result: Outcome, durationMs: number, generation: number): void {
    if (generation !== this.#generation) return
    if (this.#inner === halfOpen) {
      this.#recordTrial(now, result, durationMs)
      return
    }
    if (result === outcome.ignored) return
    if (this.#inner !== closed) return
    const failed = result === outcome.failed
    const slow = !failed && (result === outcome.slow || durationMs > (this.#times[slowerThanAt] ?? Infinity))
    // Before judging: a period that ends with this call is the measure of the calls after it.
    if (this.#baseline !== undefined && result === outcome.ok) {
      if (this.#baseline.due(now)) this.#closePeriod(now)
      this.#baseline.count(bucketOf(durationMs))
    }
    if (now >= (this.#times[windowTurnsAt] ?? 0)) this.#times[windowTurnsAt] = this.#window.turn(now)
    this.#window.record(failed, slow)
    this.#hydrating = false
    if (failed || slow) this.#judge(now)
  }

  /** Milliseconds until a call may be tried again; 0 when one may, Infinity while it is held open by hand. */
  retryAfterMs(now: number): number {
    if (this.#isolations > 0) return Infinity
    return this.#inner === open && !this.#disabled ? Math.max(0, this.#time(openUntilAt) - now) : 0
  }

  /** Moves on what time alone moves: the end of a ramp. `allow` and `record` do it too. */
  poll(now: number): BreakerState {
    if (this.#inner === halfOpen && !this.#override) this.#endTrial(now)
    return this.state
  }

  /** Holds it open until the handle is disposed; handles are counted. Then what was below goes on, with an empty window. */
  isolate(now: number): Disposable {
    const from = this.state
    this.#isolations++
    this.#overridden()
    this.#tell(from, 'isolated', now)
    let held = true
    return {
      [Symbol.dispose]: () => {
        if (!held) return
        held = false
        this.#isolations--
        this.#overridden()
        if (this.#isolations > 0) return
        this.#clear()
        if (this.#inner === halfOpen) this.#inner = open
        this.#tell('forcedOpen', 'released', now)
      },
    }
  }

  /** A disabled breaker counts and lets everything through. */
  setDisabled(disabled: boolean, now: number): void {
    if (disabled === this.#disabled) return
    const from = this.state
    this.#disabled = disabled
    this.#inner = closed
    this.#clear()
    this.#overridden()
    this.#tell(from, disabled ? 'disabled' : 'enabled', now)
  }

  /** Closes it and forgets what it counted, as an operator asks. Handles of `isolate` stay. */
  reset(now: number): void {
    const from = this.state
    this.#openings = 0
    this.#hydrating = false
    this.#inner = closed
    this.#times[closedSinceAt] = now
    this.#clear()
    this.#tell(from, 'reset', now)
  }

  /** Opens it for the next open time, because somebody else says so. */
  trip(now: number): void {
    if (this.#inner !== open && !this.#disabled) this.#open(now, 'told')
  }

  snapshot(now: number, wall: number): BreakerSnapshot {
    const until = this.#inner === open ? wall + Math.max(0, this.#time(openUntilAt) - now) : 0
    const state = this.#inner === open ? 'open' : this.#inner === halfOpen ? 'halfOpen' : 'closed'
    return { state, openings: this.#openings, openUntilWall: until, baselineP95Ms: this.#baseline?.p95 ?? 0 }
  }

  /** Takes a snapshot over. Time that passed in between counts; a wall clock that went back cannot hold it open longer than the cap. */
  restore(from: BreakerSnapshot, now: number, wall: number): void {
    const longest = this.options.openMaxMs * (1 + this.options.openJitter)
    const left = from.state === 'open' ? Math.min(longest, Math.max(0, from.openUntilWall - wall)) : 0
    this.#clear()
    this.#openings = from.openings
    this.#inner = from.state === 'closed' ? closed : open
    this.#hydrating = from.state === 'closed'
    this.#times[openUntilAt] = now + left
    this.#times[closedSinceAt] = now
    if (this.#baseline !== undefined) this.#baseline.p95 = from.baselineP95Ms
    this.#learnSlowness()
  }

  #time(at: number): number {
    return this.#times[at] ?? 0
  }

  #closePeriod(now: number): void {
    this.#baseline?.close(now)
    this.#learnSlowness()
  }

  #learnSlowness(): void {
    const { slowMs, slowFactor, slowFloorMs } = this.options
    const p95 = this.#baseline?.p95 ?? 0
    this.#times[slowerThanAt] = slowMs ?? (p95 > 0 ? Math.max(slowFactor * p95, slowFloorMs) : Infinity)
  }

  #overridden(): void {
    this.#override = this.#isolations > 0
    this.#generation = this.#generation >= generationMax ? 1 : this.#generation + 1
  }

  #allowSlowly(now: number): number {
    if (this.#isolations > 0) return 0
    if (this.#disabled) return this.#generation
    if (this.#inner === open) {
      if (now < this.#time(openUntilAt)) return 0
      this.#tryOut(now)
    }
    if (this.#inner === halfOpen) this.#endTrial(now)
    // The end of a ramp may have closed or opened it.
    if (this.#inner === halfOpen) return this.#admitTrial(now)
    return this.#inner === closed ? this.#generation : 0
  }

  #admitTrial(now: number): number {
    const { halfOpen: trial } = this.options
    const room = trial.type === 'sample' ? this.#trialAdmitted < trial.calls : this.#trialInFlight < this.#rampWidth(now)
    if (!room) return 0
    this.#trialInFlight++
    this.#trialAdmitted++
    return this.#generation
  }

  /** Calls at a time: rises in a line over the ramp, and stays at its top while one is added. */
  #rampWidth(now: number): number {
    const { halfOpen: trial } = this.options
    if (trial.type === 'sample') return trial.calls
    const risen = Math.min(1, (now - this.#time(trialBeganAt)) / trial.rampMs)
    return Math.floor(trial.from + (trial.to - trial.from) * risen)
  }

  #recordTrial(now: number, result: Outcome, durationMs: number): void {
    this.#trialInFlight--
    if (result === outcome.ignored) {
      // A sample that proved nothing may be drawn again.
      this.#trialAdmitted--
      this.#endTrial(now)
      return
    }
    this.#trialCalls++
    if (result === outcome.failed) this.#trialFailed++
    else if (result === outcome.slow || durationMs > this.slowerThanMs) this.#trialSlow++
    this.#endTrial(now)
  }

  /** Closes, opens again, prolongs once, or waits. */
  #endTrial(now: number): void {
    const verdict = this.options.halfOpen.type === 'sample' ? this.#judgeSample(now) : this.#judgeRamp(now)
    if (verdict === 'open') this.#open(now, 'trialFailed')
    else if (verdict === 'closed') this.#close(now)
  }

  #judgeRamp(now: number): 'open' | 'closed' | undefined {
    const calls = this.#trialCalls
    // Three failures among thousands are the usual noise of a healthy service and must not hold it open for ever.
    if (this.#trialFailed >= trialFailuresMax && this.#trialFailed >= (calls * this.options.failureRate) / 2) return 'open'
    const ramps = (now - this.#time(trialBeganAt)) / this.options.halfOpen.rampMs
    if (ramps < (this.#trialExtended ? 2 : 1)) return undefined
    if (calls >= rampCallsMin || this.#trialExtended) return this.#trialGood() ? 'closed' : 'open'
    if (this.#trialFailed === 0) return 'closed'
    this.#trialExtended = true
    return ramps < 2 ? undefined : this.#trialGood() ? 'closed' : 'open'
  }

  #judgeSample(now: number): 'open' | 'closed' | undefined {
    const { halfOpen: trial, failureRate } = this.options
    if (trial.type !== 'sample') return undefined
    if (this.#trialFailed > 0 && this.#trialFailed >= trial.calls * failureRate) return 'open'
    if (this.#trialCalls >= trial.calls) return this.#trialSlow > 0 && this.#trialSlow >= trial.calls * this.options.slowRate ? 'open' : 'closed'
    // Calls that never come back must not hold the decision: what was asked and did not answer failed.
    if (now - this.#time(trialBeganAt) < 2 * trial.rampMs) return undefined
    return this.#trialInFlight === 0 && this.#trialFailed === 0 ? 'closed' : 'open'
  }

  /** Both shares below half of what opens. */
  #trialGood(): boolean {
    const { failureRate, slowRate } = this.options
    if (this.#trialCalls === 0) return true
    return this.#trialFailed / this.#trialCalls < failureRate / 2 && this.#trialSlow / this.#trialCalls < slowRate / 2
  }

  #judge(now: number): void {
    if (this.#disabled) return
    const why = this.#window.verdict()
    if (why !== undefined) this.#open(now, why)
  }

  #open(now: number, reason: BreakerReason): void {
    const from = this.state
    const counts = this.counts(now)
    if (this.#inner === closed && now - this.#time(closedSinceAt) >= this.options.closedResetMs) this.#openings = 0
    const grown = Math.min(this.options.openMaxMs, this.options.openMs * this.options.openFactor ** Math.min(doublingsMax, this.#openings))
    const openForMs = jitter(this.#random, grown, this.options.openJitter)
    this.#openings++
    this.#inner = open
    this.#hydrating = false
    this.#times[openUntilAt] = now + openForMs
    this.#clear()
    this.#tell(from, reason, now, counts, openForMs)
  }

  #close(now: number): void {
    const from = this.state
    const counts = this.counts(now)
    this.#inner = closed
    this.#times[closedSinceAt] = now
    this.#clear()
    this.#tell(from, 'trialPassed', now, counts)
  }

  #tryOut(now: number): void {
    const from = this.state
    this.#inner = halfOpen
    this.#times[trialBeganAt] = now
    this.#clear()
    this.#tell(from, 'openTimeOver', now)
  }

  /** A new generation with nothing counted. */
  #clear(): void {
    this.#generation = this.#generation >= generationMax ? 1 : this.#generation + 1
    this.#window.clear()
    this.#trialInFlight = 0
    this.#trialAdmitted = 0
    this.#trialCalls = 0
    this.#trialFailed = 0
    this.#trialSlow = 0
    this.#trialExtended = false
  }

  #tell(from: BreakerState, reason: BreakerReason, now: number, counts = this.counts(now), openForMs?: number): void {
    const to = this.state
    // What happens below a breaker that is held open changes nothing that anybody sees.
    if (from !== to) this.onChange?.({ from, to, reason, ...counts, ...(openForMs === undefined ? {} : { openForMs }) })
  }
}
