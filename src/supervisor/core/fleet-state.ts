/**
 * What the supervisor knows: services, their slots, and the instances in them. A slot is a place that shall be
 * filled; it outlives the instances that fill it and remembers their failures. An instance is one process.
 *
 *   service web
 *     slot 0   serving web-3f2a9c                          the instance that fills the slot
 *     slot 1   serving web-9k1m0p, replacement web-77aq2z   the new one until it is ready and admitted
 *     slot 2   empty, resting until 12:04 (backoff)
 *     retiring web-1b2c3d                                   on its way out; its place is taken or gone
 */
import type { ServiceConfig } from '../../config/types.ts'
import { seconds, type Duration, type Instant } from '../../kernel/time.ts'
import type { InstanceState } from './instance-machine.ts'
import type { BookedFailure } from './pardon.ts'
import type { RestartHistory } from './restart-policy.ts'

export interface Instance {
  readonly id: string
  readonly service: string
  readonly slot: number
  readonly revision: number
  /** A deploy has something to fall back to if it fails: that is no crash of the slot. */
  readonly trial: boolean
  readonly bornAt: Instant
  state: InstanceState
  wakeAt: Instant | undefined
  /** It holds more memory than its service allows. */
  isOverMemory?: boolean
}

/** Why an empty slot is not filled. */
export type Rest =
  | { readonly phase: 'none' }
  | { readonly phase: 'backoff' | 'crashLooping'; readonly until: Instant; readonly wait: Duration; readonly reason: string }
  | { readonly phase: 'done'; readonly reason: string }

export interface Slot {
  readonly index: number
  /** The revision it falls back to: that of the last instance in it that became ready; undefined: none did. */
  revision: number | undefined
  serving: Instance | undefined
  replacement: Instance | undefined
  /** The id that its next instance gets; fixed beforehand so that a slot that waits can be named. */
  nextId: string
  rest: Rest
  history: RestartHistory
  /** Its latest failures, for as long as they can be taken back. */
  booked: readonly BookedFailure[]
  /** When failures were taken back. */
  pardons: readonly Instant[]
  /** How often it was started again after an unordered end. */
  restarts: number
  /** Its last instance ended unordered: the next start is a restart. */
  failed: boolean
  /** Starts in a row that ended because a stranger had the port. */
  portRetries: number
  /** After a replacement of an unhealthy instance failed: not another one before this. */
  healAt: Instant | undefined
}

/** A revision that would not start while an older one works. */
export interface FailedRollout {
  readonly failures: number
  /** undefined: not before somebody changes or applies something. */
  readonly retryAt: Instant | undefined
  readonly reason: string
}

/** An order to replace every instance; `from` is the instance to be replaced, if there was one. */
export interface RestartOrder {
  readonly pending: Map<number, { readonly from: string | undefined }>
  readonly replaced: { readonly from: string; readonly to: string }[]
}

export interface Service {
  readonly name: string
  config: ServiceConfig
  /** How many slots there shall be. */
  desired: number
  /** The revision that is wanted. */
  revision: number
  /** The newest revision that has been ready. */
  stable: number | undefined
  readonly slots: Map<number, Slot>
  readonly retiring: Set<Instance>
  /** It may start: what it depends on is ready, or it has waited long enough, or it ran before. */
  released: boolean
  waitingSince: Instant | undefined
  failedRollout: FailedRollout | undefined
  restart: RestartOrder | undefined
  /** Going away whole: removed from the configuration, or everything stops. */
  leaving: boolean
  /** Middle of the last boot times; undefined: not yet known. */
  bootTime: Duration | undefined
}

export interface FleetState {
  readonly services: ReadonlyMap<string, Service>
}

export interface FleetLimits {
  /** Instances of this node that may be starting at once. @default max(2, cores) */
  readonly starting: number
  /** The same for services that were up and have no ready instance left. @default 4 × starting */
  readonly startingInOutage: number
  /** A start counts for the limit above only so long: what hangs does not hold up the others. @default 5 s */
  readonly startStorm: Duration
  /** How long a service waits for what it depends on. @default 60 s */
  readonly dependencyWait: Duration
  /** Unhealthy for so long: replaced. @default 30 s */
  readonly unhealthyAfter: Duration
  /** Share of a service's instances that are replaced at the same time, once the first replacement has worked. @default 0.25 */
  readonly surge: number
  /** Starts in a row on other ports after a stranger took one, before it counts as a failure. @default 5 */
  readonly portRetries: number
}

export const defaultFleetLimits = (cores: number): FleetLimits => ({
  starting: Math.max(2, cores),
  startingInOutage: 4 * Math.max(2, cores),
  startStorm: seconds(5),
  dependencyWait: seconds(60),
  unhealthyAfter: seconds(30),
  surge: 0.25,
  portRetries: 5,
})

/** All live instances of a service: in its slots, replacing, retiring. */
export function* instancesOf(service: Service): Generator<Instance> {
  for (const slot of service.slots.values()) {
    if (slot.serving) yield slot.serving
    if (slot.replacement) yield slot.replacement
  }
  yield* service.retiring
}

/** It takes traffic: ready, and every proxy worker knows. */
export const isServing = ({ state }: Instance): boolean => state.phase === 'ready' && state.admitted

export const isStarting = ({ state }: Instance): boolean => state.phase === 'spawning' || state.phase === 'starting' || state.phase === 'diagnosing'

/** Told to go. */
export function isLeaving({ state }: Instance): boolean {
  if (state.phase === 'spawning') return state.stop !== undefined
  return state.phase === 'draining' || state.phase === 'stopping' || state.phase === 'reaping'
}

export function readyCount(service: Service): number {
  let count = 0
  for (const instance of instancesOf(service)) if (isServing(instance)) count++
  return count
}

/** The port is the user's own, so two instances cannot live at once: it is stopped before the new one starts. */
export const isStopFirst = ({ config }: Service): boolean => config.source.kind === 'process' && config.source.port !== 'auto'
