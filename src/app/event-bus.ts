/**
 * Announces facts. Every event gets an id, a number and a time, goes to the log, into a short memory, and to
 * whoever listens, in the order of its number for everybody. A listener can neither delay nor break the
 * announcer: what it throws goes elsewhere, and what it announces itself waits until the current event is told.
 *
 *     emit ──▶ waiting ──(the log says where its numbers ended)──▶ numbered ──▶ memory, log, listeners
 *                                                                     └─ log full or gone: kept, written later
 *
 * Not taken: telling listeners in a later tick. A stream would then show an exit after the answer that followed it.
 */
import { codeOf, InvariantError, messageOf } from '../kernel/errors.ts'
import type { AnyEvent, EventData, EventInput, EventOf, EventSink, EventType } from '../kernel/events.ts'
import { Ring } from '../kernel/ring.ts'
import type { Clock } from '../kernel/time.ts'
import { deepFreeze, selectEvents, type EventLog, type EventQuery, type StoredEvent } from '../store/index.ts'

/** Events kept in memory for streams that reconnect. */
export const recentEventsMax = 1_000
/** Events that wait for the log: to be opened, or to have room again. The oldest are given up. */
export const unloggedEventsMax = 1_000
/** Events that one `emit` may set off through listeners; more is a circle of listeners that answer each other. */
export const nestedEventsMax = 10_000

export interface EventBusOptions {
  readonly log: EventLog
  readonly clock: Clock
  readonly region: string
  /** Makes ids that sort by time. */
  readonly newId: () => string
  /** Told what a listener threw or rejected with. */
  readonly onListenerError: (error: unknown, event: AnyEvent) => void
  /** Told once when the log cannot be written, and again only after it could be. */
  readonly onLogError: (error: unknown) => void
}

type Listener = (event: AnyEvent) => unknown
type Draft = Omit<AnyEvent, 'seq'>

export class EventBus implements EventSink {
  readonly #options: EventBusOptions
  readonly #listeners = new Map<EventType | '*', Set<{ readonly listener: Listener }>>()
  readonly #recent = new Ring<AnyEvent>(recentEventsMax)
  /** Announced but not numbered yet. */
  #waiting: Draft[] = []
  /** Told to listeners but not in the log yet, oldest first. */
  #unlogged: AnyEvent[] = []
  #seq: number | undefined
  #announcing = false
  #logFailing = false
  #lost = 0

  constructor(options: EventBusOptions) {
    this.#options = options
  }

  /** Events that are in memory but not in the log, because it cannot be written now. */
  get unlogged(): number {
    return this.#unlogged.length
  }

  /** Events that never got into the log, because it could not be written for too long. */
  get lost(): number {
    return this.#lost
  }

  /** Calls `listener` for each event of the type (`'*'`: of any) until disposed. A promise that it returns is not waited for. */
  on<T extends EventType>(type: T, listener: (event: EventOf<T>) => unknown): Disposable
  on(type: '*', listener: (event: AnyEvent) => unknown): Disposable
  on(type: EventType | '*', listener: (event: never) => unknown): Disposable {
    const entry = { listener: listener as Listener }
    const set = this.#listeners.get(type) ?? new Set()
    this.#listeners.set(type, set.add(entry))
    return { [Symbol.dispose]: () => set.delete(entry) }
  }

  /** Never throws, whatever becomes of the event. */
  emit<T extends EventType>(type: T, { message, data, level = 'info', service, instance, cause }: EventInput<T>): string {
    const { clock, region, newId } = this.#options
    const id = newId()
    this.#waiting.push({ id, time: clock.wallTime(), type, level, message, region, service, instance, cause, data: plain(data) } as Draft)
    this.#announce()
    return id
  }

  /**
   * The events after number `seq`, oldest first, at most `limit` (and 1,000): from memory where it reaches back
   * that far, else from the log. Throws `store_unavailable` when the log is needed and cannot be read.
   */
  since(seq: number, limit = recentEventsMax): readonly AnyEvent[] {
    const oldest = this.#recent.first()
    if (!oldest || oldest.seq > seq + 1) return this.query({ after: seq, order: 'ascending', limit })
    return this.#recent
      .toArray()
      .filter((event) => event.seq > seq)
      .slice(0, limit)
  }

