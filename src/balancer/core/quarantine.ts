/**
 * Which request kills instances? Everybody who was in flight at a crash is a suspect. A suspect is sent again on trial: to an endpoint that is
 * reserved for it, with no other suspect there, the latest first. If that instance crashes too, the suspect that was on trial is the cause, and everybody
 * who was caught with it goes free; if it answers, it goes free itself.
 *
 *   in flight at a crash ──▶ suspect ──▶ waiting ──endpoint reserved and quiet──▶ on trial ──crash──▶ quarantined ──an hour, or by hand──▶ free
 *                              │                                                    └──answer──▶ free
 *                              └── cannot be sent twice: told so; its next arrival, by fingerprint, is the one on trial
 *
 * One trial at a time per service, a quarter of a second at most: what takes longer goes on, and the next one begins; then neither is alone. While
 * nobody else waits, it may take seconds: what kills slowly kills alone all the same.
 * Time is an argument; what is to be done is returned.
 */

/** Suspects and quarantined requests kept, each; the oldest go first. */
export const marksMax = 1_024
/** Unless the service has another time. */
export const markMs = 3_600_000
/** After the first news of a crash, until all workers have told who was caught in it. */
export const settleMs = 15
/** A trial keeps the others waiting no longer. */
export const trialMs = 250
/** The same while nobody else waits and another endpoint serves. */
export const slowTrialMs = 5_000
/** A trial whose connection broke is over when it is known how its instance ended, or that it lives: workers wait for that no longer. */
export const brokenTrialMs = 2_500
/** Trials of one burst may take that long, all together: where another endpoint serves meanwhile, and where none does. */
export const burstMs = 10_000
export const burstAloneMs = 2_000
/** Crashes so close to each other may have one cause from outside. */
export const sameTimeMs = 2_000
const crashMemoryMs = sameTimeMs
const crashesMax = 64

/**
 * Whether a process ended by its own doing, from how the supervisor names its exit. Who was killed from outside (the kernel's SIGKILL included, and what
 * a shell makes of such signals: 128 and the number) says nothing about its requests.
 */
export const isCrash = (reason: string): boolean =>
  /^exit (code=(?!(129|130|137|143)\b)|signal=SIG(ABRT|SEGV|BUS|ILL|FPE|TRAP|SYS|QUIT|PIPE))/.test(reason)

export interface Crash {
  readonly instance: string
  readonly reason: string
  /** Id of the request that was caught in it. */
  readonly request: string
  /** Wall time in milliseconds. */
  readonly at: number
}

export interface QuarantinedRequest {
  readonly id: string
  readonly service: string
  /** Method and path; no query. */
  readonly label: string
  readonly since: number
  readonly until: number
  readonly crashes: readonly Crash[]
}

/** Names a request: what workers find it by, and its fingerprint. */
export interface Named {
  readonly service: string
  /** Method and target. */
  readonly label: string
  readonly fingerprint: string
}

export interface Caught extends Named {
  readonly id: number
  readonly endpoint: string
  readonly reason: string
  readonly request: string
  readonly sentAt: number
  /** It was on trial there. */
  readonly trial: boolean
  /** It may be sent again. */
  readonly resend: boolean
}

/** `go`: on trial, to the endpoint; `free`: like any other; `noted`: it is a suspect, and waits for nothing; `poison`: never again. */
export type TrialVerdict = 'go' | 'free' | 'noted' | 'poison'
export type Mark = 'suspect' | 'poison' | 'free'

export type QuarantineOrder<P> =
  | ({ readonly type: 'mark'; readonly mark: Mark } & Named)
  | { readonly type: 'reserve'; readonly endpoint: string; readonly on: boolean }
  | { readonly type: 'verdict'; readonly to: P; readonly id: number; readonly verdict: TrialVerdict; readonly endpoint: string | undefined }
  | { readonly type: 'convicted'; readonly request: QuarantinedRequest }

interface Suspect extends Named {
  readonly crashes: Crash[]
  readonly until: number
}

interface Asking<P> {
  readonly peer: P
  readonly id: number
  readonly fingerprint: string
  readonly sentAt: number
}

interface Lane<P> {
  readonly endpoint: string
  readonly reservedAt: number
  /** Who has requests of others under way there still. */
  readonly busy: Set<P>
  gone: boolean
  current: (Asking<P> & { readonly since: number; brokeAt?: number }) | undefined
  /** Trials that took too long and go on. */
  readonly slow: Set<string>
}

