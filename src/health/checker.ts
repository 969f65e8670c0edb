/** One check: what is believed of it, and what is remembered of its runs. It decides nothing about when it runs. */
import { threshold } from '../config/core/check-keys.ts'
import { Ring } from '../kernel/ring.ts'
import { wallTime, type WallTime } from '../kernel/time.ts'
import { newMonitor, observe, paused, resumed, type Monitor, type MonitorRules } from './core/monitor.ts'
import { levelOf, rank } from './core/thresholds.ts'
import type { RememberedCheck } from './ports.ts'
import type { RunResult } from './one-run.ts'
import type { CheckDefinition, CheckDetail, CheckLevel, CheckOutcome, CheckStatus, OutcomeRecord, Probe, TrafficCause } from './types.ts'

/** Runs that are remembered of each check. */
export const outcomesKept = 60
/** A function that has not come back by then will not. */
const giveUpMs = 60_000
/** Runs of one function that never came back, beside which it is not tried again. */
const openMax = 100

/** A run, judged by the thresholds. */
export interface Judged {
  readonly outcome: CheckOutcome
  readonly value: number | undefined
  readonly level: CheckLevel
  readonly message: string
  readonly latencyMs: number
  readonly certificateMs?: number | undefined
}

export class Checker {
  readonly definition: CheckDefinition
  readonly rules: MonitorRules
  readonly outcomes = new Ring<OutcomeRecord>(outcomesKept)
  #monitor: Monitor
  #level: CheckLevel = 'ok'
  #probe: Probe | undefined
  #begun = 0
  /** Runs whose probes have not come to their end, though they may have been cut off. */
  readonly #open = new Set<number>()
  #beganAt = 0
  cause: TrafficCause | undefined
  /** What was told of it last. */
  believed: 'unknown' | 'up' | 'down' = 'unknown'
  /** When it was told to be down. */
  fellAt: number
  nextAt: WallTime | undefined
  unit: CheckStatus['unit']
  /** Runs in a row that came to nothing. */
  inconclusive = 0
  readonly #known = { upMs: 0, downMs: 0, until: 0 }

  /** `now`: wall time; `instant`: monotonic, for how long it was up. */
  constructor(definition: CheckDefinition, now: number, instant: number, remembered?: RememberedCheck) {
    this.definition = definition
    const { intervalMs, alertAfter, rise } = definition
    this.rules = { intervalMs, fall: alertAfter, rise, confirmMs: 1_000 }
    this.unit = definition.criticalAt?.unit ?? definition.warnAt?.unit
    this.#monitor = newMonitor(now)
    this.#known.until = instant
    this.fellAt = now
    if (remembered?.identity !== definition.identity) return
    if (remembered.state === 'paused') this.#monitor = paused(this.#monitor, remembered.since)
    else if (remembered.state === 'down') {
      this.#monitor = { ...this.#monitor, state: 'down', since: remembered.since }
      this.believed = 'down'
      this.fellAt = remembered.since
    }
  }

  get name(): string {
    return this.definition.name
  }

  get monitor(): Monitor {
    return this.#monitor
  }

  get probe(): Probe {
    this.#probe ??= this.definition.probe()
    return this.#probe
  }

  close(): void {
    this.#probe?.close?.()
    this.#probe = undefined
  }

