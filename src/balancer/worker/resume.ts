/**
 * Goes on with an answer that was cut in the middle: asks an endpoint for the rest, and takes it only when it is provably the rest of the same thing.
 *
 *   answer with a strong ETag ──cut──▶ asking (Range, If-Range) ──206, same ETag, exactly the rest──▶ going on ──cut──▶ asking …
 *                                                              └──anything else──▶ the client's connection is cut
 *
 * RFC 9110 §13.1.5 and §14: a 206 to If-Range with a strong validator is of the same representation, byte by byte.
 */
import { findField, type Head, parseRequestHead, parseResponseHead } from '../http1/head.ts'
import { responseFraming } from '../http1/response.ts'

/** Cuts in a row without a byte in between, before it is given up. */
export const resumesInVainMax = 3

/** What is needed to ask for the rest of an answer. */
export interface Resumable {
  readonly etag: string
  readonly bytes: number
}

/** Whether the rest of this answer could be asked for; `length` is how far the buffer holds it: one that is complete needs no rest. */
export function resumableAnswer(head: Head, buffer: Buffer, length: number): Resumable | undefined {
  if (head.status !== 200 || head.contentLength <= length - head.end) return undefined
  if (findField(head, buffer, 'accept-ranges')?.trim().toLowerCase() !== 'bytes') return undefined
  const etag = findField(head, buffer, 'etag')
  return etag !== undefined && /^"[\x21\x23-\x7e]*"$/.test(etag) ? { etag, bytes: head.contentLength } : undefined
}

/** Whether the request may be sent with a Range of ours: its own would be another answer. */
export function mayAskRange(request: Buffer, head: Head): boolean {
  return parseRequestHead(request, 0, request.length, head) > 0 && ['range', 'if-range'].every((name) => findField(head, request, name) === undefined)
}

export class Resume {
  readonly #answer: Resumable
  #from = -1
  #inVain = 0
  #partial: Buffer | undefined
  /** The rest has been asked for, and has not begun to come. */
  asking = false
  /** Whole lines, to be sent with the request. */
  lines: Buffer | undefined

  constructor(answer: Resumable) {
    this.#answer = answer
  }

  /** The answer was cut when `remaining` bytes were still to come. Returns false when asking for them once more makes no sense. */
  cut(remaining: number): boolean {
    const from = this.#answer.bytes - remaining
    this.#inVain = from === this.#from ? this.#inVain + 1 : 0
    this.#from = from
    this.#partial = undefined
    if (this.#inVain >= resumesInVainMax) return false
    this.asking = true
    this.lines = Buffer.from(`Range: bytes=${from}-\r\nIf-Range: ${this.#answer.etag}\r\n`, 'latin1')
    return true
  }

  /** A connection broke before the head was whole: another one begins anew. */
  again(): void {
    this.#partial = undefined
  }

  /**
   * Bytes [0, length) of what the endpoint says. Returns where the rest of the body begins in `buffer`; `more`: the head is not whole; `other`:
   * this is not the rest.
   */
  read(fresh: Buffer, freshLength: number, head: Head): { readonly buffer: Buffer; readonly length: number } | 'more' | 'other' {
    const buffer = this.#partial === undefined ? fresh : Buffer.concat([this.#partial, fresh.subarray(0, freshLength)])
    const length = this.#partial === undefined ? freshLength : buffer.length
    this.#partial = undefined
    let start = 0
    do {
      const result = parseResponseHead(buffer, start, length, head)
      if (result < 0) return 'other'
      if (result === 0) {
        this.#partial = Buffer.from(buffer.subarray(start, length))
        return 'more'
      }
      start = head.end
    } while (head.status < 200 && head.status !== 101)
    if (!this.#isRest(head, buffer)) return 'other'
    this.asking = false
    return { buffer, length }
  }

  #isRest(head: Head, buffer: Buffer): boolean {
    const { etag, bytes } = this.#answer
    if (head.status !== 206 || responseFraming(head, 'GET') !== 'length' || head.contentLength !== bytes - this.#from) return false
    if (findField(head, buffer, 'etag') !== etag) return false
    return findField(head, buffer, 'content-range')?.trim().toLowerCase() === `bytes ${this.#from}-${bytes - 1}/${bytes}`
  }
}
