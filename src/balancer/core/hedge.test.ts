import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { HedgeLine, type InLine } from './hedge-line.ts'
import { mayHedge, newHedgeBudget, type HedgeSituation } from './hedge-rule.ts'
import { Pace } from './pace.ts'

class Member implements InLine<Member> {
  readonly sentAt: number
  lineBefore: Member | undefined
  lineAfter: Member | undefined
  line: { leave(member: Member): void } | undefined
  constructor(sentAt: number) {
    this.sentAt = sentAt
  }
}

describe('the line of those that wait for their hedge', () => {
  it('has the oldest of those that are in it in front, whoever leaves', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(30), { maxLength: 200 }), (steps) => {
        const line = new HedgeLine<Member>()
        let inside: Member[] = []
        for (const [at, step] of steps.entries()) {
          if (step % 2 === 0 || inside.length === 0) {
            const member = new Member(at)
            line.join(member)
            inside.push(member)
          } else {
            const member = inside[step % inside.length]!
            line.leave(member)
            line.leave(member)
            inside = inside.filter((each) => each !== member)
          }
          expect(line.oldest).toBe(inside[0])
        }
        for (const member of inside) {
          expect(line.oldest).toBe(member)
          line.leave(member)
        }
        expect(line.oldest).toBeUndefined()
      }),
    )
  })
})

describe('the rule of hedges', () => {
  const situation: HedgeSituation = { now: 1_000, deadline: Infinity, delayMs: 20, load: 0, retryBudgetFree: true }

  it('hedges unless there is a doubt', () => {
    expect(mayHedge(situation)).toBe(true)
    expect(mayHedge({ ...situation, load: 0.7 })).toBe(true)
    expect(mayHedge({ ...situation, load: 0.71 })).toBe(false)
    expect(mayHedge({ ...situation, retryBudgetFree: false })).toBe(false)
    expect(mayHedge({ ...situation, deadline: 1_020 })).toBe(false)
    expect(mayHedge({ ...situation, deadline: 1_021 })).toBe(true)
  })

  it('pays at most its share of all requests, and ten more', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 3_000 }), fc.constantFrom(0.01, 0.05, 0.1), (requests, share) => {
        const budget = newHedgeBudget({ budget: share })
        let hedges = 0
        for (let i = 0; i < requests; i++) {
          budget.earn(i)
          if (budget.take(i)) hedges++
        }
        expect(hedges).toBeLessThanOrEqual(10 + requests * share + 1e-6)
      }),
    )
  })
})

describe('what is usual', () => {
  it('is not known from a few samples', () => {
    const pace = new Pace()
    for (let i = 0; i < 19; i++) pace.record(0, 50)
    expect(pace.hedgeDelayMs(0)).toBeUndefined()
    pace.record(0, 50)
    // It is looked up once a second.
    expect(pace.hedgeDelayMs(999)).toBeUndefined()
    expect(pace.hedgeDelayMs(1_000)).toBeGreaterThanOrEqual(50)
    expect(pace.hedgeDelayMs(1_000)).toBeLessThanOrEqual(50 * 1.126)
    expect(pace.patienceMs(1_000)).toBeUndefined()
  })

  it('is the p95 of the last minute, at least 10 ms, and three times the p99, at least 1 s', () => {
    const pace = new Pace()
    for (let i = 0; i < 1_000; i++) pace.record(0, 1)
    expect(pace.hedgeDelayMs(0)).toBe(10)
    expect(pace.patienceMs(0)).toBe(1_000)
    for (let i = 0; i < 1_000; i++) pace.record(1_000, 500)
    expect(pace.hedgeDelayMs(1_000)).toBeGreaterThanOrEqual(500)
    expect(pace.patienceMs(1_000)).toBeGreaterThanOrEqual(1_500)
    expect(pace.hedgeDelayMs(70_000)).toBeUndefined()
  })
})
