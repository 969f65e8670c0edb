/**
 * What workers and the store of their node say to each other: a message in JSON, and with some of them two runs of bytes, which are passed on as they are:
 * the head of a kept response, or of a request, and its body.
 *
 *   length of all that follows (4) · length of the message (4) · length of the head (4) · message · head · body
 */
import type { Invalidation } from './purge.ts'

/** A longer one ends the connection: nobody sane sends it. */
export const frameBytesMax = 256 * 1024 * 1024
const prefixBytes = 12

/** What the store has to know of a response besides its bytes. */
export interface StoredFrame {
  readonly key: string
  readonly variant: string
  readonly vary: readonly string[]
  readonly names: readonly string[]
  readonly mark: number
  readonly bornAt: number
  readonly lifetimeMs: number
  /** For so long after that it may be of use: to be validated, or in place of a failure. */
  readonly staleMs: number
}

export type WorkerFrame =
  | { readonly t: 'hello'; readonly pid: number; readonly mark: number }
  /** With the head of the request. `leads`: it will ask the origin if nobody does; `born`: it has one of that age, and wants a later one. */
  | {
      readonly t: 'get'
      readonly id: number
      readonly key: string
      /** What it is kept for besides what the request says itself (`worker/cache/head-fields.ts`). */
      readonly from: string
      readonly leads: boolean
      readonly born?: number | undefined
    }
  /** Nobody waits for that any more. */
  | { readonly t: 'leave'; readonly id: number }
  /** With the response. */
  | ({ readonly t: 'put' } & StoredFrame)
  /** The one who leads has nothing to put: it is not to be kept, or it failed. */
  | { readonly t: 'over'; readonly key: string; readonly pass: boolean }
  | { readonly t: 'drop'; readonly key: string }
  | { readonly t: 'invalidate'; readonly id: number; readonly invalidation: Invalidation }
  | { readonly t: 'ack'; readonly at: number }

/** `waited`: somebody else has asked for it meanwhile; `stale`: it was purged softly, and the worker need not know. */
export interface FoundFrame {
  readonly t: 'found'
  readonly id: number
  readonly waited: boolean
  readonly stale: boolean
  /** Where it comes from another node, by the clock of this one. */
  readonly bornAt: number
  readonly names: readonly string[]
  readonly mark: number
}

export type StoreFrame =
  /** What was kept before is not to be used. */
  | { readonly t: 'welcome'; readonly mark: number }
  /** With the response. */
  | FoundFrame
  | { readonly t: 'lead'; readonly id: number; readonly key: string; readonly mark: number }
  | { readonly t: 'wait'; readonly id: number }
  /** Ask for yourself. `pass`: what comes is not kept, and nobody need wait for it. */
  | { readonly t: 'go'; readonly id: number; readonly pass: boolean }
  | { readonly t: 'invalidated'; readonly at: number; readonly invalidation: Invalidation }
  /** There is a newer one: what is kept of it here need not be used. */
  | { readonly t: 'renewed'; readonly key: string }
  | { readonly t: 'done'; readonly id: number }
  | { readonly t: 'beat'; readonly mark: number }

const nothing = Buffer.alloc(0)

/** To be written one after the other. */
export function encodeFrame(message: WorkerFrame | StoreFrame, head: Buffer = nothing, body: Buffer = nothing): readonly Buffer[] {
  const text = JSON.stringify(message)
  const length = Buffer.byteLength(text)
  const start = Buffer.allocUnsafeSlow(prefixBytes + length + head.length)
  start.writeUInt32BE(prefixBytes - 4 + length + head.length + body.length, 0)
  start.writeUInt32BE(length, 4)
  start.writeUInt32BE(head.length, 8)
  start.write(text, prefixBytes)
  start.set(head, prefixBytes + length)
  return body.length === 0 ? [start] : [start, body]
}

/** Cuts what comes into frames. Each has a buffer of its own, which keeps nothing else alive. */
export class FrameReader<Message> {
  readonly #onFrame: (message: Message, head: Buffer, body: Buffer) => void
  #rest: Buffer[] = []
  #restBytes = 0
  /** What the frame that has begun needs. */
  #needed = 4

  constructor(onFrame: (message: Message, head: Buffer, body: Buffer) => void) {
    this.#onFrame = onFrame
  }

  /** Throws on what is no frame. */
  feed(chunk: Buffer): void {
    this.#rest.push(chunk)
    this.#restBytes += chunk.length
    while (this.#restBytes >= this.#needed) {
      if (this.#needed === 4) {
        const length = this.#peekLength()
        if (length < prefixBytes - 4 || length > frameBytesMax) throw new RangeError(`a frame of ${length} bytes`)
        this.#needed = 4 + length
      } else {
        const frame = this.#take(this.#needed)
        this.#needed = 4
        this.#deliver(frame)
      }
    }
  }

  #peekLength(): number {
    const first = this.#rest[0]!
    return (first.length >= 4 ? first : this.#joined()).readUInt32BE(0)
  }

  #joined(): Buffer {
    const all = Buffer.concat(this.#rest, this.#restBytes)
    this.#rest = [all]
    return all
  }

  #take(length: number): Buffer {
    const frame = Buffer.allocUnsafeSlow(length)
    let at = 0
    while (at < length) {
      const chunk = this.#rest[0]!
      const used = chunk.copy(frame, at, 0, Math.min(chunk.length, length - at))
      at += used
      if (used === chunk.length) this.#rest.shift()
      else this.#rest[0] = chunk.subarray(used)
    }
    this.#restBytes -= length
    return frame
  }

  #deliver(frame: Buffer): void {
    const messageEnd = prefixBytes + frame.readUInt32BE(4)
    const headEnd = messageEnd + frame.readUInt32BE(8)
    if (headEnd > frame.length) throw new RangeError('a frame shorter than it says')
    const message = JSON.parse(frame.toString('utf8', prefixBytes, messageEnd)) as Message
    this.#onFrame(message, frame.subarray(messageEnd, headEnd), frame.subarray(headEnd))
  }
}
