/**
 * Who says that something is wrong, and who tells people, meet here: rules, other Prometheus servers and programs `put` alerts; the notifier groups, silences, inhibits
 * and sends them. The contract is Alertmanager's: an alert is its label set; who hears nothing of it until `endsAt` takes it for resolved.
 */
import type { Labels } from '../kernel/labels.ts'

export type { Labels }

/** `emergency` is graver than `critical`, `critical` than `warning`. The label `severity`. */
export const severities = ['warning', 'critical', 'emergency'] as const
export type Severity = (typeof severities)[number]

/** What is put. Identity: `labels`, of which `alertname` must be there; ours also carry `severity`, and `service`, `instance` or `check` where they are of one. */
export interface PutAlert {
  readonly labels: Labels
  /** `summary`: one sentence; `description`, `runbook`, `value`, `event` (id of what led to it). */
  readonly annotations: Labels
  /** Wall time in milliseconds. Default: when it is first put. */
  readonly startsAt?: number | undefined
  /** In the past: it is resolved. Default: the resolve timeout (5 min) after it was put. */
  readonly endsAt?: number | undefined
  /** Where to look at what led to it. */
  readonly generatorUrl?: string | undefined
}

export interface AlertSink {
  put(alerts: readonly PutAlert[]): void
}

/** Why something that is said to be down is not told by itself: what it needs is down. */
export interface Suppression {
  /** The labels of the alert, or the name of the service or check, that it goes back to: `database`. */
  readonly cause: string
  /** `database is down, and shop needs it`. */
  readonly reason: string
  /** Not certain yet (what it needs is being looked at again): wall time at which it will be, at the latest. undefined: certain, as long as the cause is down. */
  readonly until?: number | undefined
}

/** Asked before an alert is told: the graph of what needs what. */
export interface Suppressor {
  suppression(labels: Labels, startsAt: number): Suppression | undefined
  /** What it has said may hold no longer: whoever keeps an alert back for it asks again at once, not only at the next interval of its group. */
  onChange(listener: () => void): Disposable
}

/** A time in which notifications are kept back (`service` undefined: of everything). */
export interface MaintenanceReader {
  inMaintenance(labels: Labels): boolean
}
