/**
 * The steps of one request, in words. Most requests need none: what a trail begins with (rate limit, session, the first choice) is kept as bare facts,
 * and written down when there is a reason to, which is from the start for who asked for a trail, and at the first thing that goes wrong for all others.
 *
 *   begin ──asked, sampled──▶ open ◀──parked, failed, 5xx, nobody to ask──┐
 *     └─────────────────────────────────── (facts) ───────────────────────┘
 */
import { describeCandidates, rounded, stepsMax, type Candidate, type ChoiceFacts, type TrailStep } from '../../core/trail.ts'
import type { Failure } from '../../core/resend.ts'
import type { PickRequest } from '../../core/picker.ts'
import type { RateReading } from '../../core/rate-share.ts'
import type { Answer } from '../answers.ts'
import type { Broken, Verdict } from '../attempts.ts'
import type { ServiceRate } from '../rate-limits.ts'
import type { ServiceRuntime } from '../service.ts'
import type { RequestSession } from '../sessions/session.ts'
import type { EndpointPool } from '../upstream.ts'

/** What went wrong with a storm of requests is looked at once in so many milliseconds. */
const sharedLookMs = 10

/** How the endpoints of each service stood a moment ago, for the trails of many. */
export class SharedLooks {
  readonly #looks = new Map<ServiceRuntime, { readonly at: number; readonly candidates: readonly Candidate[] }>()

  of(service: ServiceRuntime, now: number): readonly Candidate[] {
    const known = this.#looks.get(service)
    if (known !== undefined && now - known.at < sharedLookMs) return known.candidates
    const candidates = describeCandidates(service.endpoints, { now })
    // Services that are gone are forgotten with the next look at any.
    for (const [other, { at }] of this.#looks) if (now - at >= sharedLookMs) this.#looks.delete(other)
    this.#looks.set(service, { at: now, candidates })
    return candidates
  }
}

const failures: Readonly<Record<Failure['kind'], string>> = {
  notConnected: 'no connection came about',
  notReceived: 'the connection was closed before it got the request',
  staleConnection: 'the idle connection was closed before an answer',
  died: 'the connection broke before the answer',
  timedOut: 'no answer in time',
}

export class TrailKeeper {
  readonly #looks: SharedLooks
  #startedAt = 0
  #steps: TrailStep[] | undefined
  /** What came before the first step is written down. */
  #opened = false
  #service: ServiceRuntime | undefined
  #session: RequestSession | undefined
  #sessionAt = 0
  #endpoint: EndpointPool | undefined
  #pickedAt = 0
  /** By the limits that it met, with the time. */
  readonly #rates: (readonly [policy: string, reading: RateReading, at: number])[] = []
  /** What its cache made of it, before anything was written down. */
  readonly #cached: (readonly [why: string, ttl: number | undefined, at: number])[] = []
  #waitsSince = 0
  #notRetried: string | undefined

  constructor(looks: SharedLooks) {
    this.#looks = looks
  }

