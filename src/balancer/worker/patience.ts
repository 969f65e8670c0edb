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
    this.#deadline = this.#shared() ? Infinity : this.#client.worker.now + this.#attempts.patienceMs
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