  /** What the log has, and what it should have but could not be given yet. Throws `store_unavailable`. */
  query(query: EventQuery): readonly AnyEvent[] {
    const logged = this.#options.log.query(query)
    const events = this.#unlogged.length === 0 ? logged : selectEvents([...logged, ...this.#unlogged.map(toStored)], query)
    return events.map(({ event }) => event as AnyEvent)
  }

  #announce(): void {
    if (this.#announcing) return
    this.#announcing = true
    try {
      for (let told = 0; this.#waiting[0] && this.#findSeq(); told++) {
        const event = this.#number(this.#waiting[0])
        this.#waiting.shift()
        this.#recent.push(event)
        this.#record(event)
        if (told > nestedEventsMax) this.#breakCircle(event)
        else this.#tell(event)
      }
    } finally {
      this.#announcing = false
    }
  }

  /** Learns where the log's numbers ended. Until it can tell, events wait. */
  #findSeq(): boolean {
    try {
      this.#seq ??= this.#options.log.lastSeq()
      return true
    } catch (error) {
      this.#lost += this.#waiting.splice(0, this.#waiting.length - unloggedEventsMax).length
      this.#reportLog(error)
      return false
    }
  }

  #number(draft: Draft): AnyEvent {
    this.#seq = (this.#seq ?? 0) + 1
    const { id, ...rest } = draft
    return deepFreeze({ id, seq: this.#seq, ...rest } as AnyEvent)
  }

  #tell(event: AnyEvent): void {
    for (const type of [event.type, '*'] as const) {
      const set = this.#listeners.get(type)
      for (const entry of [...(set ?? [])]) if (set?.has(entry)) this.#call(entry.listener, event)
    }
  }

  #call(listener: Listener, event: AnyEvent): void {
    const failed = (error: unknown): void => {
      this.#safely(() => this.#options.onListenerError(error, event))
    }
    try {
      const result = listener(event)
      if (result instanceof Promise) result.catch(failed)
    } catch (error) {
      failed(error)
    }
  }

  #breakCircle(event: AnyEvent): void {
    const dropped = this.#waiting.splice(0).length
    this.#lost += dropped
    const error = new InvariantError(`listeners set off more than ${nestedEventsMax} events by one; ${dropped} were dropped`)
    this.#safely(() => this.#options.onListenerError(error, event))
  }

  /** Writes it to the log, after those that the log did not take before. */
  #record(event: AnyEvent): void {
    this.#unlogged.push(event)
    while (this.#unlogged[0]) {
      try {
        this.#options.log.append(toStored(this.#unlogged[0]))
        this.#logFailing = false
      } catch (error) {
        this.#reportLog(error)
        // What the log cannot take for lack of room or access it takes later; anything else it never takes.
        const later = ['disk_full', 'store_unavailable'].includes(codeOf(error) ?? '')
        if (later && this.#unlogged.length <= unloggedEventsMax) return
        this.#lost++
      }
      this.#unlogged.shift()
    }
  }

  #reportLog(error: unknown): void {
    if (this.#logFailing) return
    this.#logFailing = true
    this.#safely(() => this.#options.onLogError(error))
  }

  /** An error in the handling of errors is nobody's but the process's. */
  #safely(report: () => void): void {
    try {
      report()
    } catch (error) {
      queueMicrotask(() => {
        throw error
      })
    }
  }
}

/** The data as the log will give it back: a copy, so that the announcer's own objects stay its own. */
function plain(data: EventData[EventType]): unknown {
  try {
    return JSON.parse(JSON.stringify(data)) as unknown
  } catch (error) {
    return { unreadable: messageOf(error) }
  }
}

function toStored(event: AnyEvent): StoredEvent {
  const { id, seq, time, type, level, service, instance } = event
  return { id, seq, time, type, level, service, instance, event }
}
