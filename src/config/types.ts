/**
 * The complete configuration: every default filled in, every value checked, the whole deeply frozen.
 * The rest of the program sees only this; YAML, environment and positions end in this room.
 * Durations are milliseconds, sizes are bytes.
 */
import type { Duration } from '../kernel/time.ts'

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
  /** By name; at least one. */
  readonly listeners: Readonly<Record<string, ListenerConfig>>
  readonly cluster: ClusterConfig
  /** By name, in the order of the file. */
  readonly services: Readonly<Record<string, ServiceConfig>>
  readonly access: AccessConfig
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

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent'

export interface LogConfig {
  readonly level: LogLevel
  /** Absolute path. */
  readonly directory: string
}

export interface ListenerConfig {
  readonly port: number
  readonly host: string
  /** undefined: plain. */
  readonly tls?: ListenerTlsConfig | undefined
}

export const tlsVersions = ['TLSv1.2', 'TLSv1.3'] as const

export interface ListenerTlsConfig {
  /** Absolute paths of PEM files. */
  readonly certificates: readonly { readonly cert: string; readonly key: string; readonly hosts: readonly string[] }[]
  readonly minVersion: (typeof tlsVersions)[number]
  readonly clientCa: string | undefined
  readonly requireClientCert: boolean
  /** One more certificate, made here and signed by itself. */
  readonly development: boolean
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

export interface ServiceConfig {
  readonly name: string
  readonly source: ServiceSource
  /** The user's own label on the revision. */
  readonly version: string | undefined
  readonly instances: { readonly min: number; readonly max: number }
  readonly dependsOn: readonly string[]
  readonly start: { readonly timeout: Duration }
  readonly stop: { readonly signal: StopSignal; readonly timeout: Duration }
  readonly restart: RestartConfig
  readonly resources?: ResourcesConfig | undefined
  /** undefined: readiness is a plain TCP connect, and nothing is probed afterwards. */
  readonly health: HealthProbeConfig | undefined
  readonly routes: readonly RouteConfig[]
  readonly balance: { readonly algorithm: BalanceAlgorithm; readonly hashHeader: string | undefined; readonly slowStart: Duration }
  readonly resilience: ResilienceConfig
}

export type ServiceSource = ProcessSource | StaticSource

/** Child processes of this node. */
export interface ProcessSource {
  readonly kind: 'process'
  readonly command: string
  /** Absolute path. */
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  /** `auto`: a free port per instance, handed over as $PORT; a number only with a single instance. */
  readonly port: 'auto' | number
  /** undefined: as whoever runs Holdfast. */
  readonly user?: UserConfig | undefined
}

/** Who runs a program: names or numbers. */
export interface UserConfig {
  readonly name: string
  /** undefined: the user's own. */
  readonly group: string | undefined
}

/** Addresses run by somebody else. */
export interface StaticSource {
  readonly kind: 'static'
  readonly endpoints: readonly StaticEndpoint[]
}

export interface StaticEndpoint {
  readonly host: string
  readonly port: number
  readonly weight: number
}

export type StopSignal = 'SIGTERM' | 'SIGINT' | 'SIGQUIT' | 'SIGHUP' | 'SIGUSR1' | 'SIGUSR2' | 'SIGKILL'

export interface RestartConfig {
  /** `always`: whenever it exits unordered; `on-failure`: not after exit code 0; `never`. */
  readonly policy: 'always' | 'on-failure' | 'never'
  readonly backoff: { readonly initial: Duration; readonly max: Duration }
}

export interface ResourcesConfig {
  /** Bytes that an instance with all it has started may hold; over it, it is replaced. */
  readonly memory: number
}

export interface HealthProbeConfig {
  readonly path: string
  readonly interval: Duration
  readonly timeout: Duration
  /** Failures in a row until unhealthy. */
  readonly fall: number
  /** Passes in a row until healthy again. */
  readonly rise: number
  readonly expect: { readonly statusMin: number; readonly statusMax: number; readonly body: string | undefined }
}

export interface RouteConfig {
  /** Name of a listener. */
  readonly listener: string
  /** Lower case, without port; `*.example.com` matches one or more labels; undefined: any. */
  readonly host: string | undefined
  /** A prefix that ends at a segment boundary: `/a` matches `/a` and `/a/b`, not `/ab`. */
  readonly path: string
  /** Upper case; undefined: any. */
  readonly methods: readonly string[] | undefined
  /** Remove the matched prefix before forwarding. */
  readonly stripPath: boolean
}

export const balanceAlgorithms = [
  'round-robin',
  'weighted-round-robin',
  'least-connections',
  'ip-hash',
  'consistent-hash',
  'random',
  'p2c-ewma',
] as const
export type BalanceAlgorithm = (typeof balanceAlgorithms)[number]

export interface ResilienceConfig {
  /** The whole exchange up to the response head, all attempts and parking apart. */
  readonly timeout: Duration
  readonly connectTimeout: Duration
  readonly retries: { readonly attempts: number; /** Share of the active requests, 0 to 1. */ readonly budget: number }
  readonly parking: { readonly timeout: Duration; readonly requests: number; readonly bytes: number } | undefined
}
