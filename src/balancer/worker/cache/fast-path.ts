/**
 * Answers a hit with nothing but what it needs: one read, a look at what is known, one write (one for all of several requests that came together).
 *
 *   head ──plain GET, known──▶ the store holds the same, fresh ──▶ its head with a new id, its body
 *    └──anything else──▶ the exchange, which decides, and tells what it has found (`learn`)
 *
 * It decides nothing of its own. What is known is a request (host, target, the fields that the answers vary with) that the exchange answered out of the
 * store in this very view, by a route that does nothing to its requests but count them; and a request counts as plain when it says nothing that rules of
 * caching, or anybody else on the way, would have to read. So the answer is the one that the exchange would give, which a property test holds it to.
 */
import type { Fields } from '../../../cache/core/http/fields.ts'
import type { StoredFacts } from '../../../cache/core/http/storing.ts'
import type { ListenerRoutes, Route } from '../../core/routes.ts'
import type { CacheView, RoutingView } from '../../core/routing-view.ts'
import { equalsIgnoringCase } from '../../http1/bytes.ts'
import { fieldStride, findField, nameEnd, nameStart, several, parseRequestHead, valueEnd, valueStart, type Head } from '../../http1/head.ts'
import { hasVia } from '../../http1/request.ts'
import { storedPieceBytes } from '../answer-relay.ts'
import type { ClientInput } from '../client-input.ts'
import type { ByteSocket } from '../client-side.ts'
import type { Outgoing } from '../outgoing.ts'
import type { ServiceRuntime } from '../service.ts'
import type { Slab } from '../slab.ts'
import { fromField } from '../../core/cache/request-fields.ts'
import { HitAnswer, type HitWriter } from './hit-answer.ts'
import type { ResponseStore } from './store.ts'
import type { StoredResponse } from './stored-response.ts'

/** Beyond, the one that was learnt first is forgotten, and learnt again with its next hit. */
export const knownMax = 10_000
/** Bodies up to so many bytes are kept a second time, behind their heads: then an answer is one piece. */
const joinedBodyMax = 16 * 1024
/** All of these together. */
const joinedMax = 8 * 1024 * 1024
/** Answers to requests that came together are collected up to so many bytes. */
const collectedMax = 64 * 1024
/** Different values of what an answer varies with, for one target. */
const perTargetMax = 8

/** A request that was answered out of the store, as it was found there. */
export interface FoundHit {
  readonly key: string
  readonly target: string
  readonly request: Fields
  /** As the store gave it. */
  readonly variants: readonly StoredResponse[]
  readonly stored: StoredResponse
  /** How its service caches. */
  readonly view: CacheView
}

interface Known {
  readonly routes: ListenerRoutes<ServiceRuntime>
  readonly secure: boolean
  readonly route: Route<ServiceRuntime>
  /** Host and target, as they were sent. */
  readonly host: string
  readonly target: string
  readonly vary: readonly Varying[]
  readonly key: string
  /** Of all variants that there were. By these they are known again: the responses themselves are left to the store, which may drop them. */
  readonly variants: readonly StoredFacts[]
  /** Which of them answers. */
  readonly index: number
  readonly status: number
  readonly bodyBytes: number
  readonly freshUntil: number
  /** Of the store, when it was looked for there last. */
  version: number
  readonly head: HitAnswer
  readonly hash: number
  /** The next one with this hash. */
  next: Known | undefined
}

interface Varying {
  /** Lower case. */
  readonly name: string
  /** undefined: it is not said. */
  readonly value: string | undefined
}

export interface FastPathHost extends HitWriter {
  readonly responses: ResponseStore
  readonly outgoing: Outgoing
  readonly slab: Slab
  readonly pseudonym: string
  readonly wallTime: number
}

export class FastPath {
  readonly #host: FastPathHost
  /** By hash; the first of a chain. */
  readonly #known = new Map<number, Known>()
  #count = 0
  #collected = 0
  #joined = 0
  /** Name of the field that asks for a trail, lower case; such requests are not plain. */
  readonly #askedBy: string | undefined
  /** Answered so far. */
  answered = 0

  constructor(host: FastPathHost, askedBy: string | undefined) {
    this.#host = host
    this.#askedBy = askedBy
  }

  /** A service caches, and requests are not watched one by one. */
  static isOf({ services, observe }: RoutingView): boolean {
    const { access, tracing, explain, serverTiming } = observe ?? {}
    const watched = access !== undefined || tracing !== undefined || (explain?.sample ?? 0) > 0 || serverTiming === 'always'
    return !watched && services.some(({ cache }) => cache !== undefined)
  }

  get size(): number {
    return this.#count
  }

  // --- answering ----------------------------------------------------------------------------------------------------

