/**
 * One worker's part of finding the request that kills instances (`core/quarantine.ts`, where it is decided, by the primary for all workers): recognises
 * suspects by their fingerprint, tells who was caught in a crash, and brings the verdicts to those that wait for them.
 */
import { createHash } from 'node:crypto'
import type { Mark, Named, TrialVerdict } from '../core/quarantine.ts'
import type { PrimaryToWorker, WorkerToPrimary } from '../messages.ts'
import { verdictMsMax } from './limits.ts'
import type { ServiceRuntime } from './service.ts'
import type { EndpointPool } from './upstream.ts'

/** Waits for a verdict. `endpoint`: where it is on trial. */
export interface Tried {
  verdict(verdict: TrialVerdict, endpoint: EndpointPool | undefined): void
}

/** Marked requests of a service: by method and target first, so that others are not hashed; then by fingerprint. */
export type Marks = Map<string, Map<string, 'suspect' | 'poison'>>

/** What a suspect is like: the same request to the same service, sent again, has the same fingerprint. */
export function fingerprintOf(service: string, route: string | undefined, label: string, body: readonly Buffer[]): string {
  const hash = createHash('sha256')
  hash.update(`${service}\n${route ?? ''}\n${label}\n`)
  for (const piece of body) hash.update(piece)
  return hash.digest('hex').slice(0, 32)
}

export interface SuspicionOptions {
  readonly tell: (message: WorkerToPrimary) => void
  readonly service: (name: string) => ServiceRuntime | undefined
  readonly endpoint: (id: string) => EndpointPool | undefined
}

export class Suspicion {
  readonly #options: SuspicionOptions
  readonly #marks = new Map<string, Marks>()
  readonly #waiting = new Map<number, { readonly user: Tried; readonly until: number }>()
  #lastId = 0

  constructor(options: SuspicionOptions) {
    this.#options = options
  }

  /** Those of a service that is new here; undefined: it has none. */
  marksOf(service: string): Marks | undefined {
    return this.#marks.get(service)
  }

  mark({ mark, service, label, fingerprint }: Named & { readonly mark: Mark }): void {
    const marks = this.#marks.get(service) ?? new Map<string, Map<string, 'suspect' | 'poison'>>()
    const sameLabel = marks.get(label) ?? new Map<string, 'suspect' | 'poison'>()
    if (mark === 'free') sameLabel.delete(fingerprint)
    else sameLabel.set(fingerprint, mark)
    if (sameLabel.size > 0) marks.set(label, sameLabel)
    else marks.delete(label)
    if (marks.size > 0) this.#marks.set(service, marks)
    else this.#marks.delete(service)
    const runtime = this.#options.service(service)
    if (runtime) runtime.marks = this.#marks.get(service)
  }

  /** It was in flight at a crash. Returns the number under which it waits for the verdict. */
  caught(user: Tried, what: Omit<Extract<WorkerToPrimary, { type: 'caught' }>, 'type' | 'id'>, now: number): number {
    const id = this.#wait(user, now)
    this.#options.tell({ type: 'caught', id, ...what })
    return id
  }

  /** It looks like a suspect. Returns the number under which it waits for the verdict. */
  ask(user: Tried, named: Named, now: number): number {
    const id = this.#wait(user, now)
    this.#options.tell({ type: 'askTrial', id, ...named })
    return id
  }

  #wait(user: Tried, now: number): number {
    const id = ++this.#lastId
    this.#waiting.set(id, { user, until: now + verdictMsMax })
    return id
  }

  /** Its trial is over, or it has left before. */
  over(id: number, service: string): void {
    this.#waiting.delete(id)
    this.#options.tell({ type: 'trialOver', id, service })
  }

  /** The connection of its trial broke, and how the instance ended will be known. */
  broke(id: number, service: string): void {
    this.#options.tell({ type: 'trialBroke', id, service })
  }

  cleared(fingerprint: string): void {
    this.#options.tell({ type: 'cleared', fingerprint })
  }

  verdict({ id, verdict, endpoint }: Extract<PrimaryToWorker, { type: 'verdict' }>): void {
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    waiting?.user.verdict(verdict, endpoint === undefined ? undefined : this.#options.endpoint(endpoint))
  }

  reserve(id: string, on: boolean): void {
    const endpoint = this.#options.endpoint(id)
    if (endpoint) endpoint.reserved = on
    if (!on && endpoint) this.#options.service(endpoint.service)?.wake(performance.now())
    if (on && (endpoint === undefined || endpoint.active === 0)) this.#options.tell({ type: 'quiet', endpoint: id })
  }

  /** The last request at a reserved endpoint has ended. */
  quiet(endpoint: EndpointPool): void {
    this.#options.tell({ type: 'quiet', endpoint: endpoint.id })
  }

  /** Nobody has answered for so long that nobody will: the primary has died. */
  sweep(now: number): void {
    for (const [id, { user, until }] of this.#waiting) {
      if (now < until) continue
      this.#waiting.delete(id)
      user.verdict('free', undefined)
    }
  }
}
