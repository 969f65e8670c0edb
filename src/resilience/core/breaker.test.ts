import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Prng } from '../../kernel/random.ts'
import { Breaker, outcome, type BreakerChange, type BreakerState, type Outcome } from './breaker.ts'
import type { BreakerOptions } from './breaker-options.ts'

const middle = { next: () => 0.5 }
const make = (options: BreakerOptions = {}): { breaker: Breaker; changes: BreakerChange[] } => {
  const breaker = new Breaker({ slowMs: 100, ...options }, middle)
  const changes: BreakerChange[] = []
  breaker.onChange = (change) => changes.push(change)
  return { breaker, changes }
}
/** One call from beginning to end; false when it was refused. */
const call = (breaker: Breaker, now: number, result: Outcome = outcome.ok, ms = 1): boolean => {
  const generation = breaker.allow(now)
  if (generation > 0) breaker.record(now, result, ms, generation)
  return generation > 0
}
const calls = (breaker: Breaker, now: number, results: string, ms = 1): void => {
  for (const letter of results)
    call(breaker, now, letter === 'f' ? outcome.failed : letter === 's' ? outcome.slow : letter === 'i' ? outcome.ignored : outcome.ok, ms)
}

describe('opens', () => {
  // [what, options, results, state]: after the scenario lists of resilience4j, cockatiel and Polly.
  const table: [string, BreakerOptions, string, BreakerState][] = [
    ['not on the first failure of the day', {}, 'f', 'closed'],
    ['not below the least number of calls', {}, 'f'.repeat(19), 'closed'],
    ['at the least number of calls, all failed', {}, 'f'.repeat(20), 'open'],
    ['at exactly the failure share', {}, 'of'.repeat(10), 'open'],
    ['not one below the failure share', {}, `${'of'.repeat(9)}oo`, 'closed'],
    ['not by what callers gave up', {}, `${'i'.repeat(40)}ffff`, 'closed'],
    ['by slow answers of another name', {}, `${'s'.repeat(16)}oooos`, 'open'],
    ['not by slow answers below their share', {}, `${'s'.repeat(15)}ooooo`, 'closed'],
    ['by failures in a row', { window: { type: 'consecutive', failures: 3 } }, 'fofff', 'open'],
    ['not by failures that a success divides', { window: { type: 'consecutive', failures: 3 } }, 'ffoffoff', 'closed'],
    ['by the last calls only', { window: { type: 'count', calls: 4 }, minCalls: 4 }, 'oooooooff', 'open'],
    ['not by failures that left the count', { window: { type: 'count', calls: 4 }, minCalls: 4 }, 'foooofooo', 'closed'],
    ['when a count smaller than the least number is full', { window: { type: 'count', calls: 4 } }, 'ffff', 'open'],
    ['never at a failure share of 1 with one success', { failureRate: 1 }, `o${'f'.repeat(50)}`, 'closed'],
  ]
  it.each(table)('%s', (_what, options, results, state) => {
    const { breaker } = make(options)
    calls(breaker, 0, results)
    expect(breaker.state).toBe(state)
  })

  it('not by failures that are older than the window', () => {
    const { breaker } = make()
    calls(breaker, 0, 'f'.repeat(19))
    calls(breaker, 10_500, 'f')
    expect(breaker.state).toBe('closed')
    expect(breaker.counts(10_500)).toEqual({ calls: 1, failed: 1, slow: 0 })
  })

  it('by calls that take longer than the limit', () => {
    const { breaker, changes } = make()
    calls(breaker, 0, 'o'.repeat(20), 101)
    expect(changes).toMatchObject([{ from: 'closed', to: 'open', reason: 'slow', calls: 20, slow: 20, openForMs: 5_000 }])
  })

  it('by calls four times slower than the calm time before', () => {
    const breaker = new Breaker({}, middle)
    for (let t = 0; t <= 20_000; t += 100) call(breaker, t, outcome.ok, 50)
    expect(breaker.slowerThanMs).toBeGreaterThanOrEqual(200)
    expect(breaker.slowerThanMs).toBeLessThan(230)
    for (let t = 20_000; t <= 31_000 && breaker.state === 'closed'; t += 50) call(breaker, t, outcome.ok, 400)
    expect(breaker.state).toBe('open')
  })

  it('on the word of another, for the usual time', () => {
    const { breaker } = make()
    breaker.trip(0)
    expect([breaker.allow(4_999), breaker.state]).toEqual([0, 'open'])
  })
})

