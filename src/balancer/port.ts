/** What the control process may ask of the data plane, and what it hears from it. */
import type { InstanceReport } from '../instance/types.ts'
import type { HistogramData } from '../kernel/histogram.ts'
import type { BreakerState } from '../resilience/core/breaker.ts'
import type { TallyData } from './core/tally.ts'
import type { CacheCounts, CacheStoreStatus } from './core/cache/counts.ts'
import type { PurgeOrder } from './core/cache/purge.ts'
import type { EndpointRole } from './core/tcp-view.ts'
import type { TcpCounts } from './core/tcp-counts.ts'
import type { BreakerAction, BreakerMessage } from './messages.ts'
import type { QuarantinedRequest } from './core/quarantine.ts'
import type { Flow } from './core/flow.ts'
import type { ObserverCounts } from './core/observe-view.ts'
import type { MirrorTelemetry } from './core/mirror.ts'
import type { RoutingView } from './core/routing-view.ts'
import type { RequestTrail } from './core/trail.ts'
import type { WeightReason } from './core/weight.ts'

export interface Proxy {
  /** Finds the running proxy of this data directory, or starts one; resolves once it can take a view. */
  connect(): Promise<ProxyIdentity>
  /**
   * Hands over a new view. Resolves when every worker routes by it, so that what follows (a signal, a kill) cannot meet a
   * request that was sent by the old one. Rejects with `listen_failed` when a listener cannot be opened; the old view then stays.
   */
  apply(view: RoutingView): Promise<void>
  /** The endpoint's process has exited: nothing is sent there from now on, in every worker, without waiting. */
  gone(endpoint: string, reason: string): void
  /** Resolves when the endpoint has nothing in flight in any worker, or at the deadline, with what is left. */
  drained(endpoint: string, deadlineMs: number): Promise<{ readonly remaining: number }>
  /** What the workers remember of requests with this id, newest first; undefined: this proxy remembers nothing. */
  explain?(request: string): Promise<readonly RequestTrail[]>
  /** The latest readings; undefined before the first ones. */
  telemetry(): ProxyTelemetry | undefined
  onTelemetry(listener: (telemetry: ProxyTelemetry) => void): Disposable
  onSignal(listener: (signal: ProxySignal) => void): Disposable
  /** A request is no longer quarantined. Rejects with `unknown_id`. A proxy without this quarantines nothing. */
  forgetQuarantined?(id: string): Promise<void>
  /** Says a line to the busiest process of an instance. Rejects with `not_reporting`, `proxy_unreachable`. A proxy without this hears of no instances. */
  instruct?(instance: string, line: string): Promise<void>
  /**
   * Kept responses that are not to be used any more; `entries`: how many it took. Resolves when no worker uses them: those that have not acknowledged it are
   * cut off, and begin anew. Rejects with `proxy_unreachable`.
   */
  purge?(order: PurgeOrder): Promise<{ readonly entries: number }>
  /** Holds the breakers of a service open, or lets them go. Rejects with `proxy_unreachable`. */
  breaker(service: string, action: BreakerAction): Promise<void>
  /** Ends the data plane: stops accepting, lets requests finish until the deadline, then cuts. Said again, it moves the deadline. */
  shutdown(deadlineMs: number): Promise<void>
  /** Lets go of the proxy, which carries on by itself. */
  disconnect(): void
}

export interface ProxyIdentity {
  readonly pid: number
  readonly workers: number
  /** It was running before. */
  readonly adopted: boolean
}

/** Facts that the data plane tells as they happen. */
export type ProxySignal =
  | { readonly type: 'endpointUnhealthy'; readonly endpoint: string; readonly service: string; readonly reason: string }
  | { readonly type: 'endpointRecovered'; readonly endpoint: string; readonly service: string }
  /** A connection to it broke or was refused: look at once whether the process lives. */
  | {
      readonly type: 'endpointSuspect'
      readonly endpoint: string
      readonly service: string
      readonly reason: string
      /** Why it came to no secure connection, to complete "the endpoint …". */
      readonly handshake?: string | undefined
    }
  | { readonly type: 'endpointEjected'; readonly endpoint: string; readonly service: string; readonly reason: string; readonly forMs: number }
  | { readonly type: 'endpointReinstated'; readonly endpoint: string; readonly service: string }
  /** Two instances have crashed with it. */
  | { readonly type: 'requestQuarantined'; readonly request: QuarantinedRequest }
  | ({ readonly type: 'breakerChanged' } & Omit<BreakerMessage, 'type'>)
  | {
      readonly type: 'roleChanged'
      readonly endpoint: string
      readonly service: string
      readonly from: EndpointRole
      readonly to: EndpointRole
      readonly reason: string | undefined
    }
  /** It lives, and does not say what it is: a wrong password, a missing right, a package that is not installed. */
  | { readonly type: 'roleRefused'; readonly endpoint: string; readonly service: string; readonly reason: string }
  /** More than one says that it is the primary, and none is believed. */
  | { readonly type: 'primaryContested'; readonly service: string; readonly endpoints: readonly string[] }
  /** A sample of the calls that come from this machine. */
  | { readonly type: 'flows'; readonly flows: readonly Flow[] }
  /** The store of shared limits: without it every machine goes by its part. */
  | { readonly type: 'limitsStoreChanged'; readonly up: boolean; readonly reason: string | undefined }
  | { readonly type: 'workerExited'; readonly pid: number; readonly code: number | undefined; readonly signal: string | undefined }
  | { readonly type: 'disconnected'; readonly reason: string }
  | { readonly type: 'connected'; readonly pid: number; readonly workers: number; readonly adopted: boolean }
  /** No proxy was found and none could be started; it is tried again. */
  | { readonly type: 'reconnectFailed'; readonly reason: string; readonly hint: string }
  /** A proxy was found or started again, and does not take the view: it routes by another one, or not at all. It is tried again. */
  | { readonly type: 'viewRefused'; readonly reason: string; readonly hint: string | undefined }

