/**
 * Whether a request may go to its service by its rate limits, and what its answer says of them. One object per client connection, made with its first
 * request that is limited. The limit of the route is asked first, then that of the service; what the one gave goes back when the other refuses.
 *
 *   enter ──token──▶ (the next limit) ──▶ admitted │ ──none──▶ refused │ ──not known here──▶ waiting ──▶ as before │ left
 */
import type { RateReading, RateWaiter } from '../core/rate-share.ts'
import type { Answer } from './answers.ts'
import type { Attempts } from './attempts.ts'
import type { ClientSide } from './client-side.ts'
import { joined } from './extra-lines.ts'
import type { ServiceRate } from './rate-limits.ts'

export interface AdmissionHost {
  admitted(): void
  rateExceeded(answer: Answer): void
}

/** A limit, and whose quota of it is used. */
export interface Quota {
  readonly rate: ServiceRate
  readonly key: string
}

export class Admission implements RateWaiter {
  readonly #host: AdmissionHost
  readonly #client: ClientSide
  readonly #attempts: Attempts
  #rate: ServiceRate | undefined
  #key = ''
  /** Asked when the present one lets it through. */
  #next: Quota | undefined
  /** The one that has. */
  #passed: Quota | undefined
  #waiting = false
  /** For the head of the answer. */
  lines: Buffer | undefined

  constructor(host: AdmissionHost, client: ClientSide, attempts: Attempts) {
    this.#host = host
    this.#client = client
    this.#attempts = attempts
  }

  enter(rate: ServiceRate, key: string, next?: Quota): void {
    this.#next = next
    this.#passed = undefined
    this.lines = undefined
    this.#take(rate, key)
  }

  #take(rate: ServiceRate, key: string): void {
    this.#rate = rate
    this.#key = key
    const reading = rate.take(key, this)
    if (reading === undefined) this.#waiting = true
    else this.#decided(rate, reading)
  }

  rateDecided(reading: RateReading): void {
    if (!this.#waiting || this.#rate === undefined) return
    this.#waiting = false
    this.#decided(this.#rate, reading)
  }

  #decided(rate: ServiceRate, reading: RateReading): void {
    const next = this.#next
    this.lines = joined(this.lines, rate.linesOf(reading))
    this.#attempts.watch?.rated(rate, reading, this.#client.worker.now)
    if (!reading.allowed) {
      this.#giveBack()
      this.#host.rateExceeded(rate.refusal(reading))
    } else if (next === undefined) {
      this.#passed = undefined
      this.#host.admitted()
    } else {
      this.#next = undefined
      this.#passed = { rate, key: this.#key }
      this.#take(next.rate, next.key)
    }
  }

  #giveBack(): void {
    const passed = this.#passed
    this.#passed = undefined
    passed?.rate.giveBack(passed.key)
  }

  /** The request is over. */
  end(): void {
    this.lines = undefined
    if (!this.#waiting) return
    this.#waiting = false
    this.#rate?.leave(this.#key, this)
    this.#giveBack()
  }
}
