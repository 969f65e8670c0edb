import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { GraphNode, Need } from '../types.ts'
import { aheadMsMax, explainAll, rootCauses } from './causes.ts'
import { circlesOf } from './circles.ts'
import { DependencyGraph } from './graph.ts'
import { impactOf } from './impact.ts'

const service = (name: string): GraphNode => ({ name, kind: 'service' })
const need = (of: string, ...anyOf: string[]): Need => ({ of, anyOf, hard: true, evidence: [{ kind: 'configured' }] })
const shop = new DependencyGraph(['database', 'auth', 'shop', 'search', 'mail', 'cache-a', 'cache-b'].map(service), [
  need('auth', 'database'),
  need('shop', 'auth'),
  need('shop', 'cache-a', 'cache-b'),
  { ...need('search', 'mail'), hard: false },
])

describe('impact', () => {
  test('goes through others, and says by which way', () => {
    const impact = impactOf(shop, 'database')!
    expect(impact.summary).toBe('database down: affects auth, shop; 3 of 7 services')
    expect(impact.affected).toEqual([
      { name: 'auth', kind: 'service', effect: 'down', path: ['auth', 'database'] },
      { name: 'shop', kind: 'service', effect: 'down', path: ['shop', 'auth', 'database'] },
    ])
  })

  test('one of several that are enough, or one that can be done without, takes nobody down', () => {
    expect(impactOf(shop, 'cache-a')!.summary).toBe('cache-a down: affects shop (degraded); 2 of 7 services')
    expect(impactOf(shop, 'mail')!.affected.map(({ effect }) => effect)).toEqual(['degraded'])
    expect(impactOf(shop, 'search')!.summary).toBe('search down: nothing else needs it; 1 of 7 services')
    expect(impactOf(shop, 'nobody')).toBeUndefined()
  })

  test('several that are enough go when all of them need what is down', () => {
    const graph = new DependencyGraph(['disk', 'a', 'b', 'shop'].map(service), [need('a', 'disk'), need('b', 'disk'), need('shop', 'a', 'b')])
    expect(impactOf(graph, 'disk')!.affected.map(({ name, effect }) => `${name} ${effect}`)).toEqual(['a down', 'b down', 'shop down'])
  })

  test('a circle ends', () => {
    const graph = new DependencyGraph(['a', 'b'].map(service), [need('a', 'b'), need('b', 'a'), need('a', 'a')])
    expect(impactOf(graph, 'a')!.affected.map(({ name }) => name)).toEqual(['b'])
  })
})

describe('causes', () => {
  const down = (since: Record<string, number>): Map<string, number> => new Map(Object.entries(since))

  test('the first in the chain explains the rest', () => {
    const explained = explainAll(shop, down({ shop: 2_000, auth: 1_000, database: 1_500 }))
    expect([...explained]).toEqual([
      ['shop', { cause: 'database', path: ['shop', 'auth', 'database'] }],
      ['auth', { cause: 'database', path: ['auth', 'database'] }],
    ])
    const [first, ...others] = rootCauses(shop, down({ shop: 2_000, auth: 1_000, database: 1_500, search: 0 }))
    expect(first).toMatchObject({ name: 'database', explains: ['shop', 'auth'], since: 1_500 })
    expect(others.map(({ name, reason }) => `${name}: ${reason}`)).toEqual(['search: search is down, and nothing that it needs is'])
  })

  test('who failed more than a minute before is not explained', () => {
    expect(explainAll(shop, down({ auth: 0, database: aheadMsMax })).size).toBe(1)
    expect(explainAll(shop, down({ auth: 0, database: aheadMsMax + 1 })).size).toBe(0)
    // Neither by a long way round.
    expect([...explainAll(shop, down({ shop: 0, auth: 50_000, database: 100_000 })).keys()]).toEqual(['auth'])
  })

  test('of several that are enough all must be down', () => {
    expect(explainAll(shop, down({ shop: 10, 'cache-a': 0 })).size).toBe(0)
    expect(explainAll(shop, down({ shop: 10, 'cache-a': 0, 'cache-b': 5 })).get('shop')?.cause).toBe('cache-a')
  })

  test('what can be done without explains nothing', () => {
    expect(explainAll(shop, down({ search: 10, mail: 0 })).size).toBe(0)
  })

  test('in a circle one remains', () => {
    const graph = new DependencyGraph(['a', 'b', 'c'].map(service), [need('a', 'b'), need('b', 'c'), need('c', 'a')])
    expect([...explainAll(graph, down({ a: 5, b: 3, c: 9 })).entries()].map(([name, { cause }]) => `${name}<${cause}`)).toEqual(['a<b', 'c<b'])
  })

  test('an address that nobody checks is suspected when all that need it are down', () => {
    const graph = new DependencyGraph(
      [service('a'), service('b'), { name: 'db:5432', kind: 'address' }],
      [need('a', 'db:5432'), need('b', 'db:5432')],
    )
    expect(rootCauses(graph, down({ a: 0 })).map(({ name }) => name)).toEqual(['a'])
    const causes = rootCauses(graph, down({ a: 0, b: 1 }))
    expect(causes.find(({ name }) => name === 'db:5432')).toMatchObject({ explains: ['a', 'b'], since: undefined })
  })
})

