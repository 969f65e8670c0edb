/** What the supervisor keeps in the store, so that the next control process can take over. Times are wall times. */
import type { ProcessSource, ServiceConfig } from '../config/types.ts'
import type { ExitReport } from '../registry/types.ts'
import { elapsed, instant, ms, wallTime, type Clock, type Instant, type WallTime } from '../kernel/time.ts'
import type { StateStore } from '../store/port.ts'
import type { KnownSlot } from './core/fleet-types.ts'
import type { Slot } from './core/fleet-state.ts'
import type { RunningInstance } from './runtimes/runtime.ts'

/** Written before it is spawned, without `running`, and again with it. */
export interface InstanceRecord {
  readonly id: string
  readonly service: string
  readonly slot: number
  readonly revision: number
  readonly version?: string
  readonly running?: RunningInstance
  readonly host?: string
  readonly readyAt?: WallTime
}

/** How the last instance of a slot ended. */
export interface LastExit {
  readonly id: string
  readonly report: ExitReport
}

export interface SlotRecord {
  readonly service: string
  readonly index: number
  readonly failedAt: readonly WallTime[]
  readonly streak: number
  readonly waits: number
  readonly hotKills: number
  readonly crashLooping: boolean
  readonly restarts: number
  readonly nextStartAt?: WallTime
  readonly lastExit?: LastExit
}

/** What is kept of a revision to start it again; its environment may hold secrets, as the store's file does anyway. */
export interface RevisionRecord {
  readonly number: number
  readonly specHash: string
  readonly version?: string
  readonly createdAt: WallTime
  readonly source: ProcessSource
}

export interface ServiceRecord {
  readonly name: string
  /** The revision that is wanted. */
  readonly revision: RevisionRecord
  /** The newest that has been ready. */
  readonly stable?: RevisionRecord
  /** The highest number given. */
  readonly lastNumber: number
  /** Set by hand, for as long as the configuration says `base`. */
  readonly scale?: { readonly instances: number; readonly base: number }
  /** How it is stopped, should it be found running when it is no longer configured. */
  readonly stop: ServiceConfig['stop']
  /** The latest boot times, in milliseconds. */
  readonly boots: readonly number[]
}

export const keys = {
  instances: 'instances/',
  slots: 'supervisor/slots/',
  services: 'supervisor/services/',
  instance: (id: string): string => `instances/${id}`,
  slot: (service: string, index: number): string => `supervisor/slots/${service}/${index}`,
  service: (name: string): string => `supervisor/services/${name}`,
} as const

export interface Records {
  readonly instances: readonly InstanceRecord[]
  readonly slots: readonly SlotRecord[]
  readonly services: readonly ServiceRecord[]
}

export async function loadRecords(store: StateStore): Promise<Records> {
  const [instances, slots, services] = await Promise.all([
    store.list<InstanceRecord>(keys.instances),
    store.list<SlotRecord>(keys.slots),
    store.list<ServiceRecord>(keys.services),
  ])
  const values = <T>(entries: readonly { readonly value: T }[]): T[] => entries.map(({ value }) => value)
  return { instances: values(instances), slots: values(slots), services: values(services) }
}

export function slotRecord(service: string, slot: Slot, lastExit: LastExit | undefined, clock: Clock): SlotRecord {
  const wall = (at: Instant): WallTime => wallTime(clock.wallTime() + elapsed(clock.now(), at))
  const { failures, ...history } = slot.history
  const resting = slot.rest.phase === 'backoff' || slot.rest.phase === 'crashLooping'
  return {
    service,
    index: slot.index,
    failedAt: failures.map(wall),
    ...history,
    restarts: slot.restarts,
    ...(resting && 'until' in slot.rest ? { nextStartAt: wall(slot.rest.until) } : {}),
    ...(lastExit ? { lastExit } : {}),
  }
}

/** The system clock may have been set since: what lies ahead is brought within `waitMax`, what lies behind stays behind. */
export function recallSlot(record: SlotRecord, waitMax: number, clock: Clock): KnownSlot {
  const now = clock.now()
  const ago = (at: WallTime): Instant => instant(now - Math.max(0, clock.wallTime() - at))
  const { failedAt, streak, waits, hotKills, crashLooping, restarts, nextStartAt, index } = record
  const wait = nextStartAt === undefined ? undefined : ms(Math.min(waitMax, Math.max(0, nextStartAt - clock.wallTime())))
  return {
    index,
    history: { failures: failedAt.map(ago), streak, waits, hotKills, crashLooping },
    restarts,
    nextStartAt: wait === undefined ? undefined : instant(now + wait),
  }
}
