/**
 * Everything a user can ask of a running Holdfast, in one interface: the REST API is its face over HTTP, the
 * CLI speaks to that, and programs get it from `createHoldfast`. Methods reject with a HoldfastError whose
 * code the API maps to a status: `unknown_service` 404, `invalid_input` 400, `conflict` 409, `unavailable` 503.
 */
import type { MirrorTelemetry } from '../balancer/core/mirror.ts'
import type { AnyEvent } from '../kernel/events.ts'
import type { Config } from '../config/types.ts'
import type { CertificateStatus, QuarantinedRequest } from '../balancer/index.ts'
import type { ProxyTelemetry } from '../balancer/port.ts'
import type { EndpointStatus, InstanceStatus, ServiceStatus } from '../registry/types.ts'
import type { EventQuery } from '../store/port.ts'
import type { LogLine, LogQuery } from '../supervisor/index.ts'
import type { CacheOperations } from './cache-operations.ts'
import type { ProfileOperations } from './profile-operations.ts'
import type { DependencyOperations } from './dependency-operations.ts'
import type { Explanation } from './explaining.ts'
import type { MetricsOperations } from './metrics-operations.ts'
import type { RuleOperations } from './rule-operations.ts'
import type { HealthOperations } from './health-operations.ts'
import type { AlertOperations } from './alert-operations.ts'
import type { StatusPageOperations } from './status-operations.ts'

/** How a policy stands. */
export interface PolicyStatus {
  readonly name: string
  /** What sets it off, as it is written: `check front down`. */
  readonly on: string
  readonly match: Readonly<Record<string, string>>
  /** As sentences: `restart shop`. */
  readonly actions: readonly string[]
  readonly enabled: boolean
  readonly dryRun: boolean
  /** It is acting now. */
  readonly running: boolean
  /** Since it is there. */
  readonly runs: number
  /** Wall time in milliseconds. */
  readonly lastRun: number | undefined
  /** By its cooldown or its limit it does not run before that; undefined: it may. */
  readonly againAt: number | undefined
  /** Since the control process started, told or not. */
  readonly refusals: number
  /** Why it did nothing, since it last ran. */
  readonly lastRefusal: { readonly at: number; readonly reason: string } | undefined
  /** Since the control process started. */
  readonly lastFailure: { readonly at: number; readonly reason: string } | undefined
}

/** Who asks: goes into every event that the action leaves. */
export interface Actor {
  /** `alice`, `apikey:ci`, `cli`, `config`. */
  readonly name: string
  readonly address: string
  /** The id of the event that recorded the request: the `cause` of the events it leads to. */
  readonly cause?: string
}

export interface Overview {
  readonly status: 'healthy' | 'degraded' | 'unhealthy'
  readonly name: string
  readonly region: string
  readonly version: string
  readonly pid: number
  /** Seconds since the control process started. */
  readonly uptime: number
  readonly services: readonly ServiceStatus[]
  readonly proxy: ProxyTelemetry | undefined
  readonly proxyConnected: boolean
  /** Addresses that serve traffic: `http://127.0.0.1:8080`. */
  readonly listeners: readonly { readonly name: string; readonly url: string }[]
  /** Those that expire within three weeks, or have; undefined: none does. */
  readonly certificates?: readonly CertificateStatus[] | undefined
}

export interface ScalingRecord {
  readonly id: string
  readonly type: 'scale-up' | 'scale-down'
  readonly trigger: string
  readonly service: string
  readonly from: number
  readonly to: number
  readonly reason: string
  readonly timestamp: string
  readonly success: boolean
}

export interface RestartReport {
  readonly service: string
  readonly replaced: readonly { readonly from: string; readonly to: string }[]
}

export type { LogLine, LogQuery }

export interface ConfigChange {
  /** `services.web.instances` */
  readonly path: string
  readonly from: unknown
  readonly to: unknown
  /** What applying it does: `replaces the instances of web`, `changes routing only`, `needs a restart of holdfast`. */
  readonly effect: string
}

/** One effective value of the configuration and where it came from. */
export interface ConfigOrigin {
  /** `services.web.instances` */
  readonly path: string
  /** Secrets as `***`. */
  readonly value: unknown
  readonly source: 'default' | 'file' | 'environment'
  /** `holdfast.yml:7:5`, `PORT`; undefined for a default. */
  readonly where?: string | undefined
}

export interface NewServer {
  readonly host: string
  readonly port: number
  readonly weight?: number
  /** Default: the only static service, or the first service. */
  readonly service?: string
  /** Default: that of the service. */
  readonly version?: string
}

