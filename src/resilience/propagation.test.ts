/** One deadline and one set of retries for a tree of calls (move 7), in virtual time. */
import { describe, expect, it } from 'vitest'
import { Prng } from '../kernel/random.ts'
import { instant, ms, type Clock } from '../kernel/time.ts'
import { VirtualClock } from '../kernel/testing/virtual-clock.ts'
import { answerFields, propagate, received, retry, type CallContext } from './index.ts'

describe('the fields', () => {
  it('tell what is left, and the smaller of both counts when a clock is wrong', () => {
    const clock = new VirtualClock()
    const sent = propagate({ deadline: 250, attempt: 1 }, clock)
    expect(sent).toEqual({ 'x-retry-attempt': '1', 'x-deadline': '1700000000250;remaining=250' })
    expect(received(sent, clock)).toEqual({ deadline: 250, attempt: 1 })
    clock.wallOffsetMs += 100
    expect(received(sent, clock).deadline).toBe(150)
    clock.wallOffsetMs -= 3_600_000
    expect(received(sent, clock).deadline).toBe(250)
  })

  it('that make no sense are ignored; too little time is refused', () => {
    const clock = new VirtualClock()
    expect(received({ 'x-deadline': 'soon', 'x-retry-attempt': '-1' }, clock)).toEqual({ deadline: Infinity, attempt: 0 })
    expect(propagate({ deadline: Infinity, attempt: 0 }, clock)).toEqual({ 'x-retry-attempt': '0' })
    expect(() => received(propagate({ deadline: 4, attempt: 0 }, clock), clock)).toThrow('4 ms left')
  })
})

/** A clock whose waits take no real time, for many calls one after the other. */
class LeapingClock implements Clock {
  #now = 0
  now = (): ReturnType<Clock['now']> => instant(this.#now)
  wallTime = (): ReturnType<Clock['wallTime']> => (1_700_000_000_000 + this.#now) as ReturnType<Clock['wallTime']>
  pass(wait: number): void {
    this.#now += wait
  }
  schedule(at: number, task: () => void): Disposable {
    let gone = false
    queueMicrotask(() => {
      if (gone) return
      this.#now = Math.max(this.#now, at)
      task()
    })
    return { [Symbol.dispose]: () => (gone = true) }
  }
}

describe('three layers over a leaf', () => {
  type Fields = Record<string, string>
  class Answered extends Error {
    readonly status = 500
    readonly headers: Fields
    constructor(headers: Fields) {
      super('failed')
      this.headers = headers
    }
  }
  /** Each hop is a service of its own: nothing passes but fields. */
  const tower = (clock: Clock, random: Prng, leaf: (fields: Fields) => void): ((deadline: number) => Promise<void>) => {
    const layers = [1, 2, 3].map(() => retry({ clock, random, idempotent: true }))
    const serve = async (depth: number, fields: Fields): Promise<void> => {
      const layer = layers[depth]
      if (layer === undefined) {
        leaf(fields)
        return
      }
      try {
        await layer.execute((context: CallContext) => serve(depth + 1, propagate(context, clock)), received(fields, clock))
      } catch (error) {
        throw new Answered(answerFields(error))
      }
    }
    return (deadline) => serve(0, propagate({ deadline, attempt: 0 }, clock))
  }

  it('that always fails: the leaf bears at most 1.25 of what was offered', async () => {
    const clock = new LeapingClock()
    let load = 0
    const call = tower(clock, new Prng(7), () => {
      load++
      throw new Answered({})
    })
    const offered = 2_000
    for (let i = 0; i < offered; i++) {
      await expect(call(Infinity)).rejects.toThrow('failed')
      clock.pass(1)
    }
    expect(load / offered).toBeGreaterThan(1)
    expect(load / offered).toBeLessThanOrEqual(1.25)
  })

  it('begins nothing after the deadline, in 100,000 requests', async () => {
    const clock = new LeapingClock()
    const random = new Prng(11)
    let began = 0
    let late = 0
    let deadline = 0
    const call = tower(clock, random, () => {
      began++
      if (clock.now() >= deadline) late++
      clock.pass(random.next() * 30)
      if (random.next() < 0.3) throw new Answered({})
    })
    for (let i = 0; i < 100_000; i++) {
      deadline = clock.now() + 5 + random.next() * 200
      await call(deadline).catch(() => undefined)
      clock.pass(random.next())
    }
    expect(began).toBeGreaterThan(100_000)
    expect(late).toBe(0)
  })

  it('a virtual clock agrees that retries wait', async () => {
    const clock = new VirtualClock()
    let load = 0
    const call = tower(clock, new Prng(3), () => {
      load++
      throw new Answered({})
    })
    const result = call(10_000).catch((error: unknown) => error)
    await clock.advance(ms(10_000))
    await result
    expect([load, clock.pending]).toEqual([3, 0])
  })
})
