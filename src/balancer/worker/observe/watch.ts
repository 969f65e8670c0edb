/**
 * What is noted of one request while it is carried: moments as numbers for the access log and traces, and where trails are kept the steps of one
 * (`trail-keeper.ts`). One object per client connection, filled anew for each request; the plain request makes none but its texts.
 *
 *   begin ─▶ capture ─▶ (picked ─▶ sent ─▶ failed)* ─▶ answered ─▶ ended
 *               └──────▶ parked ─▶ released ──┘
 */
import type { PickRequest } from '../../core/picker.ts'
import type { RateReading } from '../../core/rate-share.ts'
import { rounded, type RequestTrail, type TrailReason } from '../../core/trail.ts'
import { findField, type Head } from '../../http1/head.ts'
import { latin1, text } from '../../http1/bytes.ts'
import { writeTraceparent } from '../../core/trace-context.ts'
import type { Answer } from '../answers.ts'
import type { Broken, Verdict } from '../attempts.ts'
import type { ClientSide } from '../client-side.ts'
import type { ServiceRate } from '../rate-limits.ts'
import type { ServiceRuntime } from '../service.ts'
import type { RequestSession } from '../sessions/session.ts'
import type { EndpointPool } from '../upstream.ts'
import type { Observer } from './observer.ts'
import type { Span, TraceState } from './spans.ts'
import { TrailKeeper } from './trail-keeper.ts'

/** Answered out of the store (`hit`, `stale`, `revalidated`), or by the service. */
export type CacheResult = 'hit' | 'stale' | 'revalidated' | 'miss' | 'bypass'

/** What happened at the end. */
export interface Ending {
  readonly status: number
  readonly requestBytes: number
  readonly responseBytes: number
}

export class RequestWatch {
  readonly client: ClientSide
  observer!: Observer
  startedAt = 0
  parkedMs = 0
  connectMs = 0
  firstByteAt = 0
  endedAt = 0
  tries = 0
  wasParked = false
  service: ServiceRuntime | undefined
  route: string | undefined
  endpoint: EndpointPool | undefined
  /** Masked; empty until the head has been looked at. */
  target = ''
  host = ''
  userAgent: string | undefined
  referrer: string | undefined
  asked = false
  sampled = false
  trace: TraceState | undefined
  /** How its cache answered it, or that it did not; undefined: its service has none. */
  cacheResult: CacheResult | undefined
  /** Of what was stored, in seconds. */
  cacheTtl: number | undefined
  #requestBytes = 0
  #responseBytes = 0
  #captured = false
  #parkedAt = -1
  /** undefined: no trails are kept. */
  #trail: TrailKeeper | undefined
  #ownTrail: TrailKeeper | undefined
  #attempt: Span | undefined

  constructor(client: ClientSide) {
    this.client = client
  }

  /** `requestBytes`, `responseBytes`: of the bodies of all requests before. */
  begin(observer: Observer, now: number, requestBytes: number, responseBytes: number): void {
    this.observer = observer
    this.#requestBytes = requestBytes
    this.#responseBytes = responseBytes
    this.startedAt = now
    this.parkedMs = 0
    this.connectMs = 0
    this.firstByteAt = 0
    this.tries = 0
    this.wasParked = false
    this.service = undefined
    this.route = undefined
    this.endpoint = undefined
    this.target = ''
    this.host = ''
    this.userAgent = undefined
    this.referrer = undefined
    this.asked = false
    this.sampled = false
    this.trace = undefined
    this.cacheResult = undefined
    this.cacheTtl = undefined
    this.#captured = false
    this.#parkedAt = -1
    this.#attempt = undefined
    this.#trail = observer.explains ? (this.#ownTrail ??= new TrailKeeper(observer.looks)) : undefined
    this.#trail?.begin(now)
  }

