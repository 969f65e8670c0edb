/** What the processes of the data plane say to each other. Control ⇄ primary: one JSON document per line over a Unix socket. Primary ⇄ worker: Node's IPC. */
import type { LatencyWindow } from '../resilience/core/gradient.ts'
import type { HistogramData } from '../kernel/histogram.ts'
import type { BreakerSnapshot, BreakerState } from '../resilience/core/breaker.ts'
import type { RateAsk, RateGrant } from './core/rate-share.ts'
import type { CacheStoreStatus } from './core/cache/counts.ts'
import type { PurgeOrder } from './core/cache/purge.ts'
import type { Flow } from './core/flow.ts'
import type { ObserverCounts } from './core/observe-view.ts'
import type { RoutingView } from './core/routing-view.ts'
import type { Caught, Mark, Named, TrialVerdict } from './core/quarantine.ts'
import type { RequestTrail } from './core/trail.ts'
import type { EndpointRole } from './core/tcp-view.ts'
import type { TcpCounts } from './core/tcp-counts.ts'
import type { Standing } from './core/weight.ts'
import type { ProxySignal, ProxyTelemetry, ServiceTelemetry } from './port.ts'

/** Rises when a control process and a proxy of different releases would misunderstand each other. */
export const protocolVersion = 2

export type ControlToPrimary =
  | { readonly type: 'hello'; readonly protocol: number; readonly role: 'control' | 'orphan'; readonly pid: number }
  | { readonly type: 'view'; readonly id: number; readonly view: RoutingView }
  | { readonly type: 'gone'; readonly endpoint: string; readonly reason: string; readonly exitedAt: number }
  | { readonly type: 'drain'; readonly id: number; readonly endpoint: string; readonly deadlineMs: number }
  | { readonly type: 'breaker'; readonly id: number; readonly service: string; readonly action: BreakerAction }
  /** A request is quarantined no longer. */
  | { readonly type: 'forgetQuarantined'; readonly id: number; readonly request: string }
  | { readonly type: 'purge'; readonly id: number; readonly order: PurgeOrder }
  /** A line for an instance that reports. */
  | { readonly type: 'instruct'; readonly id: number; readonly endpoint: string; readonly line: string }
  | { readonly type: 'shutdown'; readonly deadlineMs: number }
  /** Readings that hold all that was counted until now. */
  | { readonly type: 'read'; readonly id: number }
  | { readonly type: 'explain'; readonly id: number; readonly request: string }
  /** From a worker whose own primary has died. */
  | { readonly type: 'fromOrphan'; readonly message: WorkerToPrimary }

export type PrimaryToControl =
  | {
      readonly type: 'welcome'
      readonly protocol: number
      readonly pid: number
      readonly workers: number
      readonly viewVersion: number
      readonly startedAt: number
    }
  | { readonly type: 'done'; readonly id: number; readonly remaining?: number; readonly entries?: number }
  | { readonly type: 'explained'; readonly id: number; readonly trails: readonly RequestTrail[] }
  | { readonly type: 'failed'; readonly id: number; readonly code: string; readonly message: string; readonly hint?: string | undefined }
  | { readonly type: 'signal'; readonly signal: ProxySignal }
  | { readonly type: 'telemetry'; readonly telemetry: ProxyTelemetry }
  | { readonly type: 'toOrphan'; readonly message: PrimaryToWorker }

/**
 * A listening socket is opened by one worker and then belongs to all: that worker hands it up, the primary keeps it
 * without ever accepting from it, and every other worker gets it with a `listener` message. So a worker can die, or all
 * of them, and no connection is refused; and the primary can die, since the workers hold it too.
 */
export interface ListenerMessage {
  readonly type: 'listener'
  readonly name: string
  readonly host: string
  readonly port: number
}

export interface OpenMessage {
  readonly type: 'open'
  readonly name: string
  readonly host: string
  readonly port: number
  /** An inherited descriptor that listens there already. */
  readonly fd?: number | undefined
}

