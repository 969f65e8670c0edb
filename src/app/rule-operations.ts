/** What a user can ask of the rules: where each stands, and what it would have told. */
import type { BacktestReport } from '../alerting/core/backtest/backtest.ts'
import type { CoverageReport } from '../alerting/core/quality/coverage.ts'
import type { PrecisionReport } from '../alerting/core/quality/precision.ts'
import type { Severity } from '../alerting/types.ts'
import type { Labels } from '../kernel/labels.ts'

export type { BacktestReport, CoverageReport, PrecisionReport }

export interface RuleReport {
  readonly name: string
  /** In one spelling. */
  readonly when: string
  readonly clearWhen: string | undefined
  readonly forMs: number
  readonly keepFiringForMs: number
  readonly intervalMs: number
  readonly severity: Severity
  readonly labels: Labels
  readonly owner: string | undefined
  readonly runbook: string | undefined
  /** Why it is there; of those that are shipped. */
  readonly why: string | undefined
  /** It is one of those that are shipped, perhaps with changes. */
  readonly shipped: boolean
  readonly state: 'inactive' | 'pending' | 'firing' | 'failing' | 'off'
  /** Pending and firing ones. */
  readonly alerts: readonly RuleAlert[]
  /** When it was evaluated last. */
  readonly lastAt: number | undefined
  readonly tookMs: number
  readonly evaluations: number
  /** Evaluations that came too late to be made. */
  readonly missed: number
  readonly error: string | undefined
}

export interface RuleAlert {
  readonly labels: Labels
  readonly phase: 'pending' | 'firing'
  /** Since when it holds. */
  readonly since: number
  readonly firedAt: number | undefined
  /** For people. */
  readonly value: string
  readonly flapping: boolean
}

export interface BacktestOrder {
  /** One of the configuration, or a shipped one; with `when`, only its name. */
  readonly rule: string
  /** Another condition in its place. */
  readonly when?: string | undefined
  readonly clearWhen?: string | undefined
  readonly forMs?: number | undefined
  readonly keepFiringForMs?: number | undefined
  /** Wall time in milliseconds. */
  readonly from?: number | undefined
  readonly to?: number | undefined
  /** Rows in place of the history: they stand for the one series that the rule speaks of. */
  readonly rows?: readonly (readonly [at: number, value: number])[] | undefined
  readonly windows?: readonly { readonly from: number; readonly to: number; readonly name?: string | undefined }[] | undefined
}

export interface BacktestAnswer extends BacktestReport {
  readonly rule: string
  readonly when: string
  /** The whole of it. */
  readonly sentence: string
}

export interface RuleOperations {
  list(): readonly RuleReport[]
  /** Rejects with `unknown_rule`, `condition_invalid`, `invalid_input`. */
  backtest(order: BacktestOrder): Promise<BacktestAnswer>
  /** Which fault of which service, check or of the machine would be told, and how soon. Nothing is broken for it. */
  coverage(): Promise<CoverageReport>
  /** Which alerts since then were worth telling. Wall time in milliseconds. */
  precision(since: number): PrecisionReport
}
