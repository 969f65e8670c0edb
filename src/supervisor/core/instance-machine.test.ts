/** Lives of one instance, told as lines of text: when what was ordered, or where it stood. */
import { describe, expect, it } from 'vitest'
import { drive } from '../../kernel/machine.ts'
import { VirtualClock } from '../../kernel/testing/virtual-clock.ts'
import { ms, seconds } from '../../kernel/time.ts'
import type { ProcessExit } from './exit.ts'
import { instanceMachine, type InstanceInput } from './instance-machine.ts'

const gone: ProcessExit = { code: 0, signal: undefined, shell: false, oom: false, lost: false, portTaken: false, group: false }

type Happening = [afterMs: number, input: InstanceInput]

async function live(...happenings: readonly Happening[]): Promise<string[]> {
  const clock = new VirtualClock()
  const log: string[] = []
  const machine = instanceMachine(() => ({ start: seconds(30), drain: seconds(20), stop: seconds(10) }))
  const driven = drive(machine, {
    clock,
    execute: ({ type }) => log.push(`${clock.now() / 1000}s ${type}`),
    onState: (state, previous) => {
      if (state.phase !== previous?.phase) log.push(`${clock.now() / 1000}s [${state.phase}]`)
    },
  })
  for (const [wait, input] of happenings) {
    await clock.advance(ms(wait))
    driven.send(input)
  }
  await clock.advance(seconds(60))
  driven[Symbol.dispose]()
  return log
}

const boot: Happening[] = [
  [0, { type: 'spawned' }],
  [1_000, { type: 'probePassed' }],
  [0, { type: 'admitted' }],
]
const booted = ['0s [spawning]', '0s [starting]', '0s probe', '1s [ready]', '1s admit']

describe('an instance', () => {
  it('starts, serves, and goes: routing first, then the signal', async () => {
    expect(
      await live(...boot, [1_000, { type: 'stop', reason: 'restart' }], [500, { type: 'drained' }], [300, { type: 'exited', exit: gone }]),
    ).toEqual([...booted, '2s [draining]', '2s drain', '2.5s [stopping]', '2.5s signal', '2.8s [exited]', '2.8s gone', '2.8s reap'])
  })

  it('is killed, with its group, when it does not hear the signal', async () => {
    const log = await live(...boot, [1_000, { type: 'stop', reason: 'restart' }], [500, { type: 'drained' }])
    expect(log.slice(5, 10)).toEqual(['2s [draining]', '2s drain', '2.5s [stopping]', '2.5s signal', '12.5s kill'])
    expect(log[10]).toBe('17.5s kill')
  })

  it('is cut off from the routing when nobody says that it is drained', async () => {
    const log = await live(...boot, [1_000, { type: 'stop', reason: 'restart' }])
    expect(log.slice(5, 11)).toEqual(['2s [draining]', '2s drain', '27s [stopping]', '27s gone', '27s signal', '37s kill'])
  })

  it('leaves time to what it had started, when its end was ordered', async () => {
    const exit = { ...gone, group: true }
    const stop: Happening[] = [...boot, [1_000, { type: 'stop', reason: 'restart' }], [0, { type: 'drained' }], [1_000, { type: 'exited', exit }]]
    expect((await live(...stop, [2_000, { type: 'groupGone' }])).slice(7)).toEqual([
      '2s [stopping]',
      '2s signal',
      '3s [reaping]',
      '3s gone',
      '3s awaitGroup',
      '5s [exited]',
      '5s reap',
    ])
    expect((await live(...stop)).slice(9, 13)).toEqual(['3s [reaping]', '3s gone', '3s awaitGroup', '12s kill'])
  })

  it('takes the rest of its group along when it ends by itself', async () => {
    expect((await live(...boot, [1_000, { type: 'exited', exit: { ...gone, group: true } }])).slice(5)).toEqual([
      '2s [exited]',
      '2s gone',
      '2s kill',
      '2s reap',
    ])
  })

  it('is examined and stopped when it does not become ready', async () => {
    expect(
      await live([0, { type: 'spawned' }], [31_000, { type: 'diagnosed', reason: 'it listens on 3000' }], [100, { type: 'exited', exit: gone }]),
    ).toEqual([
      '0s [spawning]',
      '0s [starting]',
      '0s probe',
      '30s [diagnosing]',
      '30s diagnose',
      '31s [stopping]',
      '31s signal',
      '31.1s [exited]',
      '31.1s reap',
    ])
  })

  it('does not wait for an examination that takes too long', async () => {
    expect((await live([0, { type: 'spawned' }])).slice(3, 7)).toEqual(['30s [diagnosing]', '30s diagnose', '32s [stopping]', '32s signal'])
  })

  it('is out of the routing whenever it ends while it is in there', async () => {
    const exited: Happening = [0, { type: 'exited', exit: gone }]
    expect((await live([0, { type: 'spawned' }], [1_000, { type: 'probePassed' }], exited)).slice(5)).toEqual(['1s [exited]', '1s gone', '1s reap'])
    expect((await live(...boot, [0, { type: 'unhealthy', reason: 'slow' }], exited)).slice(6)).toEqual(['1s [exited]', '1s gone', '1s reap'])
    expect((await live(...boot, [0, { type: 'stop', reason: 'x' }], exited)).slice(7)).toEqual(['1s [exited]', '1s gone', '1s reap'])
    expect((await live([0, { type: 'spawned' }], exited)).slice(3)).toEqual(['0s [exited]', '0s reap'])
  })

  it('is told to go before it has a pid, and goes once it has one', async () => {
    expect(await live([0, { type: 'stop', reason: 'removed' }], [0, { type: 'spawned' }], [0, { type: 'exited', exit: gone }])).toEqual([
      '0s [spawning]',
      '0s [stopping]',
      '0s signal',
      '0s [exited]',
      '0s reap',
    ])
  })

  it('is killed at once when there is no time left, after the routing was told', async () => {
    expect((await live(...boot, [0, { type: 'kill', reason: 'no time left' }], [10, { type: 'exited', exit: gone }])).slice(5)).toEqual([
      '1s [stopping]',
      '1s gone',
      '1s kill',
      '1.01s [exited]',
      '1.01s gone',
      '1.01s reap',
    ])
  })

  it('comes and goes between ready and unhealthy without being touched', async () => {
    expect((await live(...boot, [0, { type: 'unhealthy', reason: 'slow' }], [1_000, { type: 'healthy' }])).slice(5)).toEqual([
      '1s [unhealthy]',
      '2s [ready]',
    ])
  })
})