export type PrimaryToWorker =
  | { readonly type: 'start'; readonly index: number; readonly workers: number; readonly directory: string; readonly pseudonym: string }
  | OpenMessage
  | ListenerMessage
  | { readonly type: 'closeListener'; readonly name: string; readonly host: string; readonly port: number }
  | { readonly type: 'view'; readonly view: RoutingView; readonly unhealthy: readonly string[] }
  /** By endpoint: only those of services that ask for them. */
  | { readonly type: 'roles'; readonly roles: Readonly<Record<string, EndpointRole>> }
  | { readonly type: 'gone'; readonly endpoint: string; readonly reason: string; readonly exitedAt: number }
  | { readonly type: 'health'; readonly endpoint: string; readonly healthy: boolean; readonly reason?: string | undefined }
  /** What is known of an endpoint over all workers. */
  | { readonly type: 'standing'; readonly endpoint: string; readonly standing: Standing }
  /** What endpoints said of themselves last, by endpoint: nobody need tell it again. */
  | { readonly type: 'asked'; readonly said: Readonly<Record<string, string>> }
  /** It is in its slow start, of which so much is over; a window of 0: no more. */
  | { readonly type: 'warm'; readonly endpoint: string; readonly ageMs: number; readonly windowMs: number }
  | { readonly type: 'drain'; readonly id: number; readonly endpoint: string; readonly deadlineMs: number }
  | { readonly type: 'shutdown'; readonly deadlineMs: number }
  /** Base64; every worker has the same (`primary/rotating-keys.ts`). */
  | { readonly type: 'ticketKeys'; readonly keys: string }
  /** Base64; every worker has the same (`primary/rotating-keys.ts`). */
  | { readonly type: 'sessionKeys'; readonly keys: string }
  /** It is out as an outlier; 0: it is in again. */
  | { readonly type: 'ejected'; readonly endpoint: string; readonly forMs: number; readonly reason?: string | undefined }
  /** Another worker has opened its breaker. */
  | { readonly type: 'trip'; readonly endpoint: string }
  /** What its breaker was in the workers before this one. */
  | { readonly type: 'breakerRestored'; readonly endpoint: string; readonly snapshot: BreakerSnapshot }
  | { readonly type: 'breakerOrder'; readonly service: string; readonly action: BreakerAction }
  /** What a request that looks like this is taken for (`core/quarantine.ts`). */
  | ({ readonly type: 'mark'; readonly mark: Mark } & Named)
  /** The endpoint is for a suspect alone; `on: false`: for all again. */
  | { readonly type: 'reserve'; readonly endpoint: string; readonly on: boolean }
  | { readonly type: 'verdict'; readonly id: number; readonly verdict: TrialVerdict; readonly endpoint?: string | undefined }
  | LeaseMessage
  /** Tell what you have counted; then `reported`. */
  | { readonly type: 'report'; readonly id: number }
  /** Slots of an endpoint, and what may be kept of them while others are in need; undefined: all (`core/slots.ts`). */
  | { readonly type: 'slotsGiven'; readonly service: string; readonly endpoint: string; readonly amount: number; readonly keep?: number | undefined }
  /** Answers `takeRate`, key by key. */
  | { readonly type: 'rateGiven'; readonly scope: string; readonly grants: readonly RateGrant[] }
  | { readonly type: 'explain'; readonly id: number; readonly request: string }
  /** Somebody is in need of what this worker does not use: the answer is `giveBack`, if only of nothing. */
  | { readonly type: 'recall'; readonly quota: string }

/** A worker's part of a limit that holds over all of them grows by `amount` (`core/quota.ts`). */
export interface LeaseMessage {
  readonly type: 'lease'
  readonly quota: string
  readonly amount: number
  /** What it may keep without need. */
  readonly share: number
  readonly answer: boolean
}

