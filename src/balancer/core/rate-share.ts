/**
 * A worker's share of a rate limit that the primary keeps for all workers: tokens of each key, taken in advance where many come.
 *
 *   request ──a token is here──▶ allowed
 *      │ ├────"no more until …" is known──▶ refused
 *      │ └──else──▶ waits ──(one question per turn and service)──▶ the primary's answer: allowed │ refused
 *      └──nobody answers──▶ alone: this worker's equal part of the limit, until somebody answers again
 *
 * Every token is taken from one table, so no number of workers makes more of them, and none is cut off from what another does not use: what
 * was taken ahead goes back when it is not used within some 50 ms. The road not taken, parts of the limit per worker, refuses clients
 * whose connections fall on one worker; counting afterwards lets too many in.
 */
import { Gcra, partOf, type RateOptions } from '../../resilience/core/rate.ts'

/** `need`: requests that wait for a token; `want`: with those that would be good to have. */
export type RateAsk = readonly [key: string, need: number, want: number]
/** `remaining`, `resetMs`: of the whole table after it; `retryAfterMs`: until the next token, 0 when there is one. */
export type RateGrant = readonly [key: string, granted: number, remaining: number, resetMs: number, retryAfterMs: number]

/** Who waits for a token. */
export interface RateWaiter {
  rateDecided(decision: RateReading): void
}

/** What a request is told of its quota. */
export interface RateReading {
  readonly allowed: boolean
  readonly remaining: number
  readonly resetMs: number
  readonly retryAfterMs: number
}

interface Share {
  tokens: number
  /** Taken ahead with the next question. */
  ahead: number
  readonly waiting: Set<RateWaiter>
  asked: boolean
  /** How many waited when it was asked. */
  needed: number
  askedAt: number
  usedAt: number
  /** Until then nobody is asked. */
  refusedUntil: number
  /** When there will be a token, if no other worker gives one back. */
  retryAt: number
  remaining: number
  resetAt: number
}

/** Keys with tokens, waiters or a known refusal; more are decided alone. They are forgotten within 50 ms. */
export const sharesMax = 10_000
/** Requests that wait for the primary; more are decided alone. */
export const waitersMax = 10_000
/**
 * Without an answer for so long nobody is waited for. Longer than the time-out of a table that lies elsewhere (20 ms), and than a primary on a busy machine
 * may keep us waiting: a part of our own that is begun without need lets too many in.
 */
export const answerTimeoutMs = 200
/** While alone, the primary is asked this often whether it is back. */
const probeMs = 500
/** A key is hot when it has used up what it took within this time: then it takes more ahead. */
const hotMs = 10
const aheadMax = 64
/** That there are none left is believed for so long: another worker may give some back. */
export const refusedMs = 250
/** Tokens that nobody has used for so long are given back. */
export const unusedMs = 25

export class RateShare {
  readonly #options: RateOptions
  readonly #workers: number
  readonly #shares = new Map<string, Share>()
  readonly #toAsk = new Set<string>()
  #waiters = 0
  /** The limit as this worker keeps it alone; made when it is needed. */
  #own: Gcra | undefined
  #alone = false
  #probedAt = -Infinity

  constructor(options: RateOptions, workers: number) {
    this.#options = options
    this.#workers = workers
  }

  /** Nobody answers: it goes by its own part. */
  get alone(): boolean {
    return this.#alone
  }

  /** Something is held or waited for: `sweep` must be called. */
  get busy(): boolean {
    return this.#shares.size > 0
  }

  /** There is something to ask of the primary. */
  hasAsks(now: number): boolean {
    return this.#toAsk.size > 0 || (this.#alone && now - this.#probedAt >= probeMs)
  }

