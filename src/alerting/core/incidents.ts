/**
 * One incident for one outage: opened by the first grave alert, joined by everything that goes back to the same thing, over when all of it is.
 *
 *   investigating ──likely cause found──▶ identified ──all alerts over──▶ monitoring ──a minute of that──▶ resolved
 *        ▲───────────────── something fires again ─────────────────────────────┘
 *
 * What it is about is its key: what is down at the root of it, or the service, check or rule of the alert. Road not taken: grouping by time alone, which makes one
 * incident of two outages at once.
 */
import { HoldfastError } from '../../kernel/errors.ts'
import type { AnyEvent, EventType } from '../../kernel/events.ts'
import type { Alert } from './alerts.ts'
import { gravest, sentenceOf, severityOf } from './notification.ts'

export const incidentStatuses = ['investigating', 'identified', 'monitoring', 'resolved'] as const
export type IncidentStatus = (typeof incidentStatuses)[number]
export type Impact = 'none' | 'minor' | 'major' | 'critical'

export interface IncidentAlert {
  readonly fingerprint: string
  readonly labels: Readonly<Record<string, string>>
  readonly severity: string
  readonly summary: string
  readonly startsAt: number
  /** undefined: it fires. */
  readonly endsAt: number | undefined
}

export interface TimelineEntry {
  readonly at: number
  readonly kind: 'alert' | 'event' | 'ack' | 'notification' | 'update'
  readonly text: string
  /** Id of the event that says so. */
  readonly event: string | undefined
}

export interface IncidentPost {
  readonly at: number
  readonly status: IncidentStatus
  readonly text: string
  /** `holdfast`, or who wrote it. */
  readonly by: string
}

export interface LikelyCause {
  readonly event: string
  readonly type: string
  readonly at: number
  readonly text: string
}

export interface Incident {
  readonly id: string
  /** `shop`, `database`. */
  readonly key: string
  readonly title: string
  readonly status: IncidentStatus
  readonly impact: Impact
  readonly openedAt: number
  readonly resolvedAt: number | undefined
  /** Since when nothing of it fires. */
  readonly quietSince: number | undefined
  readonly services: readonly string[]
  readonly cause: LikelyCause | undefined
  readonly alerts: readonly IncidentAlert[]
  /** Oldest first. */
  readonly timeline: readonly TimelineEntry[]
  /** Oldest first. */
  readonly updates: readonly IncidentPost[]
  /** Whether the public status page shows it: grave ones unless somebody says otherwise, and those about which somebody wrote. */
  readonly published: boolean
}

export const incidentLimits = {
  /** Open and over, together; the oldest that are over go first. */
  incidentsMax: 200,
  alertsMax: 200,
  timelineMax: 300,
  updatesMax: 100,
  textCharactersMax: 4_000,
  /** Events so long before it belong to it. */
  beforeMs: 5 * 60_000,
  /** Nothing of it fires for so long: it is over. */
  quietMs: 60_000,
} as const

/** Events that may have led to an outage, the likeliest first: what people changed, then what broke. */
const causes: readonly EventType[] = [
  'service.changed',
  'config.applied',
  'service.splitChanged',
  'service.scaled',
  'service.restarted',
  'service.maintenanceChanged',
  'breaker.ordered',
  'request.quarantined',
  'instance.memoryExceeded',
  'instance.crashLooping',
  'instance.startFailed',
  'instance.exited',
  'endpoint.unhealthy',
  'store.setAside',
  'proxy.disconnected',
]

export const isTelling = (event: Pick<AnyEvent, 'type'>): boolean =>
  causes.includes(event.type) || /^(?:instance|endpoint|breaker|check|service|proxy)\./.test(event.type)

/** Out of events before and at the beginning. Whether it was ours to do goes before when; of two of a kind the later one. */
export function likelyCause(events: readonly AnyEvent[], services: readonly string[]): LikelyCause | undefined {
  const about = events.filter((event) => causes.includes(event.type) && isAbout(event, services) && !isConsequence(event))
  const rank = ({ type }: AnyEvent): number => causes.indexOf(type)
  const [found] = about.toSorted((a, b) => rank(a) - rank(b) || b.seq - a.seq)
  return found && { event: found.id, type: found.type, at: found.time, text: found.message }
}

