import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { painter } from './style.ts'
import { renderTable } from './table.ts'

const columns = [
  { title: 'NAME', shrinkTo: 6 },
  { title: 'N', align: 'right' },
  { title: 'WHERE', shrinkTo: 6 },
] as const
const plain = (title: string): string => title

describe('renderTable', () => {
  it('aligns columns and leaves nothing at the end of lines', () => {
    const rows = [
      ['shop', '1', 'here'],
      ['a', '200', ''],
    ]
    expect(renderTable(columns, rows, 80, plain)).toBe(['NAME    N  WHERE', 'shop    1  here', 'a     200'].join('\n'))
  })

  it('cuts the widest of the columns that may be cut', () => {
    const table = renderTable(columns, [['a-very-long-name-indeed', '1', 'nearby']], 24, plain)
    expect(table.split('\n')[1]).toBe('a-very-long-…  1  nearby')
  })

  it('is not confused by colours', () => {
    const paint = painter(true)
    const lines = renderTable(columns, [[paint('red', 'shop'), '1', 'x']], 80, (title) => paint('dim', title)).split('\n')
    expect(lines[1]).toBe('\u001b[31mshop\u001b[39m  1  x')
  })

  it('keeps to the width wherever the columns allow it', () => {
    const row = fc.tuple(fc.stringMatching(/^[a-z]{0,40}$/), fc.stringMatching(/^\d{0,5}$/), fc.stringMatching(/^[a-z]{0,40}$/))
    fc.assert(
      fc.property(fc.array(row, { maxLength: 5 }), fc.integer({ min: 24, max: 90 }), (rows, width) => {
        const lines = renderTable(columns, rows, width, plain).split('\n')
        expect(lines).toHaveLength(rows.length + 1)
        for (const line of lines) expect(line.length).toBeLessThanOrEqual(width)
      }),
    )
  })
})
