/** Looks on while an answer goes to its client, for comparing it with that of the mirror. */
import type { MirroredAnswer } from '../../core/mirror.ts'
import type { Head } from '../../http1/head.ts'
import { AnswerDigest } from './answer-digest.ts'

export class OriginalAnswer {
  readonly #method: string
  readonly #max: number
  #digest: AnswerDigest | undefined
  /** undefined: not all of it that counts has come yet. */
  answer: MirroredAnswer | 'cut' | undefined
  onSettled: (() => void) | undefined

  constructor(method: string, max: number) {
    this.#method = method
    this.#max = max
  }

  begun(head: Head, buffer: Buffer): void {
    this.#digest = new AnswerDigest(head, buffer, this.#method, this.#max)
  }

  /** As they came from the origin. */
  bytes(buffer: Buffer, start: number, end: number): void {
    if (this.answer !== undefined || this.#digest === undefined) return
    this.#digest.add(buffer, start, end)
    if (this.#digest.full) this.ended(true)
  }

  /** `whole`: or cut. Only the first call counts. */
  ended(whole: boolean): void {
    if (this.answer !== undefined) return
    this.answer = whole && this.#digest !== undefined ? this.#digest.result() : 'cut'
    this.onSettled?.()
  }
}
