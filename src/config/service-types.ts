/** A service: its parts, and how its requests are spread over them. */
import type { Duration } from '../kernel/time.ts'
import type { ServiceCacheConfig } from './cache-types.ts'
import type { HealthProbeConfig, ResourcesConfig, RestartConfig, ServiceSource, StopSignal } from './instance-types.ts'
import type { RateLimitKey, ResilienceConfig } from './resilience-types.ts'
import type { HttpRules, PagesConfig, RouteConfig } from './route-types.ts'

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
  /** undefined: no answers are kept. */
  readonly cache?: ServiceCacheConfig | undefined
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