export interface Split {
  readonly service: string
  /** Share of the clients by version, 1 in all; undefined: weights decide. */
  readonly shares: Readonly<Record<string, number>> | undefined
  readonly source: 'hand' | 'configuration' | 'none'
  /** Of the endpoints that there are, with their number. */
  readonly versions: Readonly<Record<string, number>>
  /** How those of each version do. */
  readonly traffic: Readonly<Record<string, VersionTraffic>>
}

/** Of all endpoints of a version: counts since they are there; rates and the quantile over the last 10 seconds. */
export interface VersionTraffic {
  readonly requests: number
  /** Answers of 5xx, and attempts without an answer. */
  readonly errors: number
  readonly requestRate: number
  readonly errorRate: number
  /** To the first byte; undefined: none came. */
  readonly p95Ms: number | undefined
}

export interface MirrorReport extends MirrorTelemetry {
  readonly service: string
  /** Who gets the copies; undefined: nobody. */
  readonly mirror: string | undefined
}

export interface Operations {
  readonly cache: CacheOperations
  /** What was measured. */
  readonly history: MetricsOperations
  readonly dependencies: DependencyOperations
  readonly rules: RuleOperations
  readonly profiles: ProfileOperations
  readonly statusPage: StatusPageOperations
  readonly health: HealthOperations
  /** What is done by itself, and what became of it. */
  policies(): readonly PolicyStatus[]
  readonly alerting: AlertOperations
  config(): Config
  /** The configuration for people: secrets replaced by `***`. */
  shownConfig(): unknown
  /** Every effective value of the configuration and where it came from. */
  explainConfig(): readonly ConfigOrigin[]
  overview(): Overview
  services(): readonly ServiceStatus[]
  service(name: string): ServiceStatus
  instances(service: string): readonly InstanceStatus[]
  endpoints(): readonly EndpointStatus[]

  scale(service: string, instances: number, options: { reason?: string; actor: Actor }): Promise<ScalingRecord>
  scalingEvents(limit: number): readonly ScalingRecord[]
  /** Replaces every instance, the new one ready before the old one goes. Resolves when done; rejects with `restart_failed` when a new one never got ready (the old one then stays). */
  restart(service: string, options: { actor: Actor }): Promise<RestartReport>
  /** Rejects with `invalid_input` when the service has no breaker. */
  orderBreaker(service: string, action: 'isolate' | 'close' | 'reset', options: { actor: Actor }): Promise<void>
  /** Requests that kill instances, and are sent to none. */
  quarantined(): readonly QuarantinedRequest[]
  /** It is sent to instances again. Rejects with `unknown_id`. */
  forgetQuarantined(id: string, options: { actor: Actor }): Promise<void>
  setMaintenance(target: { service: string } | { endpoint: string } | 'all', enabled: boolean, options: { actor: Actor }): Promise<void>
  /** How clients are divided between versions. */
  split(service: string): Split
  /** By hand, before what is configured; undefined: as configured again. Rejects with `invalid_input`. */
  setSplit(service: string, shares: Readonly<Record<string, number>> | undefined, options: { actor: Actor }): Promise<Split>
  /** What came of the copies of its requests since the proxy started. */
  mirror(service: string): MirrorReport
  addServer(server: NewServer, options: { actor: Actor }): Promise<EndpointStatus>
  removeServer(endpoint: string, options: { actor: Actor }): Promise<void>

  events(query: EventQuery): readonly AnyEvent[]
  /** What is known about a request or an event. Rejects with `unknown_id`. */
  explain(id: string): Promise<Explanation>
  onEvent(listener: (event: AnyEvent) => void): Disposable
  logs(service: string, query: LogQuery): Promise<readonly LogLine[]>
  /** Calls back with each new line until disposed. */
  followLogs(service: string, query: LogQuery, onLine: (line: LogLine) => void): Disposable

  /** Reads the configuration file again (or `text`) and says what applying it would change. Rejects with `config_invalid`, details: problems. */
  previewConfig(text?: string): Promise<readonly ConfigChange[]>
  /** Applies the file (or `text`, which is then also written to the file). A bad one changes nothing. */
  applyConfig(options: { text?: string; actor: Actor; ifMatch?: string }): Promise<readonly ConfigChange[]>
  /** Changes with the effective configuration; the ETag of `GET /config`. */
  configTag(): string

  /** Resolves when the state store can be read; rejects with `unavailable` when it cannot. */
  checkStore(): Promise<void>
  /** Prometheus text. */
  metrics(): Promise<string>
  /** Drains and stops everything, then ends the control process. Resolves when the order is taken. */
  down(options: { actor: Actor }): Promise<void>
}