describe('open', () => {
  it('refuses until its time is over, which doubles up to a cap and is short again after a calm minute', () => {
    const { breaker, changes } = make({ halfOpen: { type: 'sample', calls: 1 } })
    calls(breaker, 0, 'f'.repeat(20))
    let now = 0
    for (let i = 0; i < 6; i++) {
      expect(call(breaker, now + breaker.retryAfterMs(now) - 1)).toBe(false)
      now += breaker.retryAfterMs(now)
      expect(call(breaker, now, outcome.failed)).toBe(true)
    }
    const opened = (): (number | undefined)[] => changes.filter(({ to }) => to === 'open').map(({ openForMs }) => openForMs)
    expect(opened()).toEqual([5_000, 10_000, 20_000, 40_000, 60_000, 60_000, 60_000])
    now += 60_000
    call(breaker, now)
    expect(breaker.state).toBe('closed')
    calls(breaker, now + 60_000, 'f'.repeat(20))
    expect(opened().at(-1)).toBe(5_000)
  })

  it('spreads its time by chance', () => {
    const opened = [0, 0.999].map((next) => {
      const breaker = new Breaker({ slowMs: 100 }, { next: () => next })
      calls(breaker, 0, 'f'.repeat(20))
      return Math.round(breaker.retryAfterMs(0) / 10)
    })
    expect(opened).toEqual([400, 600])
  })

  it('ignores what began while it was closed', () => {
    const { breaker } = make({ halfOpen: { type: 'sample', calls: 1 } })
    const old = breaker.allow(0)
    calls(breaker, 0, 'f'.repeat(20))
    const trial = breaker.allow(5_000)
    breaker.record(5_001, outcome.ok, 5_001, old)
    expect(breaker.state).toBe('halfOpen')
    breaker.record(5_002, outcome.ok, 2, trial)
    breaker.record(5_003, outcome.failed, 5_003, old)
    expect([breaker.state, breaker.counts(5_003).calls]).toEqual(['closed', 0])
  })
})

