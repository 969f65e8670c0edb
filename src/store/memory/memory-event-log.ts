/** The event log without a disk: bounded like the real one, gone with the process. */
import { selectEvents } from '../core/select-events.ts'
import { eventsMax, type EventLog, type EventQuery, type StoredEvent } from '../port.ts'

export interface MemoryEventLogOptions {
  /** @default 100,000 events */
  readonly eventsMax?: number
}

export class MemoryEventLog implements EventLog {
  readonly #eventsMax: number
  #events: StoredEvent[] = []
  #lastSeq = 0

  constructor(options: MemoryEventLogOptions = {}) {
    this.#eventsMax = options.eventsMax ?? eventsMax
  }

  append(event: StoredEvent): void {
    this.#events.push(event)
    this.#lastSeq = Math.max(this.#lastSeq, event.seq)
    // Shortened in strides: cutting one off at every append would copy the whole list each time.
    if (this.#events.length >= this.#eventsMax * 2) this.#events = this.#kept()
  }

  query(query: EventQuery): readonly StoredEvent[] {
    return selectEvents(this.#kept(), query)
  }

  lastSeq(): number {
    return this.#lastSeq
  }

  #kept(): StoredEvent[] {
    return this.#events.toSorted((a, b) => a.seq - b.seq).slice(-this.#eventsMax)
  }
}
