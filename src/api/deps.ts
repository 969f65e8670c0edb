/** What the API is made of: handed in by `app`. */
import type { FastifyBaseLogger } from 'fastify'
import type { Access } from '../access/index.ts'
import type { Operations } from '../app/operations.ts'
import type { Config } from '../config/types.ts'
import type { EventSink } from '../kernel/events.ts'
import type { Clock } from '../kernel/time.ts'
import type { DashboardFiles } from './dashboard-files.ts'

export interface ApiDeps {
  readonly operations: Operations
  /** Must have started before requests come. */
  readonly access: Access
  readonly events: { readonly sink: EventSink }
  readonly config: Pick<Config, 'api' | 'access'>
  /** A pino logger. */
  readonly log: FastifyBaseLogger
  readonly version: string
  /** The built web app; without it there is a sign-in page only. */
  readonly dashboard?: DashboardFiles | undefined
  /** @default the system's clock */
  readonly clock?: Clock
}

/** Everything below this path is the REST API. */
export const apiBase = '/api/infrastructure'
export const docsBase = '/api/docs'

/** Bounds of the API. */
export const apiLimits = {
  bodyBytesMax: 1_048_576,
  /** Open sockets; more are refused by the system's queue. */
  connectionsMax: 1_000,
  /** Until a request has arrived whole: long enough for a slow line, short enough for a slow attacker. */
  requestReceiveMs: 30_000,
  /** A host name of 253 characters with its port fits. */
  pathParameterCharactersMax: 300,
  /** As long as keys of the cache may be; what is longer is no route. */
  cacheKeyCharactersMax: 1_024,
  listItemsMax: 1_000,
  logLinesMax: 10_000,
  streamsMax: 100,
  /** What waits for a slow reader of a stream before it is cut off. */
  streamBufferBytesMax: 1_048_576,
  streamHeartbeatMs: 15_000,
} as const
