import { expect, it } from 'vitest'
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts'
import { ms } from '../../../kernel/time.ts'
import { Rounds } from './rounds.ts'

it('looks until there is nothing to look at, once per interval whatever is asked for meanwhile', async () => {
  const clock = new VirtualClock()
  const rounds = new Rounds(clock)
  let looks = 0
  const look = (): boolean => {
    looks++
    // Asked for again from within, as an end does that leads to the next one.
    rounds.every('look', ms(100), look)
    return looks < 3
  }
  rounds.every('look', ms(100), look)
  rounds.every('look', ms(100), look)
  await clock.advance(ms(1_000))
  expect(looks).toBe(3)
  rounds.every('look', ms(100), look)
  rounds.stop()
  await clock.advance(ms(1_000))
  expect(looks).toBe(3)
})