export type WorkerToPrimary =
  | { readonly type: 'ready' }
  | { readonly type: 'opened'; readonly name: string }
  | { readonly type: 'openFailed'; readonly name: string; readonly code: string; readonly message: string }
  | { readonly type: 'viewApplied'; readonly version: number }
  | { readonly type: 'drained'; readonly id: number; readonly remaining: number }
  /** The listening socket is closed here; the address is free once all have said so. */
  | { readonly type: 'closed'; readonly name: string; readonly host: string; readonly port: number }
  | { readonly type: 'ask'; readonly quota: string; readonly need: number; readonly want: number }
  | { readonly type: 'giveBack'; readonly quota: string; readonly amount: number; readonly recalled: boolean }
  /** Tokens of a rate limit for what has come in this turn of the worker (`core/rate-share.ts`). */
  | { readonly type: 'takeRate'; readonly scope: string; readonly asks: readonly RateAsk[] }
  /** So many wait for a slot of the endpoint; so many go back. */
  | { readonly type: 'slots'; readonly endpoint: string; readonly want?: number | undefined; readonly back?: number | undefined }
  | { readonly type: 'returnRate'; readonly scope: string; readonly unused: readonly (readonly [key: string, count: number])[] }
  /** From an orphan to the heir: what it was lent by the primary that died. */
  | { readonly type: 'holds'; readonly leases: Readonly<Record<string, number>>; readonly slots: Readonly<Record<string, number>> }
  /** `handshake`: why it came to no secure connection, to complete "the endpoint …". */
  | {
      readonly type: 'suspect'
      readonly endpoint: string
      readonly service: string
      readonly reason: string
      readonly handshake?: string | undefined
    }
  /** The endpoint says in an answer what it asks for itself. */
  | { readonly type: 'asks'; readonly endpoint: string; readonly said: string }
  /** So many in a row. */
  | { readonly type: 'outlier'; readonly endpoint: string; readonly service: string; readonly kind: 'errors' | 'failures'; readonly count: number }
  | BreakerMessage
  | ({ readonly type: 'caught' } & Caught)
  /** A request has come that is marked as a suspect. */
  | ({ readonly type: 'askTrial'; readonly id: number } & Named)
  | { readonly type: 'trialOver'; readonly id: number; readonly service: string }
  /** Its connection broke: it will be known how its instance ended, or that it lives. */
  | { readonly type: 'trialBroke'; readonly id: number; readonly service: string }
  /** A suspect was answered, and the instance lives. */
  | { readonly type: 'cleared'; readonly fingerprint: string }
  /** Nothing of others is under way here at a reserved endpoint. */
  | { readonly type: 'quiet'; readonly endpoint: string }
  | { readonly type: 'telemetry'; readonly delta: WorkerDelta }
  | { readonly type: 'reported'; readonly id: number }
  | { readonly type: 'explained'; readonly id: number; readonly trails: readonly RequestTrail[] }

/** `isolate` holds all breakers of a service open; `close` and `reset` end that, and forget what was counted. */
export type BreakerAction = 'isolate' | 'close' | 'reset'

/** A breaker of one worker has changed its state. */
export interface BreakerMessage {
  readonly type: 'breaker'
  readonly endpoint: string
  readonly service: string
  readonly from: BreakerState
  readonly to: BreakerState
  readonly reason: string
  readonly calls: number
  readonly failed: number
  readonly slow: number
  readonly openForMs?: number | undefined
  /** Openings in a row, with this one. */
  readonly openings: number
}

/** What one worker counted since its last report; gauges as of now. */
export interface WorkerDelta {
  readonly connections: number
  readonly accepted: number
  readonly memoryBytes: number
  readonly refused: Readonly<Record<string, number>>
  /** undefined: no service caches. */
  readonly cache?: Pick<CacheStoreStatus, 'workerEntries' | 'workerBytes' | 'unanswered'> | undefined
  /** undefined: nothing is observed. */
  readonly observed?: ObserverCounts | undefined
  /** A sample of the calls that come from this machine; undefined: there were none. */
  readonly flows?: readonly Flow[] | undefined
  readonly services: Readonly<Record<string, ServiceDelta>>
  readonly endpoints: Readonly<Record<string, EndpointDelta>>
}

/** The same numbers as in the telemetry, counted since the last report. */
export type ServiceDelta = ServiceTelemetry

export interface EndpointDelta {
  readonly active: number
  readonly requests: number
  readonly errors: number
  /** Connections that were refused, or did not come about in time. */
  readonly refused: number
  /** Answers by class. */
  readonly responses: Readonly<Record<string, number>>
  readonly ewmaMs: number
  /** undefined: no connection of a TCP service was carried. */
  readonly tcp?: TcpCounts | undefined
  /** Only where the limit is learned. */
  readonly latency?: LatencyWindow | undefined
  /** Of its answers: to the first byte, in microseconds. */
  readonly firstByte: HistogramData
}
