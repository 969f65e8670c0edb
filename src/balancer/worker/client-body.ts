/** The body of the request under way on a client's connection: how much of it is still to come, and whether it comes fast enough. Filled anew for each request. */
import { BodyPace } from '../core/body-pace.ts'
import { ChunkedBody, type Emit } from '../http1/chunked.ts'
import type { RequestFacts } from '../http1/request.ts'
import type { ClientInput } from './client-input.ts'

export class ClientBody {
  readonly #input: ClientInput
  readonly #facts: RequestFacts
  readonly #pace = new BodyPace()
  #remaining = 0
  #chunked: ChunkedBody | undefined
  /** All of it has been taken. */
  done = true
  /** Somebody may hold bytes of it. */
  held = false

  constructor(input: ClientInput, facts: RequestFacts) {
    this.#input = input
    this.#facts = facts
  }

  /** The facts are those of a new request. */
  begin(): void {
    const { bodyLength } = this.#facts
    this.#remaining = Math.max(0, bodyLength)
    this.done = bodyLength === 0
    this.held = !this.done
    this.#chunked = bodyLength < 0 ? new ChunkedBody(true) : undefined
    this.#pace.begin()
  }

  /** Hands what has come of it to `emit`. Returns false when it is malformed. */
  take(emit: Emit): boolean {
    const input = this.#input
    if (this.#chunked) {
      input.start = this.#chunked.feed(input.bytes, input.start, input.end, emit)
      if (this.#chunked.failed) return false
      this.#facts.bodyBytes = this.#chunked.announced
      this.done = this.#chunked.done
      return true
    }
    const take = Math.min(this.#remaining, input.length)
    if (take > 0) emit(input.bytes, input.start, input.start + take)
    input.start += take
    this.#remaining -= take
    this.done = this.#remaining === 0
    return true
  }

  /** The client has sent its end: what is missing may lie here still, as far as can be told without reading it. */
  get mayBeWhole(): boolean {
    return this.done || (this.#chunked === undefined ? this.#input.length >= this.#remaining : !this.#input.empty)
  }

  // --- its pace -----------------------------------------------------------------------------------------------------

  received(bytes: number, now: number): void {
    this.#pace.received(bytes, now)
  }

  /** We, not the client, are what it waits for. */
  hold(now: number): void {
    this.#pace.hold(now)
  }

  /** It is the client's turn. */
  run(now: number): void {
    this.#pace.run(now)
  }

  tooSlow(now: number): boolean {
    return now >= this.#pace.deadline
  }
}
