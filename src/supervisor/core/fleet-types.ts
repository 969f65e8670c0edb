/** What the fleet is told, what it orders, and what it announces. */
import type { ServiceConfig } from '../../config/types.ts'
import type { Random } from '../../kernel/random.ts'
import type { Duration, Instant } from '../../kernel/time.ts'
import type { Ended } from './judge.ts'
import type { FleetLimits, Instance, Rest, RestartOrder, Slot } from './fleet-state.ts'
import type { InstanceCommand, InstanceInput, InstanceState } from './instance-machine.ts'
import type { RestartHistory, RestartLimits } from './restart-policy.ts'

/** A service as it shall be. The caller keeps count of revisions and of scaling by hand. */
export interface DesiredService {
  readonly config: ServiceConfig
  readonly revision: number
  readonly desired: number
  readonly stable: number | undefined
  readonly bootTime: Duration | undefined
}

/** An instance that was found running, with what was known of it. */
export interface FoundInstance {
  readonly id: string
  readonly service: string
  readonly slot: number
  readonly revision: number
  readonly age: Duration
  /** Since when it has been ready; undefined: it was not yet. */
  readonly readyFor: Duration | undefined
  /** How its service was stopped when it was last configured. */
  readonly stop: ServiceConfig['stop'] | undefined
}

/** What was known of a slot. */
export interface KnownSlot {
  readonly index: number
  readonly history: RestartHistory
  readonly restarts: number
  readonly nextStartAt: Instant | undefined
}

export interface MemoryReading {
  readonly id: string
  readonly memoryBytes: number
}

export type FleetInput =
  /** All services that there shall be; what is not among them goes. `slots` and `found`: at the first call after a start. */
  | {
      readonly type: 'apply'
      readonly services: readonly DesiredService[]
      readonly slots?: readonly (KnownSlot & { service: string })[]
      readonly found?: readonly FoundInstance[]
    }
  | { readonly type: 'scale'; readonly service: string; readonly desired: number }
  | { readonly type: 'restart'; readonly service: string }
  /** They crashed, and what made them crash will not come again. */
  | { readonly type: 'pardon'; readonly instances: readonly string[] }
  | { readonly type: 'stopAll' }
  | { readonly type: 'killAll' }
  /** What instances hold, each with all it has started. */
  | { readonly type: 'memory'; readonly readings: readonly MemoryReading[] }
  | { readonly type: 'bootTime'; readonly service: string; readonly bootTime: Duration }
  | { readonly type: 'instance'; readonly id: string; readonly input: InstanceInput }

export type FleetCommand =
  | { readonly type: 'spawn'; readonly instance: Instance; readonly replaces: string | undefined }
  | { readonly type: 'instance'; readonly instance: Instance; readonly command: InstanceCommand }
  | { readonly type: 'fact'; readonly fact: Fact }

/** What the decision process announces: for events, promises and the store. */
export type Fact =
  | { readonly type: 'changed'; readonly instance: Instance; readonly before: InstanceState }
  | { readonly type: 'ended'; readonly instance: Instance; readonly ended: Ended }
  | { readonly type: 'resting'; readonly service: string; readonly slot: Slot; readonly rest: Rest; readonly entered: boolean; readonly last: string }
  | { readonly type: 'proven'; readonly service: string; readonly revision: number }
  | { readonly type: 'dependenciesMissing'; readonly service: string; readonly missing: readonly string[] }
  | { readonly type: 'restarted'; readonly service: string; readonly order: RestartOrder; readonly error: string | undefined }
  | { readonly type: 'rolloutFailed'; readonly service: string; readonly revision: number; readonly reason: string; readonly retries: boolean }
  | { readonly type: 'overMemory'; readonly instance: Instance; readonly memoryBytes: number; readonly limitBytes: number }
  | { readonly type: 'forgotten'; readonly service: string; readonly slots: readonly number[] }
  | { readonly type: 'slotDropped'; readonly service: string; readonly slot: number }

export interface FleetOptions {
  readonly limits: FleetLimits
  readonly restartLimits: RestartLimits
  readonly random: Random
  /** How long what is in flight may take when an instance is stopped; asked at every stop. */
  readonly drainTimeout: () => Duration
}
