/**
 * The frozen table that a proxy worker reads: everything it must know to take a request from a listener
 * to an endpoint. The control process makes it, every worker swaps it whole; a request keeps the view it
 * began with only for its route, never for its endpoints (those are looked up again at every attempt).
 */
import type { BalanceAlgorithm } from '../../config/types.ts'
import type { ObserveView } from './observe-view.ts'
import type { TlsView } from '../tls/view.ts'

export interface RoutingView {
  /** Rises with every change; workers acknowledge it. */
  readonly version: number
  readonly listeners: readonly ListenerView[]
  readonly services: readonly ServiceView[]
  /** undefined: no request is watched. */
  readonly observe?: ObserveView | undefined
}

export interface ListenerView {
  readonly name: string
  readonly host: string
  readonly port: number
  /** undefined: plain. */
  readonly tls?: TlsView | undefined
}

/** What makes a listener the same: a listener of the same name on another address is another one, and both may be open while one replaces the other. */
export const listenerKey = ({ name, host, port }: ListenerView): string => `${name} ${host} ${port}`

export interface RouteView {
  readonly listener: string
  /** Lower case, without port; `*.example.com` for any name below; undefined: any. */
  readonly host?: string | undefined
  readonly path: string
  readonly methods?: readonly string[] | undefined
  readonly stripPath: boolean
}

export interface ServiceView {
  readonly name: string
  readonly routes: readonly RouteView[]
  readonly algorithm: BalanceAlgorithm
  /** For consistent-hash: the request header whose value is the key; undefined: the path. */
  readonly hashHeader?: string | undefined
  readonly slowStartMs: number
  readonly timeoutMs: number
  readonly connectTimeoutMs: number
  readonly retries: { readonly attempts: number; readonly budget: number }
  /** undefined: never park. */
  readonly parking?: { readonly timeoutMs: number; readonly requests: number; readonly bytes: number } | undefined
  /** Somebody restarts what dies: an endpoint that refuses is worth waiting for. */
  readonly managed: boolean
  /** An endpoint is on its way (start, restart, scale from zero): park instead of refusing. */
  readonly coming: boolean
  /** Learned boot time, for `Retry-After`; undefined: unknown. */
  readonly bootMs?: number | undefined
  /** Answer 503 with the maintenance page to everything. */
  readonly maintenance: boolean
  readonly probe?: ProbeView | undefined
  readonly endpoints: readonly EndpointView[]
}

export interface ProbeView {
  readonly path: string
  readonly intervalMs: number
  readonly timeoutMs: number
  readonly fall: number
  readonly rise: number
  readonly statusMin: number
  readonly statusMax: number
  readonly body?: string | undefined
}

export interface EndpointView {
  readonly id: string
  readonly host: string
  readonly port: number
  readonly weight: number
  readonly state: 'active' | 'draining' | 'maintenance'
}
