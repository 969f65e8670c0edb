/** Which requests go to a service, and what is done to them and to their answers besides carrying them. */
import type { RouteConditions } from '../balancer/core/route-conditions.ts'
import type { Duration } from '../kernel/time.ts'
import type { RateLimitConfig } from './resilience-types.ts'

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
  /** Besides that of the service; undefined: none. */
  readonly rateLimit?: RateLimitConfig | undefined
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
