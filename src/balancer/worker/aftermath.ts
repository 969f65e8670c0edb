/**
 * How it goes on when an attempt has failed. A request whose connection broke may have been what broke it, so where instances are quarantined for, how
 * the process ended is waited for, and a request that was caught in a crash is sent again on trial only (`suspect.ts`).
 *
 *   failed ─▶ proceed │ give up
 *      └────▶ waiting for news of the process ─▶ (caught in a crash) ─▶ proceed, on trial │ poisoned │ give up
 */
import type { Attempts, Broken } from './attempts.ts'
import type { ClientSide } from './client-side.ts'
import { isCrash } from '../core/quarantine.ts'
import { crashNewsMs, deathNewsMs } from './limits.ts'
import type { RequestSender } from './request-sender.ts'
import type { ServiceRuntime } from './service.ts'
import { Suspect, type SuspectHost } from './suspect.ts'
import type { EndpointPool } from './upstream.ts'

export class Aftermath {
  readonly #client: ClientSide
  readonly #attempts: Attempts
  readonly #sender: RequestSender
  readonly #host: SuspectHost
  #service: ServiceRuntime | undefined
  #route: string | undefined
  /** Made when it is first needed. */
  #suspect: Suspect | undefined
  #awaitsNews = false
  /** Whether it goes again, crash or not, once it is known how the process ended. */
  #goesAgain = false
  readonly #afterNews = (): void => {
    if (!this.#awaitsNews) return
    this.#awaitsNews = false
    this.#knowingTheEnd()
  }

  constructor(client: ClientSide, attempts: Attempts, sender: RequestSender, host: SuspectHost) {
    this.#client = client
    this.#attempts = attempts
    this.#sender = sender
    this.#host = host
  }

  begin(service: ServiceRuntime, route: string | undefined): void {
    this.#service = service
    this.#route = route
    this.#awaitsNews = false
    this.#suspect?.begin(service, route)
  }

  /** It looks like a request that is suspected: the host hears how it goes on. */
  arrived(): boolean {
    return this.#service!.marks !== undefined && this.#service!.view.quarantine === true && this.#asSuspect().arrived()
  }

  /** Its body is being gathered. */
  get gathering(): boolean {
    return this.#suspect?.gathering === true
  }

  bodyAvailable(): void {
    this.#suspect?.bodyAvailable()
  }

  failed(broken: Broken): void {
    const { worker, facts } = this.#client
    const verdict = this.#attempts.failed(broken, facts.idempotent, this.#sender.replayable, worker)
    this.#attempts.watch?.failed(broken, verdict, this.#attempts.whyNot, worker.now)
    this.#goesAgain = verdict === 'again'
    if (this.#service!.view.quarantine === true && this.#attempts.mayHaveKilled) {
      if (broken.endpoint.gone === undefined) {
        this.#suspect?.broke()
        this.#awaitNews(broken.endpoint)
      } else this.#knowingTheEnd()
      return
    }
    this.#suspect?.end()
    switch (verdict) {
      case 'again':
        this.#host.proceed(undefined)
        return
      case 'awaitNews':
        // The supervisor will say within milliseconds how the process ended: the client gets the reason, not just the fact.
        this.#awaitNews(broken.endpoint)
        return
      case 'giveUp':
        this.#host.giveUp()
    }
  }

  #awaitNews(endpoint: EndpointPool): void {
    this.#awaitsNews = true
    this.#client.worker.fleet.whenGone(endpoint, this.#service!.view.quarantine === true ? crashNewsMs : deathNewsMs, this.#afterNews)
  }

  /** How the process ended is known now, or will not be. */
  #knowingTheEnd(): void {
    const { endpoint } = this.#attempts.last!
    const again = this.#goesAgain || this.#attempts.newsAllowsResend(this.#sender.replayable)
    this.#attempts.watch?.heard(endpoint, again, this.#client.worker.now)
    if (this.hasCrashed && this.#asSuspect().caught(endpoint, this.#attempts.current.sentAt, again)) return
    this.#suspect?.end()
    if (again) this.#host.proceed(undefined)
    else this.#host.giveUp()
  }

  /** An instance has crashed with it, and perhaps by it. */
  get hasCrashed(): boolean {
    const { mayHaveKilled, last } = this.#attempts
    return this.#service!.view.quarantine === true && mayHaveKilled && last?.endpoint.gone !== undefined && isCrash(last.endpoint.gone)
  }

  /** The head of an answer has come, and the sender still has the request. */
  answered(): void {
    if (this.#service!.marks !== undefined) this.#asSuspect().answered()
    else this.#suspect?.end()
  }

  end(): void {
    this.#awaitsNews = false
    this.#suspect?.end()
  }

  #asSuspect(): Suspect {
    if (this.#suspect === undefined) {
      this.#suspect = new Suspect(this.#client, this.#sender, this.#attempts, this.#host)
      this.#suspect.begin(this.#service!, this.#route)
    }
    return this.#suspect
  }
}
