import { describe, expect, it } from 'vitest'
import { Prng } from '../../kernel/random.ts'
import { downIntervalMsMax, ProbeMonitor, transitionIntervalMs } from './probe-monitor.ts'

const random = { next: () => 0.5 }
const pass = undefined

/** Verdicts after each outcome: `p` passes, `f` fails; upper case where the verdict changed. */
function verdicts(monitor: ProbeMonitor, outcomes: string): string {
  return Array.from(outcomes, (outcome) => {
    const changed = monitor.observe(outcome === 'p' ? pass : 'refused')
    const verdict = monitor.healthy ? 'h' : 'u'
    return changed ? verdict.toUpperCase() : verdict
  }).join('')
}

describe('a probe monitor', () => {
  it.each([
    ['pffpfffppp', 'hhhhhhUuHh'],
    ['pppp', 'hhhh'],
    ['fp', 'Uu'],
    ['fpp', 'UuH'],
    ['fpfpp', 'UuuuH'],
    ['pfffpfpp', 'hhhUuuuH'],
  ])('falls after three and rises after two, and the very first outcome decides alone: %s', (outcomes, expected) => {
    expect(verdicts(new ProbeMonitor({ fall: 3, rise: 2 }), outcomes)).toBe(expected)
  })

  it('believes one failure of a suspect', () => {
    const monitor = new ProbeMonitor({ fall: 3, rise: 2 })
    monitor.observe(pass)
    monitor.suspect()
    expect(verdicts(monitor, 'pfff')).toBe('hhhU')
    const again = new ProbeMonitor({ fall: 3, rise: 2 })
    again.observe(pass)
    again.suspect()
    expect(verdicts(again, 'f')).toBe('U')
    again.suspect()
    expect(verdicts(again, 'pp')).toBe('uH')
  })

  it('says why, until it is well again', () => {
    const monitor = new ProbeMonitor({ fall: 2, rise: 1 })
    monitor.observe(pass)
    monitor.observe('status 500')
    expect(monitor.reason).toBe('status 500')
    monitor.observe(pass)
    expect(monitor.reason).toBeUndefined()
    monitor.observe('a')
    monitor.observe('b')
    expect(monitor).toMatchObject({ healthy: false, reason: 'b' })
    monitor.observe(pass)
    expect(monitor).toMatchObject({ healthy: true, reason: undefined })
  })

  it('probes fast while the verdict is about to change, slowly while down, and never in step', () => {
    const monitor = new ProbeMonitor({ fall: 2, rise: 2 })
    monitor.observe(pass)
    expect(monitor.waitMs(1_000, random)).toBe(1_000)
    monitor.observe('x')
    expect(monitor.waitMs(1_000, random)).toBe(transitionIntervalMs)
    expect(monitor.waitMs(100, random)).toBe(100)
    monitor.observe('x')
    expect(monitor.waitMs(1_000, random)).toBe(2_500)
    expect(monitor.waitMs(60_000, random)).toBe(downIntervalMsMax)
    const prng = new Prng(1)
    const waits = Array.from({ length: 200 }, () => monitor.waitMs(1_000, prng))
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(2_250)
    expect(Math.max(...waits)).toBeLessThanOrEqual(2_750)
    expect(new Set(waits).size).toBeGreaterThan(100)
  })
})
