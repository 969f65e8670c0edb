/**
 * A copy of a request on its way to the mirror, with one attempt and one deadline: it never waits for an endpoint, and is never sent again.
 *
 *   waiting ──turn──▶ connecting ──▶ sent ──head──▶ reading ──whole │ enough──▶ over
 *      └─────────────────┴────────────┴──lost │ too late │ not HTTP──┴────────▶ over (dropped before anything was tried, else failed)
 *
 * It counts at the service that gets it as any request of a client does: in its numbers, at its endpoint and at that one's breaker.
 */
import { outcome } from '../../../resilience/core/breaker.ts'
import type { MirroredAnswer, MirrorResult } from '../../core/mirror.ts'
import { Head, parseResponseHead } from '../../http1/head.ts'
import { keepAliveHint, originKeepsAlive } from '../../http1/response.ts'
import type { Dispatched } from '../dispatcher.ts'
import { interimAnswersMax } from '../limits.ts'
import type { ServiceRuntime } from '../service.ts'
import type { EndpointPool, Upstream, UpstreamUser } from '../upstream.ts'
import type { Worker } from '../worker.ts'
import { AnswerDigest } from './answer-digest.ts'
import type { Mirror } from './mirror.ts'
import type { OriginalAnswer } from './original-answer.ts'

/** Read and used within one call. */
const head = new Head()

export interface MirroredRequestOptions {
  readonly mirror: Mirror
  readonly worker: Worker
  readonly target: ServiceRuntime
  readonly bytes: Buffer
  /** What hashing algorithms go by. */
  readonly key: string
  readonly method: string
  readonly maxBodyBytes: number
  /** undefined: nothing is compared. */
  readonly original: OriginalAnswer | undefined
}

export class MirroredRequest implements UpstreamUser, Dispatched {
  awaitsTurn = false
  readonly #options: MirroredRequestOptions
  readonly #startedAt: number
  readonly #deadline: number
  #bytes: Buffer | undefined
  #endpoint: EndpointPool | undefined
  #upstream: Upstream | undefined
  /** What the breaker of the endpoint gave for it; 0: there is none, or it has been told. */
  #generation = 0
  #sentAt = 0
  #partial: Buffer | undefined
  #interims = 0
  #digest: AnswerDigest | undefined
  #keep = false
  #keepHint: number | undefined
  #status = 0
  #over = false
  /** undefined: there is none (yet). */
  answer: MirroredAnswer | undefined
  onSettled: (() => void) | undefined

  constructor(options: MirroredRequestOptions) {
    this.#options = options
    this.#bytes = options.bytes
    this.#startedAt = options.worker.now
    this.#deadline = options.worker.now + options.target.view.timeoutMs
  }

  // --- sending ----------------------------------------------------------------------------------------------------

