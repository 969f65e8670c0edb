/**
 * An attempt over which a hedge has won. Nobody waits for its answer, but how it would have gone says whether its endpoint is slow or hangs (`hedging.ts`).
 *
 *   observe ──head──▶ slow: it counts as the late answer that it is ──▶ over
 *      ├──time over, or broken──▶ a failure of the endpoint ──▶ over
 *      └──the endpoint leaves, or there are enough of them──▶ aborted: says nothing
 */
import { Head, parseResponseHead } from '../http1/head.ts'
import type { Attempt } from './attempt.ts'
import { interimAnswersMax } from './limits.ts'
import type { ServiceRuntime } from './service.ts'
import type { EndpointPool, Upstream, UpstreamUser } from './upstream.ts'
import type { Worker } from './worker.ts'

/** A head that is not whole by then is none. */
const partialBytesMax = 64 * 1024
/** Read and used within one call. */
const head = new Head()

export class LosingAttempt implements UpstreamUser {
  readonly #attempt: Attempt
  readonly #service: ServiceRuntime
  readonly #worker: Worker
  readonly #onEnd: (attempt: LosingAttempt) => void
  readonly endpoint: EndpointPool
  #deadline = Infinity
  #partial: Buffer | undefined
  #interims = 0
  #over = false

  constructor(attempt: Attempt, service: ServiceRuntime, worker: Worker, onEnd: (attempt: LosingAttempt) => void) {
    this.#attempt = attempt
    this.#service = service
    this.#worker = worker
    this.#onEnd = onEnd
    this.endpoint = attempt.endpoint!
  }

  observe(deadline: number): void {
    this.#deadline = deadline
    this.#attempt.upstream!.user = this
  }

  upstreamData(_upstream: Upstream, fresh: Buffer, freshLength: number): boolean {
    this.#worker.tick()
    const buffer = this.#partial === undefined ? fresh : Buffer.concat([this.#partial, fresh.subarray(0, freshLength)])
    const length = this.#partial === undefined ? freshLength : buffer.length
    let start = 0
    for (;;) {
      const result = start === length ? 0 : parseResponseHead(buffer, start, length, head)
      if (result < 0 || (result === 0 && length - start > partialBytesMax)) {
        this.#failed()
        return true
      }
      if (result === 0) {
        this.#partial = start < length ? Buffer.from(buffer.subarray(start, length)) : undefined
        return true
      }
      if (head.status >= 200) break
      if (++this.#interims > interimAnswersMax) {
        this.#failed()
        return true
      }
      start = head.end
    }
    this.#answered(head.status)
    return true
  }

  #answered(status: number): void {
    const { endpoint } = this
    const worker = this.#worker
    const ms = worker.now - this.#attempt.sentAt
    endpoint.answered(ms, worker.instant, status)
    endpoint.adaptive?.answered(status, false, ms, endpoint.active)
    this.#service.verdicts?.answered(endpoint, this.#attempt.takeGeneration(), status, false, ms, worker.now)
    if (status >= 500) endpoint.errors++
    this.abort()
  }

  #failed(): void {
    const { endpoint } = this
    const { now } = this.#worker
    endpoint.failed(now, false)
    endpoint.errors++
    this.#service.verdicts?.failed(endpoint, this.#attempt.takeGeneration(), now - this.#attempt.sentAt, now)
    this.#worker.fleet.reportSuspect(endpoint, 'a request that a hedge was faster than had no answer')
    this.abort()
  }

  sweep(now: number): void {
    const { endpoint } = this
    if (endpoint.gone !== undefined || endpoint.view.state !== 'active') this.abort()
    else if (now >= this.#deadline) {
      endpoint.adaptive?.timedOut()
      this.#failed()
    } else endpoint.outlived(now - this.#attempt.sentAt, now)
  }

  /** It says nothing, or nothing more. */
  abort(): void {
    if (this.#over) return
    this.#over = true
    this.#partial = undefined
    if (this.#attempt.generation !== 0) this.#attempt.forgetGeneration()
    this.#attempt.drop()
    this.#attempt.leave(this.#worker)
    this.#onEnd(this)
  }

  upstreamConnected(): void {
    // It has been for long.
  }

  upstreamDrained(): void {
    // Nothing more is written.
  }

  upstreamEnded(): void {
    this.#broke()
  }

  upstreamClosed(): void {
    this.#broke()
  }

  /** A reused connection that closes without a word says nothing. */
  #broke(): void {
    this.#worker.tick()
    if (this.#attempt.reused && this.#partial === undefined) this.abort()
    else this.#failed()
  }
}
