/** Which events a query asks for: the meaning of `EventQuery`, once, for every log and for the bus's own memory. */
import type { EventQuery, StoredEvent } from '../port.ts'

/** From harmless to grave; a query for one level gives it and the graver ones. */
export const eventLevels = ['debug', 'info', 'warning', 'error', 'critical'] as const

/** @default 100 */
export const queryLimitDefault = 100
/** More than this many events are never given at once; ask again with `after`. */
export const queryLimitMax = 1_000

export function limitOf({ limit = queryLimitDefault }: EventQuery): number {
  return Math.min(Math.max(Math.trunc(limit) || 0, 0), queryLimitMax)
}

/** The levels that a query for `level` accepts; an unknown level accepts only itself. */
export function levelsFrom(level: string): readonly string[] {
  const index = eventLevels.findIndex((known) => known === level)
  return index === -1 ? [level] : eventLevels.slice(index)
}

/** `instance` asks for every event of instances, `instance.exited` for these only. */
export const isNoun = (type: string): boolean => !type.includes('.')

export const isAscending = (query: EventQuery): boolean => query.order === 'ascending'

/** The events that `query` asks for, in its order and up to its limit. `events` may come in any order. */
export function selectEvents(events: readonly StoredEvent[], query: EventQuery): readonly StoredEvent[] {
  const direction = isAscending(query) ? 1 : -1
  return events
    .filter((event) => matches(event, query))
    .sort((a, b) => direction * (a.seq - b.seq))
    .slice(0, limitOf(query))
}

function matches(event: StoredEvent, query: EventQuery): boolean {
  if (query.service !== undefined && event.service !== query.service) return false
  if (query.type !== undefined && query.type !== (isNoun(query.type) ? event.type.split('.')[0] : event.type)) return false
  if (query.level !== undefined && !levelsFrom(query.level).includes(event.level)) return false
  if (query.since !== undefined && event.time < query.since) return false
  if (query.after === undefined) return true
  return isAscending(query) ? event.seq > query.after : event.seq < query.after
}
