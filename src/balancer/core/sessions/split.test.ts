import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { clientHash, sideOf } from './split.ts'

const clients = Array.from({ length: 20_000 }, (_, i) => clientHash('shop', `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`))
const count = (shares: readonly (readonly [string, number])[], revision: string): number =>
  clients.filter((client) => sideOf(client, shares) === revision).length

describe('a split', () => {
  it.each([0.01, 0.05, 0.25, 0.5, 0.9])('gives v2 its share of the clients: %s', (share) => {
    const expected = clients.length * share
    const deviation = Math.sqrt(clients.length * share * (1 - share))
    const found = count(
      [
        ['v1', 1 - share],
        ['v2', share],
      ],
      'v2',
    )
    expect(Math.abs(found - expected)).toBeLessThan(4 * deviation)
  })

  it('of nothing is nobody, of everything everybody', () => {
    const none: [string, number][] = [
      ['v1', 1],
      ['v2', 0],
    ]
    expect([count(none, 'v1'), count(none, 'v2')]).toEqual([clients.length, 0])
    expect(sideOf(1, [['v1', 0]])).toBeUndefined()
  })

  it('moves clients only from a side that shrinks to one that grows', () => {
    const parts = fc.array(fc.integer({ min: 0, max: 100 }), { minLength: 3, maxLength: 3 }).filter((all) => all.some((part) => part > 0))
    const named = (all: readonly number[]): (readonly [string, number])[] =>
      all.map((part, i) => [`v${i}`, part / all.reduce((a, b) => a + b)] as const)
    fc.assert(
      fc.property(parts, parts, (from, to) => {
        const before = named(from)
        const after = named(to)
        const growth = new Map(before.map(([name, share], i) => [name, after[i]![1] / share]))
        for (const client of clients.slice(0, 500)) {
          const old = sideOf(client, before)!
          const now = sideOf(client, after)!
          if (old !== now) expect(growth.get(now)!).toBeGreaterThan(growth.get(old)!)
        }
      }),
      { numRuns: 50 },
    )
  })

  it('grows v2 by clients of v1, and takes none back', () => {
    let members = new Set<number>()
    for (const share of [0.01, 0.05, 0.25, 0.5, 1]) {
      const now = new Set(
        clients.filter(
          (client) =>
            sideOf(client, [
              ['v1', 1 - share],
              ['v2', share],
            ]) === 'v2',
        ),
      )
      for (const client of members) expect(now.has(client)).toBe(true)
      members = now
    }
  })

  it('is another one for another service', () => {
    expect(clientHash('shop', '10.0.0.1')).not.toBe(clientHash('chat', '10.0.0.1'))
  })
})
