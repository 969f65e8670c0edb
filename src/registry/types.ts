/** What exists and where it stands: the nouns that supervisor, balancer, API and CLI share. */
import type { Duration, WallTime } from '../kernel/time.ts'

/** One immutable, numbered spec of a service. */
export interface Revision {
  readonly service: string
  readonly number: number
  /** The user's own label. */
  readonly version: string | undefined
  /** Hash of everything that makes instances differ; equal hash, equal revision. */
  readonly specHash: string
  readonly createdAt: WallTime
}

/** Where an instance stands, as users see it. */
export const instancePhases = ['starting', 'ready', 'unhealthy', 'draining', 'stopping', 'backoff', 'crashLooping', 'done'] as const
export type InstancePhase = (typeof instancePhases)[number]

/** Names a process beyond doubt: a pid alone is reused. */
export interface ProcessIdentity {
  readonly pid: number
  /** Field 22 of /proc/PID/stat; 0 where there is no /proc. */
  readonly startTicks: number
  /** /proc/sys/kernel/random/boot_id; empty where there is no /proc. */
  readonly bootId: string
}

/** One running copy of a revision. */
export interface InstanceStatus {
  /** `shop-3f2a9c`: unique for good. */
  readonly id: string
  readonly service: string
  readonly revision: number
  readonly version: string | undefined
  readonly phase: InstancePhase
  readonly pid: number | undefined
  readonly host: string
  readonly port: number
  readonly startedAt: WallTime | undefined
  readonly readyAt: WallTime | undefined
  /** How often this slot has been restarted after an unordered exit. */
  readonly restarts: number
  /** Why it is in this phase, in one sentence; undefined when all is well. */
  readonly reason: string | undefined
  readonly nextStartAt: WallTime | undefined
  readonly lastExit: ExitReport | undefined
  readonly resources: ResourceReading | undefined
}

export interface ResourceReading {
  /** Share of one core, in percent, since the reading before. */
  readonly cpuPercent: number
  readonly memoryBytes: number
}

/** How an instance ended, with the evidence. */
export interface ExitReport {
  readonly at: WallTime
  readonly code: number | undefined
  readonly signal: string | undefined
  readonly class: ExitClass
  readonly uptime: Duration
  /** One sentence: `exited with code 1 after 320 ms`. */
  readonly reason: string
  /** The last lines of stderr, oldest first. */
  readonly stderrTail: readonly string[]
}

/**
 * ordered: we stopped it; completed: code 0; config: code 78; oom: the kernel was out of memory; killed: a signal from
 * outside that no program raises itself; crash: any other end; startFailed: never became ready, or could not be spawned;
 * unknown: ended while no control process was its parent.
 */
export type ExitClass = 'ordered' | 'completed' | 'config' | 'oom' | 'killed' | 'crash' | 'startFailed' | 'unknown'

/** An address that can take traffic. */
export interface EndpointStatus {
  /** The instance's id, or `host:port` of a static endpoint, or the id the API gave it. */
  readonly id: string
  readonly service: string
  readonly host: string
  readonly port: number
  /** The user's own label on what runs there; undefined: none. */
  readonly version?: string | undefined
  /** As configured, or given by hand. */
  readonly weight: number
  /** How much of the traffic it should get beside the others now, 0 to 100; undefined: the balancer has not told yet. */
  readonly effectiveWeight?: number | undefined
  /** Why that is not 100. */
  readonly weightReasons?: readonly WeightReasonStatus[] | undefined
  /** `active`: may be picked; the others may not. */
  readonly state: 'active' | 'draining' | 'maintenance'
  readonly health: 'healthy' | 'unhealthy' | 'pending'
  /** Why it is unhealthy. */
  readonly reason: string | undefined
  /** Why it is out as an outlier; undefined: it is not. */
  readonly ejected?: string | undefined
  /** How its breaker stands; undefined: it has none. */
  readonly breaker?: 'closed' | 'open' | 'halfOpen' | 'forcedOpen' | 'disabled' | 'hydrating' | undefined
  /** What the database is, as it was asked last; undefined: its service has no roles. */
  readonly role?: EndpointRoleName | undefined
  /** How far a replica is behind, in milliseconds; undefined: not known. */
  readonly lagMs?: number | undefined
  readonly instance: string | undefined
  /** What the instance told of itself last; undefined: it tells nothing. */
  readonly reported?: ReportedStatus | undefined
  readonly traffic: EndpointTraffic
}