/** Counters since the proxy started, all workers together; gauges as of now. */
export interface ProxyTelemetry {
  /** Wall time in milliseconds. */
  readonly at: number
  readonly pid: number
  readonly startedAt: number
  readonly viewVersion: number
  readonly workers: readonly WorkerTelemetry[]
  readonly connections: { readonly active: number; readonly accepted: number }
  /** Requests refused before they had a service, by reason: `malformed`, `no_route`, `header_too_large`, … */
  readonly refused: Readonly<Record<string, number>>
  /** Lines of the access log and spans, written and lost. */
  readonly observed: ObserverCounts
  readonly services: Readonly<Record<string, ServiceTelemetry>>
  readonly endpoints: Readonly<Record<string, EndpointTelemetry>>
  /** Requests that kill instances, and are sent to none. */
  readonly quarantined?: readonly QuarantinedRequest[] | undefined
  /** Where responses are kept; undefined: no service caches. */
  readonly cache?: CacheStoreStatus | undefined
  /** The store of shared limits; undefined: nothing is shared. */
  readonly limitsStore?: LimitsStoreStatus | undefined
}

export interface LimitsStoreStatus {
  readonly up: boolean
  /** Why it is not; undefined: it is, or was not reached yet. */
  readonly reason: string | undefined
}

export interface WorkerTelemetry {
  readonly pid: number
  readonly connections: number
  readonly memoryBytes: number
}

export interface ServiceTelemetry extends TallyData {
  readonly requests: number
  readonly active: number
  readonly retried: number
  readonly parked: number
  readonly parkedTotal: number
  readonly shed: number
  /** Endpoints to which something was sent later than 1 ms after the exit of their process. */
  readonly lateSends: number
  /** Refused by the rate limit. */
  readonly limited: number
  /** Waiting now because all endpoints are at their limits. */
  readonly queued: number
  readonly queuedTotal: number
  /** Answered by the fallback, by reason. */
  readonly fallbacks: Readonly<Record<string, number>>
  /** Second attempts beside a first one, by which of the two the client's answer came from: `hedge`, `first` or `none`. */
  readonly hedges: Readonly<Record<string, number>>
  /** Copies of its requests; undefined: it has no mirror. */
  readonly mirror?: MirrorTelemetry | undefined
  /** undefined: it does not cache. */
  readonly cache?: CacheCounts | undefined
  readonly tunnels: number
  readonly requestBytes: number
  readonly responseBytes: number
  /** By label, `shop.example.com/api`: those of its routes by which anything came. */
  readonly routes: Readonly<Record<string, TallyData>>
}

export interface EndpointTelemetry {
  readonly service: string
  readonly address: string
  readonly active: number
  readonly requests: number
  readonly errors: number
  /** Connections that were refused, or did not come about in time. */
  readonly refused: number
  /** Its answers by class, those included in whose place another endpoint was asked. */
  readonly responses: Readonly<Record<string, number>>
  /** From the request to the head of its answer, in microseconds. */
  readonly firstByte: HistogramData
  /** Time to the first byte, peak-sensitive moving average, in milliseconds. */
  readonly ewmaMs: number | undefined
  readonly health: 'healthy' | 'unhealthy' | 'pending'
  readonly reason: string | undefined
  /** What the instance told of itself last; undefined: it tells nothing. */
  readonly reported?: InstanceReport | undefined
  /** Why it is out as an outlier; undefined: it is not. */
  readonly ejected?: string | undefined
  /** undefined: the service has no breakers. */
  readonly breaker?: BreakerState | undefined
  /** undefined: its service has no roles. */
  readonly role?: RoleStatus | undefined
  /** Of a TCP service; undefined: nothing has been carried. */
  readonly tcp?: TcpCounts | undefined
  /** Requests that it may have at a time; undefined: any number. */
  readonly limit?: number | undefined
  /** How much of the traffic it should get beside the others: 0 to 100. */
  readonly weight: number
  /** Why that is not 100. */
  readonly reasons: readonly WeightReason[]
}

export interface RoleStatus {
  readonly role: EndpointRole
  /** How far a replica is behind; undefined: not known, or no replica. */
  readonly lagMs: number | undefined
  /** Why it has not told its role; undefined: it has. */
  readonly reason: string | undefined
}
