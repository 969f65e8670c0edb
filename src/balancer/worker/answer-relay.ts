/**
 * The answer on its way to the client: its head is read, and rewritten for the client's connection; its body is cut out of the origin's bytes
 * and framed anew, with back-pressure.
 *
 *   head ──1xx──▶ head ──final──▶ body ──▶ ended │ cut
 *     └──101──▶ switched     └──▶ invalid
 *
 * It tells its host what it meets, and decides nothing about connections, deadlines or further attempts.
 */
import type { HeadEdit } from '../core/rules/head-edit.ts'
import type { AnswerRules } from '../core/rules/rules.ts'
import { latin1 } from '../http1/bytes.ts'
import { ChunkedBody } from '../http1/chunked.ts'
import { findField, type Head, headErrorSentence, parseResponseHead } from '../http1/head.ts'
import { keepAliveHint, originKeepsAlive, responseFraming, responseHeadGrowthMax, writeResponseHead, type BodyFraming } from '../http1/response.ts'
import type { ClientSide } from './client-side.ts'
import type { Collector } from './cache/collector.ts'
import { interimAnswersMax } from './limits.ts'
import { joinBytesMax } from './outgoing.ts'
import { planAnswer } from './rules/answer-plan.ts'
import { resumableAnswer, type Resumable } from './resume.ts'
import { BodyEncoder, type EncoderUser } from './rules/encoder.ts'
import { withoutState } from './state-ear.ts'
import { withoutCacheFields } from './cache/stored-response.ts'
import type { ServiceCounters } from './service.ts'
import type { OriginalAnswer } from './mirror/original-answer.ts'
import type { Upstream } from './upstream.ts'

const lastChunk = latin1('0\r\n\r\n')
/** A longer stored body leaves in pieces of so many bytes. */
export const storedPieceBytes = 256 * 1024

/** Who hears how the answer goes. The last four end it. */
export interface AnswerHost {
  /** The service listens to what its endpoints say of themselves, and this is the head of an answer. */
  stateSaid(head: Head, buffer: Buffer): void
  /** An interim answer (1xx) has been passed on. */
  interimPassed(status: number): void
  /** The head is read, the body follows. */
  answerBegun(status: number): void
  /** The head of an error is read; nothing of it is out. Returns true when another endpoint is asked instead. */
  askedAnother(head: Head, buffer: Buffer, length: number): boolean
  /** The client takes no more of a stored body for now. */
  readerStalled(): void
  /** The client takes bytes again. */
  readerCaughtUp(): void
  /** All of it has come; the origin's connection is no longer needed. */
  answerRead(): void
  /** All of it is out. */
  answerEnded(): void
  /** It broke off after it had begun. */
  answerCut(): void
  /** The head of the final answer is read; nothing of it is out. Returns true when the client gets something else. Asked while `intercepted`. */
  answerFound(head: Head, buffer: Buffer, length: number): Interception
  /** It is not HTTP: nothing of it is out. */
  answerInvalid(why: string): void
  /** The head is a `101`; bytes behind it belong to the new protocol. */
  protocolSwitched(upstream: Upstream, buffer: Buffer, length: number, head: Head): void
}

/** `taken`: the client gets something else; `hold`: it goes out later. */
export type Interception = 'pass' | 'taken' | 'hold'

interface Held {
  upstream: Upstream | undefined
  bytes: Buffer | undefined
}

