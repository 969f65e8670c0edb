import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { ProfileInfo } from '../types.ts'
import { flameNodesMax, flameOf, type CpuProfile, type FlameNode } from './flame.ts'
import { keptBytesMax, keptMax, keptMsMax, superfluous } from './keeping.ts'

const frame = (functionName: string, lineNumber = 0) => ({ functionName, url: functionName.startsWith('(') ? '' : 'file:///a.js', lineNumber })
const profile: CpuProfile = {
  nodes: [
    { id: 1, callFrame: frame('(root)'), children: [2, 4, 6] },
    { id: 2, callFrame: frame('handle', 9), children: [3] },
    { id: 3, callFrame: frame('parse', 19) },
    { id: 4, callFrame: frame('handle', 9), children: [5] },
    { id: 5, callFrame: frame('') },
    { id: 6, callFrame: frame('(idle)') },
  ],
  samples: [3, 3, 2, 5, 6],
  timeDeltas: [100, 1_000, 2_000, 500, 1_500, 0],
}

describe('a flame graph', () => {
  test('holds the time of each place together, whichever call it was', () => {
    const { root, samples, omitted } = flameOf(profile)
    // Idle, of no length.
    expect([samples, omitted]).toEqual([5, 1])
    expect(root).toMatchObject({ name: '(root)', totalMs: 5 })
    const [handle] = root.children
    expect(handle).toMatchObject({ name: 'handle', at: 'file:///a.js:10', selfMs: 0.5, totalMs: 5 })
    expect(handle!.children.map(({ name, selfMs }) => [name, selfMs])).toEqual([
      ['parse', 3],
      ['(anonymous)', 1.5],
    ])
  })

  test('of nothing is empty; of what is no tree it ends', () => {
    expect(flameOf({ nodes: [] }).root).toMatchObject({ name: '(all)', totalMs: 0, children: [] })
    const circle = {
      nodes: [
        { id: 1, callFrame: frame('a'), children: [2] },
        { id: 2, callFrame: frame('b'), children: [1, 9] },
      ],
      samples: [1, 2],
      timeDeltas: [0, 5, 5],
    }
    expect(flameOf(circle).samples).toBe(2)
  })

  test('every total is its own time and that of its children; all of it is the time sampled; the number of nodes is bounded', () => {
    const profiles = fc
      .tuple(
        fc.array(fc.nat(), { minLength: 1, maxLength: 60 }),
        fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 5_000 })), { maxLength: 100 }),
      )
      .map(([parents, samples]): CpuProfile => {
        const nodes = parents.map((_, index) => ({ id: index + 1, callFrame: frame(`f${index % 7}`), children: [] as number[] }))
        parents.forEach((parent, index) => index > 0 && nodes[parent % index]!.children.push(index + 1))
        return { nodes, samples: samples.map(([id]) => (id % nodes.length) + 1), timeDeltas: [0, ...samples.map(([, us]) => us)] }
      })
    const check = ({ selfMs, totalMs, children }: FlameNode): number => {
      const inside = children.reduce((sum, child) => sum + child.totalMs, selfMs)
      expect(inside).toBeLessThanOrEqual(totalMs + 0.01 * (children.length + 2))
      return 1 + children.reduce((sum, child) => sum + check(child), 0)
    }
    fc.assert(
      fc.property(profiles, (any) => {
        const { root } = flameOf(any)
        expect(check(root)).toBeLessThanOrEqual(flameNodesMax)
        const sampled = (any.timeDeltas ?? []).slice(1, 1 + (any.samples?.length ?? 0)).reduce((sum, us) => sum + us, 0)
        expect(root.totalMs).toBeCloseTo(sampled / 1_000, 1)
      }),
    )
  })
})

describe('what is kept', () => {
  const info = (id: string, startedAt: number, bytes: number, state: ProfileInfo['state'] = 'done'): ProfileInfo => ({
    ...{ id, startedAt, bytes, state, service: 's', instance: 'i', pid: 1, kind: 'cpu' as const },
    ...{ durationMs: 1, error: undefined, actor: 'a' },
  })
  test('the newest, within number, bytes and age; what is being recorded stays', () => {
    const many = Array.from({ length: keptMax + 2 }, (_, index) => info(`p${index}`, index, 1))
    expect(superfluous(many, 0).map(({ id }) => id)).toEqual(['p1', 'p0'])
    const large = [info('new', 3, keptBytesMax + 1), info('old', 2, 1), info('now', 1, 0, 'running')]
    expect(superfluous(large, 3).map(({ id }) => id)).toEqual(['old'])
    expect(superfluous([info('b', 1, 1), info('a', 0, 1)], keptMsMax + 1).map(({ id }) => id)).toEqual(['a'])
  })
})
