/**
 * One feed for all who watch: it looks at the system once a second, and soon after each event, but only while somebody listens. What has changed is
 * worked out once and sent to all; who comes gets the whole first.
 *
 *   nobody ──join──▶ looking once a second ──last one leaves──▶ nobody
 *                       │ event: look 20 ms later, so that what it led to is in the same message
 */
import type { Operations } from '../../app/operations.ts'
import type { AnyEvent } from '../../kernel/events.ts'
import { after, ms, type Clock } from '../../kernel/time.ts'
import type { EventStream } from '../event-stream.ts'
import { asApiEvent, type ApiEvent } from '../schemas/events.ts'
import { liveChanges, liveParts, liveTables } from './tables.ts'
import type { LiveMessage, LiveTables } from './types.ts'

const lookMs = 1_000
const afterEventMs = 20
/** However much happens: a crash loop of everything must not make watching the most expensive part. */
const shortestMs = 100
/** Events that wait for the next look; the newest stay, and the list of events has them all. */
const eventsMax = 200
/** Messages that wait for a reader that has not taken the whole yet: two minutes. Who is slower is cut off, and begins again. */
const waitingMax = 120

interface Watcher {
  readonly stream: EventStream
  /** What came while the whole was being sent; undefined: it has it. */
  waiting: LiveMessage<ApiEvent>[] | undefined
}

export class LiveFeed {
  readonly #operations: Pick<Operations, 'overview' | 'onEvent' | 'alerting'>
  readonly #clock: Clock
  readonly #watchers = new Set<Watcher>()
  #tables: LiveTables | undefined
  #listening: Disposable | undefined
  #timer: Disposable | undefined
  #dueAt = Infinity
  #lookedAt = -Infinity
  #events: ApiEvent[] = []
  #startedAt: number | undefined

  constructor(operations: Pick<Operations, 'overview' | 'onEvent' | 'alerting'>, clock: Clock) {
    this.#operations = operations
    this.#clock = clock
  }

  /** Resolves when the whole has been sent, or the reader is gone. */
  async join(stream: EventStream): Promise<void> {
    if (this.#watchers.size === 0) this.#begin()
    const watcher: Watcher = { stream, waiting: [] }
    this.#watchers.add(watcher)
    stream.onClose(() => {
      this.#watchers.delete(watcher)
      if (this.#watchers.size === 0) this.#end()
    })
    const tables = this.#tables ?? this.#read()
    for (const part of liveParts(tables, this.#clock.wallTime())) {
      await stream.room()
      stream.send({ data: part })
    }
    for (const message of watcher.waiting ?? []) stream.send({ data: message })
    watcher.waiting = undefined
  }

  #begin(): void {
    this.#tables = this.#read()
    this.#lookedAt = this.#clock.now()
    this.#listening = this.#operations.onEvent((event) => {
      this.#onEvent(event)
    })
    this.#lookIn(lookMs)
  }

  #end(): void {
    this.#listening?.[Symbol.dispose]()
    this.#timer?.[Symbol.dispose]()
    this.#listening = this.#timer = this.#tables = undefined
    this.#dueAt = Infinity
    this.#events = []
  }

  #onEvent(event: AnyEvent): void {
    this.#events.push(asApiEvent(event))
    if (this.#events.length > eventsMax) this.#events.shift()
    const now = this.#clock.now()
    this.#lookIn(Math.max(afterEventMs, this.#lookedAt + shortestMs - now))
  }

  /** A look that is due earlier stays. */
  #lookIn(wait: number): void {
    const at = after(this.#clock.now(), ms(wait))
    if (at >= this.#dueAt) return
    this.#timer?.[Symbol.dispose]()
    this.#dueAt = at
    this.#timer = this.#clock.schedule(at, () => {
      this.#dueAt = Infinity
      this.#look()
      this.#lookIn(lookMs)
    })
  }

  /** Also when nothing has changed: a reader that hears nothing for seconds must take what it has for old. */
  #look(): void {
    const now = this.#read()
    const changes = this.#tables && liveChanges(this.#tables, now)
    const events = this.#events
    this.#tables = now
    this.#events = []
    this.#lookedAt = this.#clock.now()
    const message: LiveMessage<ApiEvent> = { at: this.#clock.wallTime(), ...changes, ...(events.length > 0 && { events }) }
    for (const { stream, waiting } of this.#watchers) {
      if (waiting === undefined) stream.send({ data: message })
      else if (waiting.push(message) > waitingMax) stream.cut()
    }
  }

  #read(): LiveTables {
    const overview = this.#operations.overview()
    this.#startedAt ??= this.#clock.wallTime() - overview.uptime * 1_000
    return liveTables(overview, this.#operations.alerting.alerts(), this.#startedAt)
  }
}
