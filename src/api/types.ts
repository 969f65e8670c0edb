/** What the API answers. Written by scripts/api-types.ts out of the OpenAPI document: change the schemas, then run it. */

export interface Alert {
  /** The fingerprint of its labels. */
  readonly id: string
  /** Its severity. */
  readonly type: 'warning' | 'critical' | 'emergency'
  readonly title: string
  readonly message: string
  readonly service: string | null
  /** Since when it fires. */
  readonly timestamp: string
  readonly status: 'active' | 'acknowledged' | 'suppressed' | 'resolved'
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  /** ISO 8601, UTC */
  readonly startsAt: string
  /** null: it fires. */
  readonly endsAt: string | null
  readonly receivers: readonly string[]
  /** Why nobody is told; null: they are. */
  readonly quiet: {
    readonly by: 'inhibited' | 'suppressed' | 'maintenance' | 'silenced'
    readonly ids: readonly string[]
    readonly reason: string
  } | null
  readonly acknowledged: {
    readonly by: string
    readonly comment: string
    /** ISO 8601, UTC */
    readonly at: string
    /** ISO 8601, UTC */
    readonly until: string
  } | null
  /** Where to look at what led to it. */
  readonly url: string | null
}

export interface AlertCoverage {
  /** Share of the cells that are covered. */
  readonly coverage: number
  readonly cells: readonly {
    readonly fault: string
    readonly what: string
    /** Name of the service or check; null: the machine. */
    readonly target: string | null
    /** Less is not enough. */
    readonly severity: 'warning' | 'critical' | 'emergency'
    /** Milliseconds. */
    readonly withinMs: number
    readonly fired: readonly {
      readonly rule: string
      readonly severity: 'warning' | 'critical' | 'emergency'
      /** Milliseconds. */
      readonly afterMs: number
    }[]
    readonly covered: boolean
    /** Rules that are shipped, are not evaluated, and would tell of it. */
    readonly missing: readonly string[]
  }[]
}

export interface AlertExplanation {
  readonly alert: Alert
  readonly routes: readonly {
    /** Its place in the tree of routes. */
    readonly route: string
    readonly receiver: string | null
    readonly group: string
    readonly groupAlerts: number
    readonly escalation: readonly {
      readonly receiver: string
      readonly afterMs: number
      readonly at: string | null
      readonly done: boolean
    }[]
    readonly lastTold: {
      /** ISO 8601, UTC */
      readonly at: string
      /** Whether it was told that this alert fires. */
      readonly firing: boolean
    } | null
    readonly mutedBy: string | null
    /** null: as things stand nobody will be told. */
    readonly next: string | null
    readonly reason: string
  }[]
}

export interface AlertPrecision {
  /** Milliseconds since 1970. */
  readonly from: number
  /** Milliseconds since 1970. */
  readonly to: number
  /** Alerts that were told. */
  readonly pages: number
  /** Share of them that was true: the budget of the service, or of one that needs it, burned, or somebody took it on. */
  readonly precision: number | null
  readonly rules: readonly {
    readonly rule: string
    readonly pages: number
    readonly noise: number
    readonly precision: number
    /** Median until somebody took it on. */
    readonly ackMs: number | null
    readonly suggestion: {
      /** Milliseconds. */
      readonly forMs: number
      /** Alerts for nothing that would not have been told. */
      readonly spares: number
    } | null
  }[]
  readonly noisiest: readonly string[]
  readonly missed: readonly {
    readonly service: string
    /** Milliseconds since 1970. */
    readonly from: number
    /** Milliseconds since 1970. */
    readonly to: number
    /** Share of the budget of thirty days. */
    readonly spent: number
  }[]
}

