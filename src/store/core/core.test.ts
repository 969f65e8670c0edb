import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { planCompaction, type HistoryLine } from './compaction.ts'
import { deepFreeze } from './json.ts'
import { compareKeys, prefixEnd, shown, utf8Length } from './keys.ts'
import { prepareTransaction } from './transaction.ts'

const text = fc.string({
  unit: fc.oneof(
    fc.constantFrom('a', '\ud7ff', '\ue000', '\uffff', '\u{10000}', '\u{10ffff}'),
    fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
  ),
})
const bytes = (key: string): Buffer => Buffer.from(key, 'utf8')

describe('the order of keys', () => {
  it('is that of their UTF-8 bytes', () => {
    fc.assert(
      fc.property(text, text, (a, b) => {
        expect(Math.sign(compareKeys(a, b))).toBe(Buffer.compare(bytes(a), bytes(b)))
      }),
      { numRuns: 500 },
    )
  })

  it('puts what begins with a prefix, and nothing else, from the prefix to its end', () => {
    fc.assert(
      fc.property(text, text, (prefix, key) => {
        const end = prefixEnd(prefix)
        const inside = compareKeys(key, prefix) >= 0 && (end === undefined || compareKeys(key, end) < 0)
        expect(inside).toBe(key.startsWith(prefix))
      }),
      { numRuns: 500 },
    )
  })

  it.each([
    ['', undefined],
    ['\u{10ffff}\u{10ffff}', undefined],
    ['a', 'b'],
    ['a\u{10ffff}', 'b'],
    ['\ud7ff', '\ue000'],
    ['\uffff', '\u{10000}'],
  ])('the prefix %j ends at %j', (prefix, end) => {
    expect(prefixEnd(prefix)).toBe(end)
  })
})

describe('utf8Length', () => {
  it('is exact as far as asked, and too long stays too long', () => {
    fc.assert(
      fc.property(text, fc.nat(20), (given, enough) => {
        const exact = bytes(given).length
        expect(utf8Length(given)).toBe(exact)
        expect(utf8Length(given, enough) > enough).toBe(exact > enough)
      }),
    )
  })
})

it('messages show long keys cut and odd ones escaped', () => {
  expect(shown('a\nb')).toBe('"a\\nb"')
  expect(shown('x'.repeat(100))).toHaveLength(63)
})

describe('deepFreeze', () => {
  it('freezes all of a tree and leaves plain values', () => {
    const tree = deepFreeze({ a: [{ b: 1 }], c: null })
    expect([tree, tree.a, tree.a[0]].every(Object.isFrozen)).toBe(true)
    expect(deepFreeze(5)).toBe(5)
  })
})

describe('the plan of a compaction', () => {
  const history = fc
    .array(fc.record({ size: fc.integer({ min: 1, max: 4 }), bytes: fc.nat(10) }), { maxLength: 12 })
    .map((revisions) => revisions.flatMap(({ size, bytes: each }, i) => Array.from({ length: size }, () => ({ revision: i + 1, bytes: each }))))
    .map((lines): HistoryLine[] => lines.map((line, i) => ({ id: i + 1, ...line })))
  const sizeOf = (lines: readonly HistoryLine[]) => ({ changes: lines.length, bytes: lines.reduce((sum, line) => sum + line.bytes, 0) })

  it('drops whole revisions, the oldest, as few as bring it within its limits', () => {
    fc.assert(
      fc.property(history, fc.nat(20), fc.nat(60), (lines, changesMax, bytesMax) => {
        const within = (kept: readonly HistoryLine[]): boolean => sizeOf(kept).changes <= changesMax && sizeOf(kept).bytes <= bytesMax
        const plan = planCompaction(sizeOf(lines), { changesMax, bytesMax }, lines)
        const kept = lines.filter(({ id }) => id > (plan?.id ?? 0))
        expect(within(kept)).toBe(true)
        if (!plan) return
        expect(kept.every(({ revision }) => revision > plan.revision)).toBe(true)
        expect(plan.bytes).toBe(sizeOf(lines).bytes - sizeOf(kept).bytes)
        expect(within(lines.filter(({ revision }) => revision >= plan.revision))).toBe(false)
      }),
    )
  })
})

describe('a prepared transaction', () => {
  it('is text: later changes to what was handed in do not reach it', () => {
    const value = { a: 1 }
    const prepared = prepareTransaction({ writes: [{ put: 'k', value }, { delete: 'd' }] })
    value.a = 2
    expect(prepared).toEqual({
      compare: [],
      writes: [
        { key: 'k', json: '{"a":1}', bytes: 7 },
        { key: 'd', json: undefined, bytes: 0 },
      ],
    })
  })

  it('names where a value is not JSON', () => {
    expect(() => prepareTransaction({ writes: [{ put: 'k', value: { list: [1, { x: Number.NaN }] } }] })).toThrow(
      'the value of "k" is not JSON: "list[1].x" is NaN',
    )
  })
})
