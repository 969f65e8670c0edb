import { describe, expect, it } from 'vitest'
import { after, instant, ms, seconds, sleep } from '../time.ts'
import { VirtualClock } from './virtual-clock.ts'

describe('the virtual clock', () => {
  it('runs timers by time, and those of one instant in the order in which they were set', async () => {
    const clock = new VirtualClock()
    const ran: string[] = []
    for (const [at, name] of [
      [30, 'c'],
      [10, 'a'],
      [30, 'd'],
      [20, 'b'],
    ] as const)
      clock.schedule(instant(at), () => ran.push(`${name}@${clock.now()}`))
    await clock.advance(ms(29))
    expect(ran).toEqual(['a@10', 'b@20'])
    expect(clock.now()).toBe(29)
    await clock.advance(ms(1))
    expect(ran).toEqual(['a@10', 'b@20', 'c@30', 'd@30'])
  })

  it('runs timers that timers set, and what waits between them', async () => {
    const clock = new VirtualClock()
    const ran: number[] = []
    const loop = async (): Promise<void> => {
      for (let i = 0; i < 3; i++) {
        await sleep(clock, seconds(1))
        ran.push(clock.now())
      }
    }
    void loop()
    await clock.advance(seconds(10))
    expect(ran).toEqual([1_000, 2_000, 3_000])
    expect(clock.now()).toBe(10_000)
  })

  it('never goes back: a timer of the past runs now', async () => {
    const clock = new VirtualClock()
    await clock.advance(seconds(5))
    const ran: number[] = []
    clock.schedule(instant(1), () => ran.push(clock.now()))
    expect(await clock.advanceToNext()).toBe(true)
    expect(ran).toEqual([5_000])
    expect(await clock.advanceToNext()).toBe(false)
  })

  it('forgets a timer that is disposed, also twice', async () => {
    const clock = new VirtualClock()
    const timer = clock.schedule(after(clock.now(), ms(1)), () => expect.unreachable())
    expect(clock.pending).toBe(1)
    timer[Symbol.dispose]()
    timer[Symbol.dispose]()
    expect(clock.pending).toBe(0)
    await clock.advance(ms(5))
  })

  it('has wall time that may jump while its own time does not', async () => {
    const clock = new VirtualClock()
    const wall = clock.wallTime()
    await clock.advance(seconds(1))
    expect(clock.wallTime() - wall).toBe(1_000)
    clock.wallOffsetMs -= 3_600_000
    expect(clock.wallTime() - wall).toBe(1_000 - 3_600_000)
    expect(clock.now()).toBe(1_000)
  })
})
