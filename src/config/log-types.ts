/** What is written down of requests and of ourselves: log, access log, traces, trails. */
import type { Duration } from '../kernel/time.ts'

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
  'cache',
  'cacheTtl',
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
