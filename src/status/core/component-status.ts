/**
 * How a service stands in the words of the public: what its clients notice, not what its operator sees. An instance that is being replaced is nobody's business as long as
 * the others carry the traffic; requests that fail are, however healthy everything says it is.
 */
import type { ServiceStatus } from '../../registry/types.ts'
import type { ComponentStatus, Impact, Indicator } from '../types.ts'

/** With fewer answers than that in the last ten seconds, a share of them says little. */
const requestsMin = 20
const windowSeconds = 10
/** Shares of failed answers. */
const [degradedShare, partialShare, majorShare] = [0.02, 0.05, 0.5]

export type Standing = Pick<ServiceStatus, 'health' | 'maintenance' | 'ready' | 'desired'> & {
  readonly traffic: Pick<ServiceStatus['traffic'], 'requestRate' | 'errorRate' | 'parked'>
}

export function componentStatus({ health, maintenance, ready, desired, traffic }: Standing): ComponentStatus {
  if (maintenance || health === 'maintenance') return 'under_maintenance'
  return worst([byHealth(health, ready, desired), byTraffic(traffic)])
}

function byHealth(health: ServiceStatus['health'], ready: number, desired: number): ComponentStatus {
  if (health === 'unhealthy') return 'major_outage'
  // Requests wait for it.
  if (ready === 0 && desired > 0) return 'partial_outage'
  return ready * 2 < desired ? 'degraded_performance' : 'operational'
}

function byTraffic({ requestRate, errorRate, parked }: Standing['traffic']): ComponentStatus {
  const counts = requestRate * windowSeconds >= requestsMin
  if (counts && errorRate >= majorShare) return 'major_outage'
  if (counts && errorRate >= partialShare) return 'partial_outage'
  return (counts && errorRate >= degradedShare) || parked > 0 ? 'degraded_performance' : 'operational'
}

const gravity: Readonly<Record<ComponentStatus, number>> = {
  operational: 0,
  under_maintenance: 1,
  degraded_performance: 2,
  partial_outage: 3,
  major_outage: 4,
}

export function worst(statuses: readonly ComponentStatus[]): ComponentStatus {
  return statuses.reduce((a, b) => (gravity[b] > gravity[a] ? b : a), 'operational')
}

/** The whole in one word and one sentence, by its components and the gravest incident that goes on. */
export function indicatorOf(
  statuses: readonly ComponentStatus[],
  incidents: readonly Impact[],
): { readonly indicator: Indicator; readonly description: string } {
  const most = worst(statuses)
  const incident = incidents.reduce<Impact>((a, b) => (impacts.indexOf(b) > impacts.indexOf(a) ? b : a), 'none')
  const by = byComponents(most, statuses)
  if (impacts.indexOf(incident) <= (by.indicator === 'maintenance' ? 0 : impacts.indexOf(by.indicator))) return by
  return { indicator: incident, description: byIncident[incident] }
}

const impacts: readonly Impact[] = ['none', 'minor', 'major', 'critical']
const byIncident: Readonly<Record<Impact, string>> = {
  none: 'All Systems Operational',
  minor: 'Minor Service Outage',
  major: 'Partial System Outage',
  critical: 'Major Service Outage',
}

function byComponents(most: ComponentStatus, all: readonly ComponentStatus[]): { readonly indicator: Indicator; readonly description: string } {
  switch (most) {
    case 'operational':
      return { indicator: 'none', description: 'All Systems Operational' }
    case 'under_maintenance':
      return { indicator: 'maintenance', description: 'Service Under Maintenance' }
    case 'degraded_performance':
      return { indicator: 'minor', description: 'Partially Degraded Service' }
    case 'partial_outage':
      return { indicator: 'major', description: 'Partial System Outage' }
    case 'major_outage':
      return all.every((one) => one === 'major_outage')
        ? { indicator: 'critical', description: 'Major Service Outage' }
        : { indicator: 'major', description: 'Partial System Outage' }
  }
}
