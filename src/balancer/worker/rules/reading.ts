/** A parsed head as rules read it. One object of each kind serves the worker: rules look at it while they are called, and keep nothing of it. */
import type { AnswerReading } from '../../core/rules/encoding.ts'
import type { RequestReading } from '../../core/rules/reading.ts'
import { text } from '../../http1/bytes.ts'
import { listedField, type Head } from '../../http1/head.ts'
import type { ClientSide } from '../client-side.ts'

const nothing = Buffer.alloc(0)

class HeadOfRequest implements RequestReading {
  #client: ClientSide | undefined
  #head: Head | undefined
  #buffer: Buffer = nothing

  take(client: ClientSide, head: Head, buffer: Buffer): this {
    this.#client = client
    this.#head = head
    this.#buffer = buffer
    return this
  }

  get method(): string {
    return this.#client!.facts.method
  }

  get target(): string {
    return this.#client!.facts.target ?? text(this.#buffer, this.#head!.targetStart, this.#head!.targetEnd)
  }

  get host(): string {
    return this.#client!.facts.hostValue
  }

  get address(): string {
    return this.#client!.address
  }

  get secure(): boolean {
    return 'encrypted' in this.#client!.socket && this.#client!.socket.encrypted === true
  }

  get headBytes(): number {
    return this.#head!.end - this.#head!.begin
  }

  get bodyLength(): number {
    return this.#client!.facts.bodyLength
  }

  field(name: string): string | undefined {
    return listedField(this.#head!, this.#buffer, name)
  }
}

class HeadOfAnswer implements AnswerReading {
  #head: Head | undefined
  #buffer: Buffer = nothing

  take(head: Head, buffer: Buffer): this {
    this.#head = head
    this.#buffer = buffer
    return this
  }

  get status(): number {
    return this.#head!.status
  }

  get length(): number {
    return this.#head!.contentLength
  }

  field(name: string): string | undefined {
    return listedField(this.#head!, this.#buffer, name)
  }
}

const request = new HeadOfRequest()
const answer = new HeadOfAnswer()

/** Good until the next request is read. */
export const requestReading = (client: ClientSide, head: Head, buffer: Buffer): RequestReading => request.take(client, head, buffer)

/** Good until the next answer is read. */
export const answerReading = (head: Head, buffer: Buffer): AnswerReading => answer.take(head, buffer)
