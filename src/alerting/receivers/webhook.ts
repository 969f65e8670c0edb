/**
 * A program: gets what Alertmanager's webhooks get. With a secret each attempt is signed, time included, so that nobody can forge one or play one again:
 * `Holdfast-Signature: t=SECONDS,v1=HEX`, the HMAC-SHA256 of `SECONDS.BODY`.
 */
import { createHmac } from 'node:crypto'
import type { WebhookConfig } from '../../config/types.ts'
import type { WallTime } from '../../kernel/time.ts'
import { webhookBody, type Notification } from '../core/notification.ts'
import type { Channel } from './port.ts'
import { post } from './post.ts'

export class Webhook implements Channel {
  readonly kind = 'webhook'
  readonly #config: WebhookConfig
  readonly #now: () => WallTime

  constructor(config: WebhookConfig, now: () => WallTime) {
    this.#config = config
    this.#now = now
  }

  async send(notification: Notification, signal: AbortSignal): Promise<void> {
    const { url, secret, headers, timeout } = this.#config
    const body = JSON.stringify(webhookBody(notification))
    const signed = secret === undefined ? {} : { 'holdfast-signature': signature(secret, Math.floor(this.#now() / 1_000), body) }
    await post({ url, body, headers: { ...headers, ...signed, 'idempotency-key': notification.id }, timeoutMs: timeout, signal })
  }
}

const signature = (secret: string, seconds: number, body: string): string =>
  `t=${seconds},v1=${createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex')}`