export class AnswerRelay implements EncoderUser {
  readonly #client: ClientSide
  readonly #host: AnswerHost
  #counters: ServiceCounters | undefined
  #partial: Buffer | undefined
  #interims = 0
  #agent = false
  #framing: BodyFraming = 'none'
  #remaining = 0
  #chunkedIn: ChunkedBody | undefined
  #chunkedOut = false
  #rules: AnswerRules | undefined
  /** The body is compressed on its way. */
  #encoder: BodyEncoder | undefined
  /** The encoder takes no more for now. */
  #encoderFull = false
  #upstream: Upstream | undefined
  /** What is left of a stored body. */
  #stored: Buffer | undefined
  /** The origin's connection is fit for another request. */
  keepUpstream = false
  /** What the origin says about how long it keeps it, in seconds. */
  keepHint: number | undefined
  /** It says when to come back: it is busy, not broken. */
  backPressure = false
  /** The head that went out promised the client another request. */
  keepClient = false
  /** Further fields for the client, whole lines, at most 512 bytes. */
  extra: Buffer | undefined
  /** How the rest could be asked for, if it is cut. */
  resumable: Resumable | undefined
  /** Looks on, for a mirror; undefined: nobody does. */
  onlooker: OriginalAnswer | undefined
  /** The host is asked before an answer goes out. */
  intercepted = false
  /** It goes out when somebody says so. */
  #held: Held | undefined
  /** Keeps what passes; undefined: nobody does. */
  collector: Collector | undefined
  /** What the cache says of this answer, a whole line. */
  cacheLine: Buffer | undefined
  /** Bytes of all bodies so far. */
  passedBytes = 0
  readonly #onDrain = (): void => {
    this.#client.onDrain = undefined
    this.#host.readerCaughtUp()
    if (this.#encoder) this.#encoder.resume()
    else if (this.#stored !== undefined) this.#passStored()
    else this.#upstream?.resume()
  }
  readonly #encode = (buffer: Buffer, start: number, end: number): void => {
    this.#encoder!.add(buffer, start, end)
  }

  constructor(client: ClientSide, host: AnswerHost) {
    this.#client = client
    this.#host = host
  }

  /** `agent`: answers may say what their endpoint asks for itself. */
  begin(counters: ServiceCounters, rules: AnswerRules | undefined, agent: boolean | undefined): void {
    this.#counters = counters
    this.#agent = agent === true
    this.#rules = rules
    this.#interims = 0
    this.intercepted = false
  }

  /** Forgets what was read of an answer that will not be completed. */
  end(): void {
    this.#partial = undefined
    this.#chunkedIn = undefined
    this.#upstream = undefined
    this.#stored = undefined
    this.#encoder?.close()
    this.#encoder = undefined
    this.onlooker?.ended(false)
    this.onlooker = undefined
    this.collector?.ended(false)
    this.collector = undefined
    this.cacheLine = undefined
    this.#held = undefined
  }

  /** Bytes of a head have come, but not all of it. */
  get begun(): boolean {
    return this.#partial !== undefined
  }

  /** The end of the connection is the end of the answer. */
  get untilClose(): boolean {
    return this.#framing === 'untilClose'
  }

  /** The client sees by the framing of its answer whether it is whole. */
  get showsCut(): boolean {
    return this.#chunkedOut || (this.#framing !== 'untilClose' && this.#framing !== 'chunked')
  }