  /** Takes from the head what must outlive it. */
  capture(head: Head, source: Buffer): void {
    if (this.#captured) return
    this.#captured = true
    const { facts } = this.client
    const { observer } = this
    this.target = observer.masked(facts.target ?? text(source, head.targetStart, head.targetEnd))
    this.host = facts.hostValue
    if (observer.wantsUserAgent) this.userAgent = findField(head, source, 'user-agent')
    if (observer.wantsReferrer) this.referrer = findField(head, source, 'referer')
    this.asked = observer.isAsked(head, source)
    this.sampled = observer.isSampled()
    if (observer.traces) this.trace = observer.beginTrace(head, source, facts)
    if (this.asked || this.sampled) this.#trail?.ask()
  }

  routed(service: ServiceRuntime, route: string | undefined, head: Head, source: Buffer): void {
    this.service = service
    this.route = route
    this.#trail?.routed(service)
    this.capture(head, source)
  }

  // --- steps --------------------------------------------------------------------------------------------------------

  rated(rate: ServiceRate, reading: RateReading, now: number): void {
    this.#trail?.rated(rate, reading, now)
  }

  suspected(what: string, endpoint: EndpointPool | undefined, now: number): void {
    this.#trail?.suspected(what, endpoint, now)
  }

  picked(endpoint: EndpointPool, service: ServiceRuntime, request: PickRequest, session: RequestSession | undefined): void {
    this.endpoint = endpoint
    this.tries++
    if (this.trace?.sampled) this.#attempt = this.observer.newSpan(`attempt ${this.tries}`, request.now)
    this.#trail?.picked(endpoint, service, request, session)
  }

  passedOver(endpoint: EndpointPool, now: number): void {
    this.#trail?.passedOver(endpoint, now)
  }

  noneFor(why: string, service: ServiceRuntime, request: PickRequest, session: RequestSession | undefined): void {
    this.#trail?.noneFor(why, service, request, session)
  }

  connected(ms: number): void {
    this.connectMs += ms
  }

  sent(reused: boolean, now: number): void {
    this.#trail?.sent(reused, now)
  }

  failed(broken: Broken, verdict: Verdict, whyNot: string | undefined, now: number): void {
    this.#trail?.failed(broken, verdict, whyNot, now)
    this.#endAttempt(now, broken.code === undefined ? broken.failure.kind : `${broken.failure.kind} (${broken.code})`)
  }

  /** It is made at another endpoint as well. */
  hedged(endpoint: EndpointPool, afterMs: number, now: number): void {
    this.tries++
    this.#trail?.hedged(endpoint, afterMs, now)
  }

  /** The first attempt has failed, and its hedge goes on. */
  absorbed(broken: Broken, now: number): void {
    this.#trail?.absorbed(broken, now)
  }

  hedgeFailed(endpoint: EndpointPool, what: string, now: number): void {
    this.#trail?.hedgeFailed(endpoint, what, now)
  }

  /** From here on its hedge is the attempt. */
  hedgeTaken(endpoint: EndpointPool, now: number): void {
    this.endpoint = endpoint
    this.#trail?.hedgeTaken(endpoint, now)
  }

  heard(endpoint: EndpointPool, again: boolean, now: number): void {
    this.#trail?.heard(endpoint, again, now)
  }

  retried(endpoint: EndpointPool, status: number, now: number): void {
    this.#trail?.retried(endpoint, status, now)
    this.#endAttempt(now, String(status))
  }

  notRetried(why: string): void {
    this.#trail?.notRetried(why)
  }

  resumed(endpoint: EndpointPool, now: number): void {
    this.#trail?.resumed(endpoint, now)
    this.#endAttempt(now, 'cut')
  }

  /** The client sees an answer that is not whole. */
  cut(why: string, now: number): void {
    this.#trail?.cut(why, now)
  }

  /** What its cache makes of it. `ttl`: of what is stored, in seconds. */
  cached(result: CacheResult | undefined, why: string, ttl: number | undefined, now: number): void {
    if (result !== undefined) {
      this.cacheResult = result
      this.cacheTtl = ttl
    }
    this.#trail?.cached(why, ttl, now)
  }

  mirrored(service: string, now: number): void {
    this.#trail?.mirrored(service, now)
  }

  fallback(what: string, now: number): void {
    this.#trail?.fallback(what, now)
  }

  parked(service: ServiceRuntime, session: RequestSession | undefined, deadline: number, now: number): void {
    this.wasParked = true
    this.#parkedAt = now
    this.#trail?.parked(service, session, deadline, now)
  }

  /** All endpoints are at their limits. */
  queued(service: ServiceRuntime, session: RequestSession | undefined, deadline: number, now: number): void {
    this.wasParked = true
    this.#parkedAt = now
    this.#trail?.queued(service, session, deadline, now)
  }

  /** `because`: what let it go. */
  released(now: number, because?: string): void {
    if (this.#parkedAt < 0) return
    this.parkedMs += now - this.#parkedAt
    if (this.trace?.sampled) this.observer.newSpan('parked', this.#parkedAt, this.trace).endedAt = now
    this.#parkedAt = -1
    this.#trail?.released(now, because)
  }

  /** The balancer answers in place of the service. */
  refused(answer: Answer, now: number): void {
    this.#trail?.refused(answer, now)
  }

  /** Returns the fields that the client gets with the answer. */
  answered(status: number, now: number): Buffer | undefined {
    this.firstByteAt = now
    this.#trail?.answered(status, now)
    this.#attempt?.attributes.push(['http.response.status_code', status])
    return this.observer.showsTiming(this) ? latin1(`Server-Timing: ${this.#serverTiming()}\r\n`) : undefined
  }

  ended(status: number, requestBytes: number, responseBytes: number, now: number): void {
    this.endedAt = now
    this.released(now, status === 0 ? 'its client has left' : undefined)
    this.#endAttempt(now, undefined)
    this.observer.ended(this, { status, requestBytes: requestBytes - this.#requestBytes, responseBytes: responseBytes - this.#responseBytes })
  }

  #endAttempt(now: number, error: string | undefined): void {
    const attempt = this.#attempt
    this.#attempt = undefined
    if (attempt === undefined || this.trace === undefined) return
    attempt.endedAt = now
    attempt.error = error
    if (this.endpoint) attempt.attributes.push(['server.address', this.endpoint.view.host], ['server.port', this.endpoint.view.port])
    this.trace.spans.push(attempt)
  }

  // --- what others read of it -----------------------------------------------------------------------------------------

  /** The field by which the origin joins the trace; undefined: not traced. */
  traceField(): Buffer | undefined {
    const { trace } = this
    if (trace === undefined) return undefined
    const parent = writeTraceparent(trace.traceId, this.#attempt?.id ?? trace.spanId, trace.sampled)
    return latin1(`traceparent: ${parent}\r\n`)
  }

  /** For the client, up to the head of the answer. */
  #serverTiming(): string {
    const parts = [`total;dur=${rounded(this.firstByteAt - this.startedAt)}`, `connect;dur=${rounded(this.connectMs)}`]
    if (this.wasParked) parts.push(`parked;dur=${rounded(this.parkedMs)}`)
    if (this.cacheResult !== undefined) parts.push(`cache;desc="${this.cacheResult}"`)
    parts.push(`tries;desc="${this.tries}"`)
    return parts.join(', ')
  }

  reasons(status: number, slowMs: number): TrailReason[] {
    const reasons: TrailReason[] = []
    if (this.asked) reasons.push('asked')
    if (this.sampled) reasons.push('sampled')
    if (this.wasParked) reasons.push('parked')
    if (this.tries > 1) reasons.push('retried')
    if (status >= 500 || status === 0) reasons.push('failed')
    if (this.endedAt - this.startedAt > slowMs) reasons.push('slow')
    return reasons
  }

  trail(status: number, reasons: readonly TrailReason[], wallTime: number): RequestTrail {
    const { client, service } = this
    const durationMs = rounded(this.endedAt - this.startedAt)
    return {
      id: client.requestId,
      pid: process.pid,
      startedAt: wallTime - (this.endedAt - this.startedAt),
      client: client.address,
      method: client.facts.method,
      target: this.target,
      service: service?.name,
      route: this.route,
      algorithm: service?.view.algorithm,
      status,
      durationMs,
      tries: this.tries,
      reasons,
      traceId: this.trace?.traceId,
      steps: [
        ...(this.#trail?.steps(this.firstByteAt) ?? []),
        { at: durationMs, step: 'ended', note: status === 0 ? 'cut, or left by the client' : String(status) },
      ],
    }
  }
}
