/**
 * What the live stream says, once a second and at once when something happens: the nouns of the registry laid out flat, by collection and id, and only the
 * fields that have changed. A reader holds the same tables, applies each message, and has what the server has.
 *
 *   first  { part: 'first', set: … }  …  { part: 'last', set: … }      the whole, in parts that are small enough
 *   then   { set: { instances: { 'shop-3f2a9c': { phase: 'ready', reason: null } } }, gone: { endpoints: ['…'] }, events: […] }
 */
import type { AnyEvent } from '../../kernel/events.ts'

export const liveCollections = ['system', 'listeners', 'services', 'instances', 'endpoints', 'workers', 'certificates', 'alerts'] as const
export type LiveCollection = (typeof liveCollections)[number]

/** A field that is null is no longer there. */
export type LiveRecord = Readonly<Record<string, unknown>>
export type LiveTable = Readonly<Record<string, LiveRecord>>
/** Each collection by id: the name of a service, `service/endpoint`, the pid of a worker; the one system is called `system`. */
export type LiveTables = Readonly<Record<LiveCollection, LiveTable>>

export interface LiveChanges {
  readonly set?: Partial<LiveTables>
  readonly gone?: Partial<Readonly<Record<LiveCollection, readonly string[]>>>
}

export interface LiveMessage<E = AnyEvent> extends LiveChanges {
  /** Wall time in milliseconds. */
  readonly at: number
  /** `first`: forget all that you had; `last`: now you have all; `only`: both. Absent: a change. */
  readonly part?: 'first' | 'middle' | 'last' | 'only'
  /** That have happened since the message before, oldest first. */
  readonly events?: readonly E[]
}
