/**
 * The session of one request: which endpoint its cookie names, which side of a split its client is on, and what the answer tells the client. The cookie
 * is for us: the origin does not get it, and all other cookies as they were.
 */
import { systemClock } from '../../../kernel/system.ts'
import type { Endpoint } from '../../core/endpoint.ts'
import { addressKey, type PickRequest } from '../../core/picker.ts'
import type { TrustedProxies } from '../../core/rules/addresses.ts'
import { HeadEdit } from '../../core/rules/head-edit.ts'
import type { RequestReading } from '../../core/rules/reading.ts'
import { cookieValues, takeCookie } from '../../core/sessions/cookies.ts'
import { ageOf, sessionCookiesMax, sessionLines } from '../../core/sessions/session-cookie.ts'
import { clientHash } from '../../core/sessions/split.ts'
import { latin1, text } from '../../http1/bytes.ts'
import { fieldStride, fieldText, findField, nameEnd, nameStart, type Head } from '../../http1/head.ts'
import type { ClientSide } from '../client-side.ts'
import { requestReading } from '../rules/reading.ts'
import type { ServiceRuntime } from '../service.ts'
import type { EndpointPool } from '../upstream.ts'
import type { Affinity } from './affinity.ts'
import type { CheckedSession, SessionSigner } from './signer.ts'

const nobody: readonly string[] = []

/** The value of each Cookie field. */
function cookieFields(head: Head, buffer: Buffer): readonly string[] {
  let values: string[] | undefined
  for (let i = 0; i < head.fieldCount; i++) {
    const base = i * fieldStride
    const start = head.fields[base + nameStart]!
    const end = head.fields[base + nameEnd]!
    if (end - start === 6 && text(buffer, start, end).toLowerCase() === 'cookie') (values ??= []).push(fieldText(head, buffer, i))
  }
  return values ?? nobody
}

const addressOf = (request: RequestReading, trusted: TrustedProxies | undefined): string =>
  trusted === undefined ? request.address : trusted.clientOf(request.address, request.field('x-forwarded-for'))

/** Over TLS, if only to a proxy before us that we trust. */
const isSecure = (request: RequestReading, trusted: TrustedProxies | undefined): boolean =>
  request.secure || (trusted?.has(request.address) === true && request.field('x-forwarded-proto')?.toLowerCase() === 'https')

export class RequestSession {
  readonly #client: ClientSide
  #service: ServiceRuntime | undefined
  #affinity: Affinity | undefined
  /** The endpoint that the cookie names. */
  #pinned: EndpointPool | undefined
  /** The cookie need not be given again as long as it names the right endpoint. */
  #fresh = false
  /** The client in the races of a split. */
  #number = 0
  #side: string | undefined
  #secure = false
  /** Lines of the cookies that are left; undefined: ours was not among them. */
  #otherCookies: string | undefined
  /** What was checked last on this connection: most clients send the same again. */
  #lastText: string | undefined
  #lastSigner: SessionSigner | undefined
  #lastService = ''
  #lastChecked: CheckedSession | undefined
  /** How the endpoint was chosen, for the trail. */
  note: string | undefined

  constructor(client: ClientSide) {
    this.#client = client
  }

  /** The head of the request lies in `source`. */
  begin(service: ServiceRuntime, affinity: Affinity, head: Head, source: Buffer, trusted: TrustedProxies | undefined): this {
    this.#service = service
    this.#affinity = affinity
    this.#pinned = undefined
    this.#fresh = false
    this.#otherCookies = undefined
    const { sticky, split } = affinity
    const request = requestReading(this.#client, head, source)
    const fields = sticky === undefined && split?.by?.by !== 'cookie' ? nobody : cookieFields(head, source)
    const session = sticky && this.#readCookies(sticky.cookie, fields)
    const key = this.#keyOf(head, source, fields)
    this.#number =
      key === undefined && session !== undefined ? session.client : clientHash(affinity.service, key ?? addressKey(addressOf(request, trusted)))
    if (session) this.#useSession(session)
    if (sticky) this.#secure = isSecure(request, trusted)
    this.#side = affinity.sideOf(this.#number)
    return this
  }

  /** What the split goes by, where it has been told. */
  #keyOf(head: Head, source: Buffer, fields: readonly string[]): string | undefined {
    const by = this.#affinity!.split?.by
    if (by === undefined) return undefined
    if (by.by === 'header') return findField(head, source, by.name)
    for (const field of fields) for (const value of cookieValues(field, by.name)) if (value !== '') return value
    return undefined
  }

