/**
 * Sends one notification until it has arrived, the time for it is over, or nothing can come of it. What did not arrive is kept as a dead letter, bounded, and may be sent again.
 *
 *   attempt ──arrived──▶ done
 *      │  ▲──wait──┐
 *      └──refused──┴──no use, or no time left──▶ dead letter
 *
 * A channel is asked by a few at once only, and not at all while it wants to be left alone; who waits for one channel keeps none of another waiting.
 */
import { messageOf } from '../kernel/errors.ts'
import type { Random } from '../kernel/random.ts'
import { after, ms, sleep, type Clock, type Instant } from '../kernel/time.ts'
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

export const sendLimits = {
  /** A receiver that fails so often in a row is passed over, while it is still tried. */
  troubleAttempts: 3,
  /** Attempts at one channel at the same time. */
  atOnceMax: 8,
  /** A channel that wants to be left alone is, for no longer. */
  pauseMaxMs: 10 * 60_000,
} as const

type Failure = Pick<SendError, 'message' | 'again' | 'afterMs'>

export class Sender {
  readonly #clock: Clock
  readonly #random: Random
  readonly #lanes = new WeakMap<Channel, Lane>()

  constructor(clock: Clock, random: Random) {
    this.#clock = clock
    this.#random = random
  }

  async send({ notification, channel, forMs, onTrouble, signal }: Sending): Promise<Delivery> {
    const startedAt = this.#clock.now()
    const deadline = after(startedAt, ms(forMs))
    const lane = this.#laneOf(channel)
    let last = 'nobody came to it in time'
    for (let attempts = 1; ; attempts++) {
      await lane.enter(signal)
      const isLate = this.#clock.now() >= deadline
      const error = isLate || signal.aborted ? { message: last, again: false, afterMs: undefined } : await attempt(channel, notification, signal)
      lane.leave()
      const now = this.#clock.now()
      const tookMs = Math.round(now - startedAt)
      if (error === undefined) return { arrived: true, attempts, tookMs, error: undefined }
      last = error.message
      const wait = Math.max(waitAfter(attempts, this.#random.next()), lane.pause(error.afterMs, now))
      const isOver = !error.again || now + wait >= deadline || signal.aborted
      const { troubleAttempts } = sendLimits
      if (attempts === troubleAttempts || (isOver && attempts < troubleAttempts)) onTrouble(last)
      if (isOver) return { arrived: false, attempts: isLate ? attempts - 1 : attempts, tookMs, error: last }
      await sleep(this.#clock, ms(wait), signal).catch(() => undefined)
    }
  }

  #laneOf(channel: Channel): Lane {
    const known = this.#lanes.get(channel)
    if (known) return known
    const made = new Lane(this.#clock)
    this.#lanes.set(channel, made)
    return made
  }
}

/** A few at once, in the order in which they came. */
class Lane {
  readonly #clock: Clock
  #inside = 0
  #waiting: (() => void)[] = []
  #next = 0
  #pausedUntil: Instant | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  async enter(signal: AbortSignal): Promise<void> {
    if (this.#inside >= sendLimits.atOnceMax) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    else this.#inside++
    const until = this.#pausedUntil
    if (until !== undefined && until > this.#clock.now()) await sleep(this.#clock, ms(until - this.#clock.now()), signal).catch(() => undefined)
  }

  leave(): void {
    const next = this.#waiting[this.#next]
    if (next === undefined) {
      this.#inside--
      return
    }
    if (++this.#next > 1_000) {
      this.#waiting = this.#waiting.slice(this.#next)
      this.#next = 0
    }
    next()
  }

  /** Returns for how long from now. */
  pause(forMs: number | undefined, now: Instant): number {
    if (forMs === undefined) return 0
    const wait = Math.min(forMs, sendLimits.pauseMaxMs)
    this.#pausedUntil = after(now, ms(wait))
    return wait
  }
}

async function attempt(channel: Channel, notification: Notification, signal: AbortSignal): Promise<Failure | undefined> {
  try {
    await channel.send(notification, signal)
    return undefined
  } catch (error) {
    return error instanceof SendError ? error : { message: messageOf(error), again: true, afterMs: undefined }
  }
}
