import { describe, expect, it } from 'vitest'
import { VirtualClock } from './testing/virtual-clock.ts'
import { after, elapsed, instant, minutes, ms, seconds, sleep } from './time.ts'

describe('durations', () => {
  it('are milliseconds', () => {
    expect([ms(5), seconds(2), minutes(3)]).toEqual([5, 2_000, 180_000])
    expect(after(instant(10), ms(5))).toBe(15)
    expect(elapsed(instant(10), instant(25))).toBe(15)
  })
})

describe('sleep', () => {
  it('ends when its time has come, and not before', async () => {
    const clock = new VirtualClock()
    let awake = false
    void sleep(clock, seconds(5)).then(() => (awake = true))
    await clock.advance(ms(4_999))
    expect(awake).toBe(false)
    await clock.advance(ms(1))
    expect(awake).toBe(true)
    expect(clock.pending).toBe(0)
  })

  it('ends with the reason of the signal, and leaves no timer', async () => {
    const clock = new VirtualClock()
    const abort = new AbortController()
    const slept = sleep(clock, seconds(5), abort.signal)
    abort.abort(new Error('stopped'))
    await expect(slept).rejects.toThrow('stopped')
    expect(clock.pending).toBe(0)
  })

  it('does not begin when the signal has aborted already', async () => {
    const clock = new VirtualClock()
    await expect(sleep(clock, seconds(5), AbortSignal.abort(new Error('too late')))).rejects.toThrow('too late')
    expect(clock.pending).toBe(0)
  })

  it('that ended does not hear the signal any more', async () => {
    const clock = new VirtualClock()
    const abort = new AbortController()
    const slept = sleep(clock, ms(1), abort.signal)
    await clock.advance(ms(1))
    abort.abort(new Error('stopped'))
    await expect(slept).resolves.toBeUndefined()
  })
})
