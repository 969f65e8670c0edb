/** Shares between the versions of a service that were set by hand: what may be set, and how they stand. */
import type { EndpointView } from '../balancer/index.ts'
import type { ServiceConfig } from '../config/types.ts'
import { proxyEndpointId } from '../registry/index.ts'
import { HoldfastError } from '../kernel/errors.ts'
import type { Split, VersionTraffic } from './operations.ts'
import type { Switches } from './routing.ts'

type Shares = Readonly<Record<string, number>>

export function splitOf(
  { name, split }: ServiceConfig,
  switches: Switches,
  endpoints: readonly EndpointView[],
  trafficOf: (endpoints: readonly string[]) => VersionTraffic,
): Split {
  const byHand = switches.splits?.[name]
  const versions: Record<string, number> = {}
  for (const { revision } of endpoints) if (revision !== undefined) versions[revision] = (versions[revision] ?? 0) + 1
  const source = byHand ? 'hand' : split ? 'configuration' : 'none'
  const traffic = Object.keys(versions).map((version) => {
    const ids = endpoints.filter(({ revision }) => revision === version).map(({ id }) => proxyEndpointId(name, id))
    return [version, trafficOf(ids)] as const
  })
  return { service: name, shares: byHand ?? split, source, versions, traffic: Object.fromEntries(traffic) }
}

/** Throws `invalid_input`: a share that nobody can serve would send its clients to others without anybody having said so. */
export function checkShares(service: string, shares: Shares, versions: Readonly<Record<string, number>>): void {
  const refuse = (message: string, hint: string): never => {
    throw new HoldfastError('invalid_input', `tried to divide the clients of ${service}: ${message}`, { hint })
  }
  const values = Object.values(shares)
  if (!values.every((share) => share >= 0 && share <= 1)) refuse('a share is not from 0 to 1', 'write 0.05 for 5 %')
  const sum = values.reduce((total, share) => total + share, 0)
  if (Math.abs(sum - 1) > 1e-6) refuse(`the shares are ${Number(sum.toFixed(6))} in all`, 'they must be 1 together')
  const known = Object.keys(versions)
  const [unknown] = Object.entries(shares).find(([version, share]) => !known.includes(version) && share > 0) ?? []
  if (unknown !== undefined)
    refuse(`no endpoint has the version ${unknown}`, known.length === 0 ? 'no endpoint has a version' : `there are: ${known.join(', ')}`)
}

export function withSplit(switches: Switches, service: string, shares: Shares | undefined): Switches {
  const others = Object.entries(switches.splits ?? {}).filter(([name]) => name !== service)
  return { ...switches, splits: Object.fromEntries(shares ? [...others, [service, shares]] : others) }
}
