import { expect, it } from 'vitest'
import { after, elapsed, ms, seconds } from '../kernel/time.ts'
import { isSettled, readyAt } from './settlement.ts'
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

it('says when the first will be ready, by when it was begun or will be, and nothing once one is', async () => {
  let exits = true
  const scene = new FleetScene(() => (exits ? { exitMs: 100 } : { bootMs: 300 }))
  scene.apply({ config: serviceConfig('web') })
  const boot = ms(300)
  const service = () => scene.service('web')
  await scene.clock.advance(ms(50))
  const { bornAt } = service().slots.get(0)!.serving!
  expect(readyAt(service(), undefined)).toBeUndefined()
  expect(readyAt(service(), boot)).toBe(after(bornAt, boot))
  // It waits before it is tried again, a little longer each time.
  while (service().slots.get(0)!.rest.phase !== 'backoff') await scene.clock.advance(ms(50))
  const { rest } = service().slots.get(0)!
  if (rest.phase !== 'backoff') throw new Error('it does not wait')
  expect(readyAt(service(), boot)).toBe(after(rest.until, boot))
  exits = false
  const expected = readyAt(service(), boot)!
  while (readyAt(service(), boot) !== undefined) await scene.clock.advance(ms(10))
  expect(Math.abs(elapsed(expected, scene.clock.now()))).toBeLessThanOrEqual(20)
})
