import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import type { Need } from '../types.ts'
import { DependencyGraph } from './graph.ts'
import { NodeStates, type NodeState } from './states.ts'
import { Suppressing, waitMsMin } from './suppression.ts'

const second = 1_000
const need = (of: string, ...anyOf: string[]): Need => ({ of, anyOf, hard: true, evidence: [{ kind: 'configured' }] })
const nodes = (...names: string[]) => names.map((name) => ({ name, kind: 'service' as const }))
const graph = new DependencyGraph(nodes('gateway', 'shop', 'auth', 'db-a', 'db-b', 'lone'), [
  need('shop', 'auth'),
  need('auth', 'gateway'),
  need('auth', 'db-a', 'db-b'),
])

let states: NodeStates
let suppressing: Suppressing
let known: Map<string, NodeState>

beforeEach(() => {
  states = new NodeStates()
  suppressing = new Suppressing(states)
  known = new Map(graph.nodes.map(({ name }) => [name, 'up']))
  see({}, 0)
})

/** All of them are looked at; these are found so. */
function see(changed: Record<string, NodeState>, now: number, checkedAt = now): void {
  for (const [name, state] of Object.entries(changed)) known.set(name, state)
  states.read(
    [...known].map(([name, state]) => ({ name, state, intervalMs: 10 * second, checkedAt })),
    now,
  )
}
const ask = (name: string, failedAt: number, now: number): string => {
  const verdict = suppressing.ask(graph, name, failedAt, now)
  return verdict.type === 'suppressed' ? `because of ${verdict.cause}` : verdict.type === 'wait' ? `wait for ${verdict.for.join(' ')}` : 'tell'
}