export interface AlertRule {
  readonly name: string
  /** The condition. */
  readonly when: string
  readonly clearWhen: string | null
  /** Milliseconds. */
  readonly forMs: number
  /** Milliseconds. */
  readonly keepFiringForMs: number
  /** Milliseconds. */
  readonly intervalMs: number
  readonly severity: 'warning' | 'critical' | 'emergency'
  readonly labels: Readonly<Record<string, string>>
  readonly owner: string | null
  readonly runbook: string | null
  /** Why it is there; of those that are shipped. */
  readonly why: string | null
  readonly shipped: boolean
  readonly state: 'inactive' | 'pending' | 'firing' | 'failing' | 'off'
  readonly alerts: readonly {
    readonly labels: Readonly<Record<string, string>>
    readonly phase: 'pending' | 'firing'
    /** Milliseconds since 1970. */
    readonly since: number
    readonly firedAt: number | null
    readonly value: string
    readonly flapping: boolean
  }[]
  /** Of the last evaluation. */
  readonly lastAt: number | null
  /** Milliseconds. */
  readonly tookMs: number
  readonly evaluations: number
  /** Evaluations that came too late to be made. */
  readonly missed: number
  /** Why the last evaluation failed. */
  readonly error: string | null
}

export interface Backtest {
  readonly rule: string
  readonly when: string
  /** All of it in words. */
  readonly sentence: string
  readonly evaluations: number
  /** Milliseconds. */
  readonly stepMs: number
  /** Milliseconds since 1970. */
  readonly from: number
  /** Milliseconds since 1970. */
  readonly to: number
  readonly fired: number
  /** Milliseconds. */
  readonly firingMs: number
  readonly flapped: number
  /** Episodes around which the error budget of the service did not burn. */
  readonly withoutImpact: number
  /** Episodes outside of all windows; null: none were given. */
  readonly outside: number | null
  /** Evaluations that failed. */
  readonly failed: number
  readonly error: string | null
  readonly windows: readonly {
    /** Milliseconds since 1970. */
    readonly from: number
    /** Milliseconds since 1970. */
    readonly to: number
    readonly name: string | null
    readonly caught: boolean
  }[]
  /** The first 500. */
  readonly episodes: readonly {
    readonly labels: Readonly<Record<string, string>>
    /** Milliseconds since 1970. */
    readonly from: number
    /** null: it fires at the end. */
    readonly to: number | null
    readonly flapped: boolean
    readonly inWindow: boolean | null
    readonly impact: boolean | null
  }[]
}

export interface CacheStats {
  /** Of values, since the control process started. */
  readonly hits: number
  readonly misses: number
  /** Percent. */
  readonly hitRate: number
  /** Values in memory. */
  readonly keys: number
  readonly memory: {
    /** Bytes, of values. */
    readonly used: number
    /** Bytes they may take: `cache.memory.maxBytes`. */
    readonly available: number
    readonly percentage: number
  }
  /** Times that Redis did not answer, or not in time: never counted as misses. */
  readonly errors: number
  /** Values taken out for want of room. */
  readonly evictions: number
  /** Null: `cache.redis` is not configured. */
  readonly redis: {
    readonly up: boolean
    /** Why not; null: it is up, or has not answered yet. */
    readonly reason: string | null
  } | null
  /** Answers that the balancer keeps; null: no service asks for it. */
  readonly responses: {
    /** Percent of the requests that could be answered from a store: hit, stale or revalidated. */
    readonly hitRate: number
    readonly store: {
      /** In the store that all workers share. */
      readonly entries: number
      readonly bytes: number
      readonly maxBytes: number
      readonly evicted: number
      /** In the workers, together. */
      readonly workerEntries: number
      readonly workerBytes: number
      /** Workers that did not acknowledge an invalidation in time, and began anew. */
      readonly cutOff: number
      /** Times that a worker went on without the shared store. */
      readonly unanswered: number
      readonly redis: {
        readonly up: boolean
        /** Why not; null: it is up, or has not answered yet. */
        readonly reason: string | null
      } | null
    } | null
    readonly services: Readonly<
      Record<
        string,
        {
          /** Answered from the store, fresh. */
          readonly hit: number
          /** Answered from the store, stale: while it was validated, or in place of a failure. */
          readonly stale: number
          /** Nothing stored suited: asked for. */
          readonly miss: number
          /** Answered from the store after the service had said that it is right still. */
          readonly revalidated: number
          /** Could not be answered from any store. */
          readonly bypass: number
          /** Of the hits: waited for what somebody else asked for. */
          readonly collapsed: number
          /** Answers that were stored. */
          readonly stored: number
          /** Answers not stored because they had been invalidated meanwhile. */
          readonly fenced: number
        }
      >
    >
  } | null
}