  /**
   * Answers the requests at the beginning of what has come, as far as they are known. When none is, returns what parsing the first of them gave; undefined:
   * it was not tried.
   */
  answerAll(
    routes: ListenerRoutes<ServiceRuntime> | undefined,
    secure: boolean,
    socket: ByteSocket,
    input: ClientInput,
    head: Head,
  ): 'answered' | number | undefined {
    if (routes === undefined) return undefined
    const before = this.answered
    let result: number | undefined
    while (!input.empty && this.#collected < collectedMax) {
      result = parseRequestHead(input.bytes, input.start, input.end, head)
      if (result <= 0 || !this.#answers(routes, secure, socket, head, input.bytes, this.#collected === 0 && head.end === input.end)) break
      input.start = head.end
    }
    if (this.answered === before) return result
    if (this.#collected > 0) this.#host.outgoing.flush()
    this.#collected = 0
    return 'answered'
  }

  /** Returns false when the exchange must see it. The answer is collected. */
  #answers(routes: ListenerRoutes<ServiceRuntime>, secure: boolean, socket: ByteSocket, head: Head, buffer: Buffer, alone: boolean): boolean {
    if (!isPlain(head, buffer)) return false
    const known = this.#find(routes, secure, head, buffer)
    if (known === undefined || this.#isForOthers(head, buffer)) return false
    const host = this.#host
    const now = host.wallTime
    const { responses } = host
    // Within a second, while nothing has left the store, the answer at hand is the right one.
    const same = known.version === responses.version && known.head.lasts(now)
    const stored = same || now >= known.freshUntil || !responses.trusted ? undefined : sameStill(known, responses.variants(known.key))
    if (stored !== undefined) known.version = responses.version
    else if (!same || now >= known.freshUntil || !responses.trusted) {
      this.#forget(known)
      return false
    }
    this.#write(socket, known.head, now, stored, alone)
    this.#book(known)
    return true
  }

  /** It has been here before, or is to leave a trail. */
  #isForOthers(head: Head, buffer: Buffer): boolean {
    if (head.via >= 0 && hasVia(head, buffer, this.#host.pseudonym)) return true
    return this.#askedBy !== undefined && findField(head, buffer, this.#askedBy) !== undefined
  }

  /** `alone`: nothing else goes out with it. */
  #write(socket: ByteSocket, answer: HitAnswer, now: number, stored: StoredResponse | undefined, alone: boolean): void {
    const bytes = stored === undefined ? answer.again() : answer.next(stored, now)
    if (alone && answer.whole) {
      socket.write(bytes)
      if (socket.writableLength > 0) answer.given()
      return
    }
    const { outgoing, slab } = this.#host
    if (this.#collected === 0) outgoing.begin(socket, slab.at)
    outgoing.add(bytes, 0, bytes.length)
    this.#collected += bytes.length
    if (answer.whole || stored === undefined || stored.body.length === 0) return
    outgoing.add(stored.body, 0, stored.body.length)
    this.#collected += stored.body.length
  }

  #book({ route, status, bodyBytes }: Known): void {
    const { service, tally } = route
    this.answered++
    service.counters.requests++
    service.counters.cache.hit++
    service.counters.responseBytes += bodyBytes
    service.finished(status, 0, tally)
    service.madeRoom()
  }

  #find(routes: ListenerRoutes<ServiceRuntime>, secure: boolean, head: Head, buffer: Buffer): Known | undefined {
    const base = head.host * fieldStride
    const hostStart = head.fields[base + valueStart]!
    const hostEnd = head.fields[base + valueEnd]!
    const { targetStart, targetEnd } = head
    let known = this.#known.get(hashOf(hashOf(0, buffer, hostStart, hostEnd), buffer, targetStart, targetEnd))
    for (; known !== undefined; known = known.next) {
      if (
        known.routes === routes &&
        known.secure === secure &&
        sameText(known.target, buffer, targetStart, targetEnd) &&
        sameText(known.host, buffer, hostStart, hostEnd) &&
        (known.vary.length === 0 || saysTheSame(known.vary, head, buffer))
      )
        return known
    }
    return undefined
  }

  // --- learning -----------------------------------------------------------------------------------------------------

  /** `host`: as it was sent. The request was answered out of the store, fresh, and the service's rules for it are those of its route. */
  learn(routes: ListenerRoutes<ServiceRuntime>, secure: boolean, route: Route<ServiceRuntime>, host: string, hit: FoundHit): void {
    const { facts, body } = hit.stored
    const freshUntil = facts.bornAt + facts.lifetimeMs
    const now = this.#host.wallTime
    if (!isCarriedOnly(route) || route.service.view.cache !== hit.view || routes.conditional || facts.noCache || now >= freshUntil) return
    if (body.length > storedPieceBytes) return
    const vary = varyingOf(hit)
    if (vary === undefined) return
    const { key, target } = hit
    const hash = hashOfText(hashOfText(0, host), target)
    const agent = route.service.view.agent === true
    const joined = body.length <= joinedBodyMax && this.#joined + body.length <= joinedMax
    const head = new HitAnswer(hit.stored, this.#host, { agent, whole: joined }, now)
    const variants = hit.variants.map((each) => each.facts)
    const index = hit.variants.indexOf(hit.stored)
    this.#add({
      routes,
      secure,
      route,
      host,
      target,
      vary,
      key,
      variants,
      index,
      status: facts.status,
      bodyBytes: body.length,
      freshUntil,
      version: -1,
      head,
      hash,
      next: undefined,
    })
  }

