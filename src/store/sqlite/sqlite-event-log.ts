/**
 * The event log in `state.db`, on a connection of its own: `synchronous = NORMAL`, so an event costs 15 µs
 * instead of an fsync. It survives the death of the process at once; only a power failure can take the last
 * moments, and state never depends on events. Not taken: collecting events and writing them later, which
 * loses those of a crash, the very ones that somebody will want to read.
 */
import type { Component } from '../../kernel/lifecycle.ts'
import { HoldfastError } from '../../kernel/errors.ts'
import { isAscending, isNoun, levelsFrom, limitOf } from '../core/select-events.ts'
import { eventsMax, type EventLog, type EventQuery, type StoredEvent } from '../port.ts'
import type { Connection } from './connection.ts'
import type { SqlValue } from './driver.ts'
import type { StateFile } from './state-file.ts'

export interface SqliteEventLogOptions {
  readonly file: StateFile
  /** @default 100,000 events */
  readonly eventsMax?: number
}

interface EventRow extends Omit<StoredEvent, 'service' | 'instance' | 'event'> {
  readonly service: string | null
  readonly instance: string | null
  readonly event: string
}

export class SqliteEventLog implements EventLog, Component {
  readonly name = 'event log'
  readonly #file: StateFile
  readonly #eventsMax: number
  #connection: Connection | undefined
  /** Lines in the table; counted once, since counting reads them all. */
  #count = 0

  constructor(options: SqliteEventLogOptions) {
    this.#file = options.file
    this.#eventsMax = options.eventsMax ?? eventsMax
  }

  async start(): Promise<void> {
    if (this.#connection) return
    const connection = await this.#file.connect('normal')
    this.#count = (connection.get('SELECT count(*) AS count FROM events') as { count: number }).count
    this.#connection = connection
  }

  stop(_deadline?: AbortSignal): Promise<void> {
    this.#connection?.close()
    this.#connection = undefined
    return Promise.resolve()
  }

  /** Throws `store_unavailable` or `disk_full`; the event is then not in the log. */
  append(event: StoredEvent): void {
    const { seq, id, time, type, level, service = null, instance = null } = event
    const json = JSON.stringify(event.event)
    const excess = Math.max(0, this.#count + 1 - this.#eventsMax)
    this.#sql.transaction(() => {
      this.#sql.run(
        'INSERT INTO events (seq, id, time, type, level, service, instance, event) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
        seq,
        id,
        time,
        type,
        level,
        service,
        instance,
        json,
      )
      if (excess > 0) this.#sql.run('DELETE FROM events WHERE seq IN (SELECT seq FROM events ORDER BY seq LIMIT ?)', excess)
    })
    this.#count += 1 - excess
  }

  /** Throws `store_unavailable`. */
  query(query: EventQuery): readonly StoredEvent[] {
    const { conditions, values } = conditionsOf(query)
    const where = conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : ''
    const order = isAscending(query) ? 'ASC' : 'DESC'
    const rows = this.#sql.all(
      `SELECT seq, id, time, type, level, service, instance, event FROM events ${where} ORDER BY seq ${order} LIMIT ?`,
      ...values,
      limitOf(query),
    ) as EventRow[]
    return rows.map((row) => ({
      ...row,
      service: row.service ?? undefined,
      instance: row.instance ?? undefined,
      event: JSON.parse(row.event) as unknown,
    }))
  }

  lastSeq(): number {
    const { last } = this.#sql.get(
      "SELECT max((SELECT value FROM meta WHERE name = 'lastSeq'), coalesce((SELECT max(seq) FROM events), 0)) AS last",
    ) as {
      last: number
    }
    return last
  }

  get #sql(): Connection {
    if (!this.#connection) throw new HoldfastError('store_unavailable', 'the event log is closed')
    return this.#connection
  }
}

/** Each combination of filters is one text, so that few statements are ever prepared. */
function conditionsOf(query: EventQuery): { conditions: string[]; values: SqlValue[] } {
  const conditions: string[] = []
  const values: SqlValue[] = []
  const add = (condition: string, ...given: SqlValue[]): void => {
    conditions.push(condition)
    values.push(...given)
  }
  if (query.service !== undefined) add('service = ?', query.service)
  if (query.type !== undefined) add(isNoun(query.type) ? 'noun = ?' : 'type = ?', query.type)
  if (query.level !== undefined) {
    const levels = levelsFrom(query.level)
    add(`level IN (${levels.map(() => '?').join(', ')})`, ...levels)
  }
  if (query.since !== undefined) add('time >= ?', query.since)
  if (query.after !== undefined) add(isAscending(query) ? 'seq > ?' : 'seq < ?', query.after)
  return { conditions, values }
}
