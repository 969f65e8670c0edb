/**
 * Finds the service of a request: the most specific host first (exact, then the longest wildcard, then any),
 * in it the longest path prefix, in it the route that names the method before the one that takes any.
 * Compiled once per view; a look-up on a listener with a single catch-all route reads nothing of the request.
 */
import type { RouteView, ServiceView } from './routing-view.ts'
import { compileRules, type RouteRules } from './rules/rules.ts'
import { mergedRules } from './rules/view.ts'

export interface Route<S> {
  readonly service: S
  readonly path: string
  readonly stripPath: boolean
  /** Host and path, as metrics and logs name it. */
  readonly label: string
  /** undefined: requests and answers are carried as they are. */
  readonly rules?: RouteRules | undefined
}

/** Routes exist for the host and path, but only for other methods: these. */
export interface MethodNotAllowed {
  readonly allowed: readonly string[]
}

/** What a look-up found: a route, or why there is none. */
export type RouteMatch<S> = Route<S> | MethodNotAllowed | 'noRoute'

interface Candidate<S> extends Route<S> {
  readonly methods: ReadonlySet<string> | undefined
}

interface HostTable<S> {
  /** Longest path first; at equal length those that name methods first. */
  readonly candidates: readonly Candidate<S>[]
}

export class ListenerRoutes<S> {
  readonly #exact = new Map<string, HostTable<S>>()
  /** Longest suffix first; `.example.com`. */
  readonly #wildcards: (readonly [string, HostTable<S>])[] = []
  readonly #any: HostTable<S> | undefined
  readonly #only: Route<S> | undefined
  /** Whether a look-up reads the host at all. */
  readonly needsHost: boolean

  constructor(routes: readonly { readonly route: RouteView; readonly service: S; readonly rules?: RouteRules | undefined }[]) {
    const byHost = new Map<string | undefined, Candidate<S>[]>()
    for (const { route, service, rules } of routes) {
      const list = byHost.get(route.host) ?? []
      byHost.set(route.host, list)
      const label = routeLabel(route)
      list.push({ service, label, path: route.path, stripPath: route.stripPath, methods: route.methods ? new Set(route.methods) : undefined, rules })
    }
    for (const [host, candidates] of byHost) {
      candidates.sort((a, b) => b.path.length - a.path.length || Number(b.methods !== undefined) - Number(a.methods !== undefined))
      const table: HostTable<S> = { candidates }
      if (host === undefined) this.#any = table
      else if (host.startsWith('*.')) this.#wildcards.push([host.slice(1), table])
      else this.#exact.set(host, table)
    }
    this.#wildcards.sort((a, b) => b[0].length - a[0].length)
    this.needsHost = this.#exact.size > 0 || this.#wildcards.length > 0
    const first = this.#any?.candidates[0]
    if (!this.needsHost && this.#any?.candidates.length === 1 && first?.path === '/' && first.methods === undefined) this.#only = first
  }

  /** The route that every request of this listener takes, when there is just one. */
  get only(): Route<S> | undefined {
    return this.#only
  }

  /** `host`: lower case without port; `path`: normalised, without query. */
  find(host: string, path: string, method: string): RouteMatch<S> {
    let allowed: Set<string> | undefined
    for (const table of this.#tables(host)) {
      for (const candidate of table.candidates) {
        if (!matchesPrefix(path, candidate.path)) continue
        if (candidate.methods === undefined || candidate.methods.has(method)) return candidate
        allowed ??= new Set()
        for (const each of candidate.methods) allowed.add(each)
      }
    }
    return allowed === undefined ? 'noRoute' : { allowed: [...allowed] }
  }

  *#tables(host: string): Iterable<HostTable<S>> {
    const exact = this.#exact.get(host)
    if (exact) yield exact
    for (const [suffix, table] of this.#wildcards) {
      if (host.length > suffix.length && host.endsWith(suffix)) yield table
    }
    if (this.#any) yield this.#any
  }
}

/** `shop.example.com/api`; without a host it begins with the path. */
export const routeLabel = ({ host, path }: RouteView): string => `${host ?? ''}${path}`

/** A prefix ends at a segment boundary: `/a` matches `/a`, `/a/` and `/a/b`, not `/ab`. */
export function matchesPrefix(path: string, prefix: string): boolean {
  if (prefix === '/') return true
  if (!path.startsWith(prefix)) return false
  return path.length === prefix.length || prefix.endsWith('/') || path.charCodeAt(prefix.length) === 47
}

/**
 * The path that routes are matched against: percent-encoded unreserved characters decoded, dot segments and doubled
 * slashes removed (RFC 3986 §6.2.2), so that `/%61dmin` and `/x/../admin` cannot slip past the route of `/admin`.
 * What is forwarded stays as the client wrote it.
 */
export function routingPath(target: string): string {
  const query = target.indexOf('?')
  const raw = query < 0 ? target : target.slice(0, query)
  if (!raw.includes('%') && !raw.includes('/.') && !raw.includes('//')) return raw
  const decoded = raw.replace(/%[0-9A-Fa-f]{2}/g, (escape) => {
    const char = String.fromCharCode(parseInt(escape.slice(1), 16))
    return /[A-Za-z0-9\-._~]/.test(char) ? char : escape
  })
  const segments: string[] = []
  for (const segment of decoded.split('/')) {
    if (segment === '..') segments.pop()
    else if (segment !== '.' && segment !== '') segments.push(segment)
  }
  const directory = /(\/|\/\.{1,2})$/.test(decoded)
  return `/${segments.join('/')}${directory && segments.length > 0 ? '/' : ''}`
}

/** A path that names another place than its letters say: dot segments (also percent-encoded) or doubled slashes. */
const indirect = /\/\/|\/(?:\.|%2e){1,2}(?:\/|$)/i

/** The target without the prefix of its route. A target that spells the prefix differently, or leaves it and comes back, is forwarded in normal form. */
export function strippedTarget(target: string, prefix: string): string {
  if (prefix === '/') return target
  const query = target.indexOf('?')
  const path = query < 0 ? target : target.slice(0, query)
  const literal = matchesPrefix(path, prefix) && !indirect.test(path)
  const rest = (literal ? path : routingPath(target)).slice(prefix.endsWith('/') ? prefix.length - 1 : prefix.length)
  return `${rest.startsWith('/') ? '' : '/'}${rest}${query < 0 ? '' : target.slice(query)}`
}

/** Routes of one listener out of all services. */
export function listenerRoutes<S>(listener: string, services: readonly ServiceView[], runtime: (service: ServiceView) => S): ListenerRoutes<S> {
  return new ListenerRoutes(
    services.flatMap((service) =>
      service.routes
        .filter((route) => route.listener === listener)
        .map((route) => ({ route, service: runtime(service), rules: compileRules(mergedRules(service.rules, route.rules), route.path) })),
    ),
  )
}
