/** Stories of whole services, in virtual time. */
import { describe, expect, it } from 'vitest'
import { minutes, ms, seconds } from '../../kernel/time.ts'
import { serviceConfig } from '../testing/fleet-kit.ts'
import { exitOf, FleetScene } from '../testing/fleet-scene.ts'

const boots = () => ({ bootMs: 300 })
const secondsOf = (lines: readonly string[]): number[] => lines.map((line) => Number.parseFloat(line))

describe('a service', () => {
  it('that is killed every two seconds comes back without delay every time', async () => {
    const scene = new FleetScene(boots)
    scene.apply({ config: serviceConfig('web') })
    for (let round = 0; round < 300; round++) {
      await scene.clock.advance(seconds(2))
      scene.tell(scene.serving('web'), { type: 'exited', exit: exitOf({ code: undefined, signal: 'SIGKILL' }) })
    }
    expect(secondsOf(scene.lines('spawn'))).toEqual(Array.from({ length: 301 }, (_, i) => i * 2))
    expect(scene.service('web').slots.get(0)).toMatchObject({ restarts: 300, history: { streak: 0 } })
  })

  it('that ends by itself every two seconds is crash looping at the fifth failure, said once, and then started at most every 45 s', async () => {
    const scene = new FleetScene(() => ({ bootMs: 300, exitMs: 2_000 }))
    scene.apply({ config: serviceConfig('web') })
    await scene.clock.advance(minutes(60))
    const starts = secondsOf(scene.lines('spawn'))
    const gaps = starts.slice(1).map((at, i) => at - (starts[i] ?? 0))
    expect(gaps[0]).toBeCloseTo(2, 5)
    expect(gaps.slice(4).every((gap) => gap >= 45 && gap <= 77)).toBe(true)
    expect(scene.facts.filter((fact) => fact.type === 'resting' && fact.entered)).toHaveLength(1)
  })

  it('starts no more at once than the node can bear, and is not held up by those that hang', async () => {
    const scene = new FleetScene(({ service }) => (service === 'hangs' ? {} : { bootMs: 1_000 }), { starting: 2 })
    scene.apply({ config: serviceConfig('hangs', { instances: 2 }) }, { config: serviceConfig('web', { instances: 4 }) })
    await scene.clock.advance(seconds(8))
    expect(scene.lines('spawn')).toEqual([
      '0s spawn hangs/0 r1',
      '0s spawn hangs/1 r1',
      '5s spawn web/0 r1',
      '5s spawn web/1 r1',
      '6s spawn web/2 r1',
      '6s spawn web/3 r1',
    ])
  })

  it('that has nobody left does not queue behind the starts of others', async () => {
    const scene = new FleetScene(({ service }) => (service === 'slow' ? { bootMs: 4_000 } : boots()), { starting: 2 })
    scene.apply({ config: serviceConfig('web') })
    await scene.clock.advance(seconds(1))
    scene.apply({ config: serviceConfig('web') }, { config: serviceConfig('slow', { instances: 2 }) })
    await scene.clock.advance(seconds(1))
    scene.tell(scene.serving('web'), { type: 'exited', exit: exitOf() })
    expect(scene.lines('spawn').at(-1)).toBe('2s spawn web/0 r1')
  })

  it('waits for what it depends on, but not for ever', async () => {
    const scene = new FleetScene(({ service }) => (service === 'db' ? {} : boots()))
    scene.apply({ config: serviceConfig('web', { dependsOn: ['db'] }) }, { config: serviceConfig('db') })
    await scene.clock.advance(seconds(61))
    expect(scene.lines('spawn web')).toEqual(['60s spawn web/0 r1'])
    expect(scene.facts).toContainEqual({ type: 'dependenciesMissing', service: 'web', missing: ['db'] })
  })

  it('does not wait again for what it depends on when it is restarted', async () => {
    const scene = new FleetScene(boots)
    scene.apply({ config: serviceConfig('web', { dependsOn: ['db'] }) }, { config: serviceConfig('db') })
    await scene.clock.advance(seconds(5))
    scene.tell(scene.serving('db'), { type: 'exited', exit: exitOf({ code: 78 }) })
    scene.tell(scene.serving('web'), { type: 'exited', exit: exitOf() })
    expect(scene.lines('spawn web')).toEqual(['0.3s spawn web/0 r1', '5s spawn web/0 r1'])
  })

  it('is restarted one instance at a time, then a quarter at a time, and never has fewer than wanted', async () => {
    const scene = new FleetScene(boots)
    scene.apply({ config: serviceConfig('web', { instances: 8 }) })
    await scene.clock.advance(seconds(10))
    const from = scene.log.length
    scene.send({ type: 'restart', service: 'web' })
    await scene.clock.advance(seconds(10))
    const spawns = secondsOf(scene.log.slice(from).filter((line) => line.includes('spawn')))
    expect(spawns.map((at) => Math.round((at - 10) * 100) / 100)).toEqual([0, 0.3, 0.6, 0.6, 0.9, 0.9, 1.2, 1.2])
    const done = scene.facts.find((fact) => fact.type === 'restarted')
    expect(done).toMatchObject({ error: undefined })
    let serving = 8
    for (const line of scene.log.slice(from)) {
      if (line.includes('admit')) serving++
      if (line.includes('drain')) serving--
      expect(serving).toBeGreaterThanOrEqual(8)
    }
  })

  it('keeps its old instances when a new revision does not start, tries that again ever more seldom, and returns to it when it does', async () => {
    let mended = false
    const scene = new FleetScene(({ revision }) => (revision === 2 && !mended ? { exitMs: 100 } : boots()))
    const config = serviceConfig('web', { instances: 3 })
    scene.apply({ config })
    await scene.clock.advance(seconds(10))
    scene.apply({ config, revision: 2 })
    await scene.clock.advance(seconds(200))
    expect(scene.lines('drain')).toEqual([])
    expect(secondsOf(scene.lines('r2').filter((line) => line.includes('spawn'))).map((at) => Math.round(at - 10))).toEqual([
      0, 1, 3, 7, 15, 32, 64, 124, 184,
    ])
    // An old instance that dies meanwhile comes back as it was.
    scene.tell(scene.serving('web', 1), { type: 'exited', exit: exitOf() })
    expect(scene.lines('spawn').at(-1)).toBe('210s spawn web/1 r1')
    mended = true
    await scene.clock.advance(seconds(70))
    expect([...scene.service('web').slots.values()].map(({ serving }) => serving?.revision)).toEqual([2, 2, 2])
  })

  it('that never worked takes a new revision at once, without waiting for the end of its back-off', async () => {
    const scene = new FleetScene(({ revision }) => (revision === 1 ? { exitMs: 10 } : boots()))
    scene.apply({ config: serviceConfig('web') })
    await scene.clock.advance(minutes(5))
    expect(scene.service('web').slots.get(0)?.rest.phase).toBe('crashLooping')
    scene.apply({ config: serviceConfig('web'), revision: 2 })
    expect(scene.lines('spawn').at(-1)).toBe('300s spawn web/0 r2')
  })

  it('over its memory limit is replaced once it has served a while, the new one first, and no more often than that', async () => {
    const scene = new FleetScene(boots)
    const config = { ...serviceConfig('web', { instances: 2 }), resources: { memory: 1_000 } }
    scene.apply({ config })
    await scene.clock.advance(seconds(10))
    const weigh = (...bytes: number[]): void => {
      const readings = bytes.map((memoryBytes, slot) => ({ id: scene.serving('web', slot).id, memoryBytes }))
      scene.send({ type: 'memory', readings })
    }
    weigh(1_000, 1_001)
    weigh(1_000, 950)
    expect(scene.facts.filter((fact) => fact.type === 'overMemory')).toMatchObject([{ memoryBytes: 1_001, limitBytes: 1_000 }])
    await scene.clock.advance(seconds(60))
    expect(scene.log.filter((line) => line.includes('web/1'))).toEqual([
      ...[
        '0s spawn',
        '0s probe',
        '0.3s admit',
        '60.3s spawn',
        '60.3s probe',
        '60.6s admit',
        '60.6s drain',
        '60.7s signal',
        '60.75s gone',
        '60.75s reap',
      ].map((line) => `${line} web/1 r1`),
    ])
    expect(scene.lines('web/0')).toHaveLength(3)
    // The next one is as heavy: it may serve as long, too.
    weigh(1, 2_000)
    await scene.clock.advance(seconds(49))
    expect(scene.lines('spawn')).toHaveLength(3)
    await scene.clock.advance(seconds(2))
    expect(scene.lines('spawn')).toHaveLength(4)
    // Nobody counts that as a failure.
    expect(scene.service('web').slots.get(1)).toMatchObject({ restarts: 0, history: { failures: [] } })
  })

  it('that holds less again in time stays', async () => {
    const scene = new FleetScene(boots)
    scene.apply({ config: { ...serviceConfig('web'), resources: { memory: 1_000 } } })
    await scene.clock.advance(seconds(10))
    scene.send({ type: 'memory', readings: [{ id: scene.serving('web').id, memoryBytes: 2_000 }] })
    scene.send({ type: 'memory', readings: [{ id: scene.serving('web').id, memoryBytes: 899 }] })
    await scene.clock.advance(minutes(10))
    expect(scene.lines('spawn')).toHaveLength(1)
    // And goes when it holds too much again.
    scene.send({ type: 'memory', readings: [{ id: scene.serving('web').id, memoryBytes: 2_000 }] })
    expect(scene.lines('spawn')).toHaveLength(2)
  })

  it('over a memory limit that is taken away stays', async () => {
    const scene = new FleetScene(boots)
    scene.apply({ config: { ...serviceConfig('web'), resources: { memory: 1_000 } } })
    await scene.clock.advance(seconds(10))
    scene.send({ type: 'memory', readings: [{ id: scene.serving('web').id, memoryBytes: 2_000 }] })
    scene.apply({ config: serviceConfig('web') })
    await scene.clock.advance(minutes(10))
    expect(scene.lines('spawn')).toHaveLength(1)
  })

  it('gives up the slots that serve least when it is scaled in', async () => {
    const scene = new FleetScene(({ slot }) => (slot === 1 ? { exitMs: 10 } : boots()))
    scene.apply({ config: serviceConfig('web', { instances: 3 }) })
    await scene.clock.advance(minutes(1))
    scene.send({ type: 'scale', service: 'web', desired: 2 })
    expect([...scene.service('web').slots.keys()]).toEqual([0, 2])
    expect(scene.lines('drain')).toEqual([])
    scene.send({ type: 'scale', service: 'web', desired: 1 })
    await scene.clock.advance(seconds(1))
    expect([...scene.service('web').slots.keys()]).toEqual([0])
    expect(scene.lines('drain')).toEqual(['60s drain web/2 r1'])
  })

  it('gets another port, and no bad mark, when a stranger took the one it was given', async () => {
    let tries = 0
    const scene = new FleetScene(() => (++tries < 4 ? { exitMs: 50, exit: { portTaken: true } } : boots()))
    scene.apply({ config: serviceConfig('web') })
    await scene.clock.advance(seconds(1))
    expect(secondsOf(scene.lines('spawn'))).toEqual([0, 0.05, 0.1, 0.15])
    expect(scene.service('web').slots.get(0)).toMatchObject({ history: { streak: 0 }, restarts: 0 })
  })

  it('whose instance stays unhealthy gets a new one, and the old one goes after', async () => {
    const scene = new FleetScene(boots)
    scene.apply({ config: serviceConfig('web') })
    await scene.clock.advance(seconds(1))
    scene.tell(scene.serving('web'), { type: 'unhealthy', reason: 'GET /health timed out' })
    await scene.clock.advance(seconds(29))
    scene.tell(scene.serving('web'), { type: 'healthy' })
    scene.tell(scene.serving('web'), { type: 'unhealthy', reason: 'GET /health timed out' })
    await scene.clock.advance(seconds(40))
    expect(scene.log.slice(3)).toEqual([
      '60s spawn web/0 r1',
      '60s probe web/0 r1',
      '60.3s admit web/0 r1',
      '60.3s drain web/0 r1',
      '60.4s signal web/0 r1',
      '60.45s gone web/0 r1',
      '60.45s reap web/0 r1',
    ])
  })

  it('is stopped after those that depend on it', async () => {
    const scene = new FleetScene(boots)
    scene.apply({ config: serviceConfig('db') }, { config: serviceConfig('web', { dependsOn: ['db'] }) })
    await scene.clock.advance(seconds(5))
    scene.send({ type: 'stopAll' })
    await scene.clock.advance(seconds(5))
    expect(scene.lines('drain')).toEqual(['5s drain web/0 r1', '5.15s drain db/0 r1'])
    expect(scene.fleet.services.size).toBe(0)
    expect(scene.clock.pending).toBe(0)
  })

  it('is one story for one seed', async () => {
    const tell = async (): Promise<string[]> => {
      const scene = new FleetScene(() => ({ bootMs: 300, exitMs: 2_000 }))
      scene.apply({ config: serviceConfig('web', { instances: 3 }) })
      await scene.clock.advance(minutes(10))
      return scene.log
    }
    expect(await tell()).toEqual(await tell())
    expect((await tell()).length).toBeGreaterThan(30)
  })

  it('waits out its back-off by the monotonic clock, whatever happens to the time of day', async () => {
    const scene = new FleetScene(() => ({ exitMs: 10 }))
    scene.apply({ config: serviceConfig('web') })
    await scene.clock.advance(ms(100))
    scene.clock.wallOffsetMs += 3_600_000
    await scene.clock.advance(seconds(3))
    expect(scene.lines('spawn')).toHaveLength(2)
    scene.clock.wallOffsetMs -= 7_200_000
    await scene.clock.advance(seconds(3))
    expect(scene.lines('spawn')).toHaveLength(3)
  })
})
