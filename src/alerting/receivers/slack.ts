/** A channel of Slack, by an incoming webhook: a title, a line for each alert, and a colour for how grave it is. */
import type { SlackConfig } from '../../config/types.ts'
import { gravest, linesOf, notificationStatus, titleOf, type Notification } from '../core/notification.ts'
import type { Channel } from './port.ts'
import { post } from './post.ts'

const colours = { warning: '#d97706', critical: '#dc2626', emergency: '#7f1d1d' } as const
const linesMax = 20
const timeoutMs = 10_000

export class Slack implements Channel {
  readonly kind = 'slack'
  readonly #config: SlackConfig

  constructor(config: SlackConfig) {
    this.#config = config
  }

  async send(notification: Notification, signal: AbortSignal): Promise<void> {
    const { url, channel } = this.#config
    await post({ url, body: JSON.stringify({ ...(channel !== undefined && { channel }), ...messageOf(notification) }), timeoutMs, signal })
  }
}

function messageOf(notification: Notification): Record<string, unknown> {
  const title = titleOf(notification)
  const color = notificationStatus(notification) === 'firing' ? colours[gravest(notification.alerts)] : '#16a34a'
  const attachment = {
    color,
    fallback: title,
    title: escaped(title),
    title_link: notification.externalUrl,
    text: linesOf(notification, linesMax).map(escaped).join('\n'),
    footer: 'Holdfast',
    ts: Math.floor(notification.at / 1_000),
  }
  return { text: '', attachments: [attachment] }
}

/** Source: Slack's documentation, "Escaping text". */
const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
