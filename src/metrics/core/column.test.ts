import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ByteReader, ByteWriter } from './bytes.ts'
import { readColumn, writeColumn } from './column.ts'

function through(values: readonly number[]): { read: number[]; bytes: number } {
  const out = new ByteWriter(1)
  writeColumn(out, values, values.length)
  // What stands after it must not be touched.
  out.byte(0xaa)
  const into = new Float64Array(values.length)
  const from = new ByteReader(out.take())
  readColumn(from, into, values.length)
  expect(from.byte()).toBe(0xaa)
  return { read: [...into], bytes: out.length - 1 }
}

const same = (a: number, b: number | undefined): boolean => a === b || (Number.isNaN(a) && Number.isNaN(b))

const anyValue = fc.oneof(
  fc.double({ noDefaultInfinity: true }),
  fc.integer(),
  fc.integer({ min: 0, max: 1_000 }).map((n) => n / 10),
  fc.constantFrom(NaN, 0, 1, -1, 2 ** 50, 2 ** 53, -(2 ** 60), 5e-324, 1e308, 0.1, 1 / 3),
)

describe('a column', () => {
  it('gives back exactly what was written', () => {
    fc.assert(
      fc.property(fc.array(anyValue, { maxLength: 130 }), (values) => {
        const { read } = through(values)
        expect(read.every((value, i) => same(value, values[i]))).toBe(true)
      }),
      { numRuns: 2_000 },
    )
  })

  it.each([
    ['a constant', Array.from({ length: 60 }, () => 3), 2],
    ['nothing', Array.from({ length: 60 }, () => NaN), 1],
    ['counts', Array.from({ length: 60 }, (_, i) => 100 + (i % 7)), 63],
    ['tenths of a percent', Array.from({ length: 60 }, (_, i) => (200 + ((i * 7) % 50)) / 10), 65],
    ['resident memory', Array.from({ length: 60 }, (_, i) => 80_000_000 + 4_096 * ((i * 13) % 29)), 200],
  ])('of %s is small', (_, values, bytesMax) => {
    expect(through(values).bytes).toBeLessThanOrEqual(bytesMax)
  })

  it('that is cut off is an error, not a value', () => {
    const out = new ByteWriter()
    writeColumn(out, [0.1, 1 / 3, 7], 3)
    const bytes = out.take()
    for (let length = 0; length < bytes.length; length++) {
      expect(() => {
        readColumn(new ByteReader(bytes.slice(0, length)), new Float64Array(3), 3)
      }).toThrow()
    }
  })
})
