/** Puts together what the page says. Names that are not on the page do not get on it by an incident either. */
import { fingerprint } from '../../kernel/labels.ts'
import type { ServiceStatus } from '../../registry/types.ts'
import type { ComponentStatus, ComponentView, IncidentView, Maintenance, MaintenanceView, PublicIncident, StatusView, UptimeDay } from '../types.ts'
import { componentStatus, indicatorOf } from './component-status.ts'
import { dayViews, overallPercent } from './uptime.ts'

/** Components on a page: more would make it long to read and heavy to send. */
export const componentsMax = 100
/** Incidents on a page, and in its documents. */
export const incidentsMax = 50
/** How long an incident stays on the page after its end. */
export const incidentDays = 14

export interface ShownService {
  readonly service: string
  /** For the public. */
  readonly name: string
  readonly group: string | undefined
}

export interface ViewInputs {
  readonly title: string
  readonly url: string | undefined
  readonly days: number
  readonly shown: readonly ShownService[]
  readonly services: readonly ServiceStatus[]
  readonly uptime: (service: string) => readonly UptimeDay[]
  readonly incidents: readonly PublicIncident[]
  readonly maintenances: readonly Maintenance[]
  /** Since when a component stands as it does. */
  readonly since: (component: string, status: ComponentStatus) => number
  readonly now: number
}

const minuteMs = 60_000

export function statusView(inputs: ViewInputs): StatusView {
  const { title, url, now } = inputs
  const shown = inputs.shown.slice(0, componentsMax)
  const components = shown.flatMap((one) => componentOf(one, inputs))
  const publicName = new Map(shown.map(({ service, name }) => [service, name]))
  const oldest = now - incidentDays * 86_400_000
  const incidents = inputs.incidents
    .filter(({ resolvedAt }) => resolvedAt === undefined || resolvedAt >= oldest)
    .flatMap((one) => incidentOf(one, publicName))
    .slice(0, incidentsMax)
  const maintenances = inputs.maintenances
    .map(({ services, ...rest }): MaintenanceView => ({ ...rest, components: namesOf(services, publicName) }))
    .filter((one) => one.components.length > 0)
  const going = incidents.filter(({ resolvedAt }) => resolvedAt === undefined)
  const whole = indicatorOf(
    components.map(({ status }) => status),
    going.map(({ impact }) => impact),
  )
  return { id: idOf('page', title), title, url, ...whole, at: now - (now % minuteMs), components, incidents, maintenances }
}

function componentOf({ service, name, group }: ShownService, inputs: ViewInputs): ComponentView[] {
  const { services, days, now, uptime, since } = inputs
  const status = services.find((one) => one.name === service)
  // Between two configurations.
  if (!status) return []
  const known = uptime(service)
  // Whatever comes of work that was announced is that work.
  const announced = inputs.maintenances.some((one) => one.status === 'in_progress' && one.services.includes(service))
  const found = componentStatus(status)
  const stands = announced && found !== 'operational' ? 'under_maintenance' : found
  const id = idOf('component', service)
  return [{ id, name, group, status: stands, since: since(id, stands), percent: overallPercent(known, days, now), days: dayViews(known, days, now) }]
}

/** The titles that alerts have are for operators: they name services and errors as these know them. */
function incidentOf({ services, byHand, ...rest }: PublicIncident, names: ReadonlyMap<string, string>): readonly IncidentView[] {
  const components = namesOf(services, names)
  if (components.length === 0 && !byHand) return []
  return [{ ...rest, title: components.length > 0 ? `Trouble with ${components.join(', ')}` : 'Trouble with a part of the system', components }]
}

const namesOf = (services: readonly string[], names: ReadonlyMap<string, string>): readonly string[] =>
  services.flatMap((service) => names.get(service) ?? [])

/** Stays the same over restarts, and says nothing of the name behind it. */
export const idOf = (kind: string, name: string): string => fingerprint({ kind, name })
