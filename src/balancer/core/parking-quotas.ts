/** The limits of a view that hold over all workers of a proxy, by the name of their quota. */
import type { RoutingView } from './routing-view.ts'

/** The names of a service's two. */
export const parkingQuotas = (service: string): { readonly requests: string; readonly bytes: string } => ({
  requests: `parking.requests/${service}`,
  bytes: `parking.bytes/${service}`,
})

export function quotasOf(view: RoutingView): Map<string, number> {
  const limits = new Map<string, number>()
  for (const { name, parking } of view.services) {
    if (!parking) continue
    const names = parkingQuotas(name)
    limits.set(names.requests, parking.requests)
    limits.set(names.bytes, parking.bytes)
  }
  return limits
}
