/** Checks and policies as the API tells of them. Times are ISO 8601, UTC. */
export interface OutcomeDescription {
  readonly at: string
  readonly outcome: 'pass' | 'fail' | 'inconclusive'
  readonly latencyMs: number
  readonly value: number | null
  readonly level: 'ok' | 'warning' | 'critical'
  readonly message: string
  readonly certificateDays: number | null
}

export interface CheckDescription {
  readonly name: string
  readonly kind: string
  readonly target: string
  readonly state: 'unknown' | 'up' | 'suspect' | 'down' | 'recovering' | 'paused'
  readonly level: 'ok' | 'warning' | 'critical'
  readonly severity: string
  readonly since: string
  readonly message: string | null
  readonly service: string | null
  readonly dependsOn: readonly string[]
  readonly intervalMs: number
  readonly timeoutMs: number
  readonly alertAfter: number
  readonly last: OutcomeDescription | null
  readonly unit: string | null
  readonly warnAt: string | number | null
  readonly criticalAt: string | number | null
  readonly failures: number
  readonly blips: number
  readonly uptime: number | null
  readonly nextAt: string | null
  readonly cause: string | null
  /** Only of a single check. */
  readonly outcomes?: readonly OutcomeDescription[]
}

export type ChecksDescription = readonly CheckDescription[]

interface HappenedDescription {
  readonly at: string
  readonly reason: string
}

export interface PolicyDescription {
  readonly name: string
  readonly on: string
  readonly match: Readonly<Record<string, string>>
  readonly actions: readonly string[]
  readonly enabled: boolean
  readonly dryRun: boolean
  readonly running: boolean
  readonly runs: number
  readonly lastRun: string | null
  readonly againAt: string | null
  readonly refusals: number
  readonly lastRefusal: HappenedDescription | null
  readonly lastFailure: HappenedDescription | null
}
