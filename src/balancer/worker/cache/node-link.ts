/**
 * A worker's connection to the store of its node. It asks for what it does not have, gives what has come from the origin, and hears of invalidations. Nobody
 * waits for it for long: what is not answered in time is gone on with without it.
 *
 *   off ──a service caches──▶ alone ──welcome──▶ joined ──closed, or nothing heard──▶ alone (it is tried again)
 *
 * While alone a worker cannot know what has been invalidated by others: what is kept is used only for requests that came before it was asked for, and in
 * place of a failure. So one asks the origin for all who wait. Joined again, it forgets what it kept before.
 *
 * Why a request cannot overtake an invalidation: the store writes it to all workers before anybody hears that it is done. So it lies in the socket of a
 * worker before a request that was sent after that, and is read first.
 */
import { connect, type Socket } from 'node:net'
import { messageOf } from '../../../kernel/errors.ts'
import { encodeFrame, FrameReader, type FoundFrame, type StoreFrame, type StoredFrame, type WorkerFrame } from '../../core/cache/frames.ts'
import type { Invalidation } from '../../core/cache/purge.ts'

/** What is kept is trusted for so long after the store was heard: it beats every 100 ms. */
export const trustMs = 500
/** A question is gone on with after this without a word. */
export const answerWithinMs = 50
/** An invalidation is acknowledged within 100 ms, or those who do not are cut off; after this the store itself is taken for dead, and nobody trusts what he keeps. */
const invalidatedWithinMs = trustMs + 100
/** After a question without an answer nothing is asked for so long, unless something is heard. */
const restMs = 1_000
const reconnectMs = 25
/** Questions under way; more are not asked. */
const questionsMax = 10_000
/** What may wait to be sent; responses beyond are not given. */
const unsentBytesMax = 16 * 1024 * 1024

/** See `get` in `core/cache/frames.ts`. */
export type NodeQuestion = Omit<Extract<WorkerFrame, { readonly t: 'get' }>, 't' | 'id'>

/** Who has asked. */
export interface Seeker {
  found(frame: FoundFrame, head: Buffer, body: Buffer): void
  /** Ask the origin for all. */
  lead(): void
  /** Somebody else asks. */
  wait(): void
  /** Ask for yourself. */
  go(pass: boolean): void
}

export interface NodeLinkHost {
  readonly mark: number
  /** What was kept is not to be used any more, and what was asked for before is not to be kept. */
  joined(mark: number): void
  advance(mark: number): void
  invalidated(invalidation: Invalidation, at: number): void
  renewed(key: string): void
  /** Monotonic milliseconds. */
  now(): number
}

interface Invalidating {
  readonly invalidation: Invalidation
  readonly done: () => void
  readonly until: number
}

export class NodeLink {
  readonly #path: string
  readonly #host: NodeLinkHost
  readonly #questions = new Map<number, { readonly seeker: Seeker; readonly askedAt: number }>()
  readonly #invalidations = new Map<number, Invalidating>()
  #socket: Socket | undefined
  #joined = false
  #heardAt = -Infinity
  #restsUntil = -Infinity
  #lastId = 0
  #corked = false
  #closed = false
  #retry: NodeJS.Timeout | undefined
  /** Questions that were not answered in time, since it was read last. */
  unanswered = 0

  constructor(path: string, host: NodeLinkHost) {
    this.#path = path
    this.#host = host
  }

  /** What is kept may be used: all that was invalidated is known. */
  get trusted(): boolean {
    return this.#joined && this.#host.now() - this.#heardAt < trustMs
  }

  /** There is somebody to be asked. */
  get answers(): boolean {
    return this.#joined && this.#host.now() >= this.#restsUntil && this.#questions.size < questionsMax
  }

