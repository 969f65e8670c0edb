import { describe, expect, it } from 'vitest'
import { VirtualClock } from '../kernel/testing/virtual-clock.ts'
import { instant, minutes, ms, seconds } from '../kernel/time.ts'
import type { Slot } from './core/fleet-state.ts'
import { cleanHistory } from './core/restart-policy.ts'
import { recallSlot, slotRecord } from './records.ts'

const slot = (overrides: Partial<Slot>): Slot => ({
  index: 2,
  revision: 1,
  serving: undefined,
  replacement: undefined,
  nextId: 'web-abc123',
  rest: { phase: 'none' },
  history: cleanHistory,
  restarts: 7,
  failed: false,
  portRetries: 0,
  booked: [],
  pardons: [],
  healAt: undefined,
  ...overrides,
})

describe('what is kept of a slot', () => {
  const waiting = slot({
    rest: { phase: 'backoff', until: instant(130_000), wait: seconds(30), reason: 'exited with code 1' },
    history: { ...cleanHistory, failures: [instant(40_000), instant(90_000)], streak: 2, waits: 1 },
  })

  async function clockAt(seconds_: number): Promise<VirtualClock> {
    const clock = new VirtualClock()
    await clock.advance(seconds(seconds_))
    return clock
  }

  it('comes back as it was, on another monotonic clock', async () => {
    const record = slotRecord('web', waiting, undefined, await clockAt(100))
    const later = await clockAt(5)
    later.wallOffsetMs += 105_000 // ten seconds after it was written, by the wall clock
    expect(recallSlot(record, minutes(10), later)).toEqual({
      index: 2,
      history: { failures: [instant(-65_000), instant(-15_000)], streak: 2, waits: 1, hotKills: 0, crashLooping: false },
      restarts: 7,
      nextStartAt: instant(25_000),
    })
  })

  it.each([3_600_000, -3_600_000])('neither storms nor waits too long when the wall clock was set by %i ms', async (step) => {
    const record = slotRecord('web', waiting, undefined, await clockAt(100))
    const later = await clockAt(100)
    later.wallOffsetMs += step
    const recalled = recallSlot(record, seconds(60), later)
    const wait = (recalled.nextStartAt ?? 0) - later.now()
    expect(wait).toBeGreaterThanOrEqual(0)
    expect(wait).toBeLessThanOrEqual(ms(60_000))
    expect(recalled.history.failures.every((at) => at <= later.now())).toBe(true)
  })
})
