/** The leases of this worker on limits that hold over all workers of the proxy: joins `core/lease.ts` to the messages with the primary. */
import { Lease } from '../core/lease.ts'
import type { LeaseMessage, WorkerToPrimary } from '../messages.ts'

/** Whoever uses a quota up. */
export interface QuotaUser {
  /** How much is in use. */
  used(): number
  /** What the view allows all workers together; undefined: the view has no such limit. */
  limit(): number | undefined
  /** More was granted, or there is no more: look at what is overdrawn. */
  decide(now: number): void
}

interface Entry {
  readonly lease: Lease
  readonly user: QuotaUser
}

export class Leases {
  readonly #tell: (message: WorkerToPrimary) => void
  readonly #entries = new Map<string, Entry>()

  constructor(tell: (message: WorkerToPrimary) => void) {
    this.#tell = tell
  }

  /** `overdraft`: what may be in use beyond the lease while the primary is asked. */
  open(quota: string, overdraft: number, user: QuotaUser): Lease {
    const lease = new Lease(overdraft)
    this.#entries.set(quota, { lease, user })
    return lease
  }

  close(quota: string): void {
    this.#entries.delete(quota)
  }

  /** More is in use than before: asks for more in time. */
  grown(quota: string, now: number): void {
    const entry = this.#entries.get(quota)
    if (entry) this.#ask(quota, entry, now)
  }

  granted(message: LeaseMessage, now: number): void {
    const entry = this.#entries.get(message.quota)
    // Without the limit nothing is held: what is still on its way is forgotten here, as it is by the primary.
    if (entry?.user.limit() === undefined) return
    entry.lease.grant(message, now)
    entry.user.decide(now)
    this.#ask(message.quota, entry, now)
  }

  /** Somebody else is in need. The answer is told also when there is nothing to give: it is waited for. */
  recalled(quota: string): void {
    const entry = this.#entries.get(quota)
    this.#tell({ type: 'giveBack', quota, amount: entry?.lease.takeFree(entry.user.used()) ?? 0, recalled: true })
  }

  sweep(now: number): void {
    for (const [quota, entry] of this.#entries) {
      const { lease, user } = entry
      if (lease.gaveUp(now)) user.decide(now)
      const surplus = lease.takeSurplus(user.used())
      if (surplus > 0) this.#tell({ type: 'giveBack', quota, amount: surplus, recalled: false })
      else this.#ask(quota, entry, now)
    }
  }

  /** What is held of each quota: a new primary, which did not lend it, must count it. */
  held(): Record<string, number> {
    return Object.fromEntries([...this.#entries].filter(([, { lease }]) => lease.granted > 0).map(([quota, { lease }]) => [quota, lease.granted]))
  }

  #ask(quota: string, { lease, user }: Entry, now: number): void {
    const limit = user.limit()
    const asked = limit === undefined ? undefined : lease.ask(user.used(), limit, now)
    if (asked) this.#tell({ type: 'ask', quota, ...asked })
  }
}
