/** Says in events what becomes of alerts, notifications and silences. When very many change at once, the first ones get an event each and the rest one together. */
import type { AlertData, EventLevel, EventSink, NotificationData, SilenceData } from '../kernel/events.ts'
import { wallTime } from '../kernel/time.ts'
import { counted } from '../kernel/words.ts'
import type { Alert } from './core/alerts.ts'
import type { Ack, Changes } from './core/dispatcher.ts'
import type { Group } from './core/groups.ts'
import { written } from './core/matchers.ts'
import { sentenceOf, severityOf, type Notification } from './core/notification.ts'
import type { Silence } from './core/silences.ts'
import type { Delivery } from './sender.ts'
import type { Suppression } from './types.ts'

/** Events of alerts in one second; the rest of it is told together. */
const eventsPerSecondMax = 100
/** Of so many names more the first alert that fires is told by itself all the same: a policy may wait for it, and a flood of another name is no reason to miss it. */
const namesPerSecondMax = 200

const levels = { warning: 'warning', critical: 'error', emergency: 'critical' } as const satisfies Record<string, EventLevel>

export class Announcer {
  readonly #events: EventSink
  #second = 0
  #spent = 0
  readonly #names = new Set<string>()
  #unsaid = { fired: 0, resolved: 0 }

  constructor(events: EventSink) {
    this.#events = events
  }

  changes({ fired, resolved }: Changes, now: number): void {
    for (const alert of fired) {
      if (this.#mayTell(now, alert.labels.alertname))
        this.#events.emit('alert.fired', {
          message: sentenceOf(alert),
          level: levels[severityOf(alert)],
          ...aboutOf(alert),
          data: dataOf(alert),
        })
      else this.#unsaid.fired++
    }
    for (const alert of resolved) {
      const firedForMs = Math.max(0, alert.endsAt - alert.startsAt)
      const message = `over: ${sentenceOf(alert)}`
      if (this.#mayTell(now)) this.#events.emit('alert.resolved', { message, ...aboutOf(alert), data: { ...dataOf(alert), firedForMs } })
      else this.#unsaid.resolved++
    }
  }

  #mayTell(now: number, name?: string): boolean {
    const second = Math.floor(now / 1_000)
    if (second !== this.#second) {
      this.rest()
      this.#second = second
      this.#spent = 0
      this.#names.clear()
    }
    const isNew = name !== undefined && !this.#names.has(name) && this.#names.size < namesPerSecondMax
    if (isNew) this.#names.add(name)
    return this.#spent++ < eventsPerSecondMax || isNew
  }

  /** What was not said by itself. */
  rest(): void {
    const { fired, resolved } = this.#unsaid
    if (fired + resolved === 0) return
    this.#unsaid = { fired: 0, resolved: 0 }
    this.#events.emit('alert.burst', {
      message: `${fired} more alerts fired and ${resolved} more are over`,
      level: 'warning',
      data: { fired, resolved },
    })
  }

  refused(reason: string, alerts: number): void {
    this.#events.emit('alert.refused', { message: `${counted(alerts, 'alert')} not taken: ${reason}`, level: 'error', data: { reason, alerts } })
  }

  suppressed(alert: Alert, { cause, reason }: Suppression): void {
    this.#events.emit('alert.suppressed', {
      message: `nobody is told that ${sentenceOf(alert)}: ${reason}`,
      ...aboutOf(alert),
      data: { ...dataOf(alert), cause, reason },
    })
  }

  acknowledged(alert: Alert, { by, comment, until }: Ack, cause: string | undefined): void {
    const data = { ...dataOf(alert), actor: by, comment, until: wallTime(until) }
    this.#events.emit('alert.acknowledged', { message: `${by} has taken up: ${sentenceOf(alert)}`, ...aboutOf(alert), cause, data })
  }

  unacknowledged(alert: Alert, { by }: Ack): void {
    const message = `what ${by} took up still fires, and counts as not acknowledged again: ${sentenceOf(alert)}`
    this.#events.emit('alert.unacknowledged', { message, level: 'warning', ...aboutOf(alert), data: { ...dataOf(alert), actor: by } })
  }

  escalated({ key }: Group, receiver: string, step: number): void {
    this.#events.emit('alert.escalated', {
      message: `nobody has acknowledged ${key}: ${receiver} is told`,
      level: 'warning',
      data: { group: key, receiver, step },
    })
  }

  delivered(notification: Notification, integration: string, { arrived, attempts, tookMs, error = '' }: Delivery): string {
    const { id, receiver, groupKey, why, alerts } = notification
    const data: NotificationData = {
      id,
      receiver,
      integration,
      group: groupKey,
      why,
      alerts: alerts.slice(0, 100).map(({ fingerprint }) => fingerprint),
      attempts,
    }
    const service = serviceOf(alerts)
    if (arrived)
      return this.#events.emit('notification.sent', {
        message: `${receiver} was told of ${counted(alerts.length, 'alert')} (${why})`,
        service,
        data: { ...data, tookMs },
      })
    const message = `${receiver} could not be told of ${counted(alerts.length, 'alert')} after ${counted(attempts, 'attempt')}: ${error}`
    return this.#events.emit('notification.failed', { message, level: 'error', service, data: { ...data, error } })
  }

  silence(type: 'silence.created' | 'silence.expiring' | 'silence.ended', silence: Silence, actor = '', cause?: string): void {
    const { id, matchers, endsAt, createdBy, comment, matched } = silence
    const shown = matchers.map(written)
    const data: SilenceData = { id, matchers: shown, endsAt: wallTime(endsAt), createdBy, comment }
    const which = `the silence of ${shown.join(', ')} (${comment})`
    if (type === 'silence.created') this.#events.emit(type, { message: `${actor} set ${which}`, cause, data: { ...data, actor } })
    else if (type === 'silence.expiring') this.#events.emit(type, { message: `${which} ends within the hour`, level: 'warning', data })
    else this.#events.emit(type, { message: `${which} has ended; it kept ${counted(matched, 'alert')} quiet`, cause, data: { ...data, matched } })
  }
}

export const dataOf = (alert: Alert): AlertData => ({
  fingerprint: alert.fingerprint,
  alertname: alert.labels.alertname ?? '',
  severity: severityOf(alert),
  labels: alert.labels,
})

const aboutOf = ({ labels, annotations }: Alert) => ({ service: labels.service, instance: labels.instance, cause: annotations.event })

function serviceOf(alerts: readonly Alert[]): string | undefined {
  const [first, ...others] = new Set(alerts.map(({ labels }) => labels.service))
  return others.length === 0 ? first : undefined
}
