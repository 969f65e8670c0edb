/**
 * Requests whose connection broke wait here to learn how the process behind it ended: the supervisor tells within milliseconds.
 * Each has its own time: one that comes late to others does not leave with them.
 */
import type { EndpointPool } from './upstream.ts'

interface Waiting {
  readonly until: number
  readonly resume: () => void
}

export class DeathNews {
  readonly #waiting = new Map<EndpointPool, Waiting[]>()
  readonly #now: () => number

  constructor(now: () => number) {
    this.#now = now
  }

  /** Calls back when the endpoint is known to be gone, or after `waitMs`. */
  wait(endpoint: EndpointPool, waitMs: number, resume: () => void): void {
    const others = this.#waiting.get(endpoint)
    const waiting = { until: this.#now() + waitMs, resume }
    if (others !== undefined) {
      others.push(waiting)
      return
    }
    this.#waiting.set(endpoint, [waiting])
    this.#look(endpoint, waitMs)
  }

  /** It is known how the endpoint ended. */
  came(endpoint: EndpointPool): void {
    const waiting = this.#waiting.get(endpoint) ?? []
    this.#waiting.delete(endpoint)
    for (const { resume } of waiting) resume()
  }

  #look(endpoint: EndpointPool, inMs: number): void {
    setTimeout(() => {
      const waiting = this.#waiting.get(endpoint) ?? []
      const now = this.#now()
      const left = waiting.filter(({ until }) => until > now)
      const [next] = left
      if (next === undefined) this.#waiting.delete(endpoint)
      else {
        this.#waiting.set(endpoint, left)
        this.#look(endpoint, next.until - now)
      }
      for (const { until, resume } of waiting) if (until <= now) resume()
    }, Math.ceil(inMs))
  }
}
