/**
 * The rate limit of a service, or of one of its routes, as one worker runs it: whose quota a request uses, the messages with the primary, and what clients are told.
 * What came in one turn of the event loop is asked for with one message.
 */
import { createHash } from 'node:crypto'
import { addressKey } from '../core/picker.ts'
import { RateShare, unusedMs, type RateGrant, type RateReading, type RateWaiter } from '../core/rate-share.ts'
import type { RateLimitView } from '../core/routing-view.ts'
import type { RequestReading } from '../core/rules/reading.ts'
import type { TrustedProxies } from '../core/rules/addresses.ts'
import { latin1 } from '../http1/bytes.ts'
import type { WorkerToPrimary } from '../messages.ts'
import { rateFields, type RateFields } from '../../resilience/core/rate-fields.ts'
import type { Answer } from './answers.ts'

/** Longer values are remembered by their hash: a client must not choose how much we hold of it. */
const keyLengthMax = 64

export class ServiceRate {
  readonly view: RateLimitView
  /** The name of its table. */
  readonly #scope: string
  /** What clients know it by: `default`, or `route`. */
  readonly policy: string
  readonly #share: RateShare
  readonly #tell: (message: WorkerToPrimary) => void
  #flushing = false
  #timer: NodeJS.Timeout | undefined
  // What was told last: under load most answers are told the same.
  #told = ''
  #lines: Buffer = latin1('')

  constructor(scope: string, policy: string, view: RateLimitView, workers: number, tell: (message: WorkerToPrimary) => void) {
    this.view = view
    this.#scope = scope
    this.policy = policy
    this.#tell = tell
    this.#share = new RateShare(view, workers)
  }

  /** Whose quota it uses. Who does not say who he is, is known by his address. */
  keyOf(request: RequestReading, trusted: TrustedProxies | undefined): string {
    const { key } = this.view
    switch (key.by) {
      case 'service':
        return ''
      case 'header':
        return named('h', request.field(key.name)) ?? addressOf(request, trusted)
      case 'cookie':
        return named('c', cookie(request.field('cookie'), key.name)) ?? addressOf(request, trusted)
      case 'client-ip':
        return addressOf(request, trusted)
    }
  }

  /** Decides at once; undefined: the waiter will hear. */
  take(key: string, waiter: RateWaiter): RateReading | undefined {
    const now = performance.now()
    const decision = this.#share.take(key, waiter, now)
    if (this.#share.hasAsks(now)) this.#ask()
    if (this.#share.busy) this.#timer ??= setInterval(() => this.#sweep(), unusedMs)
    return decision
  }

  /** The request that took a token goes no further: it is another one's. */
  giveBack(key: string): void {
    this.#share.putBack(key, performance.now())
    if (this.#share.busy) this.#timer ??= setInterval(() => this.#sweep(), unusedMs)
  }

  leave(key: string, waiter: RateWaiter): void {
    this.#share.leave(key, waiter)
  }

  #ask(): void {
    if (this.#flushing) return
    this.#flushing = true
    setImmediate(() => {
      this.#flushing = false
      const asks = this.#share.asks(performance.now())
      if (asks.length > 0) this.#tell({ type: 'takeRate', scope: this.#scope, asks })
    })
  }

  given(grants: readonly RateGrant[]): void {
    const now = performance.now()
    this.#share.given(grants, now)
    if (this.#share.hasAsks(now)) this.#ask()
  }

  #sweep(): void {
    const unused = this.#share.sweep(performance.now())
    if (unused.length > 0) this.#tell({ type: 'returnRate', scope: this.#scope, unused })
    if (!this.#share.busy) this.#stop()
  }

  #stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  /** The limit is no more. What waits is let through; nothing is given back, since its table is gone. */
  close(): void {
    this.#stop()
    this.#share.close()
  }

  #fields(reading: RateReading): RateFields {
    const { rate, periodMs } = this.view
    return rateFields({ name: this.policy, quota: rate, windowMs: periodMs }, reading)
  }

  /** The lines that every answer has. */
  linesOf(reading: RateReading): Buffer {
    const fields = this.#fields(reading)
    if (this.#told === fields.ratelimit) return this.#lines
    this.#told = fields.ratelimit
    this.#lines = latin1(`RateLimit-Policy: ${fields['ratelimit-policy']}\r\nRateLimit: ${fields.ratelimit}\r\n`)
    return this.#lines
  }

  refusal(reading: RateReading): Answer {
    const retryAfter = this.#fields(reading)['retry-after']
    return {
      status: 429,
      error: 'http_request_denied',
      message: 'this client has used up its quota of requests',
      details: 'rate limit',
      retryAfterSeconds: retryAfter === undefined ? undefined : Number(retryAfter),
      problem: { type: 'quota-exceeded', title: 'The quota of requests is used up', more: { 'violated-policies': [this.policy] } },
    }
  }
}

const addressOf = (request: RequestReading, trusted: TrustedProxies | undefined): string =>
  `a${addressKey(trusted === undefined ? request.address : trusted.clientOf(request.address, request.field('x-forwarded-for')))}`

/** Quotas of those with a name and of those without are never the same. */
function named(kind: string, value: string | undefined): string | undefined {
  if (value === undefined || value === '') return undefined
  return kind + (value.length <= keyLengthMax ? value : createHash('sha256').update(value, 'latin1').digest('base64url'))
}

/** The value of one cookie out of the field (RFC 6265 §4.2.1). */
export function cookie(field: string | undefined, name: string): string | undefined {
  if (field === undefined) return undefined
  for (const pair of field.split(';')) {
    const [key = '', ...value] = pair.split('=')
    if (key.trim() === name) return value.join('=').trim()
  }
  return undefined
}
