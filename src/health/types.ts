/**
 * Checks: what is looked at again and again, and what is believed of it. A *probe* looks once and gives an *outcome*; the monitor (`core/monitor.ts`) makes of outcomes
 * a *state*; thresholds make of what was measured a *level*.
 */
import type { CheckSeverity, CheckSpec, Threshold, ThresholdUnit } from '../config/types.ts'
import type { WallTime } from '../kernel/time.ts'
import type { CheckOutcome, MonitorState } from './core/monitor.ts'

export type { CheckOutcome, CheckSeverity, MonitorState, Threshold, ThresholdUnit }

/** `custom`: a function of the program; `service`: the probes of a service's own endpoints, all together. */
export type CheckKind = CheckSpec['kind'] | 'custom' | 'service'

/** Of what a check measures. `critical` makes it fail. */
export type CheckLevel = 'ok' | 'warning' | 'critical'

/** What one probe found. */
export interface ProbeResult {
  readonly outcome: CheckOutcome
  /** One sentence: `connected`, `expected status 200-399, got 503`. */
  readonly message: string
  /** What it measured, if it measures anything but its own time. */
  readonly value?: number | undefined
  readonly unit?: ThresholdUnit | undefined
  /** How far what it found besides is, by thresholds of its own: of a certificate. */
  readonly level?: CheckLevel | undefined
  /** How long the certificate that was served is still valid. */
  readonly certificateMs?: number | undefined
}

/** What a probe is at, for people: `connected, and waiting for the answer`. */
export type Note = (doing: string) => void

/** Looks once. What it throws is a failure; whoever is still at it when `signal` aborts is cut off, and nobody waits for it. */
export interface Probe {
  run(signal: AbortSignal, note?: Note): Promise<ProbeResult>
  /** Lets go of what it keeps between two runs. */
  close?(): void
}

/** One run, as it is kept. */
export interface OutcomeRecord {
  /** When it began: wall time in milliseconds. */
  readonly at: WallTime
  readonly outcome: CheckOutcome
  readonly latencyMs: number
  readonly value: number | undefined
  readonly level: CheckLevel
  readonly message: string
  /** How long the certificate that was served is still valid, in milliseconds; undefined: none was. */
  readonly certificateMs?: number | undefined
}

/** A check as the engine needs it. */
export interface CheckDefinition {
  readonly name: string
  readonly kind: CheckKind
  /** For people, without passwords: `db:5432`. */
  readonly target: string
  /** Of those that use the network: which host and port. No more than a few are asked at the same time. */
  readonly address: string | undefined
  readonly intervalMs: number
  readonly timeoutMs: number
  readonly alertAfter: number
  readonly rise: number
  readonly warnAt: Threshold | undefined
  readonly criticalAt: Threshold | undefined
  /** Less is worse. */
  readonly falling: boolean
  readonly hysteresis: number
  readonly severity: CheckSeverity
  readonly service: string | undefined
  readonly dependsOn: readonly string[]
  /** Equal texts, equal checks: what was known of it stays when the configuration is applied again. */
  readonly identity: string
  readonly probe: () => Probe
}

export interface CheckStatus {
  readonly name: string
  readonly kind: CheckKind
  readonly target: string
  readonly state: MonitorState
  readonly level: CheckLevel
  readonly severity: CheckSeverity
  /** In this state since. */
  readonly since: WallTime
  /** Why it is in this state: what the last run found. */
  readonly message: string | undefined
  readonly service: string | undefined
  readonly dependsOn: readonly string[]
  readonly intervalMs: number
  readonly timeoutMs: number
  readonly alertAfter: number
  readonly last: OutcomeRecord | undefined
  readonly unit: ThresholdUnit | undefined
  readonly warnAt: Threshold | undefined
  readonly criticalAt: Threshold | undefined
  /** Failures in a row. */
  readonly failures: number
  /** Suspicions that came to nothing. */
  readonly blips: number
  /** Share of the time in which it was up, of all time in which anything was known; undefined: nothing was. */
  readonly uptime: number | undefined
  readonly nextAt: WallTime | undefined
  /** `probe broken`: the probe fails and real traffic does well; `traffic`: the probe passes and real traffic fails. */
  readonly cause: TrafficCause | undefined
}

export type TrafficCause = 'probe broken' | 'traffic'

/** With what is remembered of its runs, oldest first. */
export interface CheckDetail extends CheckStatus {
  readonly outcomes: readonly OutcomeRecord[]
}

/** Whether this node itself sees the network. */
export interface NetworkView {
  readonly blind: boolean
  readonly since: WallTime | undefined
  readonly reason: string | undefined
}