  /** Decides at once, or later by `rateDecided`: then undefined. */
  take(key: string, waiter: RateWaiter, now: number): RateReading | undefined {
    if (this.#alone) return this.#decideAlone(key, now)
    const share = this.#shareOf(key)
    if (share === undefined || this.#waiters >= waitersMax) return this.#decideAlone(key, now)
    if (share.tokens > 0) return this.#use(key, share, now)
    if (now < share.refusedUntil) return { allowed: false, remaining: 0, resetMs: share.resetAt - now, retryAfterMs: share.retryAt - now }
    share.waiting.add(waiter)
    this.#waiters++
    if (!share.asked) this.#toAsk.add(key)
    return undefined
  }

  /** One that was taken here was not used after all. */
  putBack(key: string, now: number): void {
    if (this.#alone) {
      this.#own?.giveBack(key, now, 1)
      return
    }
    const share = this.#shareOf(key)
    if (share === undefined) return
    share.tokens++
    if (share.usedAt === -Infinity) share.usedAt = now
  }

  /** It waits no longer: its client has gone. */
  leave(key: string, waiter: RateWaiter): void {
    if (this.#shares.get(key)?.waiting.delete(waiter) === true) this.#waiters--
  }

  /** What to ask of the primary now. */
  asks(now: number): readonly RateAsk[] {
    const asks: RateAsk[] = []
    for (const key of this.#toAsk) {
      const share = this.#shares.get(key)
      if (share === undefined || share.asked) continue
      share.asked = true
      share.askedAt = now
      share.needed = share.waiting.size
      asks.push([key, share.waiting.size, share.waiting.size + share.ahead])
    }
    this.#toAsk.clear()
    if (this.#alone && now - this.#probedAt >= probeMs) {
      this.#probedAt = now
      asks.push(['', 0, 0])
    }
    return asks
  }

  given(grants: readonly RateGrant[], now: number): void {
    this.#alone = false
    this.#own = undefined
    for (const grant of grants) this.#given(grant, now)
  }

  #given([key, granted, remaining, resetMs, retryAfterMs]: RateGrant, now: number): void {
    const share = this.#shares.get(key)
    if (share === undefined) {
      // Everybody has gone meanwhile; the tokens go back with the next sweep.
      if (granted > 0) this.#shares.set(key, { ...newShare(), tokens: granted, usedAt: now })
      return
    }
    const hot = now - share.usedAt < hotMs
    share.ahead = hot ? Math.min(aheadMax, Math.max(1, share.ahead * 2, share.waiting.size)) : 0
    share.asked = false
    share.tokens += granted
    share.remaining = remaining
    share.resetAt = now + resetMs
    share.usedAt = now
    const short = granted < share.needed
    if (short) {
      share.retryAt = now + retryAfterMs
      share.refusedUntil = now + Math.min(retryAfterMs, refusedMs)
    }
    // Whoever is decided may come again at once, for another request: only those who wait now are looked at.
    for (const waiter of [...share.waiting]) {
      if (share.tokens === 0 && !short) break
      share.waiting.delete(waiter)
      this.#waiters--
      waiter.rateDecided(share.tokens > 0 ? this.#use(key, share, now) : { allowed: false, remaining: 0, resetMs, retryAfterMs })
    }
    // They came after the question.
    if (share.waiting.size > 0) this.#toAsk.add(key)
  }

  #use(key: string, share: Share, now: number): RateReading {
    share.tokens--
    share.usedAt = now
    if (share.tokens === 0 && share.ahead > 0 && !share.asked) this.#toAsk.add(key)
    return { allowed: true, remaining: share.remaining + share.tokens, resetMs: Math.max(0, share.resetAt - now), retryAfterMs: 0 }
  }

  /** Forgets what is idle, and returns the tokens of it that were not used. */
  sweep(now: number): readonly (readonly [key: string, count: number])[] {
    const unused: (readonly [string, number])[] = []
    for (const [key, share] of this.#shares) {
      if (share.asked && now - share.askedAt >= answerTimeoutMs) this.#abandon(key, share, now)
      if (share.asked || share.waiting.size > 0 || now - share.usedAt < unusedMs) continue
      if (share.tokens > 0) unused.push([key, share.tokens])
      share.tokens = 0
      if (now >= share.refusedUntil) this.#shares.delete(key)
    }
    return unused
  }

  #abandon(key: string, share: Share, now: number): void {
    this.#alone = true
    share.asked = false
    const waiting = [...share.waiting]
    share.waiting.clear()
    this.#waiters -= waiting.length
    for (const waiter of waiting) waiter.rateDecided(this.#decideAlone(key, now))
  }

  /** The limit is no more: nobody is kept waiting for it. */
  close(): void {
    for (const { waiting } of this.#shares.values()) {
      for (const waiter of [...waiting]) waiter.rateDecided({ allowed: true, remaining: 0, resetMs: 0, retryAfterMs: 0 })
      waiting.clear()
    }
    this.#shares.clear()
    this.#toAsk.clear()
    this.#waiters = 0
  }

  #decideAlone(key: string, now: number): RateReading {
    this.#own ??= new Gcra(partOf(this.#options, this.#workers))
    return this.#own.take(key, now)
  }

  #shareOf(key: string): Share | undefined {
    const known = this.#shares.get(key)
    if (known !== undefined || this.#shares.size >= sharesMax) return known
    const share = newShare()
    this.#shares.set(key, share)
    return share
  }
}

const newShare = (): Share => ({
  tokens: 0,
  ahead: 0,
  waiting: new Set(),
  asked: false,
  needed: 0,
  askedAt: 0,
  usedAt: -Infinity,
  refusedUntil: -Infinity,
  retryAt: 0,
  remaining: 0,
  resetAt: 0,
})