/** A change of the configuration that touched other services alone is none of this one. */
function isAbout({ service, type, data }: AnyEvent, services: readonly string[]): boolean {
  if (service !== undefined) return services.includes(service)
  if (type !== 'config.applied' || services.length === 0) return true
  return (
    data.changes.length === 0 ||
    data.changes.some((path) => !path.startsWith('services.') || services.some((name) => `${path}.`.startsWith(`services.${name}.`)))
  )
}

/** An instance that stopped because it was told to: whoever told it may be the cause, it is not. */
const isConsequence = ({ type, data }: AnyEvent): boolean => type === 'instance.exited' && (data.class === 'ordered' || data.class === 'completed')

const impacts = { warning: 'minor', critical: 'major', emergency: 'critical' } as const

/** What it goes back to. */
export const keyOf = ({ labels }: Alert, cause: string | undefined): string =>
  cause ?? labels.service ?? labels.check ?? labels.alertname ?? 'unknown'

export class IncidentBook {
  readonly #incidents = new Map<string, Incident>()
  /** Open ones by key. */
  readonly #open = new Map<string, string>()
  readonly #byAlert = new Map<string, string>()
  readonly dirty = new Set<string>()

  restore(incidents: readonly Incident[]): void {
    for (const incident of incidents.toSorted((a, b) => a.openedAt - b.openedAt)) {
      this.#incidents.set(incident.id, incident)
      if (incident.status === 'resolved') continue
      this.#open.set(incident.key, incident.id)
      for (const { fingerprint } of incident.alerts) this.#byAlert.set(fingerprint, incident.id)
    }
  }

