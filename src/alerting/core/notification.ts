/** One word to one receiver about one group, and the forms in which programs and people read it. */
import type { Labels } from '../../kernel/labels.ts'
import type { Alert } from './alerts.ts'

export interface Notification {
  /** Of this notification: the same at every attempt. */
  readonly id: string
  readonly receiver: string
  readonly groupKey: string
  readonly groupLabels: Labels
  /** Why now: `first`, `new firing`, `repeat`, `escalated`. */
  readonly why: string
  /** What fires has `endsAt` 0. */
  readonly alerts: readonly Alert[]
  /** Where the dashboard is. */
  readonly externalUrl: string
  readonly at: number
}

export const notificationLimits = {
  /** Alerts in the body of a webhook; how many more there are is said in it. */
  webhookAlertsMax: 5_000,
  /** Of a line or a title for people: services refuse messages that are too long, and nobody reads them. */
  lineCharactersMax: 1_000,
  titleCharactersMax: 200,
} as const

/** At most so many characters, of which the last says that there were more. */
export const cut = (text: string, max: number): string => (text.length <= max ? text : `${text.slice(0, max - 1).replace(/[\ud800-\udbff]$/, '')}…`)

export const statusOf = ({ endsAt }: Pick<Alert, 'endsAt'>): 'firing' | 'resolved' => (endsAt === 0 ? 'firing' : 'resolved')

export const notificationStatus = ({ alerts }: Notification): 'firing' | 'resolved' =>
  alerts.some((alert) => statusOf(alert) === 'firing') ? 'firing' : 'resolved'

/** As Go writes the time that is none. */
export const noTime = '0001-01-01T00:00:00Z'
export const timeOf = (at: number): string => (at === 0 ? noTime : new Date(at).toISOString())

/** What all of them have. */
export function common(sets: readonly Labels[]): Labels {
  const [first, ...others] = sets
  return Object.fromEntries(Object.entries(first ?? {}).filter(([name, value]) => others.every((each) => each[name] === value)))
}

/** Alertmanager's webhook, version "4". */
export function webhookBody(notification: Notification): Record<string, unknown> {
  const { alerts, receiver, groupLabels, groupKey, externalUrl } = notification
  return {
    receiver,
    status: notificationStatus(notification),
    alerts: alerts.slice(0, notificationLimits.webhookAlertsMax).map((alert) => ({
      status: statusOf(alert),
      labels: alert.labels,
      annotations: alert.annotations,
      startsAt: timeOf(alert.startsAt),
      endsAt: timeOf(alert.endsAt),
      generatorURL: alert.generatorUrl ?? '',
      fingerprint: alert.fingerprint,
    })),
    groupLabels,
    commonLabels: common(alerts.map(({ labels }) => labels)),
    commonAnnotations: common(alerts.map(({ annotations }) => annotations)),
    externalURL: externalUrl,
    version: '4',
    groupKey,
    truncatedAlerts: Math.max(0, alerts.length - notificationLimits.webhookAlertsMax),
  }
}

const marks = { warning: '⚠️', critical: '🔴', emergency: '🚨' } as const

export const severityOf = ({ labels }: Pick<Alert, 'labels'>): 'warning' | 'critical' | 'emergency' =>
  labels.severity === 'emergency' || labels.severity === 'critical' ? labels.severity : 'warning'

const ranks = ['warning', 'critical', 'emergency'] as const
export const gravest = (alerts: readonly Pick<Alert, 'labels'>[]): (typeof ranks)[number] =>
  ranks[Math.max(0, ...alerts.map((alert) => ranks.indexOf(severityOf(alert))))] ?? 'warning'

/** One sentence about an alert. */
export function sentenceOf({ labels, annotations }: Pick<Alert, 'labels' | 'annotations'>): string {
  const said = annotations.summary ?? annotations.description
  if (said !== undefined) return said
  const of = [labels.instance ?? labels.service ?? labels.check].filter((each) => each !== undefined)
  return [labels.alertname ?? 'an alert', ...of].join(' on ')
}

/** `[FIRING 2] InstanceDown shop` */
export function titleOf(notification: Notification): string {
  const { alerts, groupLabels } = notification
  const status = notificationStatus(notification)
  const firing = alerts.filter((alert) => statusOf(alert) === 'firing')
  const labels = Object.keys(groupLabels).length > 0 ? groupLabels : common(alerts.map((alert) => alert.labels))
  const { alertname, ...rest } = labels
  const about = [alertname ?? alerts[0]?.labels.alertname ?? 'alerts', ...Object.values(rest).slice(0, 3)].join(' ')
  const mark = status === 'firing' ? marks[gravest(firing)] : '✅'
  const title = `${mark} [${status === 'firing' ? `FIRING ${firing.length}` : 'RESOLVED'}] ${about}`
  return cut(title, notificationLimits.titleCharactersMax)
}

/** Lines for people: each alert with what is known of it. At most `max`, and how many more there are. */
export function linesOf({ alerts }: Notification, max: number): readonly string[] {
  const shown = alerts.slice(0, max).map((alert) => {
    const { impact, runbook } = alert.annotations
    const more = [impact, runbook === undefined ? undefined : `runbook: ${runbook}`].filter((each) => each !== undefined)
    const line = `${statusOf(alert) === 'firing' ? severityOf(alert) : 'resolved'}: ${[sentenceOf(alert), ...more].join(' — ')}`
    return cut(line, notificationLimits.lineCharactersMax)
  })
  return alerts.length > max ? [...shown, `and ${alerts.length - max} more`] : shown
}
