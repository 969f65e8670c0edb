import { describe, expect, it } from 'vitest'
import { drive, type Machine } from './machine.ts'
import { VirtualClock } from './testing/virtual-clock.ts'
import { after, instant, ms, type Instant } from './time.ts'

type Input = { readonly type: 'add'; readonly n: number } | { readonly type: 'fail' }
interface Command {
  readonly type: 'echo'
  readonly n: number
}
interface State {
  readonly log: readonly string[]
}

/** Writes down what it is told, echoes each number but 0, and wakes 10 ms after the last input. */
const scribe: Machine<State, Input, Command> = {
  start: (now) => ({ state: { log: [`start@${now}`] }, commands: [], wakeAt: after(now, ms(10)) }),
  step(state, input, now) {
    const line = { log: [...state.log, `${input.type}${input.type === 'add' ? input.n : ''}@${now}`] }
    if (input.type === 'fail') throw new Error('step failed')
    if (input.type === 'wake') return { state: line, commands: [] }
    return { state: line, commands: input.n === 0 ? [] : [{ type: 'echo', n: input.n }], wakeAt: after(now, ms(10)) }
  },
}

describe('drive', () => {
  it('starts the machine, carries its commands out and wakes it', async () => {
    const clock = new VirtualClock()
    const echoed: number[] = []
    const driven = drive(scribe, { clock, execute: ({ n }) => echoed.push(n) })
    await clock.advance(ms(4))
    driven.send({ type: 'add', n: 1 })
    await clock.advance(ms(50))
    expect(driven.state.log).toEqual(['start@0', 'add1@4', 'wake@14'])
    expect(echoed).toEqual([1])
    expect(clock.pending).toBe(0)
  })

  it('gives one input at a time: an answer waits until the step is done', () => {
    const clock = new VirtualClock()
    const states: number[] = []
    const driven = drive(scribe, {
      clock,
      execute(command, send) {
        send({ type: 'add', n: command.n - 1 })
        expect(driven.state.log.at(-1)).toBe(`add${command.n}@0`)
      },
      onState: (state) => states.push(state.log.length),
    })
    driven.send({ type: 'add', n: 3 })
    expect(driven.state.log).toEqual(['start@0', 'add3@0', 'add2@0', 'add1@0', 'add0@0'])
    expect(states).toEqual([1, 2, 3, 4, 5])
    driven[Symbol.dispose]()
    expect(clock.pending).toBe(0)
  })

  it('tells the new state and the one before', () => {
    const told: [number, number | undefined][] = []
    const driven = drive(scribe, {
      clock: new VirtualClock(),
      execute: () => undefined,
      onState: (now, before) => told.push([now.log.length, before?.log.length]),
    })
    driven.send({ type: 'add', n: 0 })
    expect(told).toEqual([
      [1, undefined],
      [2, 1],
    ])
  })

  it('hears nothing after it was disposed, not even its own timer or a late answer', async () => {
    const clock = new VirtualClock()
    let answer: ((input: Input) => void) | undefined
    const driven = drive(scribe, { clock, execute: (_, send) => (answer = send) })
    driven.send({ type: 'add', n: 1 })
    driven[Symbol.dispose]()
    driven[Symbol.dispose]()
    expect(clock.pending).toBe(0)
    answer?.({ type: 'add', n: 2 })
    driven.send({ type: 'add', n: 3 })
    await clock.advance(ms(100))
    expect(driven.state.log).toEqual(['start@0', 'add1@0'])
  })

  it('disposed in the middle of a step, it sets no timer and carries nothing more out', async () => {
    const clock = new VirtualClock()
    const two: Machine<string, Input, Command> = {
      start: () => ({ state: 'started', commands: [] }),
      step: (_, input, now: Instant) => ({
        state: input.type,
        commands: [
          { type: 'echo', n: 1 },
          { type: 'echo', n: 2 },
        ],
        wakeAt: after(now, ms(1)),
      }),
    }
    const echoed: number[] = []
    const driven = drive(two, {
      clock,
      execute({ n }) {
        echoed.push(n)
        driven[Symbol.dispose]()
      },
    })
    driven.send({ type: 'add', n: 0 })
    expect(echoed).toEqual([1])
    expect(clock.pending).toBe(0)

    const other = drive(two, { clock, execute: () => expect.unreachable(), onState: (state) => state === 'add' && other[Symbol.dispose]() })
    other.send({ type: 'add', n: 0 })
    expect(clock.pending).toBe(0)
    await clock.advance(ms(5))
  })

  it('a step that throws reaches the sender; the state stays and the next input is taken', () => {
    const driven = drive(scribe, { clock: new VirtualClock(), execute: () => undefined })
    expect(() => driven.send({ type: 'fail' })).toThrow('step failed')
    expect(driven.state.log).toEqual(['start@0'])
    driven.send({ type: 'add', n: 0 })
    expect(driven.state.log).toEqual(['start@0', 'add0@0'])
  })

  it('a command that throws does not leave answers of before for later', () => {
    const clock = new VirtualClock()
    const driven = drive(scribe, {
      clock,
      execute({ n }, send) {
        send({ type: 'add', n: 0 })
        if (n === 7) throw new Error('hand broke')
      },
    })
    expect(() => driven.send({ type: 'add', n: 7 })).toThrow('hand broke')
    expect(driven.state.log).toEqual(['start@0', 'add7@0', 'add0@0'])
    driven[Symbol.dispose]()
  })

  it('wakes at once when the time asked for is past', async () => {
    const clock = new VirtualClock()
    const eager: Machine<number, never, never> = {
      start: () => ({ state: 0, commands: [], wakeAt: instant(-5) }),
      step: (state) => ({ state: state + 1, commands: [], wakeAt: state < 2 ? instant(-5) : undefined }),
    }
    const driven = drive(eager, { clock, execute: () => undefined })
    expect(driven.state).toBe(0)
    await clock.advance(ms(0))
    expect(driven.state).toBe(3)
  })
})
