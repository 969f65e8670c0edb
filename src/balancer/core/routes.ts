/**
 * Finds the service of a request: the most specific host first (exact, then the longest wildcard, then any),
 * in it the longest path prefix, in it the route with the most conditions, in it the one that names the method before the one that takes any.
 * Compiled once per view; a look-up on a listener with a single catch-all route reads nothing of the request.
 */
import { routeScope } from './rate-scopes.ts'
import { matchesPrefix } from './request-path.ts'
import { compileConditions, type Conditions, type ConditionReading } from './route-conditions.ts'
import type { RouteView, ServiceView } from './routing-view.ts'
import { compileRules, type RouteRules } from './rules/rules.ts'
import { mergedRules } from './rules/view.ts'
import type { Tally } from './tally.ts'

export interface Route<S> {
  readonly service: S
  readonly path: string
  readonly stripPath: boolean
  /** Host and path, as metrics and logs name it. */
  readonly label: string
  /** undefined: requests and answers are carried as they are. */
  readonly rules?: RouteRules | undefined
  /** What came by it; undefined: counted with its service alone. */
  readonly tally?: Tally | undefined
  /** The table of its rate limit; undefined: it has none. */
  readonly rateScope?: string | undefined
  /** Tells apart, for what is kept of answers, routes to one URL; undefined: it has no conditions. */
  readonly variant?: string | undefined
}

/** Routes exist for the host and path, but only for other methods: these. */
export interface MethodNotAllowed {
  readonly allowed: readonly string[]
}

/** What a look-up found: a route, or why there is none. */
export type RouteMatch<S> = Route<S> | MethodNotAllowed | 'noRoute'

interface Candidate<S> extends Route<S> {
  readonly methods: ReadonlySet<string> | undefined
  /** undefined: none. */
  readonly conditions: Conditions | undefined
}

interface HostTable<S> {
  /** Longest path first; at equal length those with the most conditions, then those that name methods. */
  readonly candidates: readonly Candidate<S>[]
}

interface RouteEntry<S> {
  readonly route: RouteView
  readonly service: S
  readonly rules?: RouteRules | undefined
  readonly tally?: Tally | undefined
  readonly rateScope?: string | undefined
}

export class ListenerRoutes<S> {
  readonly #exact = new Map<string, HostTable<S>>()
  /** Longest suffix first; `.example.com`. */
  readonly #wildcards: (readonly [string, HostTable<S>])[] = []
  readonly #any: HostTable<S> | undefined
  readonly #only: Route<S> | undefined
  /** Whether a look-up reads the host at all. */
  readonly needsHost: boolean
  /** Whether it may depend on other things than host, path and method. */
  readonly conditional: boolean

  constructor(routes: readonly RouteEntry<S>[]) {
    const byHost = new Map<string | undefined, Candidate<S>[]>()
    for (const { route, service, rules, tally, rateScope } of routes) {
      const list = byHost.get(route.host) ?? []
      byHost.set(route.host, list)
      const label = routeLabel(route)
      const methods = route.methods ? new Set(route.methods) : undefined
      const conditions = compileConditions(route.when)
      list.push({
        service,
        label,
        path: route.path,
        stripPath: route.stripPath,
        methods,
        conditions,
        rules,
        tally,
        rateScope,
        variant: route.when && JSON.stringify(route.when),
      })
    }
    for (const [host, candidates] of byHost) {
      candidates.sort(
        (a, b) =>
          b.path.length - a.path.length ||
          (b.conditions?.weight ?? 0) - (a.conditions?.weight ?? 0) ||
          Number(b.methods !== undefined) - Number(a.methods !== undefined),
      )
      const table: HostTable<S> = { candidates }
      if (host === undefined) this.#any = table
      else if (host.startsWith('*.')) this.#wildcards.push([host.slice(1), table])
      else this.#exact.set(host, table)
    }
    this.#wildcards.sort((a, b) => b[0].length - a[0].length)
    this.conditional = routes.some(({ route }) => route.when !== undefined)
    this.needsHost = this.#exact.size > 0 || this.#wildcards.length > 0
    const first = this.#any?.candidates[0]
    if (!this.needsHost && this.#any?.candidates.length === 1 && first?.path === '/' && first.methods === undefined && first.conditions === undefined)
      this.#only = first
  }

  /** The route that every request of this listener takes, when there is just one. */
  get only(): Route<S> | undefined {
    return this.#only
  }

  /** `host`: lower case without port; `path`: normalised, without query; `request`: for conditions. */
  find(host: string, path: string, method: string, request: ConditionReading): RouteMatch<S> {
    let allowed: Set<string> | undefined
    for (const table of this.#tables(host)) {
      for (const candidate of table.candidates) {
        if (!matchesPrefix(path, candidate.path)) continue
        if (candidate.conditions !== undefined && !candidate.conditions.hold(request)) continue
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

/** Routes of one listener out of all services. */
export function listenerRoutes<S>(
  listener: string,
  services: readonly ServiceView[],
  runtime: (service: ServiceView) => S,
  tallyOf: (service: S, label: string) => Tally | undefined = () => undefined,
): ListenerRoutes<S> {
  return new ListenerRoutes(
    services.flatMap((view) => {
      const service = runtime(view)
      return view.routes
        .filter((route) => route.listener === listener)
        .map((route) => ({
          route,
          service,
          rules: compileRules(mergedRules(view.rules, route.rules), route.path),
          tally: tallyOf(service, routeLabel(route)),
          rateScope: route.rateLimit && routeScope(view.name, route),
        }))
    }),
  )
}
