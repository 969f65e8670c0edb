/** Whether a response may be kept by a shared cache (RFC 9111, 3), and what is kept of it in numbers. Each refusal names the clause that decided. */
import { controlOf } from './control.ts'
import { parseHttpDate } from './dates.ts'
import { directivesOf, requestDirectives, type ResponseDirectives } from './directives.ts'
import { listed, single, type Fields } from './fields.ts'
import { dateOf, initialAge, keptUnasked, lifetimeOf, type Exchanged, type HeuristicOptions } from './freshness.ts'
import { varyOf } from './vary.ts'

/** What decides when and for whom it may be used again. */
export interface StoredFacts {
  readonly status: number
  /** When it would have been made, had it never aged on its way: the age is the time since. */
  readonly bornAt: number
  /** 0: stale from the beginning, and kept to be validated. */
  readonly lifetimeMs: number
  /** Must be validated before each use. */
  readonly noCache: boolean
  /** It may be given to a request with credentials, too (RFC 9111, 3.5). */
  readonly forAll: boolean
  /** Never used stale. */
  readonly staleForbidden: boolean
  readonly staleWhileRevalidateMs: number
  /** undefined: it does not say. */
  readonly staleIfErrorMs: number | undefined
  readonly etag: string | undefined
  /** As it came, for `If-Modified-Since`. */
  readonly lastModified: string | undefined
  /** For comparing; the `Date` where there is no `Last-Modified`. */
  readonly modifiedAt: number
  /** Names of the request fields that select it. */
  readonly vary: readonly string[]
}

export interface StoringOptions extends HeuristicOptions {
  /** A lifetime for what does not say; undefined: none. */
  readonly defaultLifetimeMs?: number | undefined
  /** Nothing is fresh for longer than this after it came, whatever it says; undefined: as long as it says. */
  readonly maxLifetimeMs?: number | undefined
  /** For so long after that what does not say may be given while it is validated; undefined: not at all. */
  readonly defaultStaleWhileRevalidateMs?: number | undefined
  /** Answers with `Set-Cookie` are kept as all others, cookie and all; undefined: only those that say that they are for all. */
  readonly storesCookies?: boolean | undefined
}

export type Storing = { readonly store: true; readonly facts: StoredFacts } | { readonly store: false; readonly why: string }

const inMs = (seconds: number | undefined): number | undefined => (seconds === undefined ? undefined : seconds * 1_000)

const no = (why: string): Storing => ({ store: false, why })

/** Codes whose meaning for caches we know (`must-understand`, 5.2.2.3). 206 and 304 are no whole responses. */
const understood: ReadonlySet<number> = new Set([
  200, 203, 204, 300, 301, 302, 303, 307, 308, 400, 401, 403, 404, 405, 410, 414, 421, 451, 500, 501, 502, 503, 504,
])

export interface StoringRequest extends Fields {
  readonly method: string
}

export function mayStore(request: StoringRequest, status: number, response: Fields, exchanged: Exchanged, options: StoringOptions): Storing {
  const control = controlOf(response)
  const { directives } = control
  const why = forbidden(request, status, response, directives, options)
  if (why !== undefined) return no(why)
  const vary = varyOf(response)
  if (vary === '*') return no('Vary: * matches no other request (RFC 9111, 4.1)')
  const told = lifetimeOf(status, response, control, exchanged, options)
  if (told === undefined && !keptUnasked(status, directives)) return no(`${status} is kept only with a lifetime of its own (RFC 9111, 3)`)
  const initialAgeMs = initialAge(response, exchanged)
  const lifetimeMs = atMost(told ?? options.defaultLifetimeMs, initialAgeMs, options.maxLifetimeMs)
  const etag = single(response, 'etag')
  const lastModified = single(response, 'last-modified')
  if (lifetimeMs === undefined && etag === undefined && lastModified === undefined)
    return no('it has neither a lifetime nor a validator (RFC 9111, 3)')
  const date = dateOf(response, exchanged)
  return {
    store: true,
    facts: {
      status,
      bornAt: exchanged.responseTime - initialAgeMs,
      lifetimeMs: lifetimeMs ?? 0,
      noCache: directives.noCache,
      forAll: directives.public || directives.sMaxage !== undefined || directives.mustRevalidate,
      staleForbidden: directives.mustRevalidate || directives.proxyRevalidate || directives.sMaxage !== undefined || directives.noCache,
      staleWhileRevalidateMs: inMs(directives.staleWhileRevalidate) ?? options.defaultStaleWhileRevalidateMs ?? 0,
      staleIfErrorMs: inMs(directives.staleIfError),
      etag,
      lastModified,
      modifiedAt: (lastModified === undefined ? undefined : parseHttpDate(lastModified, exchanged.responseTime)) ?? date,
      vary,
    },
  }
}

const atMost = (lifetimeMs: number | undefined, initialAgeMs: number, maxMs: number | undefined): number | undefined =>
  lifetimeMs === undefined || maxMs === undefined ? lifetimeMs : Math.min(lifetimeMs, initialAgeMs + maxMs)

function forbidden(
  request: StoringRequest,
  status: number,
  response: Fields,
  directives: ResponseDirectives,
  options: StoringOptions,
): string | undefined {
  if (request.method !== 'GET') return `the method is ${request.method}`
  if (status < 200) return 'an interim response is none (RFC 9111, 3)'
  if (status === 206) return 'parts are not kept (RFC 9111, 3.3)'
  if (status === 412 || status === 416) return `${status} is about what this request alone has asked for (RFC 9110, 15.5.13 and 15.5.17)`
  if (status === 304) return 'a 304 brings no body (RFC 9111, 4.3.4)'
  if (directives.mustUnderstand && !understood.has(status)) return `must-understand, and ${status} is not (RFC 9111, 5.2.2.3)`
  if (directives.noStore && !directives.mustUnderstand) return 'no-store (RFC 9111, 5.2.2.5)'
  if (directives.private) return 'private (RFC 9111, 5.2.2.7)'
  const shared = directives.public || directives.sMaxage !== undefined
  if (request.all('authorization').length > 0 && !shared && !directives.mustRevalidate)
    return 'Authorization without public, s-maxage or must-revalidate (RFC 9111, 3.5)'
  if (requestDirectives(directivesOf(listed(request, 'cache-control') ?? '')).noStore) return 'no-store in the request (RFC 9111, 5.2.1.5)'
  // RFC 9111, 7.3, leaves it open; a session given to everybody is worse than a miss.
  if (options.storesCookies !== true && response.all('set-cookie').length > 0 && !shared) return 'Set-Cookie without public or s-maxage'
  return undefined
}
