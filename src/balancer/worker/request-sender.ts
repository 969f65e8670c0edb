/**
 * A request on its way to an endpoint, and all that is needed to send it there, or elsewhere, once more: the bytes of its head where the
 * client's input holds them, and a replay of its body. Both are let go when the answer begins.
 */
import { HeadEdit } from '../core/rules/head-edit.ts'
import { bodyTooLarge, type RouteRules } from '../core/rules/rules.ts'
import { addressKey } from '../core/picker.ts'
import { oneReadBytesMax } from '../core/resend.ts'
import { routingPath } from '../core/request-path.ts'
import { text } from '../http1/bytes.ts'
import { findField, type Head, listedField, parseRequestHead } from '../http1/head.ts'
import { requestHeadGrowthMax, writeRequestHead } from '../http1/request.ts'
import type { Answer } from './answers.ts'
import type { Fields } from '../../cache/core/http/fields.ts'
import type { ClientSide } from './client-side.ts'
import { bodyBufferBytes } from './body-buffers.ts'
import { SelectingFields } from './cache/head-fields.ts'
import { badRequest } from './failure-answers.ts'
import { isNavigation } from './waiting-page.ts'
import { joinBytesMax } from './outgoing.ts'
import { Replay, replayBytesMax } from './replay.ts'
import type { RequestSession } from './sessions/session.ts'
import type { ServiceRuntime } from './service.ts'
import type { Upstream } from './upstream.ts'

/** More than one read brings: so much must be free before a body of unknown length is read on. */
const gatherStepMax = 128 * 1024

const conditions = ['if-none-match', 'if-modified-since', 'if-range', 'range']

/** Made once for each rule. */
const unconditional = new WeakMap<HeadEdit, HeadEdit>()
const unconditionalOnly = new HeadEdit(conditions, '')

function withoutConditions(edit: HeadEdit | undefined): HeadEdit {
  if (edit === undefined) return unconditionalOnly
  let found = unconditional.get(edit)
  if (found === undefined) unconditional.set(edit, (found = new HeadEdit([...edit.names, ...conditions], edit.block.toString('latin1'))))
  return found
}

export class RequestSender {
  readonly #client: ClientSide
  #service: ServiceRuntime | undefined
  /** Where the head lies, until the answer begins. */
  #source: Buffer | undefined
  #start = 0
  #headBytes = 0
  #target: string | undefined
  #edit: HeadEdit | undefined
  #bodyMax = Infinity
  /** A trusted proxy has sent it: what that says of the client is passed on. */
  #chained = false
  /** The parsed head, until the first attempt is made. */
  #head: Head | undefined
  readonly #replay = new Replay()
  /** The client has been told to go on with its body, or has gone on by itself. */
  continued = false
  /** The client's conditions stay here: others are sent. */
  dropsConditions = false
  /** All of the request left in one write that a server takes in with one read. */
  oneRead = false
  /** Further fields for the endpoint, whole lines. */
  extra: Buffer | undefined
  /** Bytes of all bodies so far. */
  passedBytes = 0
  readonly #emit = (buffer: Buffer, start: number, end: number): void => {
    this.continued = true
    this.#service!.counters.requestBytes += end - start
    this.passedBytes += end - start
    if (this.#source !== undefined) this.#replay.add(buffer, start, end)
    this.#client.worker.outgoing.add(buffer, start, end)
  }

