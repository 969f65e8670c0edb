import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Gcra } from '../../resilience/core/rate.ts'
import { OwnTable } from '../primary/rates.ts'
import { answerTimeoutMs, RateShare, type RateGrant, type RateReading } from './rate-share.ts'
import { partOf } from '../../resilience/core/rate.ts'

const options = { rate: 100, periodMs: 1_000, burst: 20 }

/** Workers and the primary's table in virtual time; messages take `delayMs` each way. */
class Machine {
  now = 0
  readonly shares: RateShare[]
  readonly table: OwnTable
  accepted = 0
  refused = 0
  primaryLives = true
  readonly #delayMs: number
  #events: { readonly at: number; readonly run: () => void }[] = []

  constructor(workers: number, delayMs: number, limit: { rate: number; periodMs: number; burst: number } = options) {
    this.#delayMs = delayMs
    this.shares = Array.from({ length: workers }, () => new RateShare(limit, workers))
    this.table = new OwnTable(new Gcra(limit), workers, () => this.now)
  }

  count(reading: RateReading): void {
    if (reading.allowed) this.accepted++
    else this.refused++
  }

  request(worker: number, key = 'a'): void {
    const share = this.shares[worker]!
    const reading = share.take(key, { rateDecided: (late) => this.count(late) }, this.now)
    if (reading) this.count(reading)
    this.#ask(share)
  }

  #ask(share: RateShare): void {
    if (!share.hasAsks(this.now)) return
    const asks = share.asks(this.now)
    if (asks.length === 0 || !this.primaryLives) return
    this.#later(() => this.table.take(asks, (grants) => this.#later(() => this.#given(share, grants))))
  }

  #given(share: RateShare, grants: readonly RateGrant[]): void {
    share.given(grants, this.now)
    this.#ask(share)
  }

  #later(run: () => void): void {
    this.#events.push({ at: this.now + this.#delayMs, run })
  }

  pass(ms: number): void {
    const end = this.now + ms
    for (;;) {
      this.#events.sort((a, b) => a.at - b.at)
      const [next] = this.#events
      if (next === undefined || next.at > end) break
      this.#events.shift()
      this.now = next.at
      next.run()
    }
    this.now = end
    for (const share of this.shares) {
      const unused = share.sweep(this.now)
      if (unused.length > 0) this.#later(() => this.table.giveBack(unused))
    }
  }
}

describe('a rate limit over several workers', () => {
  it('never lets more through than the limit, and nearly all of it when more is asked, however the load falls', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5 }),
        fc.constantFrom(0.05, 0.3, 2),
        fc.array(fc.nat(20), { minLength: 5, maxLength: 5 }),
        fc.integer({ min: 20, max: 400 }),
        (workers, delayMs, skew, steps) => {
          const machine = new Machine(workers, delayMs)
          const load = skew.slice(0, workers)
          for (let step = 0; step < steps; step++) {
            load.forEach((count, worker) => {
              for (let i = 0; i < count; i++) machine.request(worker)
            })
            machine.pass(10)
          }
          const possible = options.burst + (options.rate * machine.now) / 1_000
          const asked = load.reduce((sum, count) => sum + count, 0) * steps
          expect(machine.accepted).toBeLessThanOrEqual(Math.ceil(possible))
          // One interval per 10 ms: wanted is more than one a step, from the first on.
          if (load.some((count) => count >= 2)) expect(machine.accepted).toBeGreaterThanOrEqual(Math.min(asked, Math.floor(possible * 0.97) - 2))
        },
      ),
      { numRuns: 60 },
    )
  })

  it('lets one worker use all of it', () => {
    const machine = new Machine(8, 0.1)
    for (let i = 0; i < 30; i++) machine.request(3)
    machine.pass(5)
    expect([machine.accepted, machine.refused]).toEqual([20, 10])
  })

  it('gives back what was taken ahead and not used', () => {
    const machine = new Machine(2, 0.1, { rate: 1, periodMs: 60_000, burst: 100 })
    for (let i = 0; i < 40; i++) {
      machine.request(0)
      machine.pass(1)
    }
    expect(machine.accepted).toBe(40)
    machine.pass(100)
    machine.pass(1)
    for (let i = 0; i < 70; i++) machine.request(1)
    machine.pass(5)
    expect(machine.accepted).toBe(100)
  })

  it('refuses without asking while it knows that there is nothing, and tells when there will be', () => {
    const machine = new Machine(1, 0.1)
    for (let i = 0; i < 21; i++) machine.request(0)
    machine.pass(1)
    const reading = machine.shares[0]!.take('a', { rateDecided: () => undefined }, machine.now)
    expect(reading).toMatchObject({ allowed: false, remaining: 0 })
    expect(reading!.retryAfterMs).toBeGreaterThan(5)
    expect(machine.shares[0]!.hasAsks(machine.now)).toBe(false)
  })

  it('keeps keys apart', () => {
    const machine = new Machine(2, 0.1)
    for (let i = 0; i < 30; i++) machine.request(0, `k${i % 3}`)
    machine.pass(1)
    expect(machine.accepted).toBe(30)
  })
})

describe('without a primary', () => {
  it('goes by its own part after a moment, never by the whole, and by the whole again when somebody answers', () => {
    const machine = new Machine(4, 0.1)
    machine.primaryLives = false
    for (let worker = 0; worker < 4; worker++) for (let i = 0; i < 30; i++) machine.request(worker)
    machine.pass(answerTimeoutMs)
    expect(machine.accepted + machine.refused).toBe(120)
    expect(machine.accepted).toBe(20)
    expect(machine.shares.every(({ alone }) => alone)).toBe(true)
    machine.primaryLives = true
    machine.pass(1_000)
    machine.request(0)
    machine.pass(1)
    expect(machine.shares[0]!.alone).toBe(false)
  })

  it('lets a burst of one through in every worker at least', () => {
    expect(partOf({ rate: 1, periodMs: 1_000, burst: 1 }, 4)).toEqual({ rate: 0.25, periodMs: 1_000, burst: 1 })
  })
})

describe('whoever waits', () => {
  it('is not decided when it has left, and the token goes to another', () => {
    const share = new RateShare(options, 1)
    const decided: string[] = []
    const first = { rateDecided: () => decided.push('first') }
    const second = { rateDecided: () => decided.push('second') }
    share.take('a', first, 0)
    share.take('a', second, 0)
    expect(share.asks(0)).toEqual([['a', 2, 2]])
    share.leave('a', first)
    share.given([['a', 2, 18, 20, 0]], 1)
    expect(decided).toEqual(['second'])
    expect(share.take('a', first, 2)).toMatchObject({ allowed: true })
    expect(share.busy).toBe(true)
    share.sweep(1_000)
    expect(share.busy).toBe(false)
  })

  it('may give its token back, which is then another one’s, or the table’s', () => {
    const share = new RateShare(options, 1)
    share.take('a', { rateDecided: () => undefined }, 0)
    share.asks(0)
    share.given([['a', 1, 0, 200, 0]], 1)
    share.putBack('a', 2)
    expect(share.take('a', { rateDecided: () => undefined }, 3)).toMatchObject({ allowed: true })
    share.putBack('a', 4)
    share.putBack('b', 4)
    expect(share.sweep(100)).toEqual([
      ['a', 1],
      ['b', 1],
    ])
  })

  it('is let go when the limit ends', () => {
    const share = new RateShare(options, 1)
    let allowed = false
    share.take('a', { rateDecided: (reading) => (allowed = reading.allowed) }, 0)
    share.close()
    expect(allowed).toBe(true)
  })
})
