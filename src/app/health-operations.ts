/** What a user can ask of checks: how they stand, and to make, pause or resume one. */
import type { CheckDetail, CheckStatus, NetworkView } from '../health/types.ts'
import type { Actor } from './operations.ts'

export type { CheckDetail, CheckStatus, NetworkView }

/** What somebody who is expected to be heard of says of itself. */
export interface HeartbeatReport {
  /** Default: true. `false`: its check fails at once. */
  readonly ok?: boolean | undefined
  readonly message?: string | undefined
}

export interface HealthOperations {
  /** Those of the configuration and of programs, then every service by its own probes. */
  checks(): readonly CheckStatus[]
  /** With its last runs. Throws `unknown_check`. */
  check(name: string): CheckDetail
  /** Makes it now. Rejects with `unknown_check`, with `conflict` when it is paused, with `invalid_input` for a service, which the balancer probes. */
  run(name: string): Promise<CheckDetail>
  /** It is not made until it is resumed, also over a restart. */
  pause(name: string, options: { actor: Actor }): Promise<CheckDetail>
  resume(name: string, options: { actor: Actor }): Promise<CheckDetail>
  /** It has been heard of. */
  heartbeat(name: string, report: HeartbeatReport): Promise<CheckDetail>
  /** Whether this node itself sees the network. */
  network(): NetworkView
}