/** One of the factors that multiply to a weight. */
export interface WeightReasonStatus {
  readonly factor: string
  readonly value: number
  readonly why: string
}

/**
 * primary: it is written to; replica: it may be read from; lagging: a replica too far behind, or not filled yet; stale: says that it is a
 * primary, and another one has taken over; unknown: it has not told.
 */
export type EndpointRoleName = 'primary' | 'replica' | 'lagging' | 'stale' | 'unknown'

/** By the reporter that a service may load. */
export interface ReportedStatus {
  /** How long its event loop kept others waiting in the last half second: 99th percentile. */
  readonly lagMs: number
  /** Share of the time in which the event loop was busy, 0 to 1. */
  readonly utilization: number
  readonly heapUsedBytes: number
  readonly heapLimitBytes: number
  readonly ready: boolean
}

/** Readings of the data plane since it started, all workers together. */
export interface EndpointTraffic {
  /** Requests in flight. */
  readonly active: number
  readonly requests: number
  /** Answers 5xx and failed attempts. */
  readonly errors: number
  /** Mean time to the first byte over the last seconds, in milliseconds; undefined before the first answer. */
  readonly responseTimeMs: number | undefined
  /** Bytes from and to clients, of a TCP service. */
  readonly receivedBytes?: number | undefined
  readonly sentBytes?: number | undefined
}

export interface ServiceStatus {
  readonly name: string
  readonly kind: 'process' | 'static'
  readonly version: string | undefined
  readonly revision: number
  /**
   * healthy: as many ready as wanted; degraded: at least one ready; unhealthy: none ready;
   * starting: none ready yet, some on the way; maintenance: switched off by hand.
   */
  readonly health: 'healthy' | 'degraded' | 'unhealthy' | 'starting' | 'maintenance'
  readonly reason: string | undefined
  readonly desired: number
  readonly ready: number
  readonly maintenance: boolean
  readonly routes: readonly string[]
  readonly dependsOn: readonly string[]
  readonly instances: readonly InstanceStatus[]
  readonly endpoints: readonly EndpointStatus[]
  readonly traffic: ServiceTraffic
}

/** Counts since the data plane started; rates and quantiles over the last 10 seconds. */
export interface ServiceTraffic {
  readonly requests: number
  readonly active: number
  /** Answers 5xx made by the service or by the balancer for it. */
  readonly errors: number
  readonly retried: number
  /** Waiting now because no endpoint is ready. */
  readonly parked: number
  readonly parkedTotal: number
  /** Parked requests that were refused or timed out. */
  readonly shed: number
  /** Refused by the rate limit. */
  readonly limited: number
  /** Waiting now because all endpoints are at their limits. */
  readonly queued: number
  readonly queuedTotal: number
  /** Answered by the fallback. */
  readonly fallbacks: number
  readonly tunnels: number
  readonly requestRate: number
  readonly errorRate: number
  readonly p50Ms: number | undefined
  readonly p95Ms: number | undefined
  readonly p99Ms: number | undefined
}

export const emptyServiceTraffic: ServiceTraffic = {
  requests: 0,
  active: 0,
  errors: 0,
  retried: 0,
  parked: 0,
  parkedTotal: 0,
  shed: 0,
  limited: 0,
  queued: 0,
  queuedTotal: 0,
  fallbacks: 0,
  tunnels: 0,
  requestRate: 0,
  errorRate: 0,
  p50Ms: undefined,
  p95Ms: undefined,
  p99Ms: undefined,
}
