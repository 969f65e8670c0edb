/**
 * What is noted of one request while it is carried: moments as numbers, and a trail of steps once there is a reason for one (it was asked
 * for, waits, or fails). One object per client connection, filled anew for each request; the plain request makes none but its texts.
 *
 *   begin ─▶ capture ─▶ (picked ─▶ sent ─▶ failed)* ─▶ answered ─▶ ended
 *               └──────▶ parked ─▶ released ──┘
 */
import { rounded, stepsMax, describeCandidates, type RequestTrail, type TrailReason, type TrailStep } from '../../core/trail.ts'
import { findField, type Head } from '../../http1/head.ts'
import { latin1, text } from '../../http1/bytes.ts'
import { writeTraceparent } from '../../core/trace-context.ts'
import type { Broken, Verdict } from '../attempts.ts'
import type { ClientSide } from '../client-side.ts'
import type { ServiceRuntime } from '../service.ts'
import type { EndpointPool } from '../upstream.ts'
import type { Observer } from './observer.ts'
import type { Span, TraceState } from './spans.ts'

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
  #requestBytes = 0
  #responseBytes = 0
  #captured = false
  #parkedAt = -1
  #pickedAt = 0
  #steps: TrailStep[] | undefined
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
    this.#captured = false
    this.#parkedAt = -1
    this.#steps = undefined
    this.#attempt = undefined
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
    if (this.asked || this.sampled) this.#steps = []
  }

  routed(service: ServiceRuntime, route: string | undefined, head: Head, source: Buffer): void {
    this.service = service
    this.route = route
    this.capture(head, source)
  }

  // --- steps --------------------------------------------------------------------------------------------------------

  picked(endpoint: EndpointPool, service: ServiceRuntime, tried: readonly EndpointPool[], now: number, note?: string): void {
    this.endpoint = endpoint
    this.tries++
    this.#pickedAt = now
    if (this.trace?.sampled) this.#attempt = this.observer.newSpan(`attempt ${this.tries}`, now)
    if (this.#steps !== undefined) {
      const candidates = describeCandidates(service.endpoints, tried, now)
      this.#add({ at: this.#since(now), step: 'picked', endpoint: endpoint.id, note: note ?? service.pickedBy, candidates })
    }
  }

  connected(ms: number): void {
    this.connectMs += ms
  }

  sent(reused: boolean, now: number): void {
    if (this.#steps !== undefined) {
      this.#add({ at: this.#since(now), step: 'sent', endpoint: this.endpoint?.id, note: reused ? 'on an idle connection' : 'on a new connection' })
    }
  }

  failed({ failure, code, endpoint, answerBegun }: Broken, verdict: Verdict, now: number): void {
    const steps = this.#trail()
    if (steps.length === 0) this.#add({ at: this.#since(this.#pickedAt), step: 'picked', endpoint: endpoint.id })
    const what = code === undefined ? failure.kind : `${failure.kind} (${code})`
    const next = { again: 'tried again', awaitNews: 'waits to hear how the process ended', giveUp: 'not tried again' }[verdict]
    this.#add({
      at: this.#since(now),
      step: 'failed',
      endpoint: endpoint.id,
      note: `${what}${answerBegun ? ', part of the answer had come' : ''}: ${next}`,
    })
    this.#endAttempt(now, what)
  }

  parked(service: ServiceRuntime, now: number): void {
    this.wasParked = true
    this.#parkedAt = now
    this.#trail()
    const candidates = describeCandidates(service.endpoints, [], now)
    const note = candidates.some(({ skipped }) => skipped === undefined) ? 'others wait already' : 'no endpoint can take it'
    this.#add({ at: this.#since(now), step: 'parked', note, candidates })
  }

  /** All endpoints are at their limits. */
  queued(service: ServiceRuntime, now: number): void {
    this.wasParked = true
    this.#parkedAt = now
    this.#trail()
    this.#add({ at: this.#since(now), step: 'queued', candidates: describeCandidates(service.endpoints, [], now) })
  }

  released(now: number): void {
    if (this.#parkedAt < 0) return
    this.parkedMs += now - this.#parkedAt
    if (this.trace?.sampled) this.observer.newSpan('parked', this.#parkedAt, this.trace).endedAt = now
    this.#parkedAt = -1
    this.#add({ at: this.#since(now), step: 'released' })
  }

  /** It was not let in. */
  refused(why: string | undefined, now: number): void {
    this.#add({ at: this.#since(now), step: 'refused', note: why })
  }

  /** Returns the fields that the client gets with the answer. */
  answered(status: number, now: number): Buffer | undefined {
    this.firstByteAt = now
    if (this.#steps !== undefined) this.#add({ at: this.#since(now), step: 'answered', endpoint: this.endpoint?.id, note: String(status) })
    this.#attempt?.attributes.push(['http.response.status_code', status])
    return this.observer.showsTiming(this) ? latin1(`Server-Timing: ${this.#serverTiming()}\r\n`) : undefined
  }

  ended(status: number, requestBytes: number, responseBytes: number, now: number): void {
    this.endedAt = now
    this.released(now)
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

  #since(now: number): number {
    return rounded(now - this.startedAt)
  }

  #trail(): TrailStep[] {
    this.#steps ??= []
    return this.#steps
  }

  #add(step: TrailStep): void {
    if (this.#steps !== undefined && this.#steps.length < stepsMax - 1) this.#steps.push(step)
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
      steps: [...this.#plainSteps(), { at: durationMs, step: 'ended', note: status === 0 ? 'cut, or left by the client' : String(status) }],
    }
  }

  /** Of one that went the plain way, and whose steps nobody wrote down meanwhile. */
  #plainSteps(): readonly TrailStep[] {
    if (this.#steps !== undefined) return this.#steps
    if (this.endpoint === undefined) return []
    const picked: TrailStep = { at: this.#since(this.#pickedAt), step: 'picked', endpoint: this.endpoint.id }
    return this.firstByteAt > 0 ? [picked, { at: this.#since(this.firstByteAt), step: 'answered', endpoint: this.endpoint.id }] : [picked]
  }
}