export interface Cause {
  readonly name: string
  /** 0 to 1, highest first: how much of what is down it explains, whether it was first, and how well the needs between are known. */
  readonly score: number
  readonly explains: readonly string[]
  /** null: nothing checks it. */
  readonly since: string | null
  readonly reason: string
}

export interface Check {
  readonly name: string
  /** `tcp`, `http`, …; `custom`: a function of a program; `service`: the probes of a service. */
  readonly kind: string
  readonly target: string
  readonly state: 'unknown' | 'up' | 'suspect' | 'down' | 'recovering' | 'paused'
  /** By the thresholds of what it measures. */
  readonly level: 'ok' | 'warning' | 'critical'
  /** Of the alert when it is down. */
  readonly severity: string
  /** In this state since. */
  readonly since: string
  /** What the last run found. */
  readonly message: string | null
  readonly service: string | null
  readonly dependsOn: readonly string[]
  readonly intervalMs: number
  readonly timeoutMs: number
  readonly alertAfter: number
  readonly last: {
    /** ISO 8601, UTC */
    readonly at: string
    /** `inconclusive`: it says nothing of what is checked, and counts for nothing. */
    readonly outcome: 'pass' | 'fail' | 'inconclusive'
    readonly latencyMs: number
    /** What it measured, in `unit`. */
    readonly value: number | null
    readonly level: 'ok' | 'warning' | 'critical'
    readonly message: string
    /** How long the certificate that was served is still valid; null: none was. */
    readonly certificateDays: number | null
  } | null
  readonly unit: 'percent' | 'count' | 'ms' | 'bytes' | null
  readonly warnAt: string | number | null
  readonly criticalAt: string | number | null
  /** In a row. */
  readonly failures: number
  /** Suspicions that came to nothing. */
  readonly blips: number
  /** Share of the time in which it was up, of the time of which anything is known. */
  readonly uptime: number | null
  readonly nextAt: string | null
  /** `probe broken` or `traffic`, where real traffic contradicts it. */
  readonly cause: string | null
}

export interface CheckDetail {
  readonly name: string
  /** `tcp`, `http`, …; `custom`: a function of a program; `service`: the probes of a service. */
  readonly kind: string
  readonly target: string
  readonly state: 'unknown' | 'up' | 'suspect' | 'down' | 'recovering' | 'paused'
  /** By the thresholds of what it measures. */
  readonly level: 'ok' | 'warning' | 'critical'
  /** Of the alert when it is down. */
  readonly severity: string
  /** In this state since. */
  readonly since: string
  /** What the last run found. */
  readonly message: string | null
  readonly service: string | null
  readonly dependsOn: readonly string[]
  readonly intervalMs: number
  readonly timeoutMs: number
  readonly alertAfter: number
  readonly last: {
    /** ISO 8601, UTC */
    readonly at: string
    /** `inconclusive`: it says nothing of what is checked, and counts for nothing. */
    readonly outcome: 'pass' | 'fail' | 'inconclusive'
    readonly latencyMs: number
    /** What it measured, in `unit`. */
    readonly value: number | null
    readonly level: 'ok' | 'warning' | 'critical'
    readonly message: string
    /** How long the certificate that was served is still valid; null: none was. */
    readonly certificateDays: number | null
  } | null
  readonly unit: 'percent' | 'count' | 'ms' | 'bytes' | null
  readonly warnAt: string | number | null
  readonly criticalAt: string | number | null
  /** In a row. */
  readonly failures: number
  /** Suspicions that came to nothing. */
  readonly blips: number
  /** Share of the time in which it was up, of the time of which anything is known. */
  readonly uptime: number | null
  readonly nextAt: string | null
  /** `probe broken` or `traffic`, where real traffic contradicts it. */
  readonly cause: string | null
  /** The last runs, oldest first. */
  readonly outcomes: readonly {
    /** ISO 8601, UTC */
    readonly at: string
    /** `inconclusive`: it says nothing of what is checked, and counts for nothing. */
    readonly outcome: 'pass' | 'fail' | 'inconclusive'
    readonly latencyMs: number
    /** What it measured, in `unit`. */
    readonly value: number | null
    readonly level: 'ok' | 'warning' | 'critical'
    readonly message: string
    /** How long the certificate that was served is still valid; null: none was. */
    readonly certificateDays: number | null
  }[]
}

