/** What a worker and the primary must know of a TCP service beside what every service has. */
import type { TcpKind } from '../../config/types.ts'
import type { OriginTlsView } from './origin-view.ts'

export interface TcpView {
  readonly kind: TcpKind
  /** Where connections come in; with roles: those that write. */
  readonly listener: string
  /** Where connections that only read come in; undefined: nowhere. */
  readonly replicas?: string | undefined
  /** Reads go to the primary while there is no replica. */
  readonly readFromPrimary: boolean
  /** A connection without a byte either way is closed after this. */
  readonly idleMs: number
  /** How the endpoints are asked for their roles; undefined: they have none. */
  readonly ask?: AskView | undefined
}

export interface AskView {
  readonly intervalMs: number
  readonly timeoutMs: number
  readonly user?: string | undefined
  readonly password?: string | undefined
  readonly database?: string | undefined
  /** Replicas that are further behind get no reads; undefined: any. */
  readonly maxLagMs?: number | undefined
  /** undefined: it is asked in the clear. */
  readonly tls?: OriginTlsView | undefined
}

/**
 * primary: takes the writes; replica: may be read from; lagging: a replica that is too far behind, or not filled yet; stale: says that it is
 * a primary and is not the one; unknown: has not told, or cannot be reached.
 */
export const endpointRoles = ['primary', 'replica', 'lagging', 'stale', 'unknown'] as const
export type EndpointRole = (typeof endpointRoles)[number]
