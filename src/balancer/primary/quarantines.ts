/** Joins `core/quarantine.ts` to the workers, and tells what was found. */
import { isCrash, Quarantine, type Named, type QuarantinedRequest, type QuarantineOrder } from '../core/quarantine.ts'
import type { RoutingView } from '../core/routing-view.ts'
import type { WorkerToPrimary } from '../messages.ts'
import type { Peer } from './peer.ts'

/** While somebody waits for a trial. */
const busyTickMs = 10

export type SavedQuarantine = Named & QuarantinedRequest

export interface QuarantinesOptions {
  readonly everyone: () => readonly Peer[]
  readonly now: () => number
  readonly wallTime: () => number
  readonly onConvicted: (request: QuarantinedRequest) => void
}

type Heard = Extract<WorkerToPrimary, { readonly type: 'caught' | 'askTrial' | 'trialOver' | 'trialBroke' | 'cleared' | 'quiet' }>

export class Quarantines {
  readonly #options: QuarantinesOptions
  readonly #quarantine: Quarantine<Peer>
  #timer: NodeJS.Timeout | undefined

  constructor(options: QuarantinesOptions, saved: readonly SavedQuarantine[] = []) {
    this.#options = options
    this.#quarantine = new Quarantine<Peer>(() => options.everyone().filter(({ ready }) => ready), saved)
  }

  get quarantined(): readonly SavedQuarantine[] {
    return this.#quarantine.quarantined
  }

  setView({ services }: RoutingView): void {
    this.#quarantine.retain(new Set(services.map(({ name }) => name)))
    for (const { name, endpoints, quarantineMs } of services) {
      this.#quarantine.setEndpoints(
        name,
        endpoints.filter(({ state }) => state === 'active').map(({ id }) => id),
        quarantineMs,
      )
    }
    this.sweep()
  }

  gone(endpoint: string, reason: string): void {
    this.#quarantine.gone(endpoint, isCrash(reason), this.#options.now())
  }

  hear(peer: Peer, message: Heard): void {
    const now = this.#options.now()
    const quarantine = this.#quarantine
    switch (message.type) {
      case 'caught':
        this.#carryOut(quarantine.caught(peer, message, now, this.#options.wallTime()))
        return
      case 'askTrial':
        this.#carryOut(quarantine.ask(peer, message, now))
        return
      case 'trialOver':
        this.#carryOut(quarantine.over(peer, message.service, message.id, now))
        return
      case 'trialBroke':
        quarantine.broke(peer, message.service, message.id, now)
        return
      case 'cleared':
        this.#carryOut(quarantine.cleared(message.fingerprint, now))
        return
      case 'quiet':
        this.#carryOut(quarantine.quiet(peer, message.endpoint, now))
    }
  }

  left(peer: Peer): void {
    this.#carryOut(this.#quarantine.left(peer, this.#options.now()))
  }

  /** What a worker that begins must know. */
  tell(peer: Peer): void {
    for (const order of this.#quarantine.marks) if (order.type === 'mark') peer.send(order)
  }

  /** Returns false when there is none of this id. */
  forget(id: string): boolean {
    const orders = this.#quarantine.forget(id)
    if (orders) this.#carryOut(orders)
    return orders !== undefined
  }

  sweep(): void {
    this.#carryOut(this.#quarantine.tick(this.#options.now(), this.#options.wallTime()))
  }

  stop(): void {
    clearTimeout(this.#timer)
  }

  #carryOut(orders: readonly QuarantineOrder<Peer>[]): void {
    for (const order of orders) {
      if (order.type === 'verdict') order.to.send({ type: 'verdict', id: order.id, verdict: order.verdict, endpoint: order.endpoint })
      else if (order.type === 'convicted') this.#options.onConvicted(order.request)
      else for (const peer of this.#options.everyone()) peer.send(order)
    }
    if (!this.#quarantine.busy || this.#timer) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.sweep()
    }, busyTickMs)
  }
}
