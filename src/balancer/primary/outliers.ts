/** Ejection of outliers for all workers together: joins `core/outliers.ts` to what the workers tell and are told. */
import type { Random } from '../../kernel/random.ts'
import { OutlierBook, type Ejection, type SavedEjection } from '../core/outliers.ts'
import type { RoutingView } from '../core/routing-view.ts'
import type { WorkerDelta, WorkerToPrimary } from '../messages.ts'
import type { Peer } from './peer.ts'

export interface OutliersOptions {
  readonly random: Random
  /** Monotonic milliseconds. */
  readonly now: () => number
  /** `undefined`: it is in again. */
  readonly onChange: (endpoint: string, service: string, ejection: Ejection | undefined) => void
  /** It was out under the primary before, and still is. */
  readonly onRestored: (endpoint: string, forMs: number, reason: string) => void
}

/** Of one service, with the wall time by which it is over. */
export interface OutlierRecord extends SavedEjection {
  readonly until: number
}

export class Outliers {
  readonly #options: OutliersOptions
  readonly #books = new Map<string, OutlierBook>()
  readonly #serviceOf = new Map<string, string>()
  /** Of the primary before, until a view has their endpoints. */
  #inherited: readonly OutlierRecord[] = []

  constructor(options: OutliersOptions) {
    this.#options = options
  }

  /** What the primary before had taken out. */
  inherit(records: readonly OutlierRecord[], wallTime: number): void {
    this.#inherited = records.map((record) => ({ ...record, forMs: record.until - wallTime }))
  }

  saved(wallTime: number): readonly OutlierRecord[] {
    const now = this.#options.now()
    return [...this.#books.values()].flatMap((book) => book.saved(now).map((record) => ({ ...record, until: wallTime + record.forMs })))
  }

  setView({ services }: RoutingView): void {
    const now = this.#options.now()
    this.#serviceOf.clear()
    for (const name of [...this.#books.keys()])
      if (!services.some((service) => service.name === name && service.ejection !== undefined)) this.#books.delete(name)
    for (const { name, ejection, endpoints } of services) {
      if (ejection === undefined) continue
      const book = this.#books.get(name) ?? new OutlierBook(ejection, this.#options.random, now)
      this.#books.set(name, book)
      const ids = endpoints.filter(({ state }) => state === 'active').map(({ id }) => id)
      for (const id of ids) this.#serviceOf.set(id, name)
      book.setPool(ejection, ids, now)
      for (const record of this.#inherited) if (book.restore(record, now)) this.#options.onRestored(record.id, record.forMs, record.reason)
    }
    this.#inherited = []
  }

  hear({ endpoint, service, kind, count }: Extract<WorkerToPrimary, { readonly type: 'outlier' }>): void {
    const ejection = this.#books.get(service)?.run(endpoint, kind, count, this.#options.now())
    if (ejection) this.#options.onChange(endpoint, service, ejection)
  }

  counted({ endpoints }: WorkerDelta): void {
    if (this.#books.size === 0) return
    for (const [id, { requests, errors }] of Object.entries(endpoints)) this.#bookOf(id)?.counted(id, requests, errors)
  }

  /** Its probe passes again. */
  recovered(endpoint: string): void {
    const service = this.#serviceOf.get(endpoint)
    if (service !== undefined && this.#books.get(service)?.recovered(endpoint) === true) this.#options.onChange(endpoint, service, undefined)
  }

  sweep(): void {
    const now = this.#options.now()
    for (const [service, book] of this.#books) {
      const { reinstated, ejected } = book.sweep(now)
      for (const id of reinstated) this.#options.onChange(id, service, undefined)
      for (const id of ejected) this.#options.onChange(id, service, book.ejectionOf(id, now))
    }
  }

  ejectionOf(endpoint: string): Ejection | undefined {
    return this.#bookOf(endpoint)?.ejectionOf(endpoint, this.#options.now())
  }

  /** What a worker that begins must know. */
  tell(peer: Peer): void {
    for (const book of this.#books.values()) {
      for (const endpoint of book.ejected) {
        const { forMs = 0, reason } = book.ejectionOf(endpoint, this.#options.now()) ?? {}
        peer.send({ type: 'ejected', endpoint, forMs, reason })
      }
    }
  }

  #bookOf(endpoint: string): OutlierBook | undefined {
    const service = this.#serviceOf.get(endpoint)
    return service === undefined ? undefined : this.#books.get(service)
  }
}
