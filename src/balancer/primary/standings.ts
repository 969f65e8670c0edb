/** What is known of every endpoint over all workers, told to all of them: joins `core/standing.ts` to probes, reports and counts. */
import type { RoutingView, ServiceView } from '../core/routing-view.ts'
import { StandingBook, type Circumstances } from '../core/standing.ts'
import { warmLeast, warmShare, type Standing } from '../core/weight.ts'
import type { PrimaryToWorker, WorkerDelta } from '../messages.ts'
import type { Peer } from './peer.ts'

export interface StandingsOptions {
  /** Monotonic milliseconds. */
  readonly now: () => number
  readonly tellAll: (message: PrimaryToWorker) => void
  readonly circumstances: (endpoint: string) => Circumstances
}

export class Standings {
  readonly #options: StandingsOptions
  readonly #books = new Map<string, StandingBook>()
  readonly #bookOf = new Map<string, StandingBook>()

  constructor(options: StandingsOptions) {
    this.#options = options
  }

  setView({ services }: RoutingView): void {
    const now = this.#options.now()
    for (const name of [...this.#books.keys()]) if (!services.some((service) => service.name === name)) this.#books.delete(name)
    this.#bookOf.clear()
    for (const service of services) this.#setPool(service, now)
    this.#lookAtAll(now)
  }

  #setPool(service: ServiceView, now: number): void {
    const book = this.#books.get(service.name) ?? new StandingBook(service, now)
    this.#books.set(service.name, book)
    book.setPool(service, service.endpoints, now)
    for (const { id } of service.endpoints) this.#bookOf.set(id, book)
  }

  counted({ endpoints }: WorkerDelta): void {
    for (const [id, { requests, errors, firstByte }] of Object.entries(endpoints)) this.#bookOf.get(id)?.counted(id, requests, errors, firstByte)
  }

  /** Something of it has changed that cannot wait for the next sweep. */
  look(endpoint: string): void {
    this.#look(endpoint, this.#options.now())
  }

  #look(endpoint: string, now: number): void {
    const standing = this.#bookOf.get(endpoint)?.look(endpoint, this.#options.circumstances(endpoint), now)
    if (standing) this.#options.tellAll({ type: 'standing', endpoint, standing })
  }

  #lookAtAll(now: number): void {
    for (const id of this.#bookOf.keys()) this.#look(id, now)
  }

  /** It was down, and is up again. */
  revived(endpoint: string): void {
    const warming = this.#bookOf.get(endpoint)?.revived(endpoint, this.#options.now())
    if (warming) this.#options.tellAll({ type: 'warm', endpoint, ageMs: warming.ageMs, windowMs: warming.windowMs })
  }

  sweep(): void {
    const now = this.#options.now()
    for (const book of this.#books.values())
      for (const { id, ageMs, windowMs } of book.sweep(now)) this.#options.tellAll({ type: 'warm', endpoint: id, ageMs, windowMs })
    this.#lookAtAll(now)
  }

  /** What a worker that begins must know. */
  tell(peer: Peer): void {
    const now = this.#options.now()
    for (const book of this.#books.values()) {
      for (const [endpoint, standing] of book.notable) peer.send({ type: 'standing', endpoint, standing })
      for (const { id, ageMs, windowMs } of book.warming(now)) peer.send({ type: 'warm', endpoint: id, ageMs, windowMs })
    }
  }

  /** As the workers weigh by it. */
  standingOf(endpoint: string): Standing | undefined {
    return this.#bookOf.get(endpoint)?.told(endpoint)
  }

  /** Part of their slow start that is over, of those that are in it; those of a service that are all in it are spared none. */
  warmth(service: ServiceView): ReadonlyMap<string, number> {
    const warming = this.#books.get(service.name)?.warming(this.#options.now()) ?? []
    const active = service.endpoints.filter(({ state }) => state === 'active')
    if (active.every(({ id }) => warming.some((each) => each.id === id))) return new Map()
    const least = warmLeast(active.length, active.filter(({ id }) => warming.some((each) => each.id === id)).length)
    return new Map(warming.map(({ id, ageMs, windowMs }) => [id, Math.max(least, warmShare(ageMs, windowMs))]))
  }
}
