/**
 * The frozen table that a proxy worker reads: everything it must know to take a request from a listener
 * to an endpoint. The control process makes it, every worker swaps it whole; a request keeps the view it
 * began with only for its route, never for its endpoints (those are looked up again at every attempt).
 */
import type { BalanceAlgorithm, RateLimitKey } from '../../config/types.ts'
import type { CacheStoreView, CacheView } from './cache-view.ts'
import type { HedgeView } from './hedge-rule.ts'
import type { MirrorView } from './mirror.ts'
import type { ObserveView } from './observe-view.ts'
import type { OriginView } from './origin-view.ts'
import type { RouteConditions } from './route-conditions.ts'
import type { PageView, RulesView } from './rules/view.ts'
import type { SplitView, StickyView } from './sessions/view.ts'
import type { TcpView } from './tcp-view.ts'
import type { TlsView } from './tls-view.ts'

export type { CacheView } from './cache-view.ts'

export interface RoutingView {
  /** Rises with every change; workers acknowledge it. */
  readonly version: number
  readonly listeners: readonly ListenerView[]
  readonly services: readonly ServiceView[]
  /** Answers to ACME challenges by token, given on plain listeners; undefined: there are none. */
  readonly challenges?: Readonly<Record<string, string>> | undefined
  /** By status or class: bodies of the answers to requests that no service takes; undefined: our own. */
  readonly pages?: Readonly<Record<string, PageView>> | undefined
  /** undefined: no request is watched. */
  readonly observe?: ObserveView | undefined
  /** undefined: no service keeps answers. */
  readonly cache?: CacheStoreView | undefined
}

export interface ListenerView {
  readonly name: string
  readonly host: string
  readonly port: number
  /** undefined: plain. */
  readonly tls?: TlsView | undefined
  /** Addresses and ranges of proxies that begin each connection with a PROXY header; nobody else may come. undefined: clients come by themselves. */
  readonly proxyFrom?: readonly string[] | undefined
  /** HTTP/2 is spoken to who asks for it: by ALPN, or on a plain listener by beginning with it. */
  readonly http2?: boolean | undefined
  /** undefined: HTTP. */
  readonly protocol?: 'tcp' | undefined
}

/** Where it listens. */
export const listenerAddress = ({ host, port }: Pick<ListenerView, 'host' | 'port'>): string => `${host} ${port}`

/** What makes a listener the same: a listener of the same name on another address is another one, and both may be open while one replaces the other. */
export const listenerKey = ({ name, host, port }: ListenerView): string => `${name} ${host} ${port}`

export interface RouteView {
  readonly listener: string
  /** Lower case, without port; `*.example.com` for any name below; undefined: any. */
  readonly host?: string | undefined
  readonly path: string
  readonly methods?: readonly string[] | undefined
  readonly stripPath: boolean
  /** undefined: no further conditions. */
  readonly when?: RouteConditions | undefined
  /** Go key by key before those of the service. */
  readonly rules?: RulesView | undefined
  /** Besides that of the service; undefined: none. */
  readonly rateLimit?: RateLimitView | undefined
}

export interface ServiceView {
  readonly name: string
  readonly routes: readonly RouteView[]
  /** undefined: requests and answers are carried as they are. */
  readonly rules?: RulesView | undefined
  readonly algorithm: BalanceAlgorithm
  /** For consistent-hash: the request header whose value is the key; undefined: the path. */
  readonly hashHeader?: string | undefined
  readonly slowStartMs: number
  /** What is known of endpoints takes nothing from their weights; undefined: it does. */
  readonly configuredWeights?: boolean | undefined
  /** undefined: a client may get another endpoint with each request. */
  readonly sticky?: StickyView | undefined
  /** undefined: revisions get what the weights of their endpoints say. */
  readonly split?: SplitView | undefined
  /** undefined: no request is copied. */
  readonly mirror?: MirrorView | undefined
  readonly timeoutMs: number
  readonly connectTimeoutMs: number
  readonly retries: RetryView
  /** A second attempt while the first is late; undefined: none. */
  readonly hedge?: HedgeView | undefined
  /** undefined: nothing is ejected. */
  readonly ejection?: EjectionView | undefined
  /** undefined: no breakers. */
  readonly breaker?: BreakerView | undefined
  /** undefined: none. */
  readonly rateLimit?: RateLimitView | undefined
  /** Its answers are kept; undefined: none are. */
  readonly cache?: CacheView | undefined
  /** Said in place of a failure; undefined: the failure itself. */
  readonly fallback?: FallbackView | undefined
  /** undefined: endpoints have no limits. */
  readonly concurrency?: ConcurrencyView | undefined
  /** undefined: never park. */
  readonly parking?: ParkingView | undefined
  /** Somebody restarts what dies: an endpoint that refuses is worth waiting for. */
  readonly managed: boolean
  /** An endpoint is on its way (start, restart, scale from zero): park instead of refusing. */
  readonly coming: boolean
  /** Learned boot time, for `Retry-After`; undefined: unknown. */
  readonly bootMs?: number | undefined
  /** When an endpoint will be ready, on the machine's monotonic clock; undefined: one is, or nobody knows. */
  readonly readyAtMachineMs?: number | undefined
  /** Answer 503 with the maintenance page to everything. */
  readonly maintenance: boolean
  /** Requests that kill instances are looked for (`core/quarantine.ts`). */
  readonly quarantine?: boolean | undefined
  /** How long such a request is in quarantine; undefined: an hour. */
  readonly quarantineMs?: number | undefined
  readonly probe?: ProbeView | undefined
  /** Its endpoints may say in their answers what they ask for themselves (`instance/core/asked-state.ts`). */
  readonly agent?: boolean | undefined
  /** undefined: it is an HTTP service. */
  readonly tcp?: TcpView | undefined
  /** undefined: endpoints are spoken to by plain HTTP/1.1. */
  readonly origin?: OriginView | undefined
  readonly endpoints: readonly EndpointView[]
}

