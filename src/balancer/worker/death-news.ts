/**
 * Requests whose connection broke wait here to learn how the process behind it ended: the supervisor tells within milliseconds. A look at the process
 * ends the wait when it lives and just breaks connections.
 *
 *   waiting ──news of its end──▶ resumed
 *      ├──looked at after 4 ms: it runs and takes connections──▶ resumed
 *      │                        it has ended──▶ the news will come: waiting for longer
 *      └──its time is over──▶ resumed; the next ones wait for less
 *
 * Each has its own time: one that comes late to others does not leave with them, neither by the time nor by a look that was taken before. Where a look proved
 * wrong (it crashed after all), looks do not count for a while.
 */
import { isCrash } from '../core/quarantine.ts'
import { crashNewsMs, endNewsMs, livesMs, livesNewsMs, lookAgainMs, lookMs, slowExitsMs } from './limits.ts'
import { lookAt, type LookAt } from './liveness.ts'
import type { EndpointPool } from './upstream.ts'

interface Waiting {
  until: number
  readonly resume: () => void
}

/** Of one endpoint. */
interface Crowd {
  waiting: Waiting[]
  /** It is known that it has ended. */
  ended: boolean
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
    const crowd = this.#crowds.get(endpoint)
    const lived = now < (this.#livesUntil.get(endpoint) ?? 0)
    const patience = crowd?.ended === true ? endNewsMs : lived ? Math.min(waitMs, livesNewsMs) : waitMs
    const waiting = { until: now + patience, resume }
    if (crowd === undefined) this.#gather(endpoint, { waiting: [waiting], ended: false }, patience)
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
      const over = waiting.filter(({ until }) => until <= now)
      crowd.waiting = waiting.filter(({ until }) => until > now)
      if (over.length > 0 && !crowd.ended) this.#mayLive(endpoint, crowd, now)
      if (crowd.waiting.length === 0) this.#crowds.delete(endpoint)
      else this.#gather(endpoint, crowd, Math.min(...crowd.waiting.map(({ until }) => until)) - now)
      for (const each of over) each.resume()
    }, Math.ceil(forMs))
  }

  /** No news are news: the others have less patience with it. */
  #mayLive(endpoint: EndpointPool, { waiting }: Crowd, now: number): void {
    this.#livesUntil.set(endpoint, now + livesMs)
    for (const each of waiting) each.until = Math.min(each.until, now + livesNewsMs)
  }

  #disperse(endpoint: EndpointPool, { timer }: Crowd): void {
    clearTimeout(timer)
    this.#crowds.delete(endpoint)
  }

  /** One look at a time; whoever comes meanwhile waits for the next. */
  #look(endpoint: EndpointPool, now: number, inMs = lookMs): void {
    if (endpoint.view.process === undefined || this.#looking.has(endpoint) || now < (this.#slowUntil.get(endpoint.service) ?? 0)) return
    this.#looking.add(endpoint)
    const asking = new Set(this.#crowds.get(endpoint)?.waiting)
    setTimeout(() => {
      this.#lookAt(endpoint.view, (found) => {
        this.#looking.delete(endpoint)
        if (found === 'lives') this.#lives(endpoint, asking)
        else if (found === 'ends') this.#ends(endpoint)
        // A shell may take a while to follow what it has started.
        else if (this.#crowds.has(endpoint)) this.#look(endpoint, this.#now(), lookAgainMs)
      })
    }, inMs)
  }

  #ends(endpoint: EndpointPool): void {
    const crowd = this.#crowds.get(endpoint)
    if (crowd === undefined) return
    const until = this.#now() + endNewsMs
    crowd.ended = true
    for (const each of crowd.waiting) each.until = until
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