describe('whether to tell', () => {
  test('what needs nothing is told at once', () => {
    see({ lone: 'down', gateway: 'down' }, 5 * second)
    expect([ask('lone', 5 * second, 5 * second), ask('gateway', 5 * second, 5 * second), ask('nobody', 0, 5 * second)]).toEqual([
      'tell',
      'tell',
      'tell',
    ])
  })

  test('what it needs is looked at first; when that passes, it is told', () => {
    see({ shop: 'down' }, 5 * second, 4 * second)
    expect(ask('shop', 5 * second, 5 * second)).toBe('wait for auth gateway db-a db-b')
    see({}, 5.1 * second)
    expect(ask('shop', 5 * second, 5.1 * second)).toBe('tell')
  })

  test('a child that is seen down first waits for its parent, and is not told when that goes down', () => {
    see({ shop: 'down' }, 5 * second, 4 * second)
    expect(ask('shop', 5 * second, 5 * second)).toMatch(/^wait/)
    see({ gateway: 'suspect' }, 6 * second)
    expect(ask('shop', 5 * second, 6 * second)).toBe('wait for gateway')
    see({ gateway: 'down', auth: 'down' }, 8 * second)
    expect(ask('shop', 5 * second, 8 * second)).toBe('because of gateway')
    expect(ask('auth', 8 * second, 8 * second)).toBe('because of gateway')
    expect(ask('gateway', 8 * second, 8 * second)).toBe('tell')
  })

  test('a chain that is broken in its middle explains nothing', () => {
    see({ shop: 'down', gateway: 'down' }, 5 * second)
    expect(ask('shop', 5 * second, 5 * second)).toBe('tell')
  })

  test('it waits no longer than it may, and never for what nobody knows', () => {
    see({ shop: 'down' }, 5 * second, 0)
    expect(ask('shop', 5 * second, 5 * second)).toMatch(/^wait/)
    expect(ask('shop', 5 * second, 5 * second + waitMsMin - 1)).toMatch(/^wait/)
    expect(ask('shop', 5 * second, 5 * second + waitMsMin)).toBe('tell')
    known = new Map([['shop', 'down']])
    see({}, 90 * second)
    expect(ask('shop', 90 * second, 90 * second)).toBe('tell')
  })

  test('who failed more than a minute before is told', () => {
    see({ auth: 'down' }, 5 * second)
    expect(ask('auth', 5 * second, 5 * second)).toBe('tell')
    see({ gateway: 'down' }, 66 * second)
    expect(ask('auth', 5 * second, 66 * second)).toBe('tell')
  })

  test('of several that are enough all must be down', () => {
    see({ auth: 'down', 'db-a': 'down' }, 5 * second)
    expect(ask('auth', 5 * second, 5 * second)).toBe('tell')
    see({ 'db-b': 'down' }, 6 * second)
    expect(ask('auth', 5 * second, 6 * second)).toBe('because of db-a')
  })

  test('after its parent is back a child has two intervals', () => {
    see({ gateway: 'down', auth: 'down' }, 5 * second)
    see({ gateway: 'up' }, 100 * second)
    expect(ask('auth', 5 * second, 119 * second)).toBe('because of gateway')
    see({}, 121 * second)
    expect(ask('auth', 5 * second, 121 * second)).toBe('tell')
  })

  test('fifty that need one that is down: one is told', () => {
    const many = Array.from({ length: 50 }, (_, index) => `s${index}`)
    const big = new DependencyGraph(
      nodes('gateway', ...many),
      many.map((name) => need(name, 'gateway')),
    )
    states = new NodeStates()
    suppressing = new Suppressing(states)
    known = new Map(big.nodes.map(({ name }) => [name, 'up']))
    see({}, 0)
    const told = new Set<string>()
    const tellAll = (names: readonly string[], now: number): void => {
      for (const name of names) if (suppressing.ask(big, name, states.get(name)!.failedAt!, now).type === 'tell') told.add(name)
    }
    // The dependants are seen first, one after the other; then the gateway is found to be down.
    for (const [index, name] of many.entries()) {
      see({ [name]: 'down' }, second + index * 50, 0)
      tellAll(many.slice(0, index + 1), second + index * 50)
    }
    see({ gateway: 'suspect' }, 4 * second)
    tellAll(
      [...many, 'gateway'].filter((name) => known.get(name) === 'down'),
      4 * second,
    )
    see({ gateway: 'down' }, 6 * second)
    for (const at of [6, 30, 60, 600]) {
      see({}, at * second)
      tellAll([...many, 'gateway'], at * second)
    }
    expect([...told]).toEqual(['gateway'])
    // And all come back, the gateway first: nobody else is told.
    see({ gateway: 'up' }, 700 * second)
    for (const [index, name] of many.entries()) {
      see({ [name]: 'up' }, (701 + index / 5) * second)
      tellAll(many.slice(index + 1), (701 + index / 5) * second)
    }
    expect([...told]).toEqual(['gateway'])
  })

  test('whatever happens: of all that is down somebody is told in the end', () => {
    const names = 'abcdef'.split('')
    const edges = fc.array(fc.tuple(fc.constantFrom(...names), fc.uniqueArray(fc.constantFrom(...names), { minLength: 1, maxLength: 2 })), {
      maxLength: 12,
    })
    const fails = fc.uniqueArray(fc.tuple(fc.constantFrom(...names), fc.integer({ min: 0, max: 100 })), { minLength: 1, selector: ([name]) => name })
    fc.assert(
      fc.property(edges, fails, (list, failures) => {
        const any = new DependencyGraph(
          nodes(...names),
          list.map(([of, anyOf]) => need(of, ...anyOf)),
        )
        states = new NodeStates()
        suppressing = new Suppressing(states)
        known = new Map(names.map((name) => [name, 'up']))
        for (const [name, at] of [...failures].sort((a, b) => a[1] - b[1])) see({ [name]: 'down' }, at * second)
        see({}, 200 * second)
        const told = failures.filter(([name, at]) => suppressing.ask(any, name, at * second, 200 * second).type === 'tell')
        expect(told.length).toBeGreaterThan(0)
      }),
    )
  })
})
