import { describe, expect, it } from 'vitest'
import { evaluate, mustSend, type AlertState, type RuleTimes } from './rule-machine.ts'

const minute = 60_000

/** One sample a minute; `1` is true. Returns the phase after each. */
function timeline(samples: string, times: RuleTimes): string {
  let state: AlertState | undefined
  return samples
    .split(' ')
    .map((sample, i) => {
      state = evaluate(state, sample === '1' ? 1 : undefined, i * minute, times)
      return state === undefined ? '-' : state.phase[0]
    })
    .join(' ')
}

describe('one alert', () => {
  it('is as promtool has it: for 2 m, kept 3 m', () => {
    expect(timeline('1 1 1 1 0 0 0 0 0', { forMs: 2 * minute, keepFiringForMs: 3 * minute })).toBe('p p f f f f f r r')
    expect(timeline('1 0 0 0 1 1 1 1', { forMs: 2 * minute })).toBe('p - - - p p f f')
  })

  it('fires at once without a time, and is told as resolved for a quarter of an hour', () => {
    expect(timeline('1 0', {})).toBe('f r')
    expect(
      timeline(`1 ${'0 '.repeat(17).trim()}`, {})
        .split(' ')
        .lastIndexOf('r'),
    ).toBe(16)
  })

  it('a true sample while it is kept begins the wait anew', () => {
    expect(timeline('1 0 0 1 0 0 0 0', { keepFiringForMs: 3 * minute })).toBe('f f f f f f f r')
  })

  it('is told once, again every minute, and at once when it is over', () => {
    const firing = evaluate(undefined, 1, 0, {})!
    expect(mustSend(firing, 0)).toBe(true)
    const sent = { ...firing, lastSentAt: 0 }
    expect(mustSend(sent, minute)).toBe(false)
    expect(mustSend(sent, minute + 1)).toBe(true)
    expect(mustSend(evaluate(sent, undefined, 10, {})!, 10)).toBe(true)
    expect(mustSend(evaluate(undefined, 1, 0, { forMs: 1 })!, 0)).toBe(false)
  })
})