export interface DeadLetter {
  readonly id: string
  readonly receiver: string
  readonly integration: string
  readonly group: string
  readonly alerts: number
  readonly error: string
  readonly attempts: number
  /** ISO 8601, UTC */
  readonly at: string
}

export interface Dependencies {
  readonly nodes: readonly {
    readonly name: string
    readonly kind: 'service' | 'check' | 'address'
    /** `unknown`: nothing checks it, or it has not been checked yet. */
    readonly state: 'up' | 'suspect' | 'down' | 'unknown'
    readonly since: string | null
    /** What it is down because of; null: it is not, or nothing else. */
    readonly because: string | null
  }[]
  readonly edges: readonly {
    /** Who needs. */
    readonly from: string
    /** What. */
    readonly to: string
    /** `false`: it works without, only less well. */
    readonly hard: boolean
    /** Others that would do as well. */
    readonly alternatives: readonly string[]
    readonly evidence: readonly (
      | {
          readonly kind: 'configured'
        }
      | {
          readonly kind: 'dependsOn'
        }
      | {
          readonly kind: 'environment'
          readonly variable: string
        }
      | {
          readonly kind: 'calls'
          /** Over seven days, older ones counting less. */
          readonly count: number
          /** Of all that the caller does in this way, 0 to 1. */
          readonly share: number
          /** ISO 8601, UTC */
          readonly firstAt: string
          /** ISO 8601, UTC */
          readonly lastAt: string
        }
      | {
          readonly kind: 'connections'
          /** Over seven days, older ones counting less. */
          readonly count: number
          /** Of all that the caller does in this way, 0 to 1. */
          readonly share: number
          /** ISO 8601, UTC */
          readonly firstAt: string
          /** ISO 8601, UTC */
          readonly lastAt: string
        }
    )[]
    /** The evidence for people. */
    readonly why: string
  }[]
  readonly calls: {
    /** Calls from this machine that the balancer has told of, a sample. */
    readonly told: number
    /** Those whose caller was found to be a service. */
    readonly traced: number
  }
}

export interface Impact {
  readonly name: string
  readonly kind: 'service' | 'check' | 'address'
  readonly affected: readonly {
    readonly name: string
    readonly kind: 'service' | 'check' | 'address'
    readonly effect: 'down' | 'degraded'
    /** From it to what is down. */
    readonly path: readonly string[]
  }[]
  /** Services that are down or degraded then, itself among them. */
  readonly services: number
  readonly servicesTotal: number
  readonly summary: string
}

export interface Incident {
  readonly id: string
  readonly title: string
  readonly status: 'investigating' | 'identified' | 'monitoring' | 'resolved'
  readonly impact: 'none' | 'minor' | 'major' | 'critical'
  /** ISO 8601, UTC */
  readonly openedAt: string
  readonly resolvedAt: string | null
  readonly services: readonly string[]
  /** What probably led to it. */
  readonly cause: {
    readonly event: string
    readonly type: string
    /** ISO 8601, UTC */
    readonly at: string
    readonly text: string
  } | null
  /** Whether the status page shows it. */
  readonly published: boolean
  readonly alerts: readonly {
    readonly id: string
    readonly labels: Readonly<Record<string, string>>
    readonly severity: string
    readonly summary: string
    /** ISO 8601, UTC */
    readonly startsAt: string
    readonly endsAt: string | null
  }[]
}