  dispatch(now: number): void {
    if (this.#over) return
    this.#options.worker.now = now
    if (this.#upstream !== undefined) {
      this.#send(this.#upstream)
      return
    }
    const { target, worker } = this.#options
    const endpoint = this.#choose(target, now)
    if (endpoint === undefined) {
      this.#end('dropped')
      return
    }
    this.#endpoint = endpoint
    endpoint.active++
    endpoint.requests++
    target.active++
    target.counters.requests++
    // Sent once only: no connection that its origin may just be closing.
    const idle = endpoint.takeIdle(worker.now, true, {})
    this.#upstream = idle ?? endpoint.open(this, {})
    if (idle === undefined) return
    idle.user = this
    this.#send(idle)
  }

  #choose(target: ServiceRuntime, now: number): EndpointPool | undefined {
    const request = { now, tried: [], key: () => this.#options.key }
    const endpoint = target.choose(request, target.pick(request, target.eligible))
    if (endpoint?.breaker === undefined) return endpoint
    this.#generation = endpoint.breaker.allow(now)
    if (this.#generation !== 0) return endpoint
    const other = target.pickOther(request)
    this.#generation = other?.generation ?? 0
    return other?.endpoint
  }

  upstreamConnected(): void {
    this.#options.worker.tick()
    if (!this.#over) this.#options.worker.dispatcher.add(this)
  }

  #send(upstream: Upstream): void {
    const { worker, target } = this.#options
    const endpoint = this.#endpoint!
    if (endpoint.gone !== undefined) {
      this.#lost(false)
      return
    }
    const bytes = this.#bytes!
    this.#bytes = undefined
    this.#sentAt = worker.now
    endpoint.lastSentAt = worker.now
    target.counters.requestBytes += bytes.length
    upstream.write(bytes)
  }

  upstreamDrained(): void {
    // All of it was written at once.
  }

  // --- the answer -------------------------------------------------------------------------------------------------

  upstreamData(_upstream: Upstream, buffer: Buffer, length: number): boolean {
    this.#options.worker.tick()
    if (this.#sentAt === 0) this.#lost(true)
    else if (this.#digest === undefined) this.#head(buffer, length)
    else this.#body(this.#digest, buffer, 0, length)
    return true
  }

  #head(fresh: Buffer, freshLength: number): void {
    const buffer = this.#partial === undefined ? fresh : Buffer.concat([this.#partial, fresh.subarray(0, freshLength)])
    const length = this.#partial === undefined ? freshLength : buffer.length
    this.#partial = undefined
    let start = 0
    for (;;) {
      const result = start === length ? 0 : parseResponseHead(buffer, start, length, head)
      if (result === 0) {
        if (start < length) this.#partial = Buffer.from(buffer.subarray(start, length))
        return
      }
      if (result < 0 || head.status === 101 || (head.status < 200 && ++this.#interims > interimAnswersMax)) {
        this.#lost(true)
        return
      }
      if (head.status >= 200) break
      start = head.end
    }
    this.#answered(buffer)
    this.#body(this.#digest!, buffer, head.end, length)
  }

  #answered(buffer: Buffer): void {
    const { worker, target, method, maxBodyBytes } = this.#options
    const endpoint = this.#endpoint!
    const ms = worker.now - this.#sentAt
    this.#status = head.status
    this.#digest = new AnswerDigest(head, buffer, method, maxBodyBytes)
    this.#keep = !this.#digest.untilClose && originKeepsAlive(head, buffer)
    this.#keepHint = keepAliveHint(head, buffer)
    endpoint.answered(ms, worker.instant, head.status)
    endpoint.adaptive?.answered(head.status, false, ms, endpoint.active)
    const generation = this.#generation
    this.#generation = 0
    target.verdicts?.answered(endpoint, generation, head.status, false, ms, worker.now)
  }

  #body(digest: AnswerDigest, buffer: Buffer, start: number, length: number): void {
    const used = digest.add(buffer, start, length)
    this.#options.target.counters.responseBytes += used - start
    if (digest.failed) this.#lost(true)
    else if (digest.whole) {
      this.#keep &&= used === length
      this.#whole(digest)
    } else if (digest.full) {
      // The rest says nothing: it need not come.
      this.#keep = false
      this.#whole(digest)
    }
  }

  #whole(digest: AnswerDigest): void {
    this.answer = digest.result()
    this.#end(this.#options.original === undefined ? 'answered' : undefined)
  }

  // --- ending -----------------------------------------------------------------------------------------------------

  upstreamEnded(upstream: Upstream): void {
    if (this.#digest?.untilClose === true && !upstream.wasReset()) {
      this.#keep = false
      this.#whole(this.#digest)
    } else this.#lost(true)
  }

  upstreamClosed(): void {
    this.#options.worker.tick()
    this.#lost(true)
  }

  sweep(now: number): void {
    if (now >= this.#deadline) this.#lost(true)
    else if (this.#sentAt === 0 && this.#upstream !== undefined && now - this.#startedAt >= this.#options.target.view.connectTimeoutMs)
      this.#lost(true)
  }

  giveUp(): void {
    this.#lost(false)
  }

  /** No whole answer. `guilty`: it is the endpoint's doing, as far as anybody can see. */
  #lost(guilty: boolean): void {
    const { worker, target } = this.#options
    const endpoint = this.#endpoint
    if (!this.#over && guilty && endpoint !== undefined) {
      endpoint.errors++
      endpoint.failed(worker.now, this.#sentAt === 0)
      const generation = this.#generation
      this.#generation = 0
      if (this.#digest === undefined) target.verdicts?.failed(endpoint, generation, worker.now - this.#startedAt, worker.now)
    }
    this.#keep = false
    this.#end('failed')
  }

  /** `result`: undefined: it is known when both answers are. */
  #end(result: MirrorResult | undefined): void {
    if (this.#over) return
    this.#over = true
    const { mirror } = this.#options
    mirror.done(this)
    if (result !== undefined) mirror.count(result)
    this.#bytes = undefined
    this.#partial = undefined
    this.#leave()
    if (result === undefined) this.onSettled?.()
  }

  #leave(): void {
    const { worker, target } = this.#options
    const endpoint = this.#endpoint
    const upstream = this.#upstream
    if (endpoint === undefined) return
    if (this.#generation !== 0) endpoint.breaker?.record(worker.now, outcome.ignored, 0, this.#generation)
    if (upstream?.socket.writableLength === 0 && this.#keep) endpoint.release(upstream, worker.now, this.#keepHint)
    else upstream?.destroy()
    endpoint.active--
    if (this.#status >= 500) endpoint.errors++
    target.active--
    target.finished(this.answer === undefined ? 0 : this.#status, (worker.now - this.#startedAt) * 1_000)
    target.madeRoom()
    worker.fleet.maybeDrained(endpoint)
  }
}
