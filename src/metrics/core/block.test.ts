import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { OpenBlock, SealedBlock, type Block } from './block.ts'

const start = 1_800_000_000_000 - (1_800_000_000_000 % 60_000)

const readAll = (block: Block, series: number): number[] | undefined => {
  const into = new Float64Array(block.times.length)
  return block.read(series, into) ? [...into.slice(0, block.length)] : undefined
}

describe('a block', () => {
  it('reads the same open and sealed, whatever came and stayed away', () => {
    const samples = fc.dictionary(fc.integer({ min: 1, max: 30 }).map(String), fc.double({ noNaN: true }))
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: 1, max: 900 }), samples), { maxLength: 140 }), (rows) => {
        const open = new OpenBlock(start)
        let at = start
        for (const [later, values] of rows) {
          open.begin((at += later))
          for (const [series, value] of Object.entries(values)) open.set(Number(series), value)
        }
        const sealed = new SealedBlock(open.seal())
        expect([sealed.start, sealed.length]).toEqual([open.start, open.length])
        expect([...sealed.times]).toEqual([...open.times.slice(0, open.length)])
        for (let series = 0; series <= 31; series++) {
          const [before, after] = [readAll(open, series), readAll(sealed, series)]
          expect(after?.length).toBe(before?.length)
          // -0 comes back as 0.
          expect(after?.every((value, i) => value === before?.[i] || (Number.isNaN(value) && Number.isNaN(before?.[i])))).not.toBe(false)
        }
      }),
      { numRuns: 200 },
    )
  })

  it('that was damaged is refused', () => {
    const open = new OpenBlock(start)
    open.begin(start + 5)
    open.set(7, 1.5)
    const bytes = open.seal()
    expect(readAll(new SealedBlock(bytes), 7)).toEqual([1.5])
    expect(() => new SealedBlock(bytes.slice(0, -1))).toThrow('not readable')
    expect(() => new SealedBlock(new Uint8Array())).toThrow('not readable')
    expect(() => new SealedBlock(new Uint8Array(20).fill(255))).toThrow('not readable')
  })
})
