/** The book of uptime (`core/uptime-book.ts`), kept in the file of the history and written with it. */
import type { ServiceStatus } from '../registry/types.ts'
import { UptimeBook, type BookNotes, type Day, type ServiceCounts, type Totals } from './core/uptime-book.ts'
import type { History } from './history.ts'

/** Days that are kept of each service. */
const daysMax = 400

export class Uptime {
  readonly #book = new UptimeBook()
  readonly #history: History
  readonly #wallTime: () => number

  constructor(history: History, wallTime: () => number) {
    this.#history = history
    this.#wallTime = wallTime
    history.alsoFlush((file, isNew) => {
      const days = isNew ? this.#book.all() : this.#book.unsaved
      for (const day of days) file.putDay(day)
      file.putNote('uptime', this.#book.notes)
      return () => {
        this.#book.saved(days)
      }
    })
  }

  /** Takes up what the file has, once that is open. */
  restore(): void {
    const { file } = this.#history
    if (file === undefined) return
    const notes = (file.note('uptime') ?? {}) as Partial<BookNotes>
    this.#book.restore(file.days(''), { totals: notes.totals, lastAt: notes.lastAt })
    this.#book.keep(daysMax)
  }

  /** What the balancer has counted; returns what of it is new. */
  count(totals: Totals, at: number): ReadonlyMap<string, ServiceCounts> {
    return this.#book.count(totals, at)
  }

  /** Once a second. `known`: the balancer is in reach. */
  tick(at: number, services: readonly ServiceStatus[], known: boolean): void {
    const stands = services.map(({ name, ready, desired, maintenance }) => ({ name, unavailable: ready === 0 && desired > 0 && !maintenance }))
    this.#book.tick(at, stands, known)
  }

  /** The last `count` days up to today (UTC), oldest first; days of which nothing is known may be missing. */
  days(service: string, count: number): readonly Day[] {
    return this.#book.days(service, count, this.#wallTime())
  }
}
