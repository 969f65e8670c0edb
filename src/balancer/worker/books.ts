/**
 * The books of one request: who carries it, since when, what its client was told, and who counts it. An exchange has one, filled anew for each request.
 *
 *   open ─▶ begin (counted at its service) ─▶ (move: to another service) ─▶ close
 */
import type { Route } from '../core/routes.ts'
import type { AnswerRelay } from './answer-relay.ts'
import type { Attempts } from './attempts.ts'
import type { ClientSide } from './client-side.ts'
import type { Observer } from './observe/observer.ts'
import { RequestWatch } from './observe/watch.ts'
import type { RequestSender } from './request-sender.ts'
import type { ServiceRuntime } from './service.ts'

export class Books {
  readonly #client: ClientSide
  readonly #attempts: Attempts
  readonly #sender: RequestSender
  readonly #relay: AnswerRelay
  service: ServiceRuntime | undefined
  /** The route by which it came; undefined: by none. */
  route: Route<ServiceRuntime> | undefined
  /** What the client was told; 0: nothing, or not all of it. */
  status = 0
  #startedAt = 0
  #madeRoom = false
  #ownWatch: RequestWatch | undefined

  constructor(client: ClientSide, attempts: Attempts, sender: RequestSender, relay: AnswerRelay) {
    this.#client = client
    this.#attempts = attempts
    this.#sender = sender
    this.#relay = relay
  }

  /** A request has been read: the worker's head holds it, and `source` its bytes. */
  open(source: Buffer | undefined): void {
    const { worker } = this.#client
    this.#attempts.watch = worker.observer && this.#watched(worker.observer, source)
    this.service = undefined
    this.route = undefined
    this.status = 0
    this.#startedAt = worker.now
  }

  #watched(observer: Observer, source: Buffer | undefined): RequestWatch {
    const { worker } = this.#client
    const watch = (this.#ownWatch ??= new RequestWatch(this.#client))
    watch.begin(observer, worker.now, this.#sender.passedBytes, this.#relay.passedBytes)
    if (source !== undefined) watch.capture(worker.requestHead, source)
    return watch
  }

  begin(route: Route<ServiceRuntime>, source: Buffer): void {
    this.route = route
    this.#attempts.watch?.routed(route.service, route.label, this.#client.worker.requestHead, source)
    this.#enter(route.service)
  }

  #enter(service: ServiceRuntime): void {
    this.service = service
    this.#madeRoom = false
    service.active++
    service.counters.requests++
  }

  /** For its service this was the end, with such a status; another one has it now. */
  move(other: ServiceRuntime, status: number): void {
    const { now } = this.#client.worker
    const service = this.service!
    service.active--
    service.finished(status, (now - this.#startedAt) * 1_000)
    this.letNextGo()
    this.#startedAt = now
    this.#enter(other)
  }

  /** One that has its answer, or will have none, makes room for those who wait; a long answer does so when it begins. */
  letNextGo(): void {
    if (this.#madeRoom) return
    this.#madeRoom = true
    this.service?.madeRoom()
  }

  /** Nobody watches it any longer. `status`: 0 when it was cut. */
  noteEnd(status: number): void {
    const { watch } = this.#attempts
    this.#attempts.watch = undefined
    watch?.ended(status, this.#sender.passedBytes, this.#relay.passedBytes, this.#client.worker.now)
  }

  /** It has a service, and is over. */
  close(service: ServiceRuntime): void {
    service.active--
    service.finished(this.status, (this.#client.worker.now - this.#startedAt) * 1_000, this.route?.tally)
    this.letNextGo()
  }
}
