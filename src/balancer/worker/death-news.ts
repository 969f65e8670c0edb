/**
 * Requests whose connection broke wait here to learn how the process behind it ended: the supervisor tells within milliseconds.
 * Each has its own time: one that comes late to others does not leave with them. After news that never came, the endpoint lives and just breaks
 * connections: then the wait is short for a while.
 */
import { livesMs, livesNewsMs } from './limits.ts'
import type { EndpointPool } from './upstream.ts'

interface Waiting {
  until: number
  readonly resume: () => void
}

export class DeathNews {
  readonly #waiting = new Map<EndpointPool, Waiting[]>()
  /** Endpoints that broke connections and lived, until when that is assumed. */
  readonly #livesUntil = new WeakMap<EndpointPool, number>()
  readonly #now: () => number

  constructor(now: () => number) {
    this.#now = now
  }

  /** Calls back when the endpoint is known to be gone, or after `waitMs`. */
  wait(endpoint: EndpointPool, waitMs: number, resume: () => void): void {
    const others = this.#waiting.get(endpoint)
    const now = this.#now()
    const patience = now < (this.#livesUntil.get(endpoint) ?? 0) ? Math.min(waitMs, livesNewsMs) : waitMs
    const waiting = { until: now + patience, resume }
    if (others !== undefined) {
      others.push(waiting)
      return
    }
    this.#waiting.set(endpoint, [waiting])
    this.#look(endpoint, patience)
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
      if (waiting.length > 0) this.#livesUntil.set(endpoint, now + livesMs)
      const left = waiting.filter(({ until }) => until > now)
      for (const each of left) each.until = Math.min(each.until, now + livesNewsMs)
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