export interface ParkingView {
  readonly timeoutMs: number
  /** Nor is it waited longer than this behind the time at which an endpoint was expected; undefined: nobody knows how long boots take. */
  readonly patienceMs?: number | undefined
  readonly requests: number
  readonly bytes: number
  /** Navigations of browsers wait no longer, and get a page that asks again; undefined: as long as all others. */
  readonly pageAfterMs?: number | undefined
}

export interface RetryView {
  readonly attempts: number
  readonly budget: number
  /** Answers of the application that are worth another endpoint; undefined: none. */
  readonly statuses?: readonly number[] | undefined
  /** An endpoint that does not answer in time is given up for another. */
  readonly onTimeout?: boolean | undefined
}

export interface EjectionView {
  /** 5xx in a row. */
  readonly consecutiveErrors: number
  /** Connections in a row that failed, or were not answered in time. */
  readonly consecutiveFailures: number
  readonly baseMs: number
  readonly maxMs: number
}

export interface BreakerView {
  /** Share of failed requests that opens it. */
  readonly errorRate: number
  readonly windowMs: number
  readonly minimumRequests: number
  readonly openMs: number
}

/** A page, or another service. */
export type FallbackView = { readonly status: number; readonly page: PageView } | { readonly service: string }

export interface ConcurrencyView {
  /** Requests at a time per endpoint, over all workers; learned from their latency, or a number. */
  readonly limit: number | 'adaptive'
  /** Who may wait while all are at their limits, and how long. */
  readonly queue: { readonly requests: number; readonly timeoutMs: number }
}

export interface RateLimitView {
  readonly key: RateLimitKey
  readonly rate: number
  readonly periodMs: number
  readonly burst: number
  /** Where the table lies that other machines use too; undefined: in the primary of this one. */
  readonly shared?: SharedRateView | undefined
}

export interface SharedRateView {
  /** Of a Redis. */
  readonly url: string
  /** Of its keys. */
  readonly prefix: string
  /** How many machines share it; undefined: they count themselves. */
  readonly machines?: number | undefined
}

export interface ProbeView {
  readonly path: string
  /** The health protocol of gRPC is spoken in place of a GET, and this service asked for; empty: the server as a whole. */
  readonly grpc?: string | undefined
  readonly intervalMs: number
  readonly timeoutMs: number
  readonly fall: number
  readonly rise: number
  readonly statusMin: number
  readonly statusMax: number
  readonly body?: string | undefined
  /** A connection is all that is wanted; nothing is asked. */
  readonly connectOnly?: true | undefined
}

export interface EndpointView {
  readonly id: string
  readonly host: string
  readonly port: number
  readonly weight: number
  /** The user's own label on what runs there; undefined: none. */
  readonly revision?: string | undefined
  readonly state: 'active' | 'draining' | 'maintenance'
  /** It speaks HTTP/2. */
  readonly http2?: boolean | undefined
  /** What runs there, on this machine; undefined: nobody knows. */
  readonly process?: { readonly pid: number; readonly startTicks: number } | undefined
  /** How often it ended unordered of late; undefined: never, or nobody knows. */
  readonly restarts?: number | undefined
}
