import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { RestartConfig } from '../../config/types.ts'
import { instant, minutes, ms, seconds, type Duration } from '../../kernel/time.ts'
import type { ExitClass } from '../../registry/types.ts'
import { cleanHistory, decideRestart, restartLimits, type Ending, type RestartHistory, type Verdict } from './restart-policy.ts'

const config: RestartConfig = { policy: 'always', backoff: { initial: seconds(1), max: seconds(60) } }
/** The roll that leaves a wait as it is. */
const middle = 0.5

const ending = (overrides: Partial<Ending> = {}): Ending => ({
  class: 'crash',
  readyFor: seconds(1),
  bootTime: undefined,
  resource: false,
  final: false,
  ...overrides,
})

/** What a verdict means for the wait, in milliseconds; undefined: never again. */
const waitOf = (verdict: Verdict): number | undefined => (verdict.type === 'restart' ? 0 : verdict.type === 'wait' ? verdict.wait : undefined)

/** Endings one after the other, each `lived` after the one before plus its wait. */
function story(endings: readonly Ending[], lived: Duration = seconds(2), rules: RestartConfig = config): (number | undefined)[] {
  let history: RestartHistory = cleanHistory
  let now = 0
  return endings.map((one) => {
    now += lived
    const decided = decideRestart(history, one, { config: rules, limits: restartLimits }, instant(now), middle)
    history = decided.history
    now += waitOf(decided.verdict) ?? 0
    return waitOf(decided.verdict)
  })
}

const times = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value)

describe('restarting', () => {
  it('is free after a good time, then waits twice as long each time, then is a crash loop at the cap', () => {
    expect(story(times(8, ending()))).toEqual([0, 1_000, 2_000, 4_000, 60_000, 60_000, 60_000, 60_000])
  })

  it('waits from the first failure on when the program was never ready', () => {
    expect(story(times(4, ending({ class: 'startFailed', readyFor: undefined })))).toEqual([1_000, 2_000, 4_000, 8_000])
  })

  it('reaches the cap by doubling when failures are too far apart for a crash loop', () => {
    expect(story(times(9, ending()), minutes(4))).toEqual([0, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000])
  })

  it('forgets everything after ten good minutes', () => {
    expect(story([...times(5, ending()), ending({ readyFor: minutes(10) }), ending()])).toEqual([0, 1_000, 2_000, 4_000, 60_000, 0, 1_000])
  })

  it('asks for more good time of what boots slowly', () => {
    const slow = { bootTime: minutes(5), readyFor: minutes(20) }
    expect(story([ending(slow), ending(slow)], minutes(20))).toEqual([0, 1_000])
    expect(story([ending(slow), ending({ ...slow, readyFor: minutes(25) })], minutes(20))).toEqual([0, 0])
  })

  it('never makes a kill from outside wait, however often it comes', () => {
    expect(story(times(500, ending({ class: 'killed', readyFor: seconds(2) })))).toEqual(times(500, 0))
  })

  it('does not let kills hide crashes, nor crashes make kills expensive', () => {
    const killed = ending({ class: 'killed' })
    expect(story([ending(), killed, ending(), killed, ending(), killed])).toEqual([0, 0, 1_000, 0, 2_000, 0])
  })

  it('stops spinning when something kills the program at once every time', () => {
    const hot = ending({ class: 'killed', readyFor: ms(100) })
    const waits = story(times(23, hot), ms(150))
    expect(waits.slice(0, 19)).toEqual(times(19, 0))
    expect(waits.slice(19)).toEqual([1_000, 2_000, 4_000, 8_000])
  })

  it.each<[RestartConfig['policy'], ExitClass, number | undefined]>([
    ['always', 'completed', 0],
    ['on-failure', 'completed', undefined],
    ['on-failure', 'crash', 0],
    ['on-failure', 'killed', 0],
    ['never', 'crash', undefined],
    ['never', 'killed', undefined],
  ])('follows the policy %s after an end of class %s', (policy, exitClass, wait) => {
    expect(story([ending({ class: exitClass })], seconds(2), { ...config, policy })).toEqual([wait])
  })

  it('does not try what only a person can mend', () => {
    expect(story([ending({ class: 'config', final: true })])).toEqual([undefined])
    expect(story([ending({ class: 'config', final: false, readyFor: undefined })])).toEqual([1_000])
  })

  it('waits when the machine is out of something, without calling it a crash loop', () => {
    const none = ending({ class: 'startFailed', readyFor: undefined, resource: true })
    expect(story(times(8, none))).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000])
  })

  it('says once that it has become a crash loop', () => {
    let history: RestartHistory = cleanHistory
    const entered: number[] = []
    for (let i = 1; i <= 10; i++) {
      const decided = decideRestart(history, ending(), { config, limits: restartLimits }, instant(i * 1_000), middle)
      history = decided.history
      if (decided.verdict.type === 'wait' && decided.verdict.entered) entered.push(i)
    }
    expect(entered).toEqual([5])
  })

  it('property: draws each wait from ± 25 %, never more than the cap allows', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 40 }), fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }), (waits, roll) => {
        const history: RestartHistory = { ...cleanHistory, streak: waits + 1, waits }
        const { verdict } = decideRestart(history, ending(), { config, limits: restartLimits }, instant(0), roll)
        const base = Math.min(1_000 * 2 ** waits, 60_000)
        expect(verdict.type).toBe('wait')
        if (verdict.type !== 'wait') return
        expect(verdict.until).toBeGreaterThanOrEqual(base * 0.75)
        expect(verdict.until).toBeLessThanOrEqual(base * 1.25)
      }),
    )
  })
})
