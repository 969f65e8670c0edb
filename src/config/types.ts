/**
 * The complete configuration: every default filled in, every value checked, the whole deeply frozen.
 * The rest of the program sees only this; YAML, environment and positions end in this room.
 * Durations are milliseconds, sizes are bytes.
 */
import type { RouteConditions } from '../balancer/core/route-conditions.ts'
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
  /** undefined: traces are none of our business. */
  readonly tracing?: TracingConfig | undefined
  /** undefined: no request is remembered. */
  readonly explain?: ExplainConfig | undefined
  /** By name; at least one. */
  readonly listeners: Readonly<Record<string, ListenerConfig>>
  readonly cluster: ClusterConfig
  /** By name, in the order of the file. */
  readonly services: Readonly<Record<string, ServiceConfig>>
  readonly access: AccessConfig
  /** undefined: each machine has its own limits. */
  readonly limits?: LimitsConfig | undefined
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
  /** undefined: no access log. */
  readonly access?: AccessLogConfig | undefined
}

/** What a line of the access log may hold, in the order in which it does. */
export const accessFields = [
  'time',
  'id',
  'client',
  'method',
  'host',
  'target',
  'status',
  'requestBytes',
  'responseBytes',
  'durationMs',
  'parkedMs',
  'connectMs',
  'firstByteMs',
  'service',
  'route',
  'endpoint',
  'tries',
  'reasons',
  'userAgent',
  'referrer',
  'trace',
] as const
export type AccessField = (typeof accessFields)[number]

export interface AccessLogConfig {
  /** Share of the requests that get a line, 0 to 1; those that failed always do. */
  readonly sample: number
  readonly fields: readonly AccessField[]
  /** Query parameters whose values are not written. */
  readonly mask: readonly string[]
}

export interface TracingConfig {
  /** Takes spans as OTLP over HTTP; undefined: contexts are passed on, no spans are kept. */
  readonly endpoint: string | undefined
  /** Sent along with the spans. */
  readonly headers: Readonly<Record<string, string>> | undefined
  readonly name: string
  /** Share of the traces begun here that are sampled, 0 to 1. */
  readonly sample: number
}

export interface ExplainConfig {
  /** Requests remembered per worker. */
  readonly keep: number
  readonly slow: Duration
  /** Share of the plain requests that are remembered too, 0 to 1. */
  readonly sample: number
  /** Lower case. */
  readonly header: string | undefined
  readonly serverTiming: 'off' | 'asked' | 'always'
}

export interface ListenerConfig {
  readonly port: number
  readonly host: string
  /** undefined: http. */
  readonly protocol?: ListenerProtocol | undefined
  /** undefined: plain. */
  readonly tls?: ListenerTlsConfig | undefined
  /** Speaks HTTP/2 to clients that ask for it. */
  readonly http2: boolean
  /** Proxies in front that say whose each connection is; undefined: clients come by themselves. */
  readonly proxyProtocol?: { readonly from: readonly string[] } | undefined
}

export const listenerProtocols = ['http', 'tcp'] as const
export type ListenerProtocol = (typeof listenerProtocols)[number]

export const tlsVersions = ['TLSv1.2', 'TLSv1.3'] as const

export interface ListenerTlsConfig {
  /** Absolute paths of PEM files. */
  readonly certificates: readonly { readonly cert: string; readonly key: string; readonly hosts: readonly string[] }[]
  readonly minVersion: (typeof tlsVersions)[number]
  readonly clientCa: string | undefined
  readonly requireClientCert: boolean
  /** One more certificate, made here and signed by itself. */
  readonly development: boolean
  readonly acme?: AcmeConfig | undefined
}

/** A certificate that is got and renewed by ACME. */
export interface AcmeConfig {
  readonly hosts: readonly string[]
  readonly email: string | undefined
  /** Of the authority. */
  readonly directory: string
  readonly agreeToTerms: boolean
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
  /** undefined: it is an HTTP service. */
  readonly tcp?: TcpConfig | undefined
  /** How its endpoints are spoken to; undefined: plain. */
  readonly origin?: OriginConfig | undefined
  readonly routes: readonly RouteConfig[]
  /** undefined: none. A route may have its own. */
  readonly http?: HttpRules | undefined
  readonly pages?: PagesConfig | undefined
  readonly balance: {
    readonly algorithm: BalanceAlgorithm
    readonly hashHeader: string | undefined
    readonly slowStart: Duration
    readonly weights: BalanceWeights
    /** undefined: every request is free. */
    readonly sticky?: StickyConfig | undefined
  }
  /** Share of the clients by version, 1 in all; undefined: weights decide. */
  readonly split?: Readonly<Record<string, number>> | undefined
  /** undefined: the address. */
  readonly splitBy?: SplitKey | undefined
  /** undefined: no request is copied. */
  readonly mirror?: MirrorConfig | undefined
  readonly resilience: ResilienceConfig
}