  open(): void {
    if (this.#socket !== undefined || this.#closed) return
    clearTimeout(this.#retry)
    const socket = connect(this.#path)
    this.#socket = socket
    const reader = new FrameReader<StoreFrame>((frame, head, body) => {
      this.#hear(frame, head, body)
    })
    socket.on('connect', () => {
      this.#send({ t: 'hello', pid: process.pid, mark: this.#host.mark })
      // What waits to be told is told first; the welcome comes behind it.
      for (const [id, { invalidation }] of this.#invalidations) this.#send({ t: 'invalidate', id, invalidation })
    })
    socket.on('data', (chunk: Buffer) => {
      try {
        reader.feed(chunk)
      } catch (error) {
        process.stderr.write(`the cache of the node talks nonsense, and is gone on without: ${messageOf(error)}\n`)
        socket.destroy()
      }
    })
    // What follows is the close.
    socket.on('error', () => undefined)
    socket.on('close', () => {
      this.#lost()
    })
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#retry)
    this.#socket?.destroy()
  }

  #lost(): void {
    const wasThere = this.#socket?.bytesRead !== 0
    this.#socket = undefined
    this.#joined = false
    this.#corked = false
    // It may be that we alone were cut off: then the others trust what they keep, and have to be told. When there is nobody, nobody trusts anything.
    if (!wasThere) for (const id of [...this.#invalidations.keys()]) this.#invalidationOver(id)
    if (!this.#closed && this.#invalidations.size > 0) this.open()
    else if (!this.#closed) {
      this.#retry = setTimeout(() => {
        this.open()
      }, reconnectMs)
    }
    for (const id of [...this.#questions.keys()]) this.#answered(id)?.go(false)
  }

  // --- hearing ----------------------------------------------------------------------------------------------------

  #hear(frame: StoreFrame, head: Buffer, body: Buffer): void {
    this.#heardAt = this.#host.now()
    this.#restsUntil = -Infinity
    switch (frame.t) {
      case 'welcome':
        this.#joined = true
        this.#host.joined(frame.mark)
        return
      case 'beat':
        this.#host.advance(frame.mark)
        return
      case 'invalidated':
        this.#host.invalidated(frame.invalidation, frame.at)
        this.#send({ t: 'ack', at: frame.at })
        return
      case 'renewed':
        this.#host.renewed(frame.key)
        return
      case 'done':
        this.#invalidationOver(frame.id)
        return
      case 'found':
        this.#answered(frame.id)?.found(frame, head, body)
        return
      case 'lead':
        this.#host.advance(frame.mark)
        this.#lead(this.#answered(frame.id), frame.key)
        return
      case 'wait': {
        const question = this.#questions.get(frame.id)
        // It is answered as soon as somebody knows.
        if (question !== undefined) this.#questions.set(frame.id, { seeker: question.seeker, askedAt: Infinity })
        question?.seeker.wait()
        return
      }
      case 'go':
        this.#answered(frame.id)?.go(frame.pass)
        return
    }
  }

  /** Who has gone on without an answer does not lead. */
  #lead(seeker: Seeker | undefined, key: string): void {
    if (seeker === undefined) this.over(key, false)
    else seeker.lead()
  }

  #answered(id: number): Seeker | undefined {
    const question = this.#questions.get(id)
    this.#questions.delete(id)
    return question?.seeker
  }

  #invalidationOver(id: number): void {
    const invalidating = this.#invalidations.get(id)
    this.#invalidations.delete(id)
    invalidating?.done()
  }

  // --- asking and telling -------------------------------------------------------------------------------------------

  /** Returns the number of the question; undefined: there is nobody to be asked. */
  get(question: NodeQuestion, head: Buffer, seeker: Seeker): number | undefined {
    if (!this.answers) return undefined
    const id = ++this.#lastId
    this.#questions.set(id, { seeker, askedAt: this.#host.now() })
    this.#send({ t: 'get', id, ...question }, head)
    return id
  }

  leave(id: number): void {
    if (this.#questions.delete(id)) this.#send({ t: 'leave', id })
  }

  put(frame: StoredFrame, head: Buffer, body: Buffer): void {
    if (this.#joined && (this.#socket?.writableLength ?? 0) < unsentBytesMax) this.#send({ t: 'put', ...frame }, head, body)
    else this.over(frame.key, false)
  }

  over(key: string, pass: boolean): void {
    this.#send({ t: 'over', key, pass })
  }

  drop(key: string): void {
    this.#send({ t: 'drop', key })
  }

  /** Calls back when no worker of the node uses any more what it takes. */
  invalidate(invalidation: Invalidation, done: () => void): void {
    const id = ++this.#lastId
    this.#invalidations.set(id, { invalidation, done, until: Math.max(this.#heardAt, this.#host.now() - trustMs) + invalidatedWithinMs })
    // There may be a new store at this moment: then others keep things again.
    if (this.#socket === undefined) this.open()
    else if (!this.#socket.connecting) this.#send({ t: 'invalidate', id, invalidation })
  }

  #send(frame: WorkerFrame, head?: Buffer, body?: Buffer): void {
    const socket = this.#socket
    if (socket === undefined || socket.destroyed) return
    this.#joinWrites(socket)
    for (const bytes of encodeFrame(frame, head, body)) socket.write(bytes)
  }

  /** All of a turn goes out in one write. */
  #joinWrites(socket: Socket): void {
    if (this.#corked) return
    this.#corked = true
    socket.cork()
    process.nextTick(() => {
      this.#corked = false
      socket.uncork()
    })
  }

  /** What has not been answered in time is gone on with. */
  sweep(now: number): void {
    for (const [id, { askedAt }] of [...this.#questions]) {
      if (askedAt === Infinity ? this.trusted : now - askedAt < answerWithinMs) continue
      this.unanswered++
      this.#restsUntil = now + restMs
      this.#send({ t: 'leave', id })
      this.#answered(id)?.go(false)
    }
    for (const [id, { until }] of [...this.#invalidations]) if (now >= until) this.#invalidationOver(id)
  }
}
