/** What is known of each instance beyond its decisions: its process, its address, its times, the event that led to it. */
import { assert } from '../kernel/errors.ts'
import type { Clock, WallTime } from '../kernel/time.ts'
import type { Instance, Slot } from './core/fleet-state.ts'
import type { Journal } from './journal.ts'
import type { RoutedInstance } from './ports.ts'
import { keys, slotRecord, type InstanceRecord, type LastExit, type SlotRecord } from './records.ts'
import type { RunningInstance } from './runtimes/runtime.ts'

const loopback = '127.0.0.1'

export class InstanceBook {
  readonly #clock: Clock
  readonly #journal: Journal
  readonly #records = new Map<string, InstanceRecord>()
  /** Latest event of each instance, and of each slot: the causes of what comes next. */
  readonly #causes = new Map<string, string>()
  readonly #lastExits = new Map<string, LastExit>()

  constructor(clock: Clock, journal: Journal) {
    this.#clock = clock
    this.#journal = journal
  }

  get(id: string): InstanceRecord | undefined {
    return this.#records.get(id)
  }

  intend({ id, service, slot, revision }: Instance, version: string | undefined): void {
    this.#put({ id, service, slot, revision, ...(version !== undefined && { version }) })
  }

  /** One that was found running. */
  adopt(record: InstanceRecord): void {
    this.#put(record)
  }

  spawned(id: string, running: RunningInstance): void {
    this.#change(id, { running })
  }

  ready(id: string, host: string): void {
    this.#change(id, { host, readyAt: this.#clock.wallTime() })
  }

  forget(id: string): void {
    this.#records.delete(id)
    this.#causes.delete(id)
    this.#journal.delete(keys.instance(id))
  }

  /** As the routing knows it. */
  routed(id: string): RoutedInstance {
    const record = this.#records.get(id)
    assert(record?.running, `instance ${id} has no address yet`)
    return {
      id,
      service: record.service,
      host: record.host ?? loopback,
      port: record.running.port,
      process: { pid: record.running.process.pid, startTicks: record.running.process.startTicks },
      ...(record.version !== undefined && { version: record.version }),
    }
  }

  cause(id: string): string | undefined {
    return this.#causes.get(id)
  }

  setCause(id: string, event: string): void {
    this.#causes.set(id, event)
  }

  /** What led to the next start in the slot; it explains that one only. */
  takeSlotCause(service: string, slot: number): string | undefined {
    const key = keys.slot(service, slot)
    const cause = this.#causes.get(key)
    this.#causes.delete(key)
    return cause
  }

  setSlotCause(service: string, slot: number, event: string): void {
    this.#causes.set(keys.slot(service, slot), event)
  }

  lastExit(service: string, slot: number): LastExit | undefined {
    return this.#lastExits.get(keys.slot(service, slot))
  }

  setLastExit(service: string, slot: number, exit: LastExit): void {
    this.#lastExits.set(keys.slot(service, slot), exit)
  }

  recallSlots(records: readonly SlotRecord[]): void {
    for (const { service, index, lastExit } of records) {
      if (lastExit) this.setLastExit(service, index, lastExit)
    }
  }

  saveSlot(service: string, slot: Slot): void {
    this.#journal.put(keys.slot(service, slot.index), slotRecord(service, slot, this.lastExit(service, slot.index), this.#clock))
  }

  forgetSlot(service: string, slot: number): void {
    this.#causes.delete(keys.slot(service, slot))
    this.#lastExits.delete(keys.slot(service, slot))
    this.#journal.delete(keys.slot(service, slot))
  }

  startedAt(id: string): WallTime | undefined {
    return this.#records.get(id)?.running?.startedAt
  }

  #change(id: string, change: Partial<InstanceRecord>): void {
    const record = this.#records.get(id)
    if (record) this.#put({ ...record, ...change })
  }

  #put(record: InstanceRecord): void {
    this.#records.set(record.id, record)
    this.#journal.put(keys.instance(record.id), record)
  }
}
