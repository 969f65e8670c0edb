/** The limits of a view that hold over all workers of a proxy, by the name of their quota. */
import type { RoutingView } from './routing-view.ts'

/** The names of a service's two. */
export const parkingQuotas = (service: string): { readonly requests: string; readonly bytes: string } => ({
  requests: `parking.requests/${service}`,
  bytes: `parking.bytes/${service}`,
})

/** Each entrance of a TCP service has its own. */
export const tcpParkingName = (service: string, use: 'write' | 'read'): string => (use === 'write' ? service : `${service} (${use})`)

/** Of those who wait for an endpoint that is at its limit. */
export const queueQuota = (service: string): string => `queue/${service}`

export function quotasOf(view: RoutingView): Map<string, number> {
  const limits = new Map<string, number>()
  for (const { name, parking, concurrency, tcp } of view.services) {
    if (concurrency) limits.set(queueQuota(name), concurrency.queue.requests)
    if (!parking) continue
    for (const lot of tcp?.replicas === undefined ? [name] : [name, tcpParkingName(name, 'read')]) {
      const names = parkingQuotas(lot)
      limits.set(names.requests, parking.requests)
      limits.set(names.bytes, parking.bytes)
    }
  }
  return limits
}