  #add(known: Known): void {
    const same: Known[] = []
    for (let each = this.#known.get(known.hash); each !== undefined; each = each.next) {
      if (!isAbout(each, known) && same.length < perTargetMax - 1) same.push(each)
    }
    this.#setChain(known.hash, [known, ...same])
    while (this.#count > knownMax) this.#forgetOldest()
  }

  #setChain(hash: number, chain: readonly Known[]): void {
    for (let each = this.#known.get(hash); each !== undefined; each = each.next) {
      this.#count--
      if (each.head.whole) this.#joined -= each.head.bodyBytes
    }
    chain.forEach((each, i) => {
      this.#count++
      if (each.head.whole) this.#joined += each.head.bodyBytes
      each.next = chain[i + 1]
    })
    if (chain[0] === undefined) this.#known.delete(hash)
    else this.#known.set(hash, chain[0])
  }

  #forgetOldest(): void {
    for (const hash of this.#known.keys()) {
      this.#setChain(hash, [])
      return
    }
  }

  #forget(known: Known): void {
    const rest: Known[] = []
    for (let each = this.#known.get(known.hash); each !== undefined; each = each.next) if (each !== known) rest.push(each)
    this.#setChain(known.hash, rest)
  }
}

/** A GET without body that asks for nothing but the whole, on a connection that goes on. */
function isPlain(head: Head, buffer: Buffer): boolean {
  if (head.method !== 'GET' || head.minor !== 1 || head.host < 0 || head.forCache || head.inCallTree) return false
  if (head.chunked || head.contentLength > 0 || head.upgrade >= 0 || head.expect >= 0 || head.requestId >= 0) return false
  if (head.connection < 0) return true
  if (head.connection === several) return false
  const base = head.connection * fieldStride
  return equalsIgnoringCase(buffer, head.fields[base + valueStart]!, head.fields[base + valueEnd]!, 'keep-alive')
}

/** Nothing happens to its requests and answers on the way. */
const isCarriedOnly = ({ service, rules, rateScope }: Route<ServiceRuntime>): boolean =>
  (rules === undefined || (rules.guard === undefined && rules.answer === undefined && rules.trusted === undefined)) &&
  rateScope === undefined &&
  service.rate === undefined &&
  service.affinity === undefined &&
  service.mirror === undefined &&
  !service.view.maintenance

/** By what any of the variants is chosen, and what the request says of it; undefined: in more lines than one. */
function varyingOf({ variants, request }: FoundHit): readonly Varying[] | undefined {
  const varying: Varying[] = []
  for (const name of new Set(variants.flatMap(({ facts }) => facts.vary))) {
    // The same for all requests that go by the same route, where nobody in front is believed.
    if (name === fromField) continue
    const [value, ...more] = request.all(name)
    if (more.length > 0) return undefined
    varying.push({ name, value })
  }
  return varying
}

function saysTheSame(vary: readonly Varying[], head: Head, buffer: Buffer): boolean {
  for (const varying of vary) if (!saidBy(varying, head, buffer)) return false
  return true
}

function saidBy({ name, value }: Varying, head: Head, buffer: Buffer): boolean {
  let said = false
  for (let i = 0; i < head.fieldCount; i++) {
    const base = i * fieldStride
    if (!equalsIgnoringCase(buffer, head.fields[base + nameStart]!, head.fields[base + nameEnd]!, name)) continue
    if (said || value === undefined || !sameText(value, buffer, head.fields[base + valueStart]!, head.fields[base + valueEnd]!)) return false
    said = true
  }
  return said || value === undefined
}

/** The same request, to the same place. */
const isAbout = (one: Known, other: Known): boolean =>
  one.routes === other.routes &&
  one.secure === other.secure &&
  one.target === other.target &&
  one.host === other.host &&
  one.vary.length === other.vary.length &&
  one.vary.every(({ name, value }, i) => name === other.vary[i]!.name && value === other.vary[i]!.value)

function hashOf(seed: number, buffer: Buffer, start: number, end: number): number {
  let hash = seed
  for (let i = start; i < end; i++) hash = (Math.imul(hash, 31) + buffer[i]!) | 0
  return hash
}

/** The same of text that is a byte in each character. */
function hashOfText(seed: number, text: string): number {
  let hash = seed
  for (let i = 0; i < text.length; i++) hash = (Math.imul(hash, 31) + text.charCodeAt(i)) | 0
  return hash
}

function sameText(known: string, buffer: Buffer, start: number, end: number): boolean {
  if (known.length !== end - start) return false
  for (let i = 0; i < known.length; i++) if (known.charCodeAt(i) !== buffer[start + i]) return false
  return true
}

/** The response that answers, if the store has the same ones as then, in the same order. */
function sameStill({ variants, index }: Known, now: readonly StoredResponse[]): StoredResponse | undefined {
  if (now.length !== variants.length) return undefined
  for (let i = 0; i < variants.length; i++) if (now[i]!.facts !== variants[i]) return undefined
  return now[index]
}