  begin(now: number): void {
    this.#startedAt = now
    this.#steps = undefined
    this.#opened = false
    this.#service = undefined
    this.#session = undefined
    this.#endpoint = undefined
    this.#rates.length = 0
    if (this.#cached.length > 0) this.#cached.length = 0
    this.#notRetried = undefined
  }

  /** Everything is written down from now on. */
  ask(): void {
    this.#steps ??= []
  }

  // --- facts ----------------------------------------------------------------------------------------------------------

  routed(service: ServiceRuntime): void {
    this.#service = service
  }

  rated({ policy }: ServiceRate, reading: RateReading, now: number): void {
    this.#rates.push([policy, reading, now])
  }

  /** `ttl`: of what is stored, in seconds. */
  cached(why: string, ttl: number | undefined, now: number): void {
    if (this.#opened) this.#add(now, { step: 'cache', note: cacheText(why, ttl) })
    else this.#cached.push([why, ttl, now])
  }

  notRetried(why: string): void {
    this.#notRetried = why
  }

  // --- choosing -------------------------------------------------------------------------------------------------------

  picked(endpoint: EndpointPool, service: ServiceRuntime, request: PickRequest, session: RequestSession | undefined): void {
    if (this.#session === undefined) this.#sessionAt = request.now
    this.#session = session
    if (this.#steps !== undefined) {
      const note = session?.note ?? service.pickedBy
      this.#add(request.now, { step: 'picked', endpoint: endpoint.id, note, candidates: candidatesOf(service, request, session, endpoint) })
    }
    this.#service = service
    this.#endpoint = endpoint
    this.#pickedAt = request.now
  }

  /** Its breaker lets a few through on trial, and this is one more. */
  passedOver(endpoint: EndpointPool, now: number): void {
    this.#add(now, { step: 'picked', endpoint: endpoint.id, note: 'passed over: its circuit breaker lets no more requests through on trial' })
  }

  noneFor(why: string, service: ServiceRuntime, { now, tried }: PickRequest, session: RequestSession | undefined): void {
    if (this.#session === undefined) this.#sessionAt = now
    this.#session = session
    this.#begun()
    const candidates = tried.length === 0 ? this.#looks.of(service, now) : describeCandidates(service.endpoints, { now, tried })
    this.#add(now, { step: 'picked', note: `nobody: ${why}`, candidates })
  }

  parked(service: ServiceRuntime, session: RequestSession | undefined, deadline: number, now: number): void {
    this.#waits(service, session, now)
    const candidates = this.#looks.of(service, now)
    const why = candidates.some(({ skipped }) => skipped === undefined) ? 'others wait already' : 'no endpoint can take it'
    this.#add(now, { step: 'parked', note: `${why}; for ${ms(deadline - now)} at most`, candidates })
  }

  /** All endpoints are at their limits. */
  queued(service: ServiceRuntime, session: RequestSession | undefined, deadline: number, now: number): void {
    this.#waits(service, session, now)
    this.#add(now, {
      step: 'queued',
      note: `all endpoints are at their limits; for ${ms(deadline - now)} at most`,
      candidates: this.#looks.of(service, now),
    })
  }

  #waits(service: ServiceRuntime, session: RequestSession | undefined, now: number): void {
    this.#service = service
    this.#session = session
    this.#sessionAt = now
    this.#begun()
    this.#waitsSince = now
  }

  released(now: number, because: string | undefined): void {
    this.#add(now, { step: 'released', note: `after ${ms(now - this.#waitsSince)}${because === undefined ? '' : `: ${because}`}` })
  }

  // --- carrying -------------------------------------------------------------------------------------------------------

  sent(reused: boolean, now: number): void {
    this.#add(now, { step: 'sent', endpoint: this.#endpoint?.id, note: reused ? 'on an idle connection' : 'on a new connection' })
  }

  failed({ failure, code, endpoint, answerBegun }: Broken, verdict: Verdict, whyNot: string | undefined, now: number): void {
    this.#begun()
    const what = `${failures[failure.kind]}${code === undefined ? '' : ` (${code})`}${answerBegun ? ', part of the answer had come' : ''}`
    const next = { again: 'tried again', awaitNews: 'waits to hear how the process ended', giveUp: 'not tried again' }[verdict]
    this.#add(now, {
      step: 'failed',
      endpoint: endpoint.id,
      note: `${what}: ${next}${verdict === 'again' || whyNot === undefined ? '' : `, for ${whyNot}`}`,
    })
  }

  hedged(endpoint: EndpointPool, afterMs: number, now: number): void {
    this.#begun()
    this.#add(now, { step: 'hedged', endpoint: endpoint.id, note: `${this.#endpoint?.id} has not answered for ${ms(afterMs)}` })
  }

  absorbed({ failure, code, endpoint }: Broken, now: number): void {
    const what = `${failures[failure.kind]}${code === undefined ? '' : ` (${code})`}`
    this.#add(now, { step: 'failed', endpoint: endpoint.id, note: `${what}: the hedge goes on` })
  }

  hedgeFailed(endpoint: EndpointPool, what: string, now: number): void {
    this.#add(now, { step: 'failed', endpoint: endpoint.id, note: `the hedge: ${what}; the first attempt goes on` })
  }

  hedgeTaken(endpoint: EndpointPool, now: number): void {
    this.#endpoint = endpoint
    this.#add(now, { step: 'won', endpoint: endpoint.id, note: 'the hedge' })
  }

  heard(endpoint: EndpointPool, again: boolean, now: number): void {
    const { gone } = endpoint
    if (gone === undefined && again) return
    const what = gone ?? 'no news of its process'
    this.#add(now, { step: 'heard', endpoint: endpoint.id, note: `${what}: ${again ? 'tried again' : 'not tried again'}` })
  }

  retried(endpoint: EndpointPool, status: number, now: number): void {
    this.#begun()
    this.#add(now, { step: 'retried', endpoint: endpoint.id, note: `it answered ${status}, which retries.on names: another endpoint is asked` })
  }

  resumed(endpoint: EndpointPool, now: number): void {
    this.#begun()
    this.#add(now, { step: 'resumed', endpoint: endpoint.id, note: 'it broke off in the middle of its answer: the rest is asked for elsewhere' })
  }

  cut(why: string, now: number): void {
    this.#begun()
    this.#add(now, { step: 'failed', endpoint: this.#endpoint?.id, note: why })
  }

