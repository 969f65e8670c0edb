/** The book-keeper of limits that hold over all workers: joins `core/quota.ts` to the messages with the workers. */
import { Quota, shareOf, type QuotaOrder } from '../core/quota.ts'
import type { WorkerToPrimary } from '../messages.ts'
import type { Peer } from './peer.ts'

export class Quotas {
  readonly #quotas = new Map<string, Quota<Peer>>()
  readonly #holders: number

  /** `holders`: the workers that share. */
  constructor(holders: number) {
    this.#holders = holders
  }

  /** The limits of a new view. The workers know the view already, and those that take orders are given. */
  setLimits(limits: ReadonlyMap<string, number>, workers: readonly Peer[]): void {
    for (const name of this.#quotas.keys()) if (!limits.has(name)) this.#quotas.delete(name)
    for (const [name, limit] of limits) {
      const share = shareOf(limit, this.#holders)
      const known = this.#quotas.get(name)
      if (known?.limit === limit) continue
      const quota = known ?? this.#add(name, limit, share)
      if (known) this.#send(name, quota, known.setLimit(limit, share))
      for (const worker of workers) this.#send(name, quota, quota.join(worker))
    }
  }

  /** A worker of our own begins. */
  join(worker: Peer): void {
    for (const [name, quota] of this.#quotas) this.#send(name, quota, quota.join(worker))
  }

  /** It has ended: what it held is free. */
  left(peer: Peer): void {
    for (const [name, quota] of this.#quotas) this.#send(name, quota, quota.leave(peer))
  }

  hear(peer: Peer, message: Extract<WorkerToPrimary, { readonly type: 'ask' | 'giveBack' | 'holds' }>): void {
    if (message.type === 'holds') {
      // An orphan may come before the view that has the limit.
      for (const [name, amount] of Object.entries(message.leases)) (this.#quotas.get(name) ?? this.#add(name, 0, 0)).claim(peer, amount)
      return
    }
    const quota = this.#quotas.get(message.quota)
    if (!quota) return
    // Of ours everyone has joined; an orphan that held nothing begins with that.
    if (message.type === 'ask' && !peer.own) quota.claim(peer, 0)
    const orders = message.type === 'ask' ? quota.ask(peer, message.need, message.want) : quota.giveBack(peer, message.amount, message.recalled)
    this.#send(message.quota, quota, orders)
  }

  #add(name: string, limit: number, share: number): Quota<Peer> {
    const quota = new Quota<Peer>(limit, share)
    this.#quotas.set(name, quota)
    return quota
  }

  #send(name: string, { share }: Quota<Peer>, orders: readonly QuotaOrder<Peer>[]): void {
    for (const order of orders) {
      if (order.type === 'recall') order.holder.send({ type: 'recall', quota: name })
      else order.holder.send({ type: 'lease', quota: name, amount: order.amount, share, answer: order.answer })
    }
  }
}