interface Court<P> {
  queue: Asking<P>[]
  lane: Lane<P> | undefined
  since: number
  endpoints: readonly string[]
  /** How long its requests are suspected, and quarantined. */
  keptMs: number
  /** Lately, whoever was in flight there. */
  crashed: readonly { readonly instance: string; readonly at: number }[]
}

const withoutQuery = (label: string): string => label.replace(/[?#].*$/s, '')

export class Quarantine<P> {
  readonly #suspects = new Map<string, Suspect>()
  readonly #poison = new Map<string, Named & QuarantinedRequest>()
  readonly #courts = new Map<string, Court<P>>()
  readonly #peers: () => readonly P[]

  constructor(peers: () => readonly P[], saved: readonly (Named & QuarantinedRequest)[] = []) {
    this.#peers = peers
    for (const each of saved) this.#poison.set(each.fingerprint, each)
  }

  /** Somebody waits: `tick` is needed. */
  get busy(): boolean {
    return [...this.#courts.values()].some(({ queue, lane }) => queue.length > 0 || lane !== undefined)
  }

  get quarantined(): readonly (Named & QuarantinedRequest)[] {
    return [...this.#poison.values()]
  }

  /** What a worker that begins must know. */
  get marks(): readonly QuarantineOrder<P>[] {
    const named = ({ service, label, fingerprint }: Named, mark: Mark) => ({ type: 'mark', mark, service, label, fingerprint }) as const
    return [...[...this.#suspects.values()].map((each) => named(each, 'suspect')), ...this.quarantined.map((each) => named(each, 'poison'))]
  }

  /** Endpoints of a service that may be sent to. */
  setEndpoints(service: string, endpoints: readonly string[], keptMs = markMs): void {
    const court = this.#court(service)
    court.endpoints = endpoints
    court.keptMs = keptMs
  }

  retain(services: ReadonlySet<string>): void {
    for (const name of this.#courts.keys()) if (!services.has(name)) this.#courts.delete(name)
  }

  /** A request was in flight when its instance crashed. */
  caught(peer: P, caught: Caught, now: number, wallTime: number): QuarantineOrder<P>[] {
    const { service, label, fingerprint, id, endpoint, reason, request, trial } = caught
    if (this.#poison.has(fingerprint)) return [this.#say({ peer, id }, 'poison')]
    const court = this.#court(service)
    const orders: QuarantineOrder<P>[] = []
    let suspect = this.#suspects.get(fingerprint)
    if (suspect === undefined) {
      suspect = { service, label, fingerprint, crashes: [], until: wallTime + court.keptMs }
      this.#suspects.set(fingerprint, suspect)
      orders.push({ type: 'mark', mark: 'suspect', service, label, fingerprint }, ...this.#forgetOldest(this.#suspects))
    }
    if (!suspect.crashes.some(({ instance }) => instance === endpoint)) suspect.crashes.push({ instance: endpoint, reason, request, at: wallTime })
    const { lane } = court
    const isAlone = trial && lane?.endpoint === endpoint && lane.current?.fingerprint === fingerprint && lane.slow.size === 0
    if (isAlone && suspect.crashes.length > 1 && this.#explains(suspect, court, now)) {
      return [...orders, this.#say({ peer, id }, 'poison'), ...this.#convict(suspect, court, wallTime), ...this.#proceed(court, now)]
    }
    if (lane?.current?.fingerprint === fingerprint && trial) lane.current = undefined
    if (!caught.resend || trial) return [...orders, this.#say({ peer, id }, 'noted'), ...this.#proceed(court, now)]
    return [...orders, ...this.#enqueue(court, { peer, id, fingerprint, sentAt: caught.sentAt }, now)]
  }

  /** A request has come that looks like a suspect. */
  ask(peer: P, { id, service, fingerprint }: Named & { readonly id: number }, now: number): QuarantineOrder<P>[] {
    if (this.#poison.has(fingerprint)) return [this.#say({ peer, id }, 'poison')]
    if (!this.#suspects.has(fingerprint)) return [this.#say({ peer, id }, 'free')]
    return this.#enqueue(this.#court(service), { peer, id, fingerprint, sentAt: now }, now)
  }

  /** The request of a trial has its answer, or has ended otherwise; or one that waited has left. */
  over(peer: P, service: string, id: number, now: number): QuarantineOrder<P>[] {
    const court = this.#court(service)
    court.queue = court.queue.filter((each) => each.peer !== peer || each.id !== id)
    const { lane } = court
    if (lane?.current?.peer === peer && lane.current.id === id) lane.current = undefined
    return this.#proceed(court, now)
  }

  /** The connection of a trial broke: nobody else is tried until it is known what that was. */
  broke(peer: P, service: string, id: number, now: number): void {
    const current = this.#court(service).lane?.current
    if (current?.peer === peer && current.id === id) current.brokeAt = now
  }

  /** A request with this fingerprint was answered, and the instance lives. */
  cleared(fingerprint: string, now: number): QuarantineOrder<P>[] {
    const suspect = this.#suspects.get(fingerprint)
    if (!suspect) return []
    const court = this.#court(suspect.service)
    court.lane?.slow.delete(fingerprint)
    return [...this.#acquit(suspect, court), ...this.#proceed(court, now)]
  }

  /** A worker has nothing of others under way any more at a reserved endpoint. */
  quiet(peer: P, endpoint: string, now: number): QuarantineOrder<P>[] {
    for (const court of this.#courts.values()) {
      if (court.lane?.endpoint !== endpoint) continue
      court.lane.busy.delete(peer)
      return this.#proceed(court, now)
    }
    return []
  }

  /** The process of the endpoint has exited. What was on trial there will be told of. */
  gone(endpoint: string, crashed: boolean, now: number): void {
    for (const court of this.#courts.values()) {
      if (!court.endpoints.includes(endpoint)) continue
      if (crashed) court.crashed = [...court.crashed.filter(({ at }) => now - at < crashMemoryMs), { instance: endpoint, at: now }].slice(-crashesMax)
      court.endpoints = court.endpoints.filter((id) => id !== endpoint)
      if (court.lane?.endpoint === endpoint) court.lane.gone = true
    }
  }

  left(peer: P, now: number): QuarantineOrder<P>[] {
    return [...this.#courts.values()].flatMap((court) => {
      court.queue = court.queue.filter((each) => each.peer !== peer)
      court.lane?.busy.delete(peer)
      if (court.lane?.current?.peer === peer) court.lane.current = undefined
      return this.#proceed(court, now)
    })
  }

  /** undefined: there is none of this id. */
  forget(id: string): QuarantineOrder<P>[] | undefined {
    const found = this.#poison.get(id)
    if (!found) return undefined
    this.#poison.delete(id)
    const { service, label, fingerprint } = found
    return [{ type: 'mark', mark: 'free', service, label, fingerprint }]
  }

  tick(now: number, wallTime: number): QuarantineOrder<P>[] {
    const orders = [...this.#courts.values()].flatMap((court) => this.#proceed(court, now))
    for (const marks of [this.#suspects, this.#poison]) {
      for (const { service, label, fingerprint, until } of marks.values()) {
        if (wallTime < until) continue
        marks.delete(fingerprint)
        orders.push({ type: 'mark', mark: 'free', service, label, fingerprint })
      }
    }
    return orders
  }

  #court(service: string): Court<P> {
    const known = this.#courts.get(service)
    if (known) return known
    const court: Court<P> = { queue: [], lane: undefined, since: 0, endpoints: [], keptMs: markMs, crashed: [] }
    this.#courts.set(service, court)
    return court
  }

  #say({ peer, id }: Pick<Asking<P>, 'peer' | 'id'>, verdict: TrialVerdict, endpoint?: string): QuarantineOrder<P> {
    return { type: 'verdict', to: peer, id, verdict, endpoint }
  }

  #enqueue(court: Court<P>, asking: Asking<P>, now: number): QuarantineOrder<P>[] {
    if (court.queue.length === 0 && court.lane === undefined) court.since = now
    court.queue.push(asking)
    return this.#proceed(court, now)
  }

  /** Instances that crash without it, at the same time, have another cause, and so may the two that crashed with it: a database that is gone ends them all. */
  #explains({ crashes }: Suspect, court: Court<P>, now: number): boolean {
    return court.crashed.every(({ instance, at }) => now - at >= sameTimeMs || crashes.some((each) => each.instance === instance))
  }

  #convict(suspect: Suspect, court: Court<P>, wallTime: number): QuarantineOrder<P>[] {
    const { service, label, fingerprint, crashes } = suspect
    this.#suspects.delete(fingerprint)
    const request: QuarantinedRequest = {
      id: fingerprint,
      service,
      label: withoutQuery(label),
      since: wallTime,
      until: wallTime + court.keptMs,
      crashes,
    }
    this.#poison.set(fingerprint, { ...request, label, fingerprint })
    const poisoned = court.queue.filter((each) => each.fingerprint === fingerprint)
    court.queue = court.queue.filter((each) => each.fingerprint !== fingerprint)
    if (court.lane) court.lane.current = undefined
    const explained = new Set(crashes.map(({ instance }) => instance))
    // They have their cause, and speak for nobody else: the next request that kills may come a moment later.
    court.crashed = court.crashed.filter(({ instance }) => !explained.has(instance))
    const innocent = [...this.#suspects.values()].filter((each) => each.crashes.every(({ instance }) => explained.has(instance)))
    return [
      { type: 'mark', mark: 'poison', service, label, fingerprint },
      ...this.#forgetOldest(this.#poison),
      ...poisoned.map((each) => this.#say(each, 'poison')),
      ...innocent.flatMap((each) => this.#acquit(each, court)),
      { type: 'convicted', request },
    ]
  }

  #acquit({ service, label, fingerprint }: Suspect, court: Court<P>): QuarantineOrder<P>[] {
    this.#suspects.delete(fingerprint)
    const waiting = court.queue.filter((each) => each.fingerprint === fingerprint)
    court.queue = court.queue.filter((each) => each.fingerprint !== fingerprint)
    return [{ type: 'mark', mark: 'free', service, label, fingerprint }, ...waiting.map((each) => this.#say(each, 'free'))]
  }

  #forgetOldest(marks: Map<string, Named>): QuarantineOrder<P>[] {
    if (marks.size <= marksMax) return []
    const [oldest] = marks.values()
    if (!oldest) return []
    marks.delete(oldest.fingerprint)
    const { service, label, fingerprint } = oldest
    return [{ type: 'mark', mark: 'free', service, label, fingerprint }]
  }

  // --- trials

  #proceed(court: Court<P>, now: number): QuarantineOrder<P>[] {
    const orders: QuarantineOrder<P>[] = []
    const { lane } = court
    if (lane?.current !== undefined && this.#takesTooLong(court, lane.current, now)) {
      lane.slow.add(lane.current.fingerprint)
      lane.current = undefined
    }
    if (lane && lane.current === undefined && (lane.gone || court.queue.length === 0)) {
      court.lane = undefined
      orders.push({ type: 'reserve', endpoint: lane.endpoint, on: false })
    }
    if (court.queue.length === 0) return orders
    if (this.#burstIsOver(court, now)) return [...orders, ...this.#freeAll(court)]
    if (now - court.since < settleMs) return orders
    if (court.lane === undefined) return [...orders, ...this.#reserve(court, now)]
    return [...orders, ...this.#next(court, court.lane, now)]
  }

  #takesTooLong(court: Court<P>, { fingerprint, since, brokeAt }: NonNullable<Lane<P>['current']>, now: number): boolean {
    return brokeAt === undefined ? now - since >= this.#patience(court, fingerprint) : now - brokeAt >= brokenTrialMs
  }

  #patience({ queue, endpoints }: Court<P>, fingerprint: string): number {
    return endpoints.length < 2 || queue.some((each) => each.fingerprint !== fingerprint) ? trialMs : slowTrialMs
  }

  #burstIsOver({ since, endpoints, lane }: Court<P>, now: number): boolean {
    // While nobody is there that could serve, nobody is kept from being served.
    return (lane !== undefined || endpoints.length > 0) && now - since >= (endpoints.length > 1 ? burstMs : burstAloneMs) + trialMs
  }

  #freeAll(court: Court<P>): QuarantineOrder<P>[] {
    const waiting = court.queue
    court.queue = []
    return waiting.map((each) => this.#say(each, 'free'))
  }

  #reserve(court: Court<P>, now: number): QuarantineOrder<P>[] {
    const endpoint = court.endpoints.at(-1)
    if (endpoint === undefined) {
      // The burst counts from when somebody can be asked.
      court.since = now
      return []
    }
    court.lane = { endpoint, reservedAt: now, busy: new Set(this.#peers()), gone: false, current: undefined, slow: new Set() }
    return [{ type: 'reserve', endpoint, on: true }]
  }

  #next(court: Court<P>, lane: Lane<P>, now: number): QuarantineOrder<P>[] {
    if (lane.current !== undefined || (lane.busy.size > 0 && now - lane.reservedAt < trialMs)) return []
    // The latest is the likeliest: most of what kills does so at once.
    const next = court.queue.reduce((latest, each) => (each.sentAt > latest.sentAt ? each : latest))
    court.queue = court.queue.filter((each) => each !== next)
    lane.current = { ...next, since: now }
    return [this.#say(next, 'go', lane.endpoint)]
  }
}
