/** Incidents over the notifier: opened and closed by what fires, with what happened meanwhile, kept in the store. */
import type { AnyEvent, EventSink, IncidentData } from '../kernel/events.ts'
import type { Clock } from '../kernel/time.ts'
import { failingName, isResolved, type Alert } from './core/alerts.ts'
import { asEntry, IncidentBook, incidentLimits, isTelling, keyOf, type Incident, type IncidentPost, type IncidentStatus } from './core/incidents.ts'
import { severityOf } from './core/notification.ts'
import type { Notifier } from './notifier.ts'
import { isIncidentRecord } from './records.ts'

export interface IncidentsDeps {
  readonly clock: Clock
  readonly notifier: Notifier
  readonly events: EventSink
  readonly newId: () => string
  /** Events since then, oldest first. Throws when the log cannot be read. */
  readonly recentEvents: (since: number) => readonly AnyEvent[]
}

/** A grave alert opens an incident after this, so that what it goes back to is known. */
const patienceMs = 1_500
/** Of the alerts that are too mild to open one, and belong to none: asked again with each look. */
const mildAtOnce = 500
/** The notifier ticks more often when there is much to do. */
const lookMs = 250

export class Incidents {
  readonly #deps: IncidentsDeps
  readonly #book = new IncidentBook()
  /** Alerts that fire and belong to none yet: since when. */
  readonly #waiting = new Map<string, number>()
  /** Those of them that were too mild, in the order in which they are asked again. */
  readonly #mild = new Set<string>()
  #lookedAt = 0