  readonly #keepCopy = (buffer: Buffer, start: number, end: number): void => {
    this.#keep(Buffer.from(buffer.subarray(start, end)), 0, end - start)
  }

  readonly #keep = (buffer: Buffer, start: number, end: number): void => {
    this.continued = true
    this.#service!.counters.requestBytes += end - start
    this.passedBytes += end - start
    this.#replay.add(buffer, start, end)
  }

  constructor(client: ClientSide) {
    this.#client = client
  }

  /** The worker's head holds the request that `source` has from `start`. */
  begin(
    service: ServiceRuntime,
    source: Buffer,
    start: number,
    target: string | undefined,
    rules: RouteRules | undefined,
    session: RequestSession | undefined,
  ): void {
    this.#service = service
    this.#edit = session === undefined ? rules?.requestEdit : session.edit(rules?.requestEdit)
    this.#bodyMax = rules?.bodyMax ?? Infinity
    this.#chained = rules?.trusted?.has(this.#client.address) === true
    this.#source = source
    this.#start = start
    this.#target = target
    this.#replay.reset()
    this.continued = false
    this.dropsConditions = false
    this.#head = this.#client.worker.keepHead()
    this.#headBytes = this.#head.end - this.#head.begin
  }

  /** It goes to another service after all. */
  goesTo(service: ServiceRuntime): void {
    this.#service = service
  }

  /** Bytes that are kept for sending it. */
  get bytes(): number {
    return this.#headBytes + this.#client.waitingBytes + this.#replay.bytes
  }

  /** The body is malformed or too large: counts it, and returns what its client is told. */
  bodyFault(): Answer {
    const tooLarge = this.#client.facts.bodyBytes > this.#bodyMax
    this.#client.worker.countRefused(tooLarge ? 'rule' : 'malformed')
    return tooLarge ? bodyTooLarge(this.#bodyMax) : badRequest('the chunked body is malformed')
  }

  /** A browser asks for a document that it will show: a page of ours is as good. */
  get opensPage(): boolean {
    if (this.#client.facts.method !== 'GET' || this.#source === undefined) return false
    const head = this.#head ?? this.#reparse()
    return isNavigation((name) => findField(head, this.#source!, name))
  }

  /** What it asks for, as it came. */
  target(): string {
    const { facts } = this.#client
    if (facts.target !== undefined) return facts.target
    const head = this.#head ?? this.#reparse()
    return text(this.#source!, head.targetStart, head.targetEnd)
  }

  /** Its fields, as long as it can be sent again. */
  selecting(from: string): Fields {
    const fields = new SelectingFields(this.#head ?? this.#reparse(), this.#source!, from)
    if (!this.#chained) return fields
    // The service is told of another host than that of the request, if a trusted proxy says so.
    const said = ['x-forwarded-host', 'x-forwarded-proto', 'x-forwarded-port', 'forwarded'].map((name) => fields.all(name).join())
    return new SelectingFields(this.#head ?? this.#reparse(), this.#source!, [from, ...said].join(' '))
  }

  /** Every body byte that was sent is still at hand. */
  get replayable(): boolean {
    return this.#replay.whole
  }

  /** What was sent of the body, or gathered. */
  body(): readonly Buffer[] {
    return this.#replay.pieces()
  }

  /** Method and target as the endpoint gets them, at most 1,024 characters. */
  label(): string {
    const { facts } = this.#client
    const head = this.#head ?? this.#reparse()
    return `${facts.method} ${this.#target ?? facts.target ?? text(this.#source!, head.targetStart, head.targetEnd)}`.slice(0, 1_024)
  }

  /**
   * Takes in what has come of the body before there is anybody to send it to, as far as it can be kept. `whole`: all of it is here;
   * `more`: the rest is awaited; `tooLong`: the rest is left with the client until it can be sent.
   */
  gather(): 'whole' | 'more' | 'tooLong' | 'malformed' {
    const client = this.#client
    const { facts } = client
    if (client.bodyDone) return 'whole'
    const isSmall = facts.bodyLength >= 0 ? facts.bodyLength <= replayBytesMax : this.#replay.bytes <= replayBytesMax - gatherStepMax
    if (!isSmall || (facts.expectsContinue && !this.continued)) {
      client.pauseInput()
      client.holdBodyDeadline()
      return 'tooLong'
    }
    if (!client.takeBody(this.#keep) || facts.bodyBytes > this.#bodyMax) return 'malformed'
    return this.#gathered()
  }

  /**
   * The same while the request is parked and nothing is connected: what is kept is counted, with room for the next read, and copied, so that a body that
   * comes in small pieces holds no more than that. `left`: the rest stays with the client, and so does the news that he has gone.
   */
  gatherAhead(reserve: (bytes: number) => boolean): 'whole' | 'more' | 'left' | 'malformed' {
    const client = this.#client
    const { facts } = client
    if (!client.takeBody(this.#keepCopy) || facts.bodyBytes > this.#bodyMax) return 'malformed'
    if (client.bodyDone || (facts.expectsContinue && !this.continued)) {
      reserve(this.bytes)
      client.holdBodyDeadline()
      client.resumeInput()
      return 'whole'
    }
    const nextBytes = Math.min(bodyBufferBytes, facts.bodyLength < 0 ? Infinity : facts.bodyLength - this.#replay.bytes)
    const keepable = facts.bodyLength <= replayBytesMax && this.#replay.bytes + nextBytes <= replayBytesMax
    if (keepable && this.#replay.whole && reserve(this.bytes + nextBytes)) return this.#gathered()
    client.pauseInput()
    client.holdBodyDeadline()
    return 'left'
  }

  #gathered(): 'whole' | 'more' {
    const client = this.#client
    if (client.bodyDone) return 'whole'
    client.resumeInput()
    client.runBodyDeadline()
    return 'more'
  }

  /** Whoever needs the head from here on reads it again. */
  spareHead(): void {
    if (this.#head) this.#client.worker.spareHead(this.#head)
    this.#head = undefined
  }

  /** A copy of the head as it came: what lies in the client's input is not kept for as long as an answer takes. */
  copyOfHead(): Buffer {
    const head = this.#head ?? this.#reparse()
    return Buffer.from(this.#source!.subarray(this.#start, head.end))
  }

  /** It is sent once more, after its answer had begun; `head` is such a copy. */
  restore(head: Buffer): void {
    this.#source = head
    this.#start = 0
  }

  /**
   * All of it as an endpoint would get it, with a line more, in bytes of its own. undefined: not all of it is at hand, or its body is longer
   * than `bodyMax`; `marked`: it has that field already.
   */
  copyWith(line: Buffer, bodyMax: number): Buffer | 'marked' | undefined {
    const { facts, bodyDone, worker } = this.#client
    if (!bodyDone || !this.#replay.whole || this.#replay.bytes > bodyMax) return undefined
    const name = line.toString('latin1', 0, line.indexOf(58)).toLowerCase()
    if (findField(this.#head ?? this.#reparse(), this.#source!, name) !== undefined) return 'marked'
    const { extra, oneRead } = this
    this.extra = extra === undefined ? line : Buffer.concat([extra, line])
    const end = this.writeHead(facts.host)
    this.extra = extra
    this.oneRead = oneRead
    return end < 0 ? undefined : Buffer.concat([worker.slab.view(end), ...this.#replay.pieces()])
  }

  /** It will not be sent again. */
  release(): void {
    this.#source = undefined
    this.#replay.reset()
  }

  /** What the hashing algorithms go by. */
  hashKey(): string {
    const { facts, address } = this.#client
    const { algorithm, hashHeader } = this.#service!.view
    if (algorithm === 'ip-hash') return addressKey(address)
    const head = this.#head ?? this.#reparse()
    if (hashHeader !== undefined) return findField(head, this.#source!, hashHeader) ?? addressKey(address)
    return routingPath(facts.target ?? text(this.#source!, head.targetStart, head.targetEnd))
  }

  /** The head again, from the bytes that were kept: attempts are rare, a copy per request would not be. */
  #reparse(): Head {
    const head = this.#client.worker.requestHead
    parseRequestHead(this.#source!, this.#start, this.#source!.length, head)
    return head
  }

  /** Writes the head into the slab, and returns where it ends; a negative number is why it cannot be forwarded. */
  writeHead(defaultHost: string): number {
    const client = this.#client
    const { facts, requestId } = client
    const { slab } = client.worker
    const head = this.#head ?? this.#reparse()
    const usual = this.#chained
      ? client.forwardedChain(head.minor, (name) => listedField(head, this.#source!, name))
      : client.forwardedFields(head.minor)
    const forwarded = this.extra === undefined ? usual : Buffer.concat([usual, this.extra])
    const edit = this.dropsConditions ? withoutConditions(this.#edit) : this.#edit
    const headRoom = head.end - head.begin + requestHeadGrowthMax + forwarded.length + (this.#target?.length ?? 0) + facts.hostValue.length
    slab.reserve(headRoom + joinBytesMax + (edit?.block.length ?? 0))
    const end = writeRequestHead(slab.buffer, slab.at, head, this.#source!, facts, { target: this.#target, defaultHost, forwarded, requestId, edit })
    this.oneRead = facts.bodyLength >= 0 && end - slab.at + facts.bodyLength <= oneReadBytesMax
    return end
  }

  /** Sends the head that lies in the slab up to `end`, and of the body what there is. Returns false when the body is malformed. */
  send(upstream: Upstream, end: number): boolean {
    const client = this.#client
    const { slab, outgoing } = client.worker
    if (client.facts.bodyLength === 0) {
      upstream.write(slab.view(end))
      if (upstream.socket.writableLength > 0) slab.keep(end)
      return true
    }
    outgoing.begin(upstream.socket, end)
    for (const piece of this.#replay.pieces()) outgoing.add(piece, 0, piece.length)
    const sane = this.#sendBody()
    this.oneRead &&= client.bodyDone
    return sane
  }

  /** Sends all of it elsewhere, too: what is known of the attempt that is out stays as it is. Returns false when it cannot be forwarded. */
  sendCopy(upstream: Upstream, defaultHost: string, lines: Buffer | undefined): boolean {
    const { extra, oneRead } = this
    const { outgoing } = this.#client.worker
    this.extra = lines
    const end = this.writeHead(defaultHost)
    this.extra = extra
    this.oneRead = oneRead
    if (end < 0) return false
    outgoing.begin(upstream.socket, end)
    for (const piece of this.#replay.pieces()) outgoing.add(piece, 0, piece.length)
    outgoing.flush()
    return true
  }

  /** Sends what more has come of the body. Returns false when it is malformed. */
  sendMore(upstream: Upstream): boolean {
    const { slab, outgoing } = this.#client.worker
    slab.reserve(joinBytesMax)
    outgoing.begin(upstream.socket, slab.at)
    return this.#sendBody()
  }

  /** Passes on what has come of the body, behind what `outgoing` holds already. */
  #sendBody(): boolean {
    const client = this.#client
    const sane = client.takeBody(this.#emit)
    // What is too large must not reach the origin whole: its end is still in our hands.
    if (client.facts.bodyBytes > this.#bodyMax) return false
    const more = client.worker.outgoing.flush()
    if (!sane) return false
    if (more || client.bodyDone) client.resumeInput()
    else client.pauseInput()
    return true
  }

  /**
   * Whose turn it is while a request with a body is under way. The service's time runs when it has all of the request,
   * does not take more of it, or was asked whether it wants it; else it is the client who is waited for.
   */
  get clientsTurn(): boolean {
    const client = this.#client
    const asked = client.facts.expectsContinue && !this.continued
    return !client.bodyDone && !client.inputPaused && !asked
  }
}