  suspected(what: string, endpoint: EndpointPool | undefined, now: number): void {
    this.#begun()
    this.#add(now, { step: 'suspect', endpoint: endpoint?.id, note: what })
  }

  mirrored(service: string, now: number): void {
    this.#add(now, { step: 'mirrored', note: `a copy went to ${service}` })
  }

  fallback(what: string, now: number): void {
    this.#begun()
    this.#add(now, { step: 'fallback', note: what })
  }

  // --- answering ------------------------------------------------------------------------------------------------------

  /** The balancer says this in place of the service. */
  refused({ status, error, message, details }: Answer, now: number): void {
    if (status >= 500) this.#begun()
    if (error === undefined) this.#add(now, { step: 'answered', note: `${status} by the balancer: ${message}` })
    else this.#add(now, { step: 'refused', note: `${status} by the balancer, ${error}: ${details ?? message}` })
  }

  answered(status: number, now: number): void {
    if (status >= 500) this.#begun()
    const notRetried = this.#notRetried === undefined ? '' : `: no other endpoint is asked, for ${this.#notRetried}`
    this.#add(now, { step: 'answered', endpoint: this.#endpoint?.id, note: `${status}${notRetried}` })
  }

  /** All of it. One that was merely slow has what is known without having been written down. */
  steps(firstByteAt: number): readonly TrailStep[] {
    if (this.#steps !== undefined) {
      this.#open()
      return this.#steps
    }
    this.#steps = []
    this.#open(false)
    if (firstByteAt > 0) this.#add(firstByteAt, { step: 'answered', endpoint: this.#endpoint?.id })
    return this.#steps
  }

  /** There is a reason to write down what happens. */
  #begun(): void {
    this.#steps ??= []
    this.#open()
  }

  /** What was before, from the facts. `looks`: how the endpoints stand now still says something. */
  #open(looks = true): void {
    if (this.#opened) return
    this.#opened = true
    for (const [policy, reading, at] of this.#rates) this.#add(at, { step: 'limited', note: rateText(policy, reading) })
    for (const [why, ttl, at] of this.#cached)
      if (at <= this.#pickedAt || this.#endpoint === undefined) this.#add(at, { step: 'cache', note: cacheText(why, ttl) })
    const summary = this.#session?.summary
    if (summary !== undefined && summary !== '') this.#add(this.#sessionAt, { step: 'session', note: summary })
    if (this.#endpoint === undefined) return
    this.#openPicked(this.#endpoint, looks)
    for (const [why, ttl, at] of this.#cached) if (at > this.#pickedAt) this.#add(at, { step: 'cache', note: cacheText(why, ttl) })
  }

  #openPicked({ id: endpoint }: EndpointPool, looks: boolean): void {
    const stood = looks && this.#service !== undefined ? this.#looks.of(this.#service, this.#pickedAt) : undefined
    // What speaks against it now did not keep it from being chosen.
    const candidates = stood?.map((each) => (each.endpoint === endpoint ? { ...each, skipped: undefined, less: each.skipped ?? each.less } : each))
    const how = this.#session?.note ?? this.#service?.view.algorithm
    this.#add(this.#pickedAt, { step: 'picked', endpoint, note: candidates ? `${how ?? ''}; all as they stood when it went wrong` : how, candidates })
  }

  #since(now: number): number {
    return rounded(Math.max(0, now - this.#startedAt))
  }

  #add(now: number, step: Omit<TrailStep, 'at'>): void {
    if (this.#steps === undefined) return
    this.#open()
    if (this.#steps.length < stepsMax - 1) this.#steps.push({ at: this.#since(now), ...step })
  }
}

const ms = (duration: number): string => (duration >= 1_000 ? `${(duration / 1_000).toFixed(1)} s` : `${Math.round(duration)} ms`)

const candidatesOf = (
  service: ServiceRuntime,
  request: PickRequest,
  session: RequestSession | undefined,
  chosen: EndpointPool,
): readonly Candidate[] => {
  const choice: ChoiceFacts = {
    now: request.now,
    tried: request.tried,
    onlyOnce: request.onlyOnce,
    chosen,
    leftOut: session && ((each) => session.leftOut(each)),
  }
  return describeCandidates(service.endpoints, choice)
}

function cacheText(why: string, ttl: number | undefined): string {
  if (ttl === undefined) return why
  return `${ttl >= 0 ? `fresh for ${Math.floor(ttl)} s` : `stale for ${Math.ceil(-ttl)} s`}: ${why}`
}

function rateText(policy: string, { allowed, remaining, retryAfterMs }: RateReading): string {
  const limit = policy === 'default' ? 'the rate limit' : `the rate limit of the ${policy}`
  return allowed ? `within ${limit}, ${remaining} left` : `over ${limit}, the next is let in after ${ms(retryAfterMs)}`
}