/** Another service that gets copies of requests. */
export interface MirrorConfig {
  readonly service: string
  /** Of the requests, 0 to 1. */
  readonly share: number
  readonly compare: boolean
  readonly methods: readonly string[]
  /** Bytes. */
  readonly maxBody: number
}

/** Who knows which endpoint is the primary: nobody, or the databases themselves. */
export const tcpKinds = ['plain', 'postgres', 'redis'] as const
export type TcpKind = (typeof tcpKinds)[number]

/** A service that carries connections. */
export interface TcpConfig {
  /** Name of its listener; with roles, for connections that may write. */
  readonly listener: string
  /** Name of the listener whose connections go to replicas. */
  readonly replicas: string | undefined
  readonly kind: TcpKind
  readonly user: string | undefined
  readonly password: string | undefined
  readonly database: string | undefined
  readonly readFromPrimary: boolean
  readonly maxLag: Duration | undefined
  readonly interval: Duration
  readonly timeout: Duration
  readonly idleTimeout: Duration
}

export const originProtocols = ['http1', 'h2'] as const
export const proxyProtocolVersions = ['v1', 'v2'] as const
export type ProxyProtocolVersion = (typeof proxyProtocolVersions)[number]

export interface OriginConfig {
  /** undefined: HTTP/1.1. */
  readonly protocol?: 'h2' | undefined
  /** undefined: plain. */
  readonly tls?: OriginTlsConfig | undefined
  /** undefined: nothing is sent before a connection. */
  readonly proxyProtocol?: ProxyProtocolVersion | undefined
}

export interface OriginTlsConfig {
  /** Absolute paths of PEM files. */
  readonly ca: string | undefined
  readonly cert: string | undefined
  readonly key: string | undefined
  /** Lower case; undefined: the host of the endpoint. */
  readonly serverName: string | undefined
  readonly verify: boolean
}

export interface StickyConfig {
  readonly cookie: string
  /** undefined: as long as the browser is open. */
  readonly ttl: Duration | undefined
  /** Clients of a draining endpoint stay until its deadline. */
  readonly drain: boolean
}

/** What tells clients apart. */
export type SplitKey = Exclude<RateLimitKey, { readonly by: 'service' }>

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
  /** undefined: that of the service. */
  readonly version?: string | undefined
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
  /** Asked for with GET; undefined: the health protocol of gRPC is spoken. */
  readonly path: string | undefined
  /** The service that is asked for by the health protocol of gRPC; empty: the server as a whole; undefined: `path` is asked for. */
  readonly grpc?: string | undefined
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
  /** Headers (names in lower case), cookies and query parameters that must be there; undefined: no further conditions. */
  readonly when?: RouteConditions | undefined
  /** Goes key by key before what the service says. */
  readonly http?: HttpRules | undefined
}

/** What is done to requests and answers besides carrying them. */
export interface HttpRules {
  readonly redirect?: RedirectRule | undefined
  readonly headers?: HeadersRule | undefined
  readonly cors?: CorsRule | undefined
  /** Addresses and CIDR ranges; the narrowest decides. */
  readonly allow?: readonly string[] | undefined
  readonly deny?: readonly string[] | undefined
  readonly trustedProxies?: readonly string[] | undefined
  /** Bytes. */
  readonly limits?: { readonly body?: number | undefined; readonly head?: number | undefined; readonly target?: number | undefined } | undefined
  readonly compression?: CompressionRule | undefined
}

export interface RedirectRule {
  readonly https: boolean
  readonly httpsPort: number
  readonly www?: 'add' | 'remove' | undefined
  /** A URL or a path; `{uri}`, `{rest}` and `{host}` are filled in. */
  readonly to?: string | undefined
  readonly status: number
}