export interface IncidentDetail {
  readonly id: string
  readonly title: string
  readonly status: 'investigating' | 'identified' | 'monitoring' | 'resolved'
  readonly impact: 'none' | 'minor' | 'major' | 'critical'
  /** ISO 8601, UTC */
  readonly openedAt: string
  readonly resolvedAt: string | null
  readonly services: readonly string[]
  /** What probably led to it. */
  readonly cause: {
    readonly event: string
    readonly type: string
    /** ISO 8601, UTC */
    readonly at: string
    readonly text: string
  } | null
  /** Whether the status page shows it. */
  readonly published: boolean
  readonly alerts: readonly {
    readonly id: string
    readonly labels: Readonly<Record<string, string>>
    readonly severity: string
    readonly summary: string
    /** ISO 8601, UTC */
    readonly startsAt: string
    readonly endsAt: string | null
  }[]
  readonly timeline: readonly {
    /** ISO 8601, UTC */
    readonly at: string
    readonly kind: 'alert' | 'event' | 'ack' | 'notification' | 'update'
    readonly text: string
    readonly event: string | null
  }[]
  readonly updates: readonly {
    /** ISO 8601, UTC */
    readonly at: string
    readonly status: 'investigating' | 'identified' | 'monitoring' | 'resolved'
    readonly text: string
    readonly by: string
  }[]
}

export interface Policy {
  readonly name: string
  /** What sets it off, as it is written: `check front down`. */
  readonly on: string
  /** Only where all of these are equal. */
  readonly match: Readonly<Record<string, string>>
  /** What it does, one after the other. */
  readonly actions: readonly string[]
  readonly enabled: boolean
  /** It only says what it would do. */
  readonly dryRun: boolean
  /** It is acting now. */
  readonly running: boolean
  readonly runs: number
  readonly lastRun: string | null
  /** By its cooldown or its limit it does not run before that; null: it may run now. */
  readonly againAt: string | null
  /** Since the control process started. */
  readonly refusals: number
  /** Why it did nothing, since it last ran. */
  readonly lastRefusal: {
    /** ISO 8601, UTC */
    readonly at: string
    readonly reason: string
  } | null
  /** What went wrong, since the control process started. */
  readonly lastFailure: {
    /** ISO 8601, UTC */
    readonly at: string
    readonly reason: string
  } | null
}

export interface Profile {
  readonly id: string
  readonly service: string
  readonly instance: string
  /** null: it has not begun. */
  readonly pid: number | null
  readonly kind: 'cpu' | 'heap' | 'gc'
  readonly state: 'running' | 'done' | 'failed'
  /** ISO 8601, UTC */
  readonly startedAt: string
  readonly durationMs: number
  readonly bytes: number
  readonly error: string | null
  readonly actor: string
}

export interface ScalingEvent {
  readonly id: string
  readonly type: 'scale-up' | 'scale-down'
  readonly trigger: string
  readonly service: string
  readonly from: number
  readonly to: number
  readonly reason: string
  /** ISO 8601, UTC */
  readonly timestamp: string
  readonly success: boolean
}

export interface Silence {
  readonly id: string
  readonly state: 'pending' | 'active' | 'expired'
  readonly matchers: readonly string[]
  /** ISO 8601, UTC */
  readonly startsAt: string
  /** ISO 8601, UTC */
  readonly endsAt: string
  readonly createdBy: string
  readonly comment: string
  readonly endOnResolve: boolean
  /** Alerts that it has kept quiet. */
  readonly matched: number
  /** ISO 8601, UTC */
  readonly updatedAt: string
}
