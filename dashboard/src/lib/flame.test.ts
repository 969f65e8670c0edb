import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { flatten, hottest, originOf, place, search, step, type FlameNode } from './flame.ts'

const leaf = (name: string, self: number, children: readonly FlameNode[] = []): FlameNode => ({
  name,
  self,
  total: self + children.reduce((sum, { total }) => sum + total, 0),
  children,
})
/** root ─┬─ main ─┬─ render ── parse
 *        │        └─ parse
 *        └─ gc                     */
const profile = leaf('root', 0, [leaf('gc', 10), leaf('main', 5, [leaf('parse', 25), leaf('render', 40, [leaf('parse', 20)])])])
const frames = flatten(profile)
const index = (name: string, depth: number): number => frames.find((frame) => frame.name === name && frame.depth === depth)!.index

const names = fc.constantFrom('a', 'b', 'c')
const { tree } = fc.letrec<{ tree: FlameNode }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 5 },
    fc.tuple(names, fc.nat(9)).map(([name, self]) => leaf(name, self)),
    fc.tuple(names, fc.nat(9), fc.array(tie('tree'), { maxLength: 3 })).map(([name, self, children]) => leaf(name, self, children)),
  ),
}))

describe('a flame graph', () => {
  it('has the costliest first, each below who called it', () => {
    expect(frames.map(({ name, depth, start, total }) => `${'-'.repeat(depth)}${name} ${start}+${total}`)).toEqual([
      'root 0+100',
      '-main 0+90',
      '--render 0+60',
      '---parse 0+20',
      '--parse 60+25',
      '-gc 90+10',
    ])
  })

  it('zooms: what is chosen fills the width, its callers too, the rest is not there', () => {
    const shown = place(frames, index('render', 2), 600)
    expect(shown.map(({ frame, x, width }) => [frame.name, x, width])).toEqual([
      ['root', 0, 600],
      ['main', 0, 600],
      ['render', 0, 600],
      ['parse', 0, 200],
    ])
    expect(place(frames, 0, 9, 1).map(({ frame }) => frame.name)).not.toContain('gc')
  })

  it('is walked by keys, and stops at its edges', () => {
    const main = index('main', 1)
    expect(step(frames, 0, 'down')).toBe(main)
    expect(step(frames, main, 'right')).toBe(index('gc', 1))
    expect(step(frames, index('gc', 1), 'right')).toBe(index('gc', 1))
    expect(step(frames, index('gc', 1), 'down')).toBe(index('gc', 1))
    expect(step(frames, main, 'up')).toBe(0)
    expect(step(frames, 0, 'up')).toBe(0)
  })

  it('finds by name, and counts what is below a find once', () => {
    const found = search(frames, 'PARSE')
    expect([found.frames.size, found.share]).toEqual([2, 0.45])
    expect(search(frames, 'e').share).toBe(0.85)
    expect(search(frames, ' ').frames.size).toBe(0)
  })

  it('knows what took most by itself, whoever called it', () => {
    expect(hottest(frames, 2)).toEqual([
      { name: 'parse', where: undefined, self: 45 },
      { name: 'render', where: undefined, self: 40 },
    ])
  })

  it('tells whose code it is', () => {
    expect(originOf({ name: 'a', where: '/srv/shop/server.js:3' })).toBe('own')
    expect(originOf({ name: 'a', where: '/srv/shop/node_modules/x/y.js:3' })).toBe('package')
    expect(originOf({ name: 'a', where: 'node:net:3' })).toBe('runtime')
    expect(originOf({ name: '(garbage collector)', where: undefined })).toBe('runtime')
  })

  it('never draws beyond its width, nor two frames of a depth over each other; nor does a search find more than all', () => {
    fc.assert(
      fc.property(tree, fc.nat(50), (root, pick) => {
        const all = flatten(root)
        const shown = place(all, pick % all.length, 1_000)
        const right = new Map<number, number>()
        for (const { frame, x, width } of shown) {
          expect(x + 1e-6).toBeGreaterThanOrEqual(right.get(frame.depth) ?? 0)
          right.set(frame.depth, x + width)
          expect(x + width).toBeLessThanOrEqual(1_000 + 1e-6)
        }
        expect(search(all, 'a').share).toBeLessThanOrEqual(1 + 1e-9)
        expect(hottest(all, 1e6).reduce((sum, { self }) => sum + self, 0)).toBe((all[0]?.total ?? 0) - root.self)
      }),
    )
  })
})