  /** Newest first. */
  all(): readonly Incident[] {
    return [...this.#incidents.values()].toReversed()
  }

  /** Throws `unknown_incident`. */
  get(id: string): Incident {
    const incident = this.#incidents.get(id)
    if (incident === undefined) throw new HoldfastError('unknown_incident', `looked for incident ${id}, found no such incident`)
    return incident
  }

  open(): readonly Incident[] {
    return [...this.#open.values()].map((id) => this.get(id))
  }

  ofAlert(fingerprint: string): string | undefined {
    return this.#byAlert.get(fingerprint)
  }

  /** It fires, and is kept quiet by nothing but its cause. Returns what was opened; undefined: it joined one, or is too mild to open one. */
  fired(
    alert: Alert,
    cause: string | undefined,
    now: number,
    newId: () => string,
    before: (services: readonly string[]) => readonly AnyEvent[],
  ): Incident | undefined {
    const key = keyOf(alert, cause)
    const known = this.#byAlert.get(alert.fingerprint) ?? this.#open.get(key)
    if (known !== undefined) {
      this.#join(this.get(known), alert, now)
      return undefined
    }
    if (severityOf(alert) === 'warning' || cause !== undefined) return undefined
    const services = alert.labels.service === undefined ? [] : [alert.labels.service]
    const events = before(services)
    const found = likelyCause(events, services)
    const impact = impacts[severityOf(alert)]
    const status: IncidentStatus = found === undefined ? 'investigating' : 'identified'
    const title = sentenceOf(alert)
    const told = events.filter((event) => isTelling(event) && (event.service === undefined || services.includes(event.service))).map(asEntry)
    const text = found === undefined ? 'We are looking into it.' : 'The likely cause has been found.'
    const incident: Incident = {
      ...{ id: newId(), key, title, status, impact, openedAt: now, resolvedAt: undefined, quietSince: undefined, services, cause: found, alerts: [] },
      timeline: told.slice(-incidentLimits.timelineMax),
      updates: [{ at: now, status, text, by: 'holdfast' }],
      published: impact === 'critical' || impact === 'major',
    }
    this.#keep(incident)
    this.#open.set(key, incident.id)
    this.#join(incident, alert, now)
    this.#bound()
    return this.get(incident.id)
  }

  #join(incident: Incident, alert: Alert, now: number): void {
    const others = incident.alerts.filter(({ fingerprint }) => fingerprint !== alert.fingerprint)
    if (others.length >= incidentLimits.alertsMax) return
    const { fingerprint, labels, startsAt } = alert
    const joined: IncidentAlert = { fingerprint, labels, severity: severityOf(alert), summary: sentenceOf(alert), startsAt, endsAt: undefined }
    const alerts = [...others, joined]
    const impact = impacts[gravest(alerts)]
    const services = [...new Set([...incident.services, ...(labels.service === undefined ? [] : [labels.service])])]
    const status = incident.status === 'monitoring' ? (incident.cause === undefined ? 'investigating' : 'identified') : incident.status
    this.#byAlert.set(fingerprint, incident.id)
    this.#keep({
      ...this.#noted(incident, { at: now, kind: 'alert', text: `fires: ${joined.summary}`, event: undefined }),
      alerts,
      impact,
      services,
      status,
      quietSince: undefined,
    })
  }

  resolved(alert: Alert, now: number): void {
    const id = this.#byAlert.get(alert.fingerprint)
    const incident = id === undefined ? undefined : this.#incidents.get(id)
    if (incident === undefined || incident.status === 'resolved') return
    const alerts = incident.alerts.map((each) => (each.fingerprint === alert.fingerprint ? { ...each, endsAt: alert.endsAt } : each))
    const isQuiet = alerts.every(({ endsAt }) => endsAt !== undefined)
    const noted = this.#noted(incident, { at: now, kind: 'alert', text: `over: ${sentenceOf(alert)}`, event: undefined })
    this.#keep({ ...noted, alerts, ...(isQuiet && { status: 'monitoring' as const, quietSince: incident.quietSince ?? now }) })
  }

  /** The clock was set by so much. */
  shift(by: number): void {
    for (const incident of this.open()) if (incident.quietSince !== undefined) this.#keep({ ...incident, quietSince: incident.quietSince + by })
  }

  /** What else happens to open ones: returns whether it belongs to any. */
  note(entry: TimelineEntry, belongs: (incident: Incident) => boolean): boolean {
    const incidents = this.open().filter(belongs)
    for (const incident of incidents) this.#keep(this.#noted(incident, entry))
    return incidents.length > 0
  }

  /** Those that are over now. */
  look(now: number): readonly Incident[] {
    return this.open().flatMap((incident) => {
      const { quietSince } = incident
      if (quietSince === undefined || now - quietSince < incidentLimits.quietMs) return []
      return [this.#end(incident, now, { at: now, status: 'resolved', text: 'It is over.', by: 'holdfast' })]
    })
  }

  /** Throws `unknown_incident`, `invalid_input`. */
  post(id: string, post: IncidentPost, published: boolean): Incident {
    const incident = this.get(id)
    if (incident.updates.length >= incidentLimits.updatesMax)
      throw new HoldfastError('conflict', `tried to write about incident ${id}, which has ${incidentLimits.updatesMax} updates already`)
    if (incident.status === 'resolved' && post.status !== 'resolved')
      throw new HoldfastError('conflict', `tried to open incident ${id} again, which is over`)
    const noted = { ...this.#noted(incident, { at: post.at, kind: 'update', text: `${post.by}: ${post.text}`, event: undefined }), published }
    if (post.status === 'resolved' && incident.status !== 'resolved') return this.#end(noted, post.at, post)
    return this.#keep({ ...noted, status: post.status, updates: [...incident.updates, post] })
  }

  #end(incident: Incident, now: number, post: IncidentPost): Incident {
    this.#open.delete(incident.key)
    for (const { fingerprint } of incident.alerts) if (this.#byAlert.get(fingerprint) === incident.id) this.#byAlert.delete(fingerprint)
    return this.#keep({ ...incident, status: 'resolved', resolvedAt: now, updates: [...incident.updates, post] })
  }

  #noted(incident: Incident, entry: TimelineEntry): Incident {
    return { ...incident, timeline: [...incident.timeline, entry].slice(-incidentLimits.timelineMax) }
  }

  #keep(incident: Incident): Incident {
    this.#incidents.set(incident.id, incident)
    this.dirty.add(incident.id)
    return incident
  }

  #bound(): void {
    for (const [id, { status }] of this.#incidents) {
      if (this.#incidents.size <= incidentLimits.incidentsMax) return
      if (status !== 'resolved') continue
      this.#incidents.delete(id)
      this.dirty.add(id)
    }
  }

  /** To be written down; undefined: it is forgotten. */
  record(id: string): Incident | undefined {
    return this.#incidents.get(id)
  }
}

export const asEntry = ({ id, time, message }: AnyEvent): TimelineEntry => ({ at: time, kind: 'event', text: message, event: id })
