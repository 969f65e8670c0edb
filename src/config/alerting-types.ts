/** Alerts in the configuration: who is told, when, and what keeps an alert quiet. */
import type { InhibitRule } from '../alerting/core/inhibition.ts'
import type { RouteConfig } from '../alerting/core/routes.ts'
import type { TimeInterval } from '../alerting/core/time-intervals.ts'
import type { Duration } from '../kernel/time.ts'

export interface AlertingConfig {
  readonly receivers: Readonly<Record<string, ReceiverConfig>>
  /** The tree; its root takes what no other route does. Receiver `''`: shown, and nobody is told. */
  readonly root: RouteConfig & { readonly receiver: string }
  /** Told when all receivers of a group have failed; undefined: that of the root. */
  readonly fallback: string | undefined
  readonly inhibit: readonly InhibitRule[]
  readonly timeIntervals: Readonly<Record<string, readonly TimeInterval[]>>
  /** An alert that nobody puts again, and that has no end, is resolved after this. */
  readonly resolveTimeout: Duration
}

/** At least one of the five. */
export interface ReceiverConfig {
  readonly webhook?: WebhookConfig | undefined
  readonly slack?: SlackConfig | undefined
  readonly smtp?: SmtpConfig | undefined
  readonly pagerduty?: PagerDutyConfig | undefined
  readonly alertmanager?: AlertmanagerConfig | undefined
  readonly sendResolved: boolean
}

export interface WebhookConfig {
  readonly url: string
  /** Of the signature; undefined: not signed. */
  readonly secret?: string | undefined
  readonly headers: Readonly<Record<string, string>>
  readonly timeout: Duration
}

export interface SlackConfig {
  readonly url: string
  readonly channel?: string | undefined
}

export interface SmtpConfig {
  /** `smtp://user:password@host:587` */
  readonly url: string
  readonly from: string
  readonly to: readonly string[]
  /** false: certificates are not checked. */
  readonly verify: boolean
}

export interface PagerDutyConfig {
  readonly key: string
  readonly url: string
}

export interface AlertmanagerConfig {
  readonly url: string
  readonly username?: string | undefined
  readonly password?: string | undefined
  readonly token?: string | undefined
}
