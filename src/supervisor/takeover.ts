/**
 * Taking over what a control process that died has left running: looked up at the start, taken over at the first
 * configuration, since only that tells what is still wanted.
 */
import { ms, type Clock, type Duration, type WallTime } from '../kernel/time.ts'
import type { StateStore } from '../store/port.ts'
import { withMarked } from './adoption.ts'
import type { Announcer } from './announcer.ts'
import type { FoundInstance, KnownSlot } from './core/fleet-types.ts'
import { restartLimits } from './core/restart-policy.ts'
import type { InstanceBook } from './instance-book.ts'
import type { InstanceLogs } from './output/instance-logs.ts'
import { loadRecords, recallSlot, type InstanceRecord, type Records } from './records.ts'
import type { MarkedProcess, Runtime } from './runtimes/runtime.ts'
import type { ServiceBook } from './service-book.ts'

export interface TakeoverDeps {
  readonly clock: Clock
  readonly store: StateStore
  readonly runtime: Runtime
  readonly instances: InstanceBook
  readonly services: ServiceBook
  readonly announcer: Announcer
  readonly logs: InstanceLogs
}

/** For the fleet: what runs, those that were ready first, and what was known of the slots. */
export interface Found {
  readonly found: readonly FoundInstance[]
  readonly slots: readonly (KnownSlot & { readonly service: string })[]
}

export class Takeover {
  readonly #deps: TakeoverDeps
  #left: { readonly records: Records; readonly marked: readonly MarkedProcess[] } | undefined

  constructor(deps: TakeoverDeps) {
    this.#deps = deps
  }

  /** Something may have been found, and nobody has taken it over yet. */
  get pending(): boolean {
    return this.#left !== undefined
  }

  async look(): Promise<void> {
    const { store, runtime, services, instances } = this.#deps
    const [records, marked] = await Promise.all([loadRecords(store), runtime.marked()])
    services.load(records.services)
    instances.recallSlots(records.slots)
    this.#left = { records, marked }
  }

  /** Takes over what was found; undefined: that has been done. */
  take(wanted: ReadonlySet<string>): Found | undefined {
    if (!this.#left) return undefined
    const { records, marked } = this.#left
    this.#left = undefined
    const found: FoundInstance[] = []
    for (const record of withMarked(records.instances, marked)) {
      const instance = this.#adopt(record)
      if (instance) found.push(instance)
    }
    const live = new Set(found.map(({ id }) => id))
    for (const id of new Set(marked.map(({ instance }) => instance.id))) if (!live.has(id)) this.#deps.runtime.reap(id)
    const slots = records.slots
      .filter(({ service }) => wanted.has(service))
      .map((slot) => ({ service: slot.service, ...recallSlot(slot, restartLimits.crashLoopWindow, this.#deps.clock) }))
    return { found: found.sort((a, b) => Number(b.readyFor !== undefined) - Number(a.readyFor !== undefined)), slots }
  }

  #adopt(record: InstanceRecord): FoundInstance | undefined {
    const { clock, runtime, instances, services, announcer, logs } = this.#deps
    const { id, service, slot, revision, running, readyAt } = record
    if (running && runtime.adopt(running)) {
      instances.adopt(record)
      logs.track(service, id)
      const since = (at: WallTime): Duration => ms(Math.max(0, clock.wallTime() - at))
      const stop = services.has(service) ? services.get(service).stop : undefined
      return { id, service, slot, revision, age: since(running.startedAt), readyFor: readyAt === undefined ? undefined : since(readyAt), stop }
    }
    if (running) announcer.endedUnseen(record, 'ended while no control process ran')
    instances.forget(id)
    return undefined
  }
}
