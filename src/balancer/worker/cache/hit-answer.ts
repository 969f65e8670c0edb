/** The answer to a hit as it goes out, kept between hits: a new request id each time, and a new age and ttl once a second. */
import { fillDigits } from '../../http1/bytes.ts'
import { Head, parseResponseHead } from '../../http1/head.ts'
import { responseHeadGrowthMax, writeResponseHead } from '../../http1/response.ts'
import { withoutState } from '../state-ear.ts'
import { wholeHead, type StoredResponse } from './stored-response.ts'

export interface HitWriter {
  readonly via: Buffer
  /** As long as every other one. */
  newRequestId(): string
  /** Writes a new one over another. */
  writeRequestId(target: Buffer, at: number): void
}

const parsed = new Head()
const ageField = Buffer.from('\r\nAge: ')
const ttlParameter = Buffer.from('; hit; ttl=')
const stateEdits = [withoutState]

export class HitAnswer {
  readonly #writer: HitWriter
  /** Answers of its service may say what an endpoint asks for itself. */
  readonly #agent: boolean
  /** The body is there as well; else only the head. */
  readonly whole: boolean
  /** Of the body that is there as well. */
  readonly bodyBytes: number
  #bytes: Buffer
  #idAt = 0
  #ageAt = 0
  #ttlAt = 0
  #digits = 0
  /** In [from, until) only the id changes. */
  #from = 0
  #until = 0

  constructor(stored: StoredResponse, writer: HitWriter, form: { readonly agent: boolean; readonly whole: boolean }, now: number) {
    this.#writer = writer
    this.#agent = form.agent
    this.whole = form.whole
    this.bodyBytes = form.whole ? stored.body.length : 0
    this.#bytes = this.#render(stored, now)
  }

  /** It is the same as `next` has made it last, but for its id; only where it is `whole`. */
  lasts(now: number): boolean {
    return this.whole && now >= this.#from && now < this.#until
  }

  /** While it lasts. */
  again(): Buffer {
    this.#writer.writeRequestId(this.#bytes, this.#idAt)
    return this.#bytes
  }

  /** For one more answer. `now`: wall time; the stored response is the same as ever, and fresh. */
  next(stored: StoredResponse, now: number): Buffer {
    if (now < this.#from || now >= this.#until) this.#renew(stored, now)
    return this.again()
  }

  /** What `next` returned is somebody else's now. */
  given(): void {
    this.#bytes = Buffer.from(this.#bytes)
  }

  #renew(stored: StoredResponse, now: number): void {
    const { age, ttl } = this.#clock(stored, now)
    if (digitsOf(age) + digitsOf(ttl) !== this.#digits || digitsOf(age) !== this.#digitsAt(this.#ageAt)) {
      this.#bytes = this.#render(stored, now)
      return
    }
    fillDigits(this.#bytes, this.#ageAt, digitsOf(age), age)
    fillDigits(this.#bytes, this.#ttlAt, digitsOf(ttl), ttl)
  }

  #digitsAt(at: number): number {
    let end = at
    while (this.#bytes[end]! >= 48 && this.#bytes[end]! <= 57) end++
    return end - at
  }

  /** In seconds; notes how long they stay so. */
  #clock({ facts }: StoredResponse, now: number): { readonly age: number; readonly ttl: number } {
    const { bornAt, lifetimeMs } = facts
    const ageMs = Math.max(0, now - bornAt)
    const ttlMs = lifetimeMs - ageMs
    this.#from = now
    this.#until = Math.min(now + 1_000 - (ageMs % 1_000), now + (ttlMs % 1_000) + 1)
    return { age: Math.floor(ageMs / 1_000), ttl: Math.floor(ttlMs / 1_000) }
  }

  #render(stored: StoredResponse, now: number): Buffer {
    const { age, ttl } = this.#clock(stored, now)
    const { lifetimeMs, bornAt } = stored.facts
    const source = wholeHead(stored, now, { hit: true, ttl: (lifetimeMs - Math.max(0, now - bornAt)) / 1_000 })
    parseResponseHead(source, 0, source.length, parsed)
    const { via } = this.#writer
    const id = this.#writer.newRequestId()
    const out = Buffer.allocUnsafeSlow(source.length + via.length + responseHeadGrowthMax)
    const end = writeResponseHead(out, 0, parsed, source, {
      via,
      requestId: id,
      connection: 'none',
      chunked: false,
      dropLength: stored.facts.status === 204,
      upgrade: undefined,
      edits: this.#agent ? stateEdits : undefined,
    })
    const { body } = stored
    const bytes = Buffer.allocUnsafeSlow(this.whole ? end + body.length : end)
    out.copy(bytes, 0, 0, end)
    if (this.whole) body.copy(bytes, end)
    this.#idAt = end - id.length - 4
    this.#ageAt = bytes.lastIndexOf(ageField, end) + ageField.length
    this.#ttlAt = bytes.lastIndexOf(ttlParameter, end) + ttlParameter.length
    this.#digits = digitsOf(age) + digitsOf(ttl)
    return bytes
  }
}

function digitsOf(whole: number): number {
  let digits = 1
  for (let limit = 10; whole >= limit; limit *= 10) digits++
  return digits
}
