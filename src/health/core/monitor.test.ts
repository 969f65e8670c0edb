import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { monitorDefaults as rules, newMonitor, nextCheckMs, observe, paused, resumed, type CheckOutcome, type Monitor } from './monitor.ts'

const outcomes: Readonly<Record<string, CheckOutcome>> = { p: 'pass', f: 'fail', i: 'inconclusive' }
const states = (script: string): string => {
  let monitor = newMonitor(0)
  return script
    .split('')
    .map((letter, i) => (monitor = observe(monitor, outcomes[letter]!, i, rules)).state[0])
    .join('')
}

describe('a monitor', () => {
  it('suspects, confirms, falls, comes back', () => {
    expect(states('pfffppp')).toBe('ussdruu')
    expect(states('fff')).toBe('ssd')
    expect(states('pfpffp')).toBe('usussu')
    expect(states('pfffpfpp')).toBe('ussdrdru')
  })

  it('learns nothing from a check that could not be made', () => {
    expect(states('pfifif')).toBe('ussssd')
    expect(states('iii')).toBe('uuu')
  })

  it('is asked again soon while it is in doubt', () => {
    const at = (script: string): number =>
      nextCheckMs(
        Array.from(script).reduce<Monitor>((m, letter) => observe(m, outcomes[letter]!, 0, rules), newMonitor(0)),
        rules,
      )
    expect([at('p'), at('pf'), at('pfff'), at('pfffp'), at('pfffpp')]).toEqual([10_000, 1_000, 10_000, 1_000, 10_000])
  })

  it('begins anew after maintenance', () => {
    const down = Array.from('pfff').reduce<Monitor>((m, letter) => observe(m, outcomes[letter]!, 0, rules), newMonitor(0))
    const asleep = paused(down, 5)
    expect(observe(asleep, 'fail', 6, rules)).toBe(asleep)
    expect(resumed(asleep, 7)).toMatchObject({ state: 'unknown', failures: 0, since: 7 })
  })

  it('is down only after that many failures in a row, and up only after that many passes', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom<CheckOutcome>('pass', 'fail', 'inconclusive')),
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 5 }),
        (all, fall, rise) => {
          let monitor = newMonitor(0)
          let run = 0
          let last: CheckOutcome | undefined
          for (const [i, outcome] of all.entries()) {
            const before = monitor.state
            monitor = observe(monitor, outcome, i, { ...rules, fall, rise })
            if (outcome === 'inconclusive') {
              expect(monitor.state).toBe(before)
              continue
            }
            run = outcome === last ? run + 1 : 1
            last = outcome
            if (monitor.state === 'down' && before !== 'down' && before !== 'recovering') expect(run).toBeGreaterThanOrEqual(fall)
            if (monitor.state === 'up' && (before === 'down' || before === 'recovering')) expect(run).toBeGreaterThanOrEqual(rise)
          }
        },
      ),
    )
  })
})
