import { expect, it } from 'vitest'
import { seconds } from '../kernel/time.ts'
import { isSettled } from './settlement.ts'
import { serviceConfig } from './testing/fleet-kit.ts'
import { FleetScene } from './testing/fleet-scene.ts'

it('a service that cannot start has come to rest while it waits after the third failure', async () => {
  const scene = new FleetScene(() => ({ exitMs: 100 }))
  scene.apply({ config: serviceConfig('web') })
  const settledBefore: number[] = []
  for (let tenths = 0; tenths < 100; tenths++) {
    await scene.clock.advance(seconds(0.1))
    const { history, rest } = scene.service('web').slots.get(0)!
    if (isSettled(scene.service('web'))) settledBefore.push(history.streak)
    else expect(history.streak < 3 || rest.phase === 'none').toBe(true)
  }
  expect(settledBefore.length).toBeGreaterThan(0)
  expect(Math.min(...settledBefore)).toBe(3)
})
