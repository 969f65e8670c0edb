import { describe, expect, it } from 'vitest'
import type { RateAsk, RateGrant } from '../core/rate-share.ts'
import { SharedTable } from './shared-rates.ts'

const view = { key: { by: 'service' }, rate: 100, periodMs: 1_000, burst: 20 } as const

interface Run {
  readonly keys: readonly string[]
  readonly args: readonly string[]
}

/** A table whose Redis says what `answer` says. */
function made(answer: (run: Run) => unknown, machines?: number) {
  const runs: Run[] = []
  const link = {
    up: true,
    machines: undefined as number | undefined,
    run: (_: unknown, keys: readonly string[], args: readonly string[]) => {
      runs.push({ keys, args })
      return Promise.resolve().then(() => answer({ keys, args }))
    },
  }
  const table = new SharedTable({ link, prefix: 'p:', view, machines, workers: 2, now: () => 1_000, close: () => undefined })
  const take = (...asks: RateAsk[]): Promise<readonly RateGrant[]> =>
    new Promise((resolve) => {
      table.take(asks, resolve)
    })
  return { table, link, runs, take }
}

const lost = (): never => {
  throw new Error('gone')
}

describe('a shared table', () => {
  it('asks for all keys at once, and speaks of milliseconds', async () => {
    const { take, runs } = made(({ keys }) => keys.map(() => [2, 7, 130_000, 1_500]), 3)
    expect(await take(['a', 1, 2], ['b', 2, 2])).toEqual([
      ['a', 2, 7, 130, 1.5],
      ['b', 2, 7, 130, 1.5],
    ])
    expect(runs).toEqual([{ keys: ['p:a', 'p:b'], args: ['10000', '200000', '6', '1', '2', '2', '2'] }])
  })

  it('does not hold Redis up with too many keys at once', async () => {
    const { table, runs } = made(({ keys }) => keys.map(() => [1, 0, 0, 0]))
    let told = 0
    const asks = Array.from({ length: 600 }, (_, i): RateAsk => [`k${i}`, 1, 1])
    await new Promise<void>((resolve) => {
      table.take(asks, (grants) => {
        told += grants.length
        if (told === 600) resolve()
      })
    })
    expect(runs.map(({ keys }) => keys.length)).toEqual([256, 256, 88])
  })

  it('goes by its own part without Redis: half of it while nobody knows how many there are', async () => {
    const { take } = made(lost)
    expect((await take(['a', 15, 15]))[0]!.slice(0, 2)).toEqual(['a', 10])
    const { take: ofFour } = made(lost, 4)
    expect((await ofFour(['a', 15, 15]))[0]!.slice(0, 2)).toEqual(['a', 5])
  })

  it('goes by as many machines as were heard of', async () => {
    const { take, link } = made(lost)
    link.up = false
    link.machines = 5
    expect((await take(['a', 15, 15]))[0]!.slice(0, 2)).toEqual(['a', 4])
  })

  it('has no new burst when Redis goes', async () => {
    const { take, link } = made(() => [[10, 10, 100_000, 0]], 2)
    await take(['a', 10, 10])
    link.up = false
    expect((await take(['a', 5, 5]))[0]!.slice(0, 2)).toEqual(['a', 0])
  })

  it('gives back what was not used', async () => {
    const { table, runs, take, link } = made(() => [[10, 10, 100_000, 0]], 2)
    await take(['a', 10, 10])
    table.giveBack([['a', 4]])
    expect(runs[1]!.args.slice(3)).toEqual(['-4', '0'])
    link.up = false
    expect((await take(['a', 9, 9]))[0]!.slice(0, 2)).toEqual(['a', 4])
  })
})
