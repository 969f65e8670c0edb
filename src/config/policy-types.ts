/** What stands under `policies` of the configuration: what is done by itself when something happens. */
import type { Duration } from '../kernel/time.ts'
import type { Rate } from './types.ts'

export const policyActions = ['restart', 'eject', 'scale', 'command', 'failover'] as const
export type PolicyActionName = (typeof policyActions)[number]

/** What sets it off: an event by its type, an alert that fires, or a check that becomes so. */
export type PolicyTrigger =
  | { readonly kind: 'event'; readonly type: string }
  | { readonly kind: 'alert'; readonly name: string }
  | { readonly kind: 'check'; readonly name: string; readonly to: 'down' | 'up' | 'warning' | 'critical' }

export interface PolicyAction {
  readonly action: PolicyActionName
  /** undefined: the one that the event is of. */
  readonly service: string | undefined
  /** Of `scale`: by so many, at most to `max`. */
  readonly by: number
  readonly max: number | undefined
  /** Of `eject`: taken back after this time. */
  readonly for: Duration
  /** Of `failover`: the version that gets all clients. */
  readonly to: string | undefined
  readonly command: string | undefined
  readonly timeout: Duration
  readonly cwd: string
}

export interface PolicyConfig {
  readonly name: string
  readonly on: PolicyTrigger
  /** By field of the event, or label of the alert. */
  readonly match: Readonly<Record<string, string>>
  readonly do: readonly PolicyAction[]
  readonly cooldown: Duration
  readonly limit: Rate
  readonly dryRun: boolean
  readonly enabled: boolean
}
