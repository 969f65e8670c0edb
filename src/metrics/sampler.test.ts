import { describe, expect, it } from 'vitest'
import { VirtualClock } from '../kernel/testing/virtual-clock.ts'
import { ms } from '../kernel/time.ts'
import { Sampler } from './sampler.ts'
import type { Reading } from './types.ts'

describe('the sampler', () => {
  it('reads every source once a second and hands the whole on, whoever fails', async () => {
    const clock = new VirtualClock()
    const errors: unknown[] = []
    const sampler = new Sampler({ clock, onError: (error) => errors.push(error) })
    const heard: Reading[] = []
    let n = 0
    sampler.register({ samples: () => [{ metric: 'n', labels: {}, value: ++n }] })
    sampler.register({
      samples: () => {
        throw new Error('broken source')
      },
    })
    sampler.onReading(() => {
      throw new Error('broken listener')
    })
    sampler.onReading((reading) => heard.push(reading))
    sampler.start()
    await clock.advance(ms(3_500))
    sampler.stop()
    await clock.advance(ms(5_000))
    expect(heard.map(({ samples }) => samples.map(({ value }) => value))).toEqual([[1], [2], [3]])
    expect(heard.map(({ at }) => at - (heard[0]?.at ?? 0))).toEqual([0, 1_000, 2_000])
    expect(errors).toHaveLength(6)
  })

  it('takes more samples of one source than fit as arguments', () => {
    const sampler = new Sampler({
      clock: new VirtualClock(),
      onError: (error) => {
        throw error
      },
    })
    sampler.register({ samples: () => Array.from({ length: 300_000 }, (_, value) => ({ metric: 'n', labels: {}, value })) })
    expect(sampler.tick().samples).toHaveLength(300_000)
  })
})
