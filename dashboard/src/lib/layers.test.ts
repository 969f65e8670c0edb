import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { layered, type Tie } from './layers.ts'

const ties = (...pairs: readonly string[]): readonly Tie[] =>
  pairs.map((pair) => {
    const [from = '', to = ''] = pair.split('>')
    return { from, to }
  })

describe('a graph in layers', () => {
  it('has what is needed right of who needs it', () => {
    const { spots } = layered(['db', 'shop', 'auth', 'web'], ties('web>shop', 'shop>auth', 'auth>db', 'shop>db'))
    expect(Object.fromEntries(spots.map(({ name, layer }) => [name, layer]))).toEqual({ web: 0, shop: 1, auth: 2, db: 3 })
  })

  it('puts each near those that it is tied to', () => {
    const { spots } = layered(['a', 'b', 'x', 'y'], ties('a>y', 'b>x'))
    const row = (name: string): number => spots.find((spot) => spot.name === name)?.row ?? NaN
    expect(Math.sign(row('a') - row('b'))).toBe(Math.sign(row('y') - row('x')))
  })

  it('keeps a place free for a line that passes a layer', () => {
    const { spots, bends } = layered(['a', 'b', 'c'], ties('a>b', 'b>c', 'a>c'))
    const [bend] = bends.get('a>c') ?? []
    expect(bend?.layer).toBe(1)
    expect(bend?.row).not.toBe(spots.find(({ name }) => name === 'b')?.row)
  })

  it('has a place of its own for everything, circles or not, and only ties that close a circle go back', () => {
    const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g']
    const name = fc.constantFrom(...names)
    fc.assert(
      fc.property(fc.array(fc.record({ from: name, to: name }), { maxLength: 20 }), (some) => {
        const { spots, bends } = layered(names, some)
        expect(spots.map((spot) => spot.name).toSorted()).toEqual(names)
        const all = [...spots, ...[...bends.values()].flat()]
        expect(new Set(all.map(({ layer, row }) => `${layer} ${row}`)).size).toBe(all.length)
        const at = new Map(spots.map((spot) => [spot.name, spot.layer]))
        const reaches = (from: string, to: string, seen = new Set<string>()): boolean => {
          if (from === to) return true
          if (seen.has(from)) return false
          seen.add(from)
          return some.some((tie) => tie.from === from && reaches(tie.to, to, seen))
        }
        for (const { from, to } of some) if (at.get(from)! >= at.get(to)!) expect(reaches(to, from)).toBe(true)
      }),
    )
  })
})
