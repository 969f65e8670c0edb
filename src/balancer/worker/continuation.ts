/**
 * Whether and how an exchange goes on with an answer that its origin has left in the middle: keeps what is needed to ask for the rest, from the
 * moment the answer begins. What counts as the rest is decided in `resume.ts`.
 *
 *   off ──an answer whose rest can be asked for──▶ ready ──cut──▶ asking ──the rest──▶ ready
 */
import type { Attempts } from './attempts.ts'
import type { ClientSide } from './client-side.ts'
import type { RequestSender } from './request-sender.ts'
import { mayAskRange, Resume, type Resumable } from './resume.ts'
import type { EndpointPool } from './upstream.ts'

export class Continuation {
  readonly #client: ClientSide
  readonly #attempts: Attempts
  readonly #sender: RequestSender
  #resume: Resume | undefined
  /** Of its request. */
  #head: Buffer | undefined

  constructor(client: ClientSide, attempts: Attempts, sender: RequestSender) {
    this.#client = client
    this.#attempts = attempts
    this.#sender = sender
  }

  /** The answer under way could be gone on with from elsewhere, or is. */
  get possible(): boolean {
    return this.#resume !== undefined
  }

  /** The rest has been asked for, and has not begun to come. */
  get asking(): Resume | undefined {
    return this.#resume?.asking === true ? this.#resume : undefined
  }

  /** To be sent with the request, whole lines. */
  get lines(): Buffer | undefined {
    return this.#resume?.lines
  }

  /** Such an answer has begun, and the sender still has the request. */
  prepare(answer: Resumable): void {
    const { facts, worker } = this.#client
    if (facts.method !== 'GET' || facts.bodyLength !== 0) return
    const head = this.#sender.copyOfHead()
    if (!mayAskRange(head, worker.requestHead)) return
    this.#resume = new Resume(answer)
    this.#head = head
  }

  /** The endpoint has left when `remaining` bytes were still to come. Returns whether the request is sent once more, for them. */
  goesOn(endpoint: EndpointPool, remaining: number): boolean {
    const resume = this.#resume
    if (resume === undefined || this.#client.ended) return false
    if (!this.#attempts.resumes(endpoint, this.#client.worker.now) || !resume.cut(remaining)) return false
    this.#sender.restore(this.#head!)
    return true
  }

  end(): void {
    this.#resume = undefined
    this.#head = undefined
  }
}
