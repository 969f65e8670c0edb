/** A service of PagerDuty, by its Events API v2: one incident there for each group here, triggered, and resolved when the group is. */
import { createHash } from 'node:crypto'
import type { PagerDutyConfig } from '../../config/types.ts'
import { common, cut, gravest, linesOf, notificationStatus, titleOf, type Notification } from '../core/notification.ts'
import type { Channel } from './port.ts'
import { post } from './post.ts'

const severities = { warning: 'warning', critical: 'error', emergency: 'critical' } as const
const timeoutMs = 10_000
const linesMax = 50
/** Source: PagerDuty's documentation, "Events API v2": a summary has at most 1,024 characters. */
const summaryCharactersMax = 1_024
/** Of the value of a label; the whole event may have 512 KiB. */
const valueCharactersMax = 1_024

export class PagerDuty implements Channel {
  readonly kind = 'pagerduty'
  readonly #config: PagerDutyConfig

  constructor(config: PagerDutyConfig) {
    this.#config = config
  }

  async send(notification: Notification, signal: AbortSignal): Promise<void> {
    await post({ url: this.#config.url, body: JSON.stringify(eventOf(notification, this.#config.key)), timeoutMs, signal })
  }
}

function eventOf(notification: Notification, key: string): Record<string, unknown> {
  const { alerts, groupKey, receiver, externalUrl, at } = notification
  const dedupKey = createHash('sha256').update(`${receiver}\n${groupKey}`).digest('hex')
  if (notificationStatus(notification) === 'resolved') return { routing_key: key, event_action: 'resolve', dedup_key: dedupKey }
  const labels = Object.fromEntries(
    Object.entries(common(alerts.map((alert) => alert.labels))).map(([name, value]) => [name, cut(value, valueCharactersMax)]),
  )
  return {
    routing_key: key,
    event_action: 'trigger',
    dedup_key: dedupKey,
    client: 'Holdfast',
    client_url: externalUrl,
    payload: {
      summary: titleOf(notification).slice(0, summaryCharactersMax),
      source: labels.instance ?? labels.service ?? labels.check ?? 'holdfast',
      severity: severities[gravest(alerts)],
      timestamp: new Date(Math.min(...alerts.map(({ startsAt }) => startsAt), at)).toISOString(),
      component: labels.service,
      class: labels.alertname,
      custom_details: { labels, alerts: linesOf(notification, linesMax) },
    },
  }
}