  /** Bytes [0, length) while the head has not been read. Returns false to stop reading from the origin. */
  head(upstream: Upstream, fresh: Buffer, freshLength: number): boolean {
    let buffer = fresh
    let length = freshLength
    if (this.#partial !== undefined) {
      buffer = Buffer.concat([this.#partial, fresh.subarray(0, freshLength)])
      length = buffer.length
      this.#partial = undefined
    }
    const head = this.#client.worker.responseHead
    let start = 0
    for (;;) {
      const result = start === length ? 0 : parseResponseHead(buffer, start, length, head)
      if (result === 0) {
        if (start < length) this.#partial = Buffer.from(buffer.subarray(start, length))
        return true
      }
      if (result < 0) {
        this.#host.answerInvalid(headErrorSentence(result))
        return true
      }
      if (head.status >= 200) return this.#final(upstream, buffer, length, head)
      if (head.status === 101) {
        if (this.#agent) this.#host.stateSaid(head, buffer)
        this.#host.protocolSwitched(upstream, buffer, length, head)
        return true
      }
      if (!this.#passInterim(head, buffer)) return true
      start = head.end
    }
  }

  /** RFC 9110 §15.2: interim answers are passed on, to those who know them. */
  #passInterim(head: Head, buffer: Buffer): boolean {
    if (++this.#interims > interimAnswersMax) {
      this.#host.answerInvalid(`more than ${interimAnswersMax} interim answers`)
      return false
    }
    if (this.#client.minor === 1) this.writeInterim(head, buffer, undefined)
    this.#host.interimPassed(head.status)
    return true
  }

  /** Writes the head of a 1xx on its own. */
  writeInterim(head: Head, buffer: Buffer, upgrade: string | undefined): void {
    const { socket, requestId } = this.#client
    const { slab, via } = this.#client.worker
    const extra = upgrade === undefined ? undefined : this.extra
    slab.reserve(head.end - head.begin + responseHeadGrowthMax)
    const end = writeResponseHead(slab.buffer, slab.at, head, buffer, {
      via: extra === undefined ? via : Buffer.concat([via, extra]),
      requestId,
      connection: 'none',
      chunked: false,
      dropLength: true,
      upgrade,
      edits: this.#agent ? [withoutState] : undefined,
    })
    socket.write(slab.view(end))
    if (socket.writableLength > 0) slab.keep(end)
  }

  #final(upstream: Upstream | undefined, buffer: Buffer, length: number, head: Head): boolean {
    const client = this.#client
    const { worker, facts } = client
    this.backPressure = (head.status === 503 || head.status === 429) && findField(head, buffer, 'retry-after') !== undefined
    if (this.#agent) this.#host.stateSaid(head, buffer)
    if (head.status >= 500 && this.#host.askedAnother(head, buffer, length)) return true
    if (this.intercepted) {
      const found = this.#host.answerFound(head, buffer, length)
      if (found === 'taken') return true
      if (found === 'hold') {
        Object.assign(this.#held!, { upstream, bytes: Buffer.from(buffer.subarray(head.begin, length)) })
        return false
      }
    }
    const framing = responseFraming(head, facts.method)
    const plan = this.#rules === undefined ? undefined : planAnswer(this.#rules, head, buffer, client.minor)
    const coded = plan?.coding !== undefined && framing !== 'none'
    const open = coded || framing === 'untilClose' || framing === 'chunked'
    this.#upstream = upstream
    this.#framing = framing
    this.#remaining = framing === 'length' ? head.contentLength : 0
    this.#chunkedOut = open && client.minor === 1
    this.#chunkedIn = framing === 'chunked' ? new ChunkedBody(this.#chunkedOut && !coded) : undefined
    this.keepUpstream = framing !== 'untilClose' && originKeepsAlive(head, buffer)
    this.keepHint = keepAliveHint(head, buffer)
    this.keepClient = facts.keepAlive && client.bodyDone && !client.closing && (!open || this.#chunkedOut)
    this.resumable = framing === 'length' && !coded && upstream !== undefined ? resumableAnswer(head, buffer, length) : undefined
    this.#host.answerBegun(head.status)
    this.onlooker?.begun(head, buffer)
    const { slab } = worker
    const ruled = plan === undefined ? 0 : plan.lines.length + plan.edits.reduce((sum, { block }) => sum + block.length, 0)
    slab.reserve(head.end - head.begin + responseHeadGrowthMax + joinBytesMax + 64 + ruled)
    const end = writeResponseHead(slab.buffer, slab.at, head, buffer, {
      via: this.extra === undefined ? worker.via : Buffer.concat([worker.via, this.extra]),
      requestId: client.requestId,
      connection: this.keepClient ? (client.minor === 0 ? 'keepAlive' : 'none') : 'close',
      chunked: this.#chunkedOut,
      dropLength: head.status === 204 || framing === 'chunked' || plan?.coding !== undefined,
      upgrade: undefined,
      edits: this.#editsBesides(plan?.edits),
      lines: plan?.lines,
    })
    if (coded) {
      this.#encoder = new BodyEncoder(plan.coding, framing !== 'length', this)
      this.#encoderFull = false
    }
    return this.#pass(buffer, head.end, length, end)
  }

  /** What an answer says to us is not for the client. */
  #editsBesides(edits: readonly HeadEdit[] | undefined): readonly HeadEdit[] | undefined {
    if (!this.#agent && this.cacheLine === undefined) return edits
    return [...(edits ?? []), ...(this.#agent ? [withoutState] : []), ...(this.cacheLine === undefined ? [] : [withoutCacheFields])]
  }

  /** An answer that was set aside, whole, is passed on after all. */
  passOn(bytes: Buffer): void {
    const head = this.#client.worker.responseHead
    parseResponseHead(bytes, 0, bytes.length, head)
    this.#final(undefined, bytes, bytes.length, head)
  }

  /** The answer whose head has come is about to be held: what is returned lets it go. */
  holds(): () => void {
    const held: Held = { upstream: undefined, bytes: undefined }
    this.#held = held
    return () => {
      const { upstream, bytes } = held
      if (this.#held !== held || bytes === undefined) return
      this.#held = undefined
      this.intercepted = false
      this.#client.worker.tick()
      const head = this.#client.worker.responseHead
      parseResponseHead(bytes, 0, bytes.length, head)
      if (this.#final(upstream, bytes, bytes.length, head)) upstream?.resume()
    }
  }

  /** A stored answer: nobody is asked for it. */
  passStored(head: Buffer, body: Buffer | undefined): void {
    this.intercepted = false
    this.cacheLine = undefined
    const parsed = this.#client.worker.responseHead
    parseResponseHead(head, 0, head.length, parsed)
    this.#final(undefined, head, head.length, parsed)
    if (body === undefined || this.#remaining === 0) return
    this.#stored = body
    this.#passStored()
  }

  /** Goes on with a stored body: a piece whenever the client takes one, so that a slow reader of a long one is not taken for one who does not read. */
  #passStored(): void {
    for (let rest = this.#stored; rest !== undefined; rest = this.#stored) {
      const last = rest.length <= storedPieceBytes
      const piece = last ? rest : rest.subarray(0, storedPieceBytes)
      this.#stored = last ? undefined : rest.subarray(storedPieceBytes)
      const more = this.body(piece, piece.length)
      // With the last one it is over, and the next request may have begun.
      if (last) return
      if (!more) {
        this.#host.readerStalled()
        return
      }
    }
  }

  /** Bytes of the body that are still to come, when their number is known. */
  get remaining(): number {
    return this.#remaining
  }

  /** The origin is gone; what comes from it no longer counts. */
  detach(): void {
    this.#upstream = undefined
  }

  /** The rest of the body comes from elsewhere: `buffer` holds it behind a head, up to `length`. */
  goOn(upstream: Upstream, buffer: Buffer, length: number, head: Head): boolean {
    this.#upstream = upstream
    this.keepUpstream = originKeepsAlive(head, buffer)
    this.keepHint = keepAliveHint(head, buffer)
    const { slab } = this.#client.worker
    slab.reserve(joinBytesMax + 64)
    return this.#pass(buffer, head.end, length, slab.at)
  }

  /** Bytes [0, length) of the body. Returns false to stop reading from the origin: it goes on when the client has caught up. */
  body(buffer: Buffer, length: number): boolean {
    const { slab } = this.#client.worker
    slab.reserve(joinBytesMax + 64)
    return this.#pass(buffer, 0, length, slab.at)
  }

  /** The origin has closed, and that was the end of the answer. */
  endByClose(): void {
    if (this.#encoder) {
      this.#readToEnd(this.#encoder)
      return
    }
    if (this.#chunkedOut) this.#client.socket.write(lastChunk)
    this.#host.answerEnded()
  }

  /**
   * Passes on the body bytes [start, length). What lies in the slab between its `at` and `end` (the head, or nothing)
   * goes out before them, in the same write when they are few.
   */
  #pass(buffer: Buffer, start: number, length: number, end: number): boolean {
    const { worker, socket } = this.#client
    const out = worker.outgoing
    out.begin(socket, end, this.#upstream)
    const used = this.#addBody(buffer, start, length)
    this.#counters!.responseBytes += used - start
    this.passedBytes += used - start
    this.onlooker?.bytes(buffer, start, used)
    this.collector?.bytes(buffer, start, used)
    const more = out.flush()
    if (this.#encoder) return this.#passEncoded(this.#encoder, used === length)
    if (this.#chunkedIn?.failed === true) {
      this.#host.answerCut()
      return true
    }
    if (this.#complete) {
      // Bytes behind a complete answer belong to nobody: the connection is not trusted with another request.
      if (used < length) this.keepUpstream = false
      this.#host.answerEnded()
      return true
    }
    if (more || socket.destroyed) return true
    this.#client.onDrain = this.#onDrain
    return false
  }

  /** What has come of the body is with the encoder. `all`: nothing lies behind it. */
  #passEncoded(encoder: BodyEncoder, all: boolean): boolean {
    if (!encoder.commit()) this.#encoderFull = true
    if (this.#chunkedIn?.failed === true) {
      this.#host.answerCut()
      return true
    }
    if (this.#complete) {
      if (!all) this.keepUpstream = false
      this.#readToEnd(encoder)
      return true
    }
    return !this.#encoderFull
  }

  #readToEnd(encoder: BodyEncoder): void {
    this.#upstream = undefined
    this.#host.answerRead()
    encoder.finish()
  }

  encoded(bytes: Buffer): boolean {
    const { socket, worker } = this.#client
    worker.tick()
    this.#host.readerCaughtUp()
    if (socket.write(bytes) || socket.destroyed) return true
    this.#client.onDrain = this.#onDrain
    return false
  }

  encoderDrained(): void {
    if (!this.#encoderFull) return
    this.#encoderFull = false
    this.#client.worker.tick()
    this.#host.readerCaughtUp()
    if (this.#stored !== undefined) this.#passStored()
    else this.#upstream?.resume()
  }

  encodingEnded(): void {
    this.#client.worker.tick()
    this.#client.socket.write(lastChunk)
    this.#host.answerEnded()
  }

  encodingFailed(): void {
    this.#host.answerCut()
  }

  get #complete(): boolean {
    switch (this.#framing) {
      case 'none':
        return true
      case 'length':
        return this.#remaining === 0
      case 'chunked':
        return this.#chunkedIn!.done
      case 'untilClose':
        return false
    }
  }

  /** Adds what belongs to the body to what goes out, and returns where that ends. */
  #addBody(buffer: Buffer, start: number, length: number): number {
    const out = this.#client.worker.outgoing
    switch (this.#framing) {
      case 'none':
        return start
      case 'length': {
        const take = Math.min(this.#remaining, length - start)
        if (take > 0) (this.#encoder ? this.#encode : out.emit)(buffer, start, start + take)
        this.#remaining -= take
        return start + take
      }
      case 'chunked':
        return this.#chunkedIn!.feed(buffer, start, length, this.#encoder ? this.#encode : out.emit)
      case 'untilClose':
        if (length > start) this.#addUnframed(buffer, start, length)
        return length
    }
  }

  #addUnframed(buffer: Buffer, start: number, length: number): void {
    const out = this.#client.worker.outgoing
    if (this.#encoder) {
      this.#encode(buffer, start, length)
      return
    }
    if (!this.#chunkedOut) {
      out.add(buffer, start, length)
      return
    }
    const size = latin1(`${(length - start).toString(16)}\r\n`)
    out.add(size, 0, size.length)
    out.add(buffer, start, length)
    out.add(lastChunk, 3, 5)
  }
}
