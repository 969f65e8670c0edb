/**
 * Server-sent events: answers that stay open. Each has a bounded buffer; a reader so slow that it fills is cut off, and may
 * come back with Last-Event-ID, so that it loses nothing and we hold nothing for it. A heartbeat every 15 s keeps
 * middle boxes from closing a quiet stream, and is when we look whether the reader's credential still holds.
 *
 *   open ──send──▶ open ──buffer full, credential ended, reader gone, end()──▶ closed
 *
 * Source of the format: WHATWG HTML, "Server-sent events".
 */
import { Readable } from 'node:stream'
import { HoldfastError } from '../kernel/errors.ts'
import { after, ms, type Clock } from '../kernel/time.ts'
import { apiLimits } from './deps.ts'

export interface StreamMessage {
  readonly id?: string
  /** @default `message` */
  readonly event?: string
  readonly data: unknown
}

/** How long a reader waits before it comes back after a break. */
const retryMs = 2_000
/** Replaying pauses above this, so that a long history is not mistaken for a slow reader. */
const replayBufferBytes = 65_536

export class EventStream {
  readonly body: Readable
  readonly #bufferBytesMax: number
  #wake: (() => void) | undefined
  #closed = false

  constructor(bufferBytesMax: number = apiLimits.streamBufferBytesMax) {
    this.#bufferBytesMax = bufferBytesMax
    this.body = new Readable({
      highWaterMark: replayBufferBytes,
      read: () => {
        this.#settle()
      },
    })
    this.body.once('close', () => {
      this.#closed = true
      this.#settle()
    })
    this.#write(`retry: ${retryMs}\n\n`)
  }

  get closed(): boolean {
    return this.#closed
  }

  onClose(listener: () => void): void {
    if (this.#closed) listener()
    else this.body.once('close', listener)
  }

  send({ id, event, data }: StreamMessage): void {
    const fields = [...(id === undefined ? [] : [`id: ${id}`]), ...(event === undefined ? [] : [`event: ${event}`]), `data: ${JSON.stringify(data)}`]
    this.#write(`${fields.join('\n')}\n\n`)
  }

  comment(text: string): void {
    this.#write(`: ${text}\n\n`)
  }

  /** Lets what is buffered go out, then ends the answer. */
  end(): void {
    if (this.#closed) return
    this.#closed = true
    this.body.push(null)
  }

  /** Says that something broke on our side, and ends. */
  fail(): void {
    this.send({ event: 'error', data: { code: 'internal', message: 'the stream failed inside holdfast' } })
    this.end()
  }

  /** At once: the reader is too slow, and what is buffered would not reach it. */
  cut(): void {
    this.#closed = true
    this.body.destroy()
  }

  /** Resolves when the reader has taken most of what was sent, or is gone. */
  async room(): Promise<void> {
    if (this.#closed || this.body.readableLength < replayBufferBytes) return
    await new Promise<void>((resolve) => {
      this.#wake = resolve
    })
  }

  #write(text: string): void {
    if (this.#closed) return
    this.body.push(text)
    if (this.body.readableLength > this.#bufferBytesMax) this.cut()
  }

  #settle(): void {
    this.#wake?.()
    this.#wake = undefined
  }
}

/** All open streams, so that there is a limit to them and an end. */
export class EventStreams {
  readonly #clock: Clock
  readonly #open = new Set<EventStream>()
  #ended = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get size(): number {
    return this.#open.size
  }

  /** @throws `too_many_streams`, `unavailable` once all have been ended */
  open(stillAllowed: () => boolean): EventStream {
    if (this.#ended) throw new HoldfastError('unavailable', 'could not open a stream: the API is stopping', { details: { retryAfterMs: retryMs } })
    if (this.#open.size >= apiLimits.streamsMax) {
      throw new HoldfastError('too_many_streams', `could not open a stream: ${this.#open.size} are open`, {
        hint: 'close some',
        details: { retryAfterMs: 5_000 },
      })
    }
    const stream = new EventStream()
    this.#open.add(stream)
    const heart = this.#beat(stream, stillAllowed)
    stream.onClose(() => {
      heart[Symbol.dispose]()
      this.#open.delete(stream)
    })
    return stream
  }

  /** For good: a request that is still on its way opens none after this. */
  endAll(): void {
    this.#ended = true
    for (const stream of this.#open) stream.end()
  }

  #beat(stream: EventStream, stillAllowed: () => boolean): Disposable {
    let timer: Disposable | undefined
    const next = (): void => {
      timer = this.#clock.schedule(after(this.#clock.now(), ms(apiLimits.streamHeartbeatMs)), () => {
        if (!stillAllowed()) {
          stream.send({ event: 'error', data: { code: 'unauthorized', message: 'the credential that opened this stream has ended' } })
          stream.end()
          return
        }
        stream.comment('still here')
        next()
      })
    }
    next()
    return {
      [Symbol.dispose]: () => {
        timer?.[Symbol.dispose]()
      },
    }
  }
}
