/** What stands under `health` of the configuration: checks of things that are not a service's own probe, and where to look whether this node itself sees the network. */
import type { Duration } from '../kernel/time.ts'

export const dnsTypes = ['A', 'AAAA', 'CNAME', 'MX', 'NS', 'PTR', 'SOA', 'SRV', 'TXT'] as const
export type DnsType = (typeof dnsTypes)[number]

export const checkSeverities = ['warning', 'critical', 'emergency'] as const
export type CheckSeverity = (typeof checkSeverities)[number]

/** A bound of what a check measures. Percent as 0 to 100, times in milliseconds, sizes in bytes (of `network`: a second). */
export interface Threshold {
  readonly value: number
  readonly unit: ThresholdUnit
}
export type ThresholdUnit = 'percent' | 'count' | 'ms' | 'bytes'

export interface HostPort {
  readonly host: string
  readonly port: number
}

/** What is looked at, and how. */
export type CheckSpec =
  | HttpSpec
  | ({ readonly kind: 'tcp' } & HostPort)
  | ({ readonly kind: 'tls'; readonly serverName: string | undefined; readonly ca: string | undefined; readonly verify: boolean } & HostPort)
  | { readonly kind: 'dns'; readonly name: string; readonly type: DnsType; readonly server: HostPort | undefined; readonly expect: readonly string[] }
  | { readonly kind: 'postgres'; readonly url: string; readonly query: string | undefined }
  | { readonly kind: 'redis'; readonly url: string }
  | { readonly kind: 'command'; readonly command: string; readonly cwd: string; readonly exitCode: number }
  | { readonly kind: 'disk'; readonly path: string }
  | { readonly kind: 'memory' }
  | { readonly kind: 'cpu' }
  | { readonly kind: 'load' }
  /** undefined: all but loopback, together. */
  | { readonly kind: 'network'; readonly interface: string | undefined }
  | ProcessSpec
  | { readonly kind: 'connections'; readonly port: number | undefined }
  | { readonly kind: 'heartbeat'; readonly every: Duration; readonly grace: Duration }
  | { readonly kind: 'file'; readonly path: string }

export interface HttpSpec {
  readonly kind: 'http'
  readonly url: string
  readonly method: 'GET' | 'HEAD' | 'POST'
  readonly headers: Readonly<Record<string, string>>
  readonly expect: {
    readonly statusMin: number
    readonly statusMax: number
    readonly body: string | undefined
    /** `status.db = ok`: the path of a value in a JSON answer, and what it must be; undefined: any. */
    readonly json: { readonly path: string; readonly equals: string | undefined } | undefined
  }
  readonly ca: string | undefined
  readonly verify: boolean
  /** Of an https URL: how long its certificate must still be valid. */
  readonly certificate: { readonly warnAt: Duration; readonly criticalAt: Duration | undefined }
}

export interface ProcessSpec {
  readonly kind: 'process'
  /** Exactly one of the three. */
  readonly name: string | undefined
  readonly pidFile: string | undefined
  readonly pattern: string | undefined
  readonly min: number
  readonly max: number | undefined
}

export interface CheckConfig {
  readonly name: string
  readonly spec: CheckSpec
  readonly interval: Duration
  readonly timeout: Duration
  /** Failures in a row until it is down. */
  readonly alertAfter: number
  /** Passes in a row until it is up again. */
  readonly rise: number
  readonly warnAt: Threshold | undefined
  readonly criticalAt: Threshold | undefined
  /** How far it must go back below a threshold to count as below: a share of the threshold. */
  readonly hysteresis: number
  /** Of the alert when it is down. */
  readonly severity: CheckSeverity
  /** The service that it tells of. */
  readonly service: string | undefined
  /** Services and checks without which it cannot pass. */
  readonly dependsOn: readonly string[]
}

export interface HealthConfig {
  readonly checks: readonly CheckConfig[]
  /** Addresses that tell whether this node sees the network: when none of them answers, no check is believed that fails. */
  readonly canaries: readonly HostPort[]
  /** By service or check: all that it needs, in place of what is learned; undefined: everything is learned. */
  readonly dependencies?: Readonly<Record<string, readonly NeedConfig[]>> | undefined
}

export interface NeedConfig {
  /** One of these is enough. */
  readonly anyOf: readonly string[]
  /** false: it can do without. */
  readonly hard: boolean
}
