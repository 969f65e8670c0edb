/**
 * The holder's side of a quota (`quota.ts`): what it was lent, and when to ask, to give back, and to say no.
 *
 * Who comes when the lease is used up is not refused yet: perhaps the others need less. It is let in on overdraft, bounded in size and by
 * the time that asking takes, and then stays or has to go.
 *
 *   within the lease ──used up──▶ overdrawn, asked ──granted──▶ within the lease
 *                                       └──short, or no answer in time──▶ short for a moment: nobody is let in beyond the lease
 */

/** Without an answer for so long there is nobody to ask: the primary has died, or hangs. On a machine with far more to do than it can it answers after a tenth of a second. */
export const askTimeoutMs = 500
/** After "no more", and ahead of any need, it is asked only so often: at full load it would be a question per request. */
export const shortMs = 10

export class Lease {
  readonly #overdraft: number
  #granted = 0
  #share = 0
  #asked: { readonly need: number; readonly at: number } | undefined
  #shortUntil = -Infinity
  #nextAskAt = -Infinity

  /** `overdraft`: what may be in use beyond the lease while more is asked for. */
  constructor(overdraft: number) {
    this.#overdraft = overdraft
  }

  /** What has been lent. */
  get granted(): number {
    return this.#granted
  }

  /** Up to where it may be used now. */
  allowed(limit: number, now: number): number {
    return Math.min(limit, this.#granted + (now < this.#shortUntil ? 0 : this.#overdraft))
  }

  /** What to ask for, if anything. `need` is in use without a lease; the rest of `want` brings what is free up to the share. */
  ask(used: number, limit: number, now: number): { readonly need: number; readonly want: number } | undefined {
    const need = Math.max(0, used - this.#granted)
    const free = Math.max(0, this.#granted - used)
    if (this.#asked !== undefined || now < this.#shortUntil) return undefined
    if (need === 0 && (free >= this.#share / 2 || now < this.#nextAskAt)) return undefined
    const want = Math.min(need + this.#share - free, limit - this.#granted)
    if (want <= 0) return undefined
    this.#asked = { need, at: now }
    this.#nextAskAt = now + shortMs
    return { need, want }
  }

  /** The lease grows. An answer of less than was needed means that there is no more. */
  grant({ amount, share, answer }: LeaseGrant, now: number): void {
    this.#granted += amount
    this.#share = share
    const short = answer && this.#asked !== undefined && amount < this.#asked.need
    if (answer) this.#asked = undefined
    if (short) this.#shortUntil = now + shortMs
    else if (amount > 0) this.#shortUntil = -Infinity
  }

  /** Nobody has answered: from now on, for a moment, as if the answer were no. */
  gaveUp(now: number): boolean {
    if (this.#asked === undefined || now - this.#asked.at < askTimeoutMs) return false
    this.#asked = undefined
    this.#shortUntil = now + shortMs
    return true
  }

  /** There is no more at the moment: what is overdrawn has to go. */
  isShort(now: number): boolean {
    return now < this.#shortUntil
  }

  /** What is to be given back without being asked: all beyond what is used and the share again. */
  takeSurplus(used: number): number {
    return this.#take(this.#granted - used - this.#share)
  }

  /** It is called back: all that is not used. */
  takeFree(used: number): number {
    return this.#take(this.#granted - used)
  }

  /** The quota is no more. */
  reset(): void {
    this.#granted = 0
    this.#share = 0
    this.#asked = undefined
    this.#shortUntil = -Infinity
    this.#nextAskAt = -Infinity
  }

  #take(amount: number): number {
    if (amount <= 0) return 0
    this.#granted -= amount
    return amount
  }
}

export interface LeaseGrant {
  readonly amount: number
  readonly share: number
  readonly answer: boolean
}
