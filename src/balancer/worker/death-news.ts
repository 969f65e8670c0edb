/**
 * Requests whose connection broke wait here to learn how the process behind it ended: the supervisor tells within milliseconds. A look at the process
 * ends the wait when it lives and just breaks connections.
 *
 *   waiting ──news of its end──▶ resumed
 *      ├──looked at after 4 ms: it runs and takes connections──▶ resumed
 *      └──its time is over──▶ resumed; the next ones wait for less
 *
 * Each has its own time: one that comes late to others does not leave with them, neither by the time nor by a look that was taken before. Where a look proved
 * wrong (it crashed after all), looks do not count for a while.
 */
import { isCrash } from '../core/quarantine.ts'
import { crashNewsMs, livesMs, livesNewsMs, lookMs, slowExitsMs } from './limits.ts'
import { lookAt, type LookAt } from './liveness.ts'
import type { EndpointPool } from './upstream.ts'

interface Waiting {
  until: number
  readonly resume: () => void
}

/** Of one endpoint. */
interface Crowd {
  waiting: Waiting[]
  timer?: NodeJS.Timeout
}

export class DeathNews {
  readonly #crowds = new Map<EndpointPool, Crowd>()
  readonly #looking = new Set<EndpointPool>()
  /** Endpoints that broke connections and lived, until when that is assumed. */
  readonly #livesUntil = new WeakMap<EndpointPool, number>()
  /** When a look found them alive. */
  readonly #seenAt = new WeakMap<EndpointPool, number>()
  /** By service, until when looks do not count. */
  readonly #slowUntil = new Map<string, number>()
  readonly #now: () => number
  readonly #lookAt: LookAt

  constructor(now: () => number, look: LookAt = lookAt) {
    this.#now = now
    this.#lookAt = look
  }

  /** Calls back when the endpoint is known to be gone, or to live, or after `waitMs`. */
  wait(endpoint: EndpointPool, waitMs: number, resume: () => void): void {
    const now = this.#now()
    const patience = now < (this.#livesUntil.get(endpoint) ?? 0) ? Math.min(waitMs, livesNewsMs) : waitMs
    const waiting = { until: now + patience, resume }
    const crowd = this.#crowds.get(endpoint)
    if (crowd === undefined) this.#gather(endpoint, { waiting: [waiting] }, patience)
    else crowd.waiting.push(waiting)
    this.#look(endpoint, now)
  }

  /** It is known how the endpoint ended. */
  came(endpoint: EndpointPool): void {
    const now = this.#now()
    if (now - (this.#seenAt.get(endpoint) ?? -Infinity) < crashNewsMs && isCrash(endpoint.gone ?? '')) {
      this.#slowUntil.set(endpoint.service, now + slowExitsMs)
    }
    const crowd = this.#crowds.get(endpoint)
    if (crowd === undefined) return
    this.#disperse(endpoint, crowd)
    for (const { resume } of crowd.waiting) resume()
  }

  #gather(endpoint: EndpointPool, crowd: Crowd, forMs: number): void {
    this.#crowds.set(endpoint, crowd)
    crowd.timer = setTimeout(() => {
      const { waiting } = crowd
      const now = this.#now()
      this.#livesUntil.set(endpoint, now + livesMs)
      crowd.waiting = waiting.filter(({ until }) => until > now)
      for (const each of crowd.waiting) each.until = Math.min(each.until, now + livesNewsMs)
      const [next] = crowd.waiting
      if (next === undefined) this.#crowds.delete(endpoint)
      else this.#gather(endpoint, crowd, next.until - now)
      for (const each of waiting) if (!crowd.waiting.includes(each)) each.resume()
    }, Math.ceil(forMs))
  }

  #disperse(endpoint: EndpointPool, { timer }: Crowd): void {
    clearTimeout(timer)
    this.#crowds.delete(endpoint)
  }

  /** One look at a time; whoever comes meanwhile waits for the next. */
  #look(endpoint: EndpointPool, now: number): void {
    if (endpoint.view.process === undefined || this.#looking.has(endpoint) || now < (this.#slowUntil.get(endpoint.service) ?? 0)) return
    this.#looking.add(endpoint)
    const asking = new Set(this.#crowds.get(endpoint)?.waiting)
    setTimeout(() => {
      this.#lookAt(endpoint.view, (lives) => {
        this.#looking.delete(endpoint)
        if (lives) this.#lives(endpoint, asking)
      })
    }, lookMs)
  }

  #lives(endpoint: EndpointPool, asking: ReadonlySet<Waiting>): void {
    const now = this.#now()
    this.#seenAt.set(endpoint, now)
    const crowd = this.#crowds.get(endpoint)
    if (crowd === undefined) return
    const { waiting } = crowd
    crowd.waiting = waiting.filter((each) => !asking.has(each))
    if (crowd.waiting.length === 0) this.#disperse(endpoint, crowd)
    else this.#look(endpoint, now)
    for (const each of waiting) if (asking.has(each)) each.resume()
  }
}