const names = 'abcdefghij'.split('')
const graphs = fc
  .array(fc.tuple(fc.constantFrom(...names), fc.uniqueArray(fc.constantFrom(...names), { minLength: 1, maxLength: 3 }), fc.boolean()), {
    maxLength: 25,
  })
  .map(
    (edges) =>
      new DependencyGraph(
        names.map(service),
        edges.map(([of, anyOf, hard]) => ({ ...need(of, ...anyOf), hard })),
      ),
  )
const downs = fc
  .uniqueArray(fc.tuple(fc.constantFrom(...names), fc.integer({ min: 0, max: 200_000 })), { minLength: 1, selector: ([name]) => name })
  .map((list) => new Map(list))

describe('for any graph and anything down', () => {
  test('somebody is always told: at least one is not explained, and every cause is down and unexplained', () => {
    fc.assert(
      fc.property(graphs, downs, (graph, down) => {
        const explained = explainAll(graph, down)
        expect(explained.size).toBeLessThan(down.size)
        for (const [name, { cause, path }] of explained) {
          expect(down.has(cause)).toBe(true)
          expect(explained.has(cause)).toBe(false)
          expect([path[0], path.at(-1)]).toEqual([name, cause])
          expect(down.get(cause)!).toBeLessThanOrEqual(down.get(name)! + aheadMsMax)
        }
      }),
    )
  })

  test('what is explained would go down with its cause', () => {
    fc.assert(
      fc.property(graphs, downs, (graph, down) => {
        for (const [name, { cause, path }] of explainAll(graph, down)) {
          for (let index = 0; index + 1 < path.length; index++) {
            const [of, to] = [path[index]!, path[index + 1]!]
            const why = graph.needsOf(of).find(({ anyOf, hard }) => hard && anyOf.includes(to) && anyOf.every((each) => down.has(each)))
            expect(why, `${name} because of ${cause}`).toBeDefined()
          }
        }
      }),
    )
  })

  test('one more need never takes anybody out of an impact, and nobody is affected twice', () => {
    fc.assert(
      fc.property(graphs, fc.constantFrom(...names), fc.constantFrom(...names), fc.constantFrom(...names), (graph, name, of, to) => {
        const before = impactOf(graph, name)!.affected
        const after = impactOf(new DependencyGraph(graph.nodes, [...graph.needs, need(of, to)]), name)!.affected
        const downOf = (list: typeof before): string[] => list.filter(({ effect }) => effect === 'down').map((each) => each.name)
        expect(downOf(after)).toEqual(expect.arrayContaining(downOf(before)))
        expect(new Set(after.map((each) => each.name)).size).toBe(after.length)
      }),
    )
  })

  test('ranked: every cause once, scores within 0 and 1, highest first', () => {
    fc.assert(
      fc.property(graphs, downs, (graph, down) => {
        const causes = rootCauses(graph, down)
        const scores = causes.map(({ score }) => score)
        expect(scores).toEqual([...scores].sort((a, b) => b - a))
        expect(scores.every((score) => score > 0 && score <= 1)).toBe(true)
        const accounted = causes.flatMap(({ name, explains }) => [name, ...explains])
        expect(accounted.sort()).toEqual([...down.keys()].sort())
      }),
    )
  })

  test('circles are those of reachability', () => {
    fc.assert(
      fc.property(graphs, (graph) => {
        const edges = new Map(names.map((name) => [name, graph.needsOf(name).flatMap(({ anyOf }) => anyOf)]))
        const reach = (from: string): ReadonlySet<string> => {
          const seen = new Set([from])
          for (const each of seen) for (const to of edges.get(each)!) seen.add(to)
          return seen
        }
        const expected = new Set(names.map((name) => names.filter((each) => reach(name).has(each) && reach(each).has(name)).join('')))
        expect(new Set(circlesOf(edges).map((circle) => [...circle].sort().join('')))).toEqual(expected)
      }),
    )
  })

  test('a chain of thousands is no matter', () => {
    const many = Array.from({ length: 3_000 }, (_, index) => `n${index}`)
    const graph = new DependencyGraph(
      many.map(service),
      many.slice(1).map((name, index) => need(name, `n${index}`)),
    )
    const down = new Map(many.map((name) => [name, 0]))
    expect(circlesOf(new Map(many.map((name) => [name, graph.needsOf(name).flatMap(({ anyOf }) => anyOf)]))).length).toBe(3_000)
    expect(explainAll(graph, new Map([...down].slice(0, 300))).size).toBe(299)
  })
})