  /** What a run means by the thresholds: what is critical has failed. */
  judge({ outcome, message, value, unit, latencyMs, level: own = 'ok', certificateMs }: RunResult): Judged {
    const { warnAt, criticalAt, falling, hysteresis } = this.definition
    const wanted = criticalAt?.unit ?? warnAt?.unit
    if (unit !== undefined) this.unit = unit
    const found = { value, latencyMs, ...(certificateMs !== undefined && { certificateMs }) }
    if (outcome !== 'pass') return { ...found, outcome, message, level: outcome === 'fail' ? this.#level : 'ok' }
    const measured =
      unit !== undefined && (wanted === undefined || unit === wanted) ? value : wanted === 'ms' && unit === undefined ? latencyMs : undefined
    if (measured === undefined || wanted === undefined) return { ...found, outcome: own === 'critical' ? 'fail' : 'pass', message, level: own }
    const level = levelOf(measured, this.#level, { warnAt: warnAt?.value, criticalAt: criticalAt?.value, falling, hysteresis })
    const bound = level === 'critical' ? criticalAt : level === 'warning' ? warnAt : undefined
    const said = bound === undefined ? message : `${message}, ${level} from ${String(threshold.write(bound))}`
    const graver = rank[own] > rank[level] ? own : level
    return { ...found, outcome: graver === 'critical' ? 'fail' : 'pass', message: said, value: value ?? measured, level: graver }
  }

  /** A run begins; to be called when its probe has come to its end. */
  begin(instant: number): () => void {
    const run = ++this.#begun
    this.#open.add(run)
    this.#beganAt = instant
    return () => this.#open.delete(run)
  }

  /**
   * The run of before is open still, and nothing is begun beside it. A function of a program that waits for what never comes is given up after a while: it would be down for
   * ever for one lost packet. What the system hangs in (a dead NFS) holds a thread each time, and is waited for.
   */
  isHeld(instant: number): boolean {
    if (!this.#open.has(this.#begun)) return false
    return this.definition.kind !== 'custom' || this.#open.size >= openMax || instant - this.#beganAt < giveUpMs
  }

  /** What would become of it. */
  wouldFall(): boolean {
    const { state, failures } = this.#monitor
    return state !== 'down' && state !== 'recovering' && failures + 1 >= this.rules.fall
  }

  /** Writes a run down. */
  take(
    { outcome, value, level, message, latencyMs, certificateMs }: Judged,
    at: WallTime,
    instant: number,
  ): { readonly before: Monitor; readonly levelBefore: CheckLevel } {
    const before = this.#monitor
    const levelBefore = this.#level
    this.account(instant)
    this.#monitor = observe(before, outcome, at, this.rules)
    if (outcome !== 'inconclusive') this.#level = level
    this.inconclusive = outcome === 'inconclusive' ? this.inconclusive + 1 : 0
    const certificate = certificateMs === undefined ? {} : { certificateMs }
    this.outcomes.push({ at, outcome, latencyMs: Math.round(latencyMs * 100) / 100, value, level, message, ...certificate })
    return { before, levelBefore }
  }

  get level(): CheckLevel {
    return this.#level
  }

  pause(now: number, instant: number): void {
    this.account(instant)
    this.#monitor = paused(this.#monitor, now)
    this.#level = 'ok'
    this.believed = 'unknown'
    this.cause = undefined
  }

  resume(now: number, instant: number): void {
    this.account(instant)
    this.#monitor = resumed(this.#monitor, now)
  }

  /** Adds the time since the last look to what is known. */
  account(instant: number): void {
    const spent = Math.max(0, instant - this.#known.until)
    this.#known.until = instant
    const { state } = this.#monitor
    // Time in which it could not be looked at says nothing.
    if (this.inconclusive > 0) return
    if (state === 'up' || state === 'suspect') this.#known.upMs += spent
    else if (state === 'down' || state === 'recovering') this.#known.downMs += spent
  }

  status(): CheckStatus {
    const { name, kind, target, severity, service, dependsOn, intervalMs, timeoutMs, alertAfter, warnAt, criticalAt } = this.definition
    const { state, since, failures, blips } = this.#monitor
    const last = this.outcomes.last()
    const { upMs, downMs } = this.#known
    return {
      name,
      kind,
      target,
      state: state === 'up' && this.cause === 'traffic' ? 'suspect' : state,
      level: this.cause === 'probe broken' ? 'warning' : this.#level,
      severity,
      since: wallTime(since),
      message: last?.message,
      service,
      dependsOn,
      intervalMs,
      timeoutMs,
      alertAfter,
      last,
      unit: this.unit,
      warnAt,
      criticalAt,
      failures,
      blips,
      uptime: upMs + downMs === 0 ? undefined : upMs / (upMs + downMs),
      nextAt: this.nextAt,
      cause: this.cause,
    }
  }

  detail(): CheckDetail {
    return { ...this.status(), outcomes: this.outcomes.toArray() }
  }

  /** What of it has to be remembered over a restart; undefined: nothing. */
  remembered(beatAt: number | undefined): RememberedCheck | undefined {
    // A function of a program is there only while the program is.
    if (this.definition.kind === 'custom') return undefined
    const { state, since } = this.#monitor
    const kept = state === 'paused' ? 'paused' : state === 'down' || state === 'recovering' ? 'down' : 'up'
    if (kept === 'up' && beatAt === undefined) return undefined
    return { identity: this.definition.identity, state: kept, since, ...(beatAt !== undefined && { beatAt }) }
  }
}
