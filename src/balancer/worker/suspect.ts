/**
 * A request as a suspect: it came and looks like one that was in flight at a crash, or was itself caught in one. Made for an exchange when it is first
 * needed, and used again.
 *
 *   free ──marked──▶ gathering (its body) ──▶ asking ──▶ on trial ──answered──▶ free
 *     └──caught in a crash──────────────────▶ asking      └──caught again──▶ asking ──▶ poisoned
 */
import type { Named, TrialVerdict } from '../core/quarantine.ts'
import type { Attempts } from './attempts.ts'
import type { ClientSide } from './client-side.ts'
import type { RequestSender } from './request-sender.ts'
import type { ServiceRuntime } from './service.ts'
import { fingerprintOf, type Tried } from './suspicion.ts'
import type { EndpointPool } from './upstream.ts'

export interface SuspectHost {
  /** It is sent like any other; with an endpoint: there, on trial. */
  proceed(endpoint: EndpointPool | undefined): void
  /** It was caught and may not be sent again. */
  giveUp(): void
  /** It is what kills. */
  poisoned(fingerprint: string): void
  /** Its body is malformed, or too large. */
  badBody(): void
}

type State = 'free' | 'gathering' | 'asking' | 'trial'

export class Suspect implements Tried {
  readonly #client: ClientSide
  readonly #sender: RequestSender
  readonly #attempts: Attempts
  readonly #host: SuspectHost
  #state: State = 'free'
  #service: ServiceRuntime | undefined
  #route: string | undefined
  #id = 0
  #fingerprint = ''

  constructor(client: ClientSide, sender: RequestSender, attempts: Attempts, host: SuspectHost) {
    this.#client = client
    this.#sender = sender
    this.#attempts = attempts
    this.#host = host
  }

  get gathering(): boolean {
    return this.#state === 'gathering'
  }

  begin(service: ServiceRuntime, route: string | undefined): void {
    this.#service = service
    this.#route = route
    this.#state = 'free'
  }

  /** The sender has the request. Returns true when it looks like a marked one: the host hears how it goes on. */
  arrived(): boolean {
    if (!this.#service!.marks!.has(this.#sender.label())) return false
    this.#state = 'gathering'
    this.bodyAvailable()
    return true
  }

  /** More of the body has come, while it is gathered: only all of it has a fingerprint. */
  bodyAvailable(): void {
    switch (this.#sender.gather()) {
      case 'more':
        return
      case 'malformed':
        this.#state = 'free'
        this.#host.badBody()
        return
      case 'tooLong':
        this.#free()
        return
      case 'whole':
        this.#recognise()
    }
  }

  #recognise(): void {
    const named = this.#named()
    const mark = this.#service!.marks?.get(named.label)?.get(named.fingerprint)
    if (mark === undefined) this.#free()
    else if (mark === 'poison') this.#poisoned()
    else {
      this.#state = 'asking'
      this.#note('it looks like a request that an instance died with: it waits for its turn on trial')
      this.#id = this.#client.worker.fleet.suspicion.ask(this, named, this.#client.worker.now)
    }
  }

  #named(): Named {
    const label = this.#sender.label()
    const service = this.#service!.name
    this.#fingerprint = fingerprintOf(service, this.#route, label, this.#sender.body())
    return { service, label, fingerprint: this.#fingerprint }
  }

  /** It was in flight when the instance crashed. `resend`: it may go again. Returns false when it has no fingerprint. */
  caught(endpoint: EndpointPool, sentAt: number, resend: boolean): boolean {
    const { worker, bodyDone, requestId } = this.#client
    if (!bodyDone || !this.#sender.replayable) {
      this.end()
      return false
    }
    const trial = this.#state === 'trial'
    // Its earlier number ends with this crash, and is told with it.
    this.#state = 'asking'
    const caught = { ...this.#named(), endpoint: endpoint.id, reason: endpoint.gone ?? '', request: requestId, sentAt, trial, resend }
    this.#id = worker.fleet.suspicion.caught(this, caught, worker.now)
    return true
  }

  verdict(verdict: TrialVerdict, endpoint: EndpointPool | undefined): void {
    if (this.#state !== 'asking') return
    switch (verdict) {
      case 'go':
        this.#state = 'trial'
        this.#note('it goes on trial, alone', endpoint)
        this.#host.proceed(endpoint)
        return
      case 'free':
        this.#free()
        return
      case 'noted':
        this.#state = 'free'
        this.#note('it may be what the instance died of, and is not sent again')
        this.#host.giveUp()
        return
      case 'poison':
        this.#poisoned()
    }
  }

  #note(what: string, endpoint?: EndpointPool): void {
    this.#attempts.watch?.suspected(what, endpoint, this.#client.worker.now)
  }

  #free(): void {
    this.#state = 'free'
    this.#host.proceed(undefined)
  }

  #poisoned(): void {
    this.#state = 'free'
    this.#note(`instances die of it: it is in quarantine as ${this.#fingerprint}`)
    this.#host.poisoned(this.#fingerprint)
  }

  /** The head of an answer has come, and the sender still has the request: whoever looks like it is cleared too. */
  answered(): void {
    const { worker, bodyDone } = this.#client
    const sameLabel = this.#service!.marks?.get(this.#sender.label())
    if (sameLabel !== undefined && bodyDone && this.#sender.replayable) {
      const { fingerprint } = this.#named()
      if (sameLabel.get(fingerprint) === 'suspect') worker.fleet.suspicion.cleared(fingerprint)
    }
    this.end()
  }

  /** The connection of its attempt broke; how the instance ended is not known yet. */
  broke(): void {
    if (this.#state === 'trial') this.#client.worker.fleet.suspicion.broke(this.#id, this.#service!.name)
  }

  /** The attempt on trial is over without a crash, or the request is over. */
  end(): void {
    const state = this.#state
    this.#state = 'free'
    if (state === 'asking' || state === 'trial') this.#client.worker.fleet.suspicion.over(this.#id, this.#service!.name)
  }
}