describe('half open', () => {
  const halfOpen = (options: BreakerOptions = {}): Breaker => {
    const { breaker } = make(options)
    calls(breaker, 0, 'f'.repeat(20))
    return breaker
  }

  it('lets a sample through and refuses the rest', () => {
    const breaker = halfOpen({ halfOpen: { type: 'sample', calls: 2 } })
    const trials = [1, 2, 3].map(() => breaker.allow(5_000))
    expect(trials[2]).toBe(0)
    breaker.record(5_010, outcome.ok, 10, trials[0]!)
    expect([breaker.state, breaker.allow(5_010)]).toEqual(['halfOpen', 0])
    breaker.record(5_020, outcome.ok, 10, trials[1]!)
    expect(breaker.state).toBe('closed')
  })

  it('draws again for a call that was given up', () => {
    const breaker = halfOpen({ halfOpen: { type: 'sample', calls: 1 } })
    breaker.record(5_010, outcome.ignored, 10, breaker.allow(5_000))
    expect(breaker.state).toBe('halfOpen')
    expect(breaker.allow(5_020)).toBeGreaterThan(0)
  })

  it('opens again when a trial never comes back', () => {
    const breaker = halfOpen({ halfOpen: { type: 'sample', calls: 1, rampMs: 1_000 } })
    expect(breaker.allow(5_000)).toBeGreaterThan(0)
    expect([breaker.poll(6_999), breaker.poll(7_000)]).toEqual(['halfOpen', 'open'])
  })

  it('raises its concurrency along the ramp, refuses the rest, and closes at the end', () => {
    const breaker = halfOpen({ halfOpen: { type: 'ramp', rampMs: 10_000, from: 5, to: 15 } })
    const begun: number[] = []
    const admitted = (now: number): number => {
      for (let i = 0; i < 50; i++) {
        const generation = breaker.allow(now)
        if (generation > 0) begun.push(generation)
      }
      return begun.length
    }
    expect([admitted(5_000), admitted(10_000), admitted(14_999)]).toEqual([5, 10, 14])
    for (const generation of begun) breaker.record(14_999, outcome.ok, 1, generation)
    expect([breaker.state, breaker.poll(15_000)]).toEqual(['halfOpen', 'closed'])
  })

  it('opens again at the third failure, without waiting for the ramp', () => {
    const breaker = halfOpen()
    calls(breaker, 5_000, 'ofof')
    expect(breaker.state).toBe('halfOpen')
    calls(breaker, 5_000, 'f')
    expect(breaker.state).toBe('open')
    expect(breaker.openings).toBe(2)
  })

  it('bears the usual noise of a healthy service', () => {
    const breaker = halfOpen()
    calls(breaker, 5_000, 'o'.repeat(100))
    calls(breaker, 6_000, 'ffff')
    expect(breaker.poll(15_000)).toBe('closed')
  })

  it('prolongs a thin ramp with a failure once, and decides then', () => {
    const breaker = halfOpen()
    calls(breaker, 5_000, 'of')
    expect(breaker.poll(15_000)).toBe('halfOpen')
    expect(breaker.poll(25_000)).toBe('open')
  })

  it('opens again when the trial was only slow', () => {
    const breaker = halfOpen()
    calls(breaker, 5_000, 'o'.repeat(10), 150)
    expect(breaker.poll(15_000)).toBe('open')
  })
})

describe('by hand', () => {
  it('is held open until the last handle is gone, and goes on as before', () => {
    const { breaker, changes } = make()
    const [a, b] = [breaker.isolate(0), breaker.isolate(0)]
    expect([breaker.allow(1), breaker.state, breaker.retryAfterMs(1)]).toEqual([0, 'forcedOpen', Infinity])
    a[Symbol.dispose]()
    a[Symbol.dispose]()
    expect(breaker.allow(2)).toBe(0)
    b[Symbol.dispose]()
    expect(call(breaker, 3)).toBe(true)
    expect(changes.map(({ to, reason }) => [to, reason])).toEqual([
      ['forcedOpen', 'isolated'],
      ['closed', 'released'],
    ])
  })

  it('an open time goes on below a handle', () => {
    const { breaker } = make()
    calls(breaker, 0, 'f'.repeat(20))
    const handle = breaker.isolate(1_000)
    expect(breaker.allow(6_000)).toBe(0)
    handle[Symbol.dispose]()
    expect([breaker.state, breaker.retryAfterMs(4_000), breaker.allow(6_000) > 0]).toEqual(['open', 1_000, true])
  })

  it('disabled counts and never opens', () => {
    const { breaker } = make()
    breaker.setDisabled(true, 0)
    calls(breaker, 0, 'f'.repeat(100))
    expect([breaker.state, breaker.counts(0).failed]).toEqual(['disabled', 100])
    breaker.setDisabled(false, 0)
    calls(breaker, 0, 'f'.repeat(20))
    expect(breaker.state).toBe('open')
  })

  it('reset closes and forgets', () => {
    const { breaker } = make()
    calls(breaker, 0, 'f'.repeat(20))
    breaker.reset(1)
    expect([breaker.state, breaker.openings, call(breaker, 2)]).toEqual(['closed', 0, true])
  })
})

