/**
 * How many requests one endpoint may have at a time, over all workers. A slot is the right to one of them; the primary lends slots to workers,
 * which use them again and again without asking. The sum of what is lent is never above the limit, unless the limit was lowered.
 *
 *   free ──somebody asks──▶ lent ──calm: kept──▶ used again
 *                             └──others are in need: what is above a fair part goes back as requests end──▶ free
 *
 * Those in need get one slot each in turn, so that a worker with a long line starves nobody; and where there are fewer slots than workers they
 * go round. `quota.ts` is for what is in use for long (places, bytes) and cut short by a refusal; here nobody is refused, they wait.
 */

/** What a holder is told: slots more, and what it may keep while others are in need (undefined: all). */
export interface SlotOrder<H> {
  readonly holder: H
  readonly amount: number
  readonly keep: number | undefined
}

interface Member {
  leased: number
  want: number
  /** What it was told last. */
  keep: number | undefined
}

export class Slots<H> {
  readonly #members = new Map<H, Member>()
  /** In the order of their turns. */
  readonly #needy = new Set<H>()
  readonly #holders: number
  #limit: number
  #leased = 0

  /** `holders`: how many may ask. */
  constructor(limit: number, holders: number) {
    this.#limit = limit
    this.#holders = holders
  }

  get limit(): number {
    return this.#limit
  }

  get leased(): number {
    return this.#leased
  }

  leaseOf(holder: H): number {
    return this.#members.get(holder)?.leased ?? 0
  }

  setLimit(limit: number): SlotOrder<H>[] {
    this.#limit = limit
    return this.#settle()
  }

  /** So many requests wait there; 0: none any more. What nobody needs is lent a little ahead. */
  ask(holder: H, want: number): SlotOrder<H>[] {
    const member = this.#member(holder)
    member.want = want
    if (want === 0) this.#needy.delete(holder)
    else this.#needy.add(holder)
    return this.#settle(holder)
  }

  giveBack(holder: H, amount: number): SlotOrder<H>[] {
    const member = this.#members.get(holder)
    if (!member) return []
    this.#return(member, amount)
    return this.#settle()
  }

  /** It has died: all that it held is free. */
  leave(holder: H): SlotOrder<H>[] {
    const member = this.#members.get(holder)
    if (!member) return []
    this.#return(member, member.leased)
    this.#members.delete(holder)
    this.#needy.delete(holder)
    return this.#settle()
  }

  /** It holds what the book before this one lent. */
  claim(holder: H, amount: number): void {
    const member = this.#member(holder)
    member.leased += amount
    this.#leased += amount
  }

  #return(member: Member, amount: number): void {
    const returned = Math.min(amount, member.leased)
    member.leased -= returned
    this.#leased -= returned
  }

  #member(holder: H): Member {
    const known = this.#members.get(holder)
    if (known) return known
    const member: Member = { leased: 0, want: 0, keep: undefined }
    this.#members.set(holder, member)
    return member
  }

  #lend(holder: H, member: Member, amount: number, grants: Map<H, number>): void {
    member.leased += amount
    this.#leased += amount
    grants.set(holder, (grants.get(holder) ?? 0) + amount)
  }

  #settle(asker?: H): SlotOrder<H>[] {
    const grants = new Map<H, number>()
    while (this.#leased < this.#limit && this.#needy.size > 0) {
      const [holder] = this.#needy as Set<H> & Iterable<H>
      const member = this.#members.get(holder!)!
      this.#needy.delete(holder!)
      this.#lend(holder!, member, 1, grants)
      if (--member.want > 0) this.#needy.add(holder!)
    }
    if (asker !== undefined && grants.has(asker) && this.#needy.size === 0) {
      const ahead = Math.floor((this.#limit - this.#leased) / (2 * this.#holders))
      if (ahead > 0) this.#lend(asker, this.#members.get(asker)!, ahead, grants)
    }
    return this.#tell(grants)
  }

  #tell(grants: ReadonlyMap<H, number>): SlotOrder<H>[] {
    const keep = this.#keep
    const orders: SlotOrder<H>[] = []
    for (const [holder, member] of this.#members) {
      const amount = grants.get(holder) ?? 0
      if (amount === 0 && (member.keep === keep || (member.leased === 0 && member.want === 0))) continue
      member.keep = keep
      orders.push({ holder, amount, keep })
    }
    return orders
  }

  get #keep(): number | undefined {
    if (this.#needy.size === 0 && this.#leased <= this.#limit) return undefined
    let claimants = 0
    for (const { leased, want } of this.#members.values()) if (leased > 0 || want > 0) claimants++
    return Math.floor(this.#limit / Math.max(1, claimants))
  }
}

/** A worker's side: the slots that it was lent for one endpoint. */
export class SlotLease {
  granted = 0
  /** Of what it was told to want. */
  asked = 0
  #keep: number | undefined

  /** Slots come, and word of whether others are in need. */
  given(amount: number, keep: number | undefined): void {
    this.granted += amount
    this.asked = Math.max(0, this.asked - amount)
    this.#keep = keep
  }

  /** Others are in need. */
  get scarce(): boolean {
    return this.#keep !== undefined
  }

  /** What goes back now. `active`: in use, or about to be; `waiting`: whether somebody waits here. */
  takeSurplus(active: number, waiting: boolean): number {
    if (this.#keep === undefined) return 0
    const surplus = this.granted - Math.max(active, waiting ? this.#keep : 0)
    if (surplus <= 0) return 0
    this.granted -= surplus
    return surplus
  }

  /** What to tell that is wanted, when that is news. */
  takeWant(waiting: number): number | undefined {
    const want = Math.min(waiting, wantMax)
    if (want === this.asked || (want < this.asked && want > 0)) return undefined
    this.asked = want
    return want
  }
}

/** Nobody has use for more at once: the rest is asked for when these have come. */
const wantMax = 64
