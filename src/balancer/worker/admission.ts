/**
 * Whether a request may go to its service by the rate limit, and what its answer says of it. One object per client connection, made with its first
 * request to a service that has a limit.
 *
 *   enter ──token──▶ admitted │ ──none──▶ refused │ ──not known here──▶ waiting ──▶ admitted │ refused │ left
 */
import type { RateReading, RateWaiter } from '../core/rate-share.ts'
import type { Answer } from './answers.ts'
import type { Attempts } from './attempts.ts'
import type { ClientSide } from './client-side.ts'
import type { ServiceRate } from './rate-limits.ts'

export interface AdmissionHost {
  admitted(): void
  rateExceeded(answer: Answer): void
}

export class Admission implements RateWaiter {
  readonly #host: AdmissionHost
  readonly #client: ClientSide
  readonly #attempts: Attempts
  #rate: ServiceRate | undefined
  #key = ''
  #waiting = false
  /** For the head of the answer. */
  lines: Buffer | undefined

  constructor(host: AdmissionHost, client: ClientSide, attempts: Attempts) {
    this.#host = host
    this.#client = client
    this.#attempts = attempts
  }

  enter(rate: ServiceRate, key: string): void {
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
    this.lines = rate.linesOf(reading)
    this.#attempts.watch?.rated(reading, this.#client.worker.now)
    if (reading.allowed) this.#host.admitted()
    else this.#host.rateExceeded(rate.refusal(reading))
  }

  /** The request is over. */
  end(): void {
    this.lines = undefined
    if (!this.#waiting) return
    this.#waiting = false
    this.#rate?.leave(this.#key, this)
  }
}