describe('a snapshot', () => {
  it('keeps the time that is left, over another monotonic clock', () => {
    const { breaker } = make()
    calls(breaker, 1_000, 'f'.repeat(20))
    const saved = JSON.parse(JSON.stringify(breaker.snapshot(2_000, 1_000_000))) as ReturnType<Breaker['snapshot']>
    const { breaker: next } = make()
    next.restore(saved, 50, 1_001_000)
    expect([next.state, next.retryAfterMs(50), next.openings]).toEqual(['open', 3_000, 1])
  })

  it('is not held open by a wall clock that went back', () => {
    const { breaker } = make()
    breaker.restore({ state: 'open', openings: 1, openUntilWall: 10 ** 12, baselineP95Ms: 0 }, 0, 0)
    expect(breaker.retryAfterMs(0)).toBe(72_000)
  })

  it('of a half-open breaker tries at once; of a closed one is hydrating until the first result', () => {
    const { breaker } = make()
    breaker.restore({ state: 'halfOpen', openings: 2, openUntilWall: 0, baselineP95Ms: 0 }, 0, 0)
    expect([breaker.state, breaker.allow(0) > 0]).toEqual(['open', true])
    breaker.restore({ state: 'closed', openings: 0, openUntilWall: 0, baselineP95Ms: 10 }, 0, 0)
    expect(breaker.state).toBe('hydrating')
    call(breaker, 1)
    expect(breaker.state).toBe('closed')
  })
})

describe('always', () => {
  const step = fc.record({
    wait: fc.integer({ min: 0, max: 4_000 }),
    result: fc.constantFrom<Outcome>(0, 1, 2, 3),
    lag: fc.integer({ min: 0, max: 30 }),
    lost: fc.boolean(),
  })
  const windows = fc.constantFrom<BreakerOptions>(
    {},
    { window: { type: 'consecutive', failures: 3 } },
    { window: { type: 'count', calls: 30 } },
    { halfOpen: { type: 'sample', calls: 3 } },
  )

  it('no half-open time lasts longer than two ramps, counts are never wrong, and only trials pass a breaker that is not closed', () => {
    fc.assert(
      fc.property(windows, fc.array(step, { minLength: 50, maxLength: 400 }), fc.integer(), (options, steps, seed) => {
        const breaker = new Breaker({ slowMs: 100, minCalls: 5, ...options }, new Prng(seed))
        let now = 0
        let trialBegan = 0
        breaker.onChange = ({ to }) => {
          if (to === 'halfOpen') trialBegan = now
        }
        const inFlight: { generation: number; result: Outcome }[] = []
        for (const { wait, result, lag, lost } of steps) {
          now += wait
          if (breaker.poll(now) === 'halfOpen') expect(now - trialBegan).toBeLessThan(20_000)
          const generation = breaker.allow(now)
          if (generation === 0) expect(['open', 'halfOpen']).toContain(breaker.state)
          else if (!lost) inFlight.push({ generation, result })
          while (inFlight.length > lag) {
            const ended = inFlight.shift()!
            breaker.record(now, ended.result, 50, ended.generation)
          }
          const { calls: all, failed, slow } = breaker.counts(now)
          expect(failed + slow).toBeLessThanOrEqual(all)
          expect(Math.min(all, failed, slow)).toBeGreaterThanOrEqual(0)
        }
      }),
    )
  })

  it('a healthy service with 2 % errors is never refused', () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const chance = new Prng(seed)
        const breaker = new Breaker({ slowMs: 100 }, chance)
        for (let now = 0; now < 20_000; now += 5) expect(call(breaker, now, chance.next() < 0.02 ? outcome.failed : outcome.ok)).toBe(true)
      }),
      { numRuns: 10 },
    )
  })
})

it('refuses settings that make no sense', () => {
  expect(() => make({ failureRate: 50 })).toThrow('breaker: failureRate must be a share from 0 to 1, got 50')
  expect(() => make({ window: { type: 'consecutive', failures: 0 } })).toThrow('window.failures')
})
