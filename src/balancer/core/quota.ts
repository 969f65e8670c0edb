/**
 * One limit that several holders share, lent in parts. Nobody can ask a book-keeper for every request, and a limit cut into
 * equal parts refuses one holder what another does not need. So each holds a lease: a right to a part, which it uses
 * without asking. It asks for more before that runs out and gives back what it has no use for. What it needs at once and nobody
 * has free is called back from the others, who give all that they do not use.
 *
 *   free ──grant──▶ leased to a holder ──give back, or the holder's death──▶ free
 *
 * The sum of the leases never rises above the limit: a grant is booked when it is sent, a return when it has come. It is above the limit only
 * after the limit was lowered, or when a holder brings a lease that another book gave (`claim`); then nothing is lent until it has fallen.
 * Limits of what is held and given back (places, bytes) fit as they are; one of what is used up can be raised as time goes by.
 */

/** What the book-keeper has to tell a holder. */
export type QuotaOrder<H> =
  | {
      readonly type: 'grant'
      readonly holder: H
      readonly amount: number
      /** It answers what the holder asked. */
      readonly answer: boolean
    }
  /** Give back all that you do not use. */
  | { readonly type: 'recall'; readonly holder: H }

interface Member<H> {
  leased: number
  /** It gets its share without asking. */
  readonly shares: boolean
  /** It has been asked to give back, and has not answered. */
  recalled: boolean
  ask: Ask<H> | undefined
}

interface Ask<H> {
  readonly need: number
  readonly want: number
  /** Holders that may yet give something back. */
  readonly waitingFor: Set<H>
}

/** What a holder gets without asking: all of it when it is alone, else half of its equal part, so that the other half can go where it is needed. */
export const shareOf = (limit: number, holders: number): number => (holders <= 1 ? limit : Math.floor(limit / (2 * holders)))

export class Quota<H> {
  readonly #members = new Map<H, Member<H>>()
  #limit: number
  #share: number
  #leased = 0

  constructor(limit: number, share: number) {
    this.#limit = limit
    this.#share = share
  }

  get limit(): number {
    return this.#limit
  }

  get share(): number {
    return this.#share
  }

  /** The sum of all leases. */
  get leased(): number {
    return this.#leased
  }

  leaseOf(holder: H): number {
    return this.#members.get(holder)?.leased ?? 0
  }

  get #free(): number {
    return Math.max(0, this.#limit - this.#leased)
  }

  setLimit(limit: number, share: number): QuotaOrder<H>[] {
    this.#limit = limit
    this.#share = share
    const orders = this.#settle()
    if (this.#leased > limit) orders.push(...this.#recall([...this.#members.keys()]))
    for (const [holder, member] of this.#members) if (member.shares) orders.push(...this.#fillUp(holder, member))
    return orders
  }

  /** A holder begins with its share, as far as that is free. */
  join(holder: H): QuotaOrder<H>[] {
    if (this.#members.has(holder)) return []
    const member: Member<H> = { leased: 0, shares: true, recalled: false, ask: undefined }
    this.#members.set(holder, member)
    return this.#fillUp(holder, member)
  }

  /** A holder brings what it was lent by the book before this one. */
  claim(holder: H, amount: number): void {
    if (this.#members.has(holder)) return
    this.#members.set(holder, { leased: amount, shares: false, recalled: false, ask: undefined })
    this.#leased += amount
  }

  /** The holder has died: its lease is free at once, and nobody waits for it. */
  leave(holder: H): QuotaOrder<H>[] {
    const member = this.#members.get(holder)
    if (!member) return []
    this.#members.delete(holder)
    this.#leased -= member.leased
    this.#answered(holder)
    return this.#settle()
  }

  /** `need`: in use without a lease already; it is worth calling back from others. `want`: with what may soon be needed. */
  ask(holder: H, need: number, want: number): QuotaOrder<H>[] {
    const member = this.#members.get(holder)
    if (!member) return []
    // What comes back piece by piece for somebody in need is not for those who only look ahead.
    const scarce = [...this.#members.values()].some(({ ask }) => ask !== undefined)
    if (need <= this.#free) return [this.#answer(holder, member, Math.min(scarce ? need : want, this.#free))]
    const others = [...this.#members].filter(([other, { leased }]) => other !== holder && leased > 0).map(([other]) => other)
    member.ask = { need, want, waitingFor: new Set(others) }
    return [...this.#recall(others), ...this.#settle()]
  }

  /** `recalled`: it is the answer to a recall. */
  giveBack(holder: H, amount: number, recalled: boolean): QuotaOrder<H>[] {
    const member = this.#members.get(holder)
    if (!member) return []
    const returned = Math.min(amount, member.leased)
    member.leased -= returned
    this.#leased -= returned
    if (recalled) {
      member.recalled = false
      this.#answered(holder)
    }
    return this.#settle()
  }

  #answered(holder: H): void {
    for (const { ask } of this.#members.values()) ask?.waitingFor.delete(holder)
  }

  /** Answers those whose need can be met, and those for whom nobody is left to give. */
  #settle(): QuotaOrder<H>[] {
    const orders: QuotaOrder<H>[] = []
    for (const [holder, member] of this.#members) {
      if (!member.ask) continue
      const { need, waitingFor } = member.ask
      // What had to be called back is scarce: nobody gets more of it than it needs.
      if (need <= this.#free || waitingFor.size === 0) orders.push(this.#answer(holder, member, Math.min(need, this.#free)))
    }
    return orders
  }

  #answer(holder: H, member: Member<H>, amount: number): QuotaOrder<H> {
    member.ask = undefined
    this.#lend(member, amount)
    return { type: 'grant', holder, amount, answer: true }
  }

  #fillUp(holder: H, member: Member<H>): QuotaOrder<H>[] {
    const amount = Math.min(this.#share - member.leased, this.#free)
    if (amount > 0) this.#lend(member, amount)
    // Said also when there is nothing: the holder must know its share.
    return [{ type: 'grant', holder, amount: Math.max(0, amount), answer: false }]
  }

  #lend(member: Member<H>, amount: number): void {
    member.leased += amount
    this.#leased += amount
  }

  #recall(holders: readonly H[]): QuotaOrder<H>[] {
    const orders: QuotaOrder<H>[] = []
    for (const holder of holders) {
      const member = this.#members.get(holder)!
      if (member.recalled || member.leased === 0) continue
      member.recalled = true
      orders.push({ type: 'recall', holder })
    }
    return orders
  }
}
