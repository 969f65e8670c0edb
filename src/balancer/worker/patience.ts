/**
 * How long one request may take until the next thing happens. Whoever is waited for has the time: the client for its body and for reading, the
 * endpoint for the head of its answer and between two pieces of it. Nothing runs while an endpoint is looked for; that has limits of its own.
 */
import type { Attempts } from './attempts.ts'
import type { ClientSide } from './client-side.ts'
import { answerIdleMs, readerStallMs, tunnelIdleMs } from './limits.ts'
import type { RequestSender } from './request-sender.ts'

export class Patience {
  readonly #client: ClientSide
  readonly #attempts: Attempts
  readonly #sender: RequestSender
  #deadline = Infinity
  /** What the try may take on top when it is over early and nobody else can be asked. */
  #restMs = 0
  /** Between two pieces of the answer. */
  #answerIdleMs = answerIdleMs

  constructor(client: ClientSide, attempts: Attempts, sender: RequestSender) {
    this.#client = client
    this.#attempts = attempts
    this.#sender = sender
  }

  /** A request begins. */
  begin(): void {
    this.#answerIdleMs = this.#client.longLived ? tunnelIdleMs : answerIdleMs
  }

  /** Nobody is waited for. */
  off(): void {
    this.#deadline = Infinity
  }

  /** More of the answer may come now. */
  forAnswer(): void {
    this.#deadline = this.#client.worker.now + this.#answerIdleMs
  }

  /** The client does not take more: it is given its own time. */
  forReader(): void {
    this.#deadline = this.#client.worker.now + readerStallMs
  }

  /** The request is on its way, and no answer has begun: its body is the client's turn, what follows is the endpoint's. */
  forRequest(): void {
    if (this.#shared()) {
      this.#deadline = Infinity
      return
    }
    const { now } = this.#client.worker
    const { patienceMs } = this.#attempts
    const hurriedMs = Math.min(patienceMs, this.#attempts.hurriedMs(now) ?? Infinity)
    this.#restMs = patienceMs - hurriedMs
    this.#deadline = now + hurriedMs
  }

  /** The endpoint takes longer than usual: it is given up for another one. Where there is none it may go on, and has its whole time. */
  goesOn(now: number): boolean {
    if (this.#restMs <= 0 || this.#attempts.mayGoElsewhere(this.#client.facts.idempotent, this.#sender.replayable, now)) return false
    this.#deadline = now + this.#restMs
    this.#restMs = 0
    return true
  }

  /** Both ways at once: the answer may wait for more of the request. Whoever does not read it has its own time. */
  forBoth(): void {
    this.#shared()
    if (this.#client.onDrain === undefined) this.forAnswer()
  }

  /** Returns whether the client is waited for. */
  #shared(): boolean {
    const { clientsTurn } = this.#sender
    if (clientsTurn) this.#client.runBodyDeadline()
    else this.#client.holdBodyDeadline()
    return clientsTurn
  }

  /** It is over; said once. */
  over(now: number): boolean {
    if (now < this.#deadline) return false
    this.#deadline = Infinity
    return true
  }
}
