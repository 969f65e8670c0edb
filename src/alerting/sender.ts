/**
 * Sends one notification until it has arrived, the time for it is over, or nothing can come of it. What did not arrive is kept as a dead letter, bounded, and may be sent again.
 *
 *   attempt ──arrived──▶ done
 *      │  ▲──wait──┐
 *      └──refused──┴──no use, or no time left──▶ dead letter
 */
import { messageOf } from '../kernel/errors.ts'
import type { Random } from '../kernel/random.ts'
import { after, ms, sleep, type Clock } from '../kernel/time.ts'
import { waitAfter } from './core/backoff.ts'
import type { Notification } from './core/notification.ts'
import { SendError, type Channel } from './receivers/port.ts'

export interface Delivery {
  readonly arrived: boolean
  readonly attempts: number
  readonly tookMs: number
  /** Of the last attempt. */
  readonly error: string | undefined
}

export interface Sending {
  readonly notification: Notification
  readonly channel: Channel
  /** Retrying ends then: milliseconds from now. */
  readonly forMs: number
  /** Called once, when this many attempts have failed, and at once when trying again has no use. */
  readonly onTrouble: (error: string) => void
  readonly signal: AbortSignal
}

/** A receiver that fails so often in a row is passed over, while it is still tried. */
const troubleAttempts = 3

export class Sender {
  readonly #clock: Clock
  readonly #random: Random

  constructor(clock: Clock, random: Random) {
    this.#clock = clock
    this.#random = random
  }

  async send({ notification, channel, forMs, onTrouble, signal }: Sending): Promise<Delivery> {
    const startedAt = this.#clock.now()
    const deadline = after(startedAt, ms(forMs))
    for (let attempts = 1; ; attempts++) {
      const error = await attempt(channel, notification, signal)
      const now = this.#clock.now()
      const tookMs = Math.round(now - startedAt)
      if (error === undefined) return { arrived: true, attempts, tookMs, error: undefined }
      const wait = waitAfter(attempts, this.#random.next())
      const isOver = !error.again || now + wait >= deadline || signal.aborted
      if (attempts === troubleAttempts || (isOver && attempts < troubleAttempts)) onTrouble(error.message)
      if (isOver) return { arrived: false, attempts, tookMs, error: error.message }
      await sleep(this.#clock, ms(wait), signal).catch(() => undefined)
    }
  }
}

async function attempt(
  channel: Channel,
  notification: Notification,
  signal: AbortSignal,
): Promise<{ readonly message: string; readonly again: boolean } | undefined> {
  try {
    await channel.send(notification, signal)
    return undefined
  } catch (error) {
    return { message: messageOf(error), again: error instanceof SendError ? error.again : true }
  }
}
