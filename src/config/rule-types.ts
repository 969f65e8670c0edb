/** What rules, objectives and maintenance windows look like once read. */
import type { Severity } from '../alerting/types.ts'
import type { Duration } from '../kernel/time.ts'

export interface RuleConfig {
  /** The label `alertname`. */
  readonly name: string
  /** The condition, as written. Undefined: that of the rule of this name that is shipped. */
  readonly when?: string | undefined
  /** A firing alert ends only when this holds for it. */
  readonly clearWhen?: string | undefined
  readonly for?: Duration | undefined
  readonly keepFiringFor?: Duration | undefined
  readonly severity?: Severity | undefined
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  readonly runbook?: string | undefined
  readonly owner?: string | undefined
  readonly interval?: Duration | undefined
  readonly enabled: boolean
}

export interface ObjectiveConfig {
  /** Share of the requests that are to be answered well: 0.999. */
  readonly availability: number
}

/** A time in which nobody is told of what happens to these services. */
export interface MaintenanceConfig {
  /** Empty: all. */
  readonly services: readonly string[]
  /** Begins again and again; five fields, in UTC. */
  readonly cron?: string | undefined
  /** Begins once; wall time in milliseconds. */
  readonly from?: number | undefined
  readonly duration: Duration
  readonly comment?: string | undefined
  /** The status page tells of it. */
  readonly published: boolean
}

export interface RulesConfig {
  readonly rules: readonly RuleConfig[]
  readonly defaultRules: boolean
  readonly objectives: Readonly<Record<string, ObjectiveConfig>>
  readonly maintenance: readonly MaintenanceConfig[]
  /** Whom `prometheus(…)` asks. */
  readonly prometheus?: { readonly url: string; readonly token?: string | undefined } | undefined
}
