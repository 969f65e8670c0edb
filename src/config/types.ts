/**
 * The complete configuration: every default filled in, every value checked, the whole deeply frozen.
 * The rest of the program sees only this; YAML, environment and positions end in this room.
 * Durations are milliseconds, sizes are bytes.
 */
import type { Duration } from '../kernel/time.ts'
import type { AlertingConfig } from './alerting-types.ts'
import type { CacheConfig } from './cache-types.ts'
import type { HealthConfig } from './health-types.ts'
import type { ListenerConfig } from './listener-types.ts'
import type { RulesConfig } from './rule-types.ts'
import type { ExplainConfig, LogConfig, TracingConfig } from './log-types.ts'
import type { PolicyConfig } from './policy-types.ts'
import type { ServiceConfig } from './service-types.ts'
import type { StatusPageConfig } from './status-types.ts'

export * from './alerting-types.ts'
export * from './cache-types.ts'
export * from './health-types.ts'
export * from './instance-types.ts'
export * from './listener-types.ts'
export * from './log-types.ts'
export * from './policy-types.ts'
export * from './resilience-types.ts'
export * from './route-types.ts'
export * from './rule-types.ts'
export * from './service-types.ts'
export * from './status-types.ts'

export interface Config {
  /** Absolute path of the file it was read from; undefined when made in a program. */
  readonly file: string | undefined
  readonly name: string
  readonly region: string
  /** Absolute path of the data directory: state, logs, sockets. */
  readonly data: string
  readonly api: ApiConfig
  readonly metrics: MetricsConfig
  readonly log: LogConfig
  /** undefined: traces are none of our business. */
  readonly tracing?: TracingConfig | undefined
  /** undefined: no request is remembered. */
  readonly explain?: ExplainConfig | undefined
  /** By name; at least one. */
  readonly listeners: Readonly<Record<string, ListenerConfig>>
  readonly cluster: ClusterConfig
  /** By name, in the order of the file. */
  readonly services: Readonly<Record<string, ServiceConfig>>
  /** By status or class: files of the answers to requests that no service takes; undefined: our own. */
  readonly errorPages?: Readonly<Record<string, string>> | undefined
  readonly access: AccessConfig
  /** undefined: each machine has its own limits. */
  readonly limits?: LimitsConfig | undefined
  readonly cache: CacheConfig
  /** undefined: there is none. */
  readonly statusPage?: StatusPageConfig | undefined
  /** undefined: nothing is checked but services by their own probes. */
  readonly health?: HealthConfig | undefined
  /** undefined: nothing is done by itself. */
  readonly policies?: readonly PolicyConfig[] | undefined
  readonly alerting: RulesConfig & AlertingConfig
}

export interface ApiConfig {
  readonly port: number
  readonly host: string
  readonly corsOrigins: readonly string[]
}

export interface MetricsConfig {
  /** The second listener, with /metrics only; undefined: not opened. */
  readonly port: number | undefined
  readonly host: string
}

export interface ClusterConfig {
  /** Proxy workers; `auto` in the file has become the number of cores. */
  readonly workers: number
  readonly gracefulShutdownTimeout: Duration
}

export interface AccessConfig {
  /** Signs JWTs; undefined: made once and kept in the data directory. */
  readonly jwtSecret: string | undefined
  /** Requests per window per credential and address. */
  readonly rateLimit: Rate
}

export interface Rate {
  readonly count: number
  readonly per: Duration
}

/** What machines share. */
export interface LimitsConfig {
  readonly redis: string
  /** undefined: as many as Redis has heard of. */
  readonly machines: number | undefined
}