export interface HeaderEdits {
  /** Names in lower case. */
  readonly set?: Readonly<Record<string, string>> | undefined
  readonly add?: Readonly<Record<string, string>> | undefined
  readonly remove?: readonly string[] | undefined
}

export interface HeadersRule {
  readonly request?: HeaderEdits | undefined
  readonly response?: HeaderEdits | undefined
  readonly security: 'off' | 'basic' | 'strict'
}

export interface CorsRule {
  /** `*`: everybody; `https://*.example.com`: every name below it. */
  readonly origins: readonly string[]
  readonly methods: readonly string[]
  /** Empty: those that are asked for. */
  readonly headers: readonly string[]
  readonly exposeHeaders: readonly string[]
  readonly credentials: boolean
  readonly maxAge: Duration
}

export const contentCodings = ['br', 'gzip'] as const
export type ContentCoding = (typeof contentCodings)[number]

export interface CompressionRule {
  readonly enabled: boolean
  /** In the order of preference where the client has none. */
  readonly encodings: readonly ContentCoding[]
  readonly minSize: number
  /** undefined: the usual ones. */
  readonly types?: readonly string[] | undefined
}

/** Absolute paths of files that are the bodies of the balancer's own answers. */
export interface PagesConfig {
  /** By status (`404`) or class (`5xx`). */
  readonly errors: Readonly<Record<string, string>>
  readonly maintenance: string | undefined
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

/** What an endpoint's share goes by: everything that is known of it, or the configuration only. */
export const balanceWeights = ['fused', 'configured'] as const
export type BalanceWeights = (typeof balanceWeights)[number]

export interface RetriesConfig {
  readonly attempts: number
  /** Share of the active requests, 0 to 1. */
  readonly budget: number
  /** Statuses of the application, and `timeout`. */
  readonly on?: readonly (number | 'timeout')[] | undefined
}

export interface HedgeConfig {
  /** undefined: the p95 of the last minute. */
  readonly delay: Duration | undefined
  /** Per request, 0 to 1. */
  readonly budget: number
}

export interface BreakerConfig {
  /** 0 to 1. */
  readonly errorRate: number
  readonly window: Duration
  readonly minimumRequests: number
  readonly openFor: Duration
}

export interface EjectionConfig {
  readonly consecutiveErrors: number
  readonly consecutiveFailures: number
  readonly baseTime: Duration
  readonly maxTime: Duration
}

/** Whose requests are counted together. Names are lower case for headers, as they are for cookies. */
export type RateLimitKey =
  | { readonly by: 'client-ip' }
  | { readonly by: 'service' }
  | { readonly by: 'header'; readonly name: string }
  | { readonly by: 'cookie'; readonly name: string }

export interface RateLimitConfig {
  readonly key: RateLimitKey
  readonly rate: Rate
  readonly burst: number
  /** Together with all machines that use the same Redis. */
  readonly shared: boolean
}

/** What machines share. */
export interface LimitsConfig {
  readonly redis: string
  /** undefined: as many as Redis has heard of. */
  readonly machines: number | undefined
}

/** Exactly one of `body` and `service` is there. */
export interface FallbackConfig {
  readonly status: number
  /** Absolute path. */
  readonly body: string | undefined
  readonly contentType: string | undefined
  /** Name of another service. */
  readonly service: string | undefined
}

export interface ResilienceConfig {
  /** The whole exchange up to the response head, all attempts and parking apart. */
  readonly timeout: Duration
  readonly connectTimeout: Duration
  readonly retries: RetriesConfig
  /** undefined: off. */
  readonly hedge?: HedgeConfig | undefined
  /** undefined: off. */
  readonly breaker?: BreakerConfig | undefined
  readonly ejection?: EjectionConfig | undefined
  /** Requests at a time per endpoint; undefined: any number. */
  readonly concurrency?: number | 'adaptive' | undefined
  /** Who waits beyond. */
  readonly queue?: { readonly size: number; readonly timeout: Duration } | undefined
  /** In place of a failure; undefined: none. */
  readonly fallback?: FallbackConfig | undefined
  /** undefined: none. */
  readonly rateLimit?: RateLimitConfig | undefined
  readonly parking: ParkingConfig | undefined
}

export interface ParkingConfig {
  readonly timeout: Duration
  readonly requests: number
  readonly bytes: number
  /** Navigations of browsers get a waiting page after that; undefined: when the others are refused. */
  readonly pageAfter?: Duration | undefined
}
