/** The rate limits of a view, each with the name of its table: a service's own, and those of its routes. */
import { conditionsKey } from './route-conditions.ts'
import type { RateLimitView, RouteView, RoutingView, ServiceView } from './routing-view.ts'

/** Two routes never have the same one: their requests are counted apart. It begins with the service, which has no blank in its name. */
export const routeScope = (service: string, route: RouteView): string =>
  [service, route.listener, `${route.host ?? ''}${route.path}`, route.methods?.join(',') ?? '*', conditionsKey(route.when)].join(' ')

export const serviceOfScope = (scope: string): string => scope.split(' ', 1)[0] ?? scope

/** Of the routes alone. */
export function routeLimits({ name, routes }: ServiceView): Map<string, RateLimitView> {
  return new Map(routes.flatMap((route) => (route.rateLimit === undefined ? [] : [[routeScope(name, route), route.rateLimit] as const])))
}

export function rateLimitsOf({ services }: RoutingView): Map<string, RateLimitView> {
  const limits = new Map<string, RateLimitView>()
  for (const service of services) {
    if (service.rateLimit !== undefined) limits.set(service.name, service.rateLimit)
    for (const [scope, limit] of routeLimits(service)) limits.set(scope, limit)
  }
  return limits
}