  constructor(deps: IncidentsDeps) {
    this.#deps = deps
    deps.notifier.listen({
      changed: ({ fired, resolved }) => {
        const now = deps.clock.wallTime()
        for (const alert of fired) if (mayBelong(alert)) this.#waiting.set(alert.fingerprint, now)
        for (const alert of resolved) {
          this.#waiting.delete(alert.fingerprint)
          this.#mild.delete(alert.fingerprint)
          this.#book.resolved(alert, now)
        }
      },
      clockSet: (by) => {
        for (const [fingerprint, since] of this.#waiting) this.#waiting.set(fingerprint, since + by)
        this.#book.shift(by)
      },
      ticked: (now) => {
        this.#look(now)
      },
      acked: (alert, { by, comment }) => {
        // Its incident is opened first, so that it says who took it up.
        if (this.#mild.has(alert.fingerprint)) this.#askMild(alert.fingerprint, deps.clock.wallTime())
        const text = `${by} took up: ${alert.labels.alertname ?? alert.fingerprint}${comment === '' ? '' : ` (${comment})`}`
        this.#book.note({ at: deps.clock.wallTime(), kind: 'ack', text, event: undefined }, ({ id }) => id === this.#book.ofAlert(alert.fingerprint))
      },
      notified: ({ receiver, alerts, why }, integration, arrived, event) => {
        const ids = new Set(alerts.map(({ fingerprint }) => this.#book.ofAlert(fingerprint)))
        const text = arrived ? `${receiver} was told by ${integration} (${why})` : `${receiver} could not be told by ${integration}`
        this.#book.note({ at: deps.clock.wallTime(), kind: 'notification', text, event }, ({ id }) => ids.has(id))
      },
    })
  }

  /** The notifier must have started. */
  async start(): Promise<void> {
    this.#book.restore(await this.#deps.notifier.book.load<Incident>('incident', isIncidentRecord))
    const now = this.#deps.clock.wallTime()
    for (const alert of this.#deps.notifier.dispatcher.alerts()) {
      const { fingerprint } = alert
      if (mayBelong(alert) && this.#book.ofAlert(fingerprint) === undefined && !isResolved(alert, now)) this.#waiting.set(fingerprint, now)
    }
  }

  get book(): IncidentBook {
    return this.#book
  }

  /** Of the services of an open incident: it belongs to its timeline. */
  onEvent(event: AnyEvent): void {
    if (!isTelling(event) || event.service === undefined) return
    const { service } = event
    this.#book.note(asEntry(event), ({ services }) => services.includes(service))
  }

  #look(now: number): void {
    if (now >= this.#lookedAt && now - this.#lookedAt < lookMs) return
    this.#lookedAt = now
    // The gravest first: what a milder one belongs to is there then.
    for (const [fingerprint, since] of [...this.#waiting]) {
      const alert = this.#deps.notifier.dispatcher.alert(fingerprint)
      if (alert === undefined || isResolved(alert, now)) this.#waiting.delete(fingerprint)
      else if (now - since >= patienceMs) this.#settle(alert, now)
    }
    for (const fingerprint of firstOf(this.#mild, mildAtOnce)) this.#askMild(fingerprint, now)
    for (const incident of this.#book.look(now)) this.#announceEnd(incident)
    for (const id of this.#book.dirty) this.#deps.notifier.book.note('incident', id, this.#book.record(id))
    this.#book.dirty.clear()
  }

  /** One that is not in time to be seen by its key alone: what it goes back to may be known by now. */
  #askMild(fingerprint: string, now: number): void {
    this.#mild.delete(fingerprint)
    const alert = this.#deps.notifier.dispatcher.alert(fingerprint)
    if (alert !== undefined && !isResolved(alert, now)) this.#settle(alert, now)
  }

  /** Mild ones wait for an incident that they belong to as long as they fire: a few are asked at a time. */
  #settle(alert: Alert, now: number): void {
    const { notifier, newId, events, recentEvents } = this.#deps
    const quiet = notifier.dispatcher.quiet(alert, now)
    if (quiet !== undefined && quiet.by !== 'suppressed') {
      this.#waiting.delete(alert.fingerprint)
      this.#mild.add(alert.fingerprint)
      return
    }
    const cause = quiet?.by === 'suppressed' ? quiet.ids[0] : undefined
    const opened = this.#book.fired(alert, cause, now, newId, () => recentEvents(now - incidentLimits.beforeMs))
    const isMild = this.#book.ofAlert(alert.fingerprint) === undefined
    if (isMild) this.#mild.add(alert.fingerprint)
    this.#waiting.delete(alert.fingerprint)
    if (opened === undefined) return
    for (const fingerprint of [...this.#mild]) {
      const mild = notifier.dispatcher.alert(fingerprint)
      if (mild && keyOf(mild, undefined) === opened.key) this.#askMild(fingerprint, now)
    }
    events.emit('incident.opened', {
      message: `an incident was opened: ${opened.title}${opened.cause === undefined ? '' : `; likely cause: ${opened.cause.text}`}`,
      level: severityOf(alert) === 'emergency' ? 'critical' : 'error',
      service: opened.services[0],
      cause: opened.cause?.event,
      data: dataOf(opened),
    })
  }

  #announceEnd(incident: Incident): void {
    const lastedMs = (incident.resolvedAt ?? incident.openedAt) - incident.openedAt
    const message = `the incident is over after ${Math.round(lastedMs / 1_000)} s: ${incident.title}`
    this.#deps.events.emit('incident.resolved', { message, service: incident.services[0], data: { ...dataOf(incident), lastedMs } })
  }

  /** What somebody has to say of it. Throws `unknown_incident`, `conflict`. */
  post(
    id: string,
    { text, status, by, published }: { text: string; status?: IncidentStatus | undefined; by: string; published?: boolean | undefined },
    cause?: string,
  ): Incident {
    const before = this.#book.get(id)
    const post: IncidentPost = { at: this.#deps.clock.wallTime(), status: status ?? before.status, text, by }
    const incident = this.#book.post(id, post, published ?? true)
    this.#deps.events.emit('incident.updated', {
      message: `${by} on ${incident.title}: ${text}`,
      service: incident.services[0],
      cause,
      data: { ...dataOf(incident), actor: by, text },
    })
    if (before.status !== 'resolved' && incident.status === 'resolved') this.#announceEnd(incident)
    return incident
  }
}

function firstOf(these: Iterable<string>, max: number): readonly string[] {
  const first: string[] = []
  for (const each of these) {
    if (first.length >= max) break
    first.push(each)
  }
  return first
}

/** That somebody cannot be told is nothing that is out of order for those outside. */
const mayBelong = ({ labels }: Alert): boolean => labels.alertname !== failingName

const dataOf = ({ id, title, impact, status }: Incident): IncidentData => ({ id, title, impact, status })
