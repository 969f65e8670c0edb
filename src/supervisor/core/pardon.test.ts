import { expect, it } from 'vitest'
import { seconds } from '../../kernel/time.ts'
import { serviceConfig } from '../testing/fleet-kit.ts'
import { exitOf, FleetScene } from '../testing/fleet-scene.ts'

const boots = () => ({ bootMs: 300 })

async function crashed(times: number): Promise<{ readonly scene: FleetScene; readonly ids: string[] }> {
  const scene = new FleetScene(boots)
  scene.apply({ config: serviceConfig('web') })
  await scene.clock.advance(seconds(10))
  const ids: string[] = []
  for (let i = 0; i < times; i++) {
    const instance = scene.serving('web')
    ids.push(instance.id)
    scene.tell(instance, { type: 'exited', exit: exitOf() })
    if (i < times - 1) await scene.clock.advance(seconds(10))
  }
  return { scene, ids }
}

const historyOf = (scene: FleetScene) => scene.service('web').slots.get(0)?.history

it('starts at once what waits because of a failure that is taken back, and forgets that failure only', async () => {
  const { scene, ids } = await crashed(3)
  const before = scene.lines('spawn').length
  scene.send({ type: 'pardon', instances: ids.slice(2) })
  expect(scene.lines('spawn').length).toBe(before + 1)
  expect(historyOf(scene)).toMatchObject({ streak: 2, waits: 1 })
})

it('takes back all of them, when they are the latest', async () => {
  const { scene, ids } = await crashed(3)
  scene.send({ type: 'pardon', instances: ids })
  expect(historyOf(scene)).toMatchObject({ streak: 0, failures: [] })
})

it('leaves what others have failed with since', async () => {
  const { scene, ids } = await crashed(3)
  scene.send({ type: 'pardon', instances: ids.slice(0, 2) })
  expect(historyOf(scene)).toMatchObject({ streak: 3 })
})
