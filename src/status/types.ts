/**
 * What the public status page says, and what it is told by the rest. Nothing that comes in here may hold what the public should not read: no address, port, path,
 * process id or error text. Whoever implements these ports sees to that.
 */

/** The words of Statuspage, which its clients know. */
export const componentStatuses = ['operational', 'degraded_performance', 'partial_outage', 'major_outage', 'under_maintenance'] as const
export type ComponentStatus = (typeof componentStatuses)[number]

export type Indicator = 'none' | 'minor' | 'major' | 'critical' | 'maintenance'
export type Impact = 'none' | 'minor' | 'major' | 'critical'
export type IncidentStatus = 'investigating' | 'identified' | 'monitoring' | 'resolved' | 'postmortem'

/** A day of a service, in UTC. What is not known is neither good nor bad. */
export interface UptimeDay {
  /** `2026-11-21` */
  readonly day: string
  /** Requests that were served. */
  readonly good: number
  /** Requests that failed through no fault of their client. */
  readonly bad: number
  readonly unknownMs: number
  /** Time in which nothing of it was ready. */
  readonly downMs: number
}

export interface UptimeReader {
  /** The last `count` days up to today, oldest first; days of which nothing is known may be missing. */
  days(service: string, count: number): readonly UptimeDay[]
}

export interface IncidentUpdate {
  /** Wall time in milliseconds. */
  readonly at: number
  readonly status: IncidentStatus
  readonly text: string
}

/** An incident that may be published, in words for the public. */
export interface PublicIncident {
  readonly id: string
  readonly impact: Impact
  /** Somebody wrote about it for the public. Else it is shown only as far as a service of the page is concerned. */
  readonly byHand: boolean
  readonly startedAt: number
  /** undefined: it goes on. */
  readonly resolvedAt: number | undefined
  /** As the configuration names them; those that the page does not show are left out. */
  readonly services: readonly string[]
  /** Newest first; at least one. */
  readonly updates: readonly IncidentUpdate[]
}

export interface IncidentReader {
  /** Newest first. */
  published(): readonly PublicIncident[]
}

export interface Maintenance {
  readonly id: string
  readonly title: string
  /** undefined: since when is not known. */
  readonly startedAt: number | undefined
  /** undefined: until it is switched off. */
  readonly endsAt: number | undefined
  readonly status: 'scheduled' | 'in_progress'
  readonly services: readonly string[]
}

export interface MaintenanceList {
  list(): readonly Maintenance[]
}

export interface DayView {
  readonly day: string
  readonly state: 'operational' | 'degraded' | 'outage' | 'unknown'
  /** Of what is known; undefined: nothing is. */
  readonly percent: number | undefined
  readonly downMs: number
  readonly unknownMs: number
}

export interface ComponentView {
  readonly id: string
  /** For the public. */
  readonly name: string
  readonly group: string | undefined
  readonly status: ComponentStatus
  /** When the page first said so. */
  readonly since: number
  /** Of all days together; undefined: nothing is known. */
  readonly percent: number | undefined
  /** Exactly as many as the page shows, oldest first. */
  readonly days: readonly DayView[]
}

export interface IncidentView extends Omit<PublicIncident, 'services' | 'byHand'> {
  readonly title: string
  /** Public names. */
  readonly components: readonly string[]
}

export interface MaintenanceView extends Omit<Maintenance, 'services'> {
  readonly components: readonly string[]
}

/** All that the page says. */
export interface StatusView {
  readonly id: string
  readonly title: string
  readonly url: string | undefined
  readonly indicator: Indicator
  readonly description: string
  /** Wall time in milliseconds, to the minute. */
  readonly at: number
  readonly components: readonly ComponentView[]
  /** Newest first. */
  readonly incidents: readonly IncidentView[]
  readonly maintenances: readonly MaintenanceView[]
}

/** A page or document that can be sent as it is. */
export interface StatusDocument {
  readonly contentType: string
  readonly body: Buffer
  readonly gzip: Buffer
  /** Strong, of the plain body; with `-gz` before the closing quote of the other. */
  readonly etag: string
}

export const statusDocuments = [
  'page',
  'summary',
  'status',
  'components',
  'incidents',
  'unresolved',
  'maintenances',
  'upcoming',
  'active',
  'all',
  'feed',
] as const
export type StatusDocumentName = (typeof statusDocuments)[number]