  /** Takes ours out of all cookies, and returns the first that counts. */
  #readCookies(name: string, fields: readonly string[]): CheckedSession | undefined {
    let lines = ''
    let found: CheckedSession | undefined
    let tries = 0
    let isThere = false
    for (const field of fields) {
      const taken = takeCookie(field, name)
      const rest = taken?.rest ?? field
      if (rest !== '') lines += `Cookie: ${rest}\r\n`
      if (taken === undefined) continue
      isThere = true
      for (const value of taken.values) if (found === undefined && tries++ < sessionCookiesMax) found = this.#check(value)
    }
    if (isThere) this.#otherCookies = this.#client.facts.dropped?.has('cookie') === true ? '' : lines
    return found
  }

  #check(value: string): CheckedSession | undefined {
    const { service, signer } = this.#affinity!
    if (value !== this.#lastText || signer !== this.#lastSigner || service !== this.#lastService) {
      this.#lastChecked = signer.check(service, value)
      this.#lastText = value
      this.#lastSigner = signer
      this.#lastService = service
    }
    return this.#lastChecked
  }

  #useSession({ endpoint, epoch, client, current }: CheckedSession): void {
    const age = ageOf(Math.floor(systemClock.wallTime() / 1_000) - epoch, this.#affinity!.sticky!.ttlSeconds)
    if (age === 'expired') return
    this.#pinned = this.#affinity!.named(endpoint)
    this.#fresh = current && age === 'fresh' && client === this.#number
  }

  /** The changes of the head that the origin gets: what the rules of the route say, and without our cookie. */
  edit(rules: HeadEdit | undefined): HeadEdit | undefined {
    const others = this.#otherCookies
    if (others === undefined) return rules
    const names = [...(rules?.names ?? [])]
    const lines = names.includes('cookie') ? '' : others
    return new HeadEdit([...names, 'cookie'], lines + (rules?.block.toString('latin1') ?? ''))
  }

  /** Of the split that its client is on; undefined: there is none. */
  get side(): string | undefined {
    return this.#side
  }

  /** The client belongs to one endpoint. */
  get pinned(): boolean {
    return this.#pinned !== undefined
  }

  pick(request: PickRequest): EndpointPool | undefined {
    const affinity = this.#affinity!
    const side = this.#side
    const among = affinity.among(side, request)
    const pinned = this.#pinned
    const stays = pinned !== undefined && affinity.keeps(pinned, side, among, request)
    const endpoint = stays ? pinned : this.#service!.pick(request, among)
    if (this.#client.worker.observer !== undefined) this.note = this.#describe(endpoint, stays)
    return endpoint
  }

  /** Where its client belongs, for the trail. */
  get summary(): string {
    const { sticky, split } = this.#affinity!
    const said: string[] = []
    if (sticky !== undefined) said.push(this.#cookieSummary())
    if (split !== undefined && this.#side !== undefined) {
      const share = split.shares[this.#side] ?? 0
      said.push(`side ${this.#side} (${Number((share * 100).toFixed(2))} % of the clients)`)
    }
    return said.join(', ')
  }

  #cookieSummary(): string {
    if (this.#pinned !== undefined) return `session hit: the cookie names ${this.#pinned.id}`
    return this.#otherCookies === undefined
      ? 'session miss: no cookie'
      : 'session miss: the cookie is forged, too old, or names an endpoint that is gone'
  }

  /** Why an endpoint is not for this client, for the trail. */
  leftOut(endpoint: Endpoint): string | undefined {
    const side = this.#side
    if (side === undefined || endpoint.view.revision === side) return undefined
    return `it is ${endpoint.view.revision ?? 'of no version'}, the client is on side ${side}`
  }

  #describe(endpoint: EndpointPool | undefined, stays: boolean): string {
    const side = this.#side
    const how = stays ? 'session' : `${this.#service!.view.algorithm}${this.#pinned ? ', the endpoint of the session may not be asked' : ''}`
    if (side === undefined || endpoint === undefined) return how
    return endpoint.view.revision === side ? `${how}, side ${side}` : `${how}, side ${side} has nobody: ${endpoint.view.revision ?? 'another'} serves`
  }

  /** Lines for an answer of this endpoint; undefined: the client knows. */
  answerFields(endpoint: EndpointPool): Buffer | undefined {
    const { sticky, signer, service } = this.#affinity!
    if (sticky === undefined || (endpoint === this.#pinned && this.#fresh)) return undefined
    const name = signer.namesOf(service, endpoint.id)[0]!
    const value = signer.sign(service, { endpoint: name, epoch: Math.floor(systemClock.wallTime() / 1_000), client: this.#number })
    return latin1(sessionLines(sticky, value, this.#secure))
  }
}
