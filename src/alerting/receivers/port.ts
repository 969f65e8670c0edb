/** How somebody is told: one of these for each receiver and way. Retrying, logging and giving up are the notifier's. */
import { HoldfastError } from '../../kernel/errors.ts'
import type { Notification } from '../core/notification.ts'

export interface Channel {
  /** `webhook`: also its name in the log of what each receiver knows. */
  readonly kind: 'webhook' | 'slack' | 'smtp' | 'pagerduty'
  /** Rejects with a `SendError`, or with anything else, which is then tried again. */
  send(notification: Notification, signal: AbortSignal): Promise<void>
}

/** It did not arrive. */
export class SendError extends HoldfastError {
  /** Whether trying again may help. */
  readonly again: boolean
  /** The other side wants to be left alone for so long. */
  readonly afterMs: number | undefined

  constructor(
    message: string,
    { again, cause, afterMs }: { readonly again: boolean; readonly cause?: unknown; readonly afterMs?: number | undefined },
  ) {
    super('send_failed', message, { cause })
    this.again = again
    this.afterMs = afterMs
  }
}
