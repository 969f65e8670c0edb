import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isTracestate, parseTraceparent, writeTraceparent } from './trace-context.ts'

const traceId = '0af7651916cd43dd8448eb211c80319c'
const parentId = 'b7ad6b7169203331'
const hex = (length: number): fc.Arbitrary<string> =>
  fc.stringMatching(new RegExp(`^[0-9a-f]{${length}}$`)).filter((text) => text.length === length && /[^0]/.test(text))

describe('a traceparent', () => {
  it('is read as it is written', () => {
    fc.assert(
      fc.property(hex(32), hex(16), fc.boolean(), (trace, span, sampled) => {
        expect(parseTraceparent(writeTraceparent(trace, span, sampled))).toEqual({ traceId: trace, parentId: span, sampled })
      }),
    )
  })

  it.each([
    ['of a later version, with more behind it', `cc-${traceId}-${parentId}-01-what`, true],
    ['with flags that are not known', `00-${traceId}-${parentId}-ff`, true],
    ['that was not sampled', `00-${traceId}-${parentId}-02`, false],
  ])('%s is followed', (_what, value, sampled) => {
    expect(parseTraceparent(value)).toEqual({ traceId, parentId, sampled })
  })

  it.each([
    ['nothing', ''],
    ['version ff', `ff-${traceId}-${parentId}-01`],
    ['more behind version 00', `00-${traceId}-${parentId}-01-what`],
    ['more behind a later version, without a dash', `cc-${traceId}-${parentId}-01.what`],
    ['upper case', `00-${traceId.toUpperCase()}-${parentId}-01`],
    ['a trace of zeros', `00-${'0'.repeat(32)}-${parentId}-01`],
    ['a parent of zeros', `00-${traceId}-${'0'.repeat(16)}-01`],
    ['a short trace', `00-${traceId.slice(1)}-${parentId}-01`],
    ['letters that are no digits', `00-${traceId.slice(1)}g-${parentId}-01`],
  ])('is not valid with %s', (_what, value) => {
    expect(parseTraceparent(value)).toBeUndefined()
  })
})

describe('a tracestate', () => {
  it.each(['a=1', 'a=1,b=2', ' a=1 , b=2', 'a=1,,b=2', 'fw529a3039@dt=FfAAA', 'a=x y'])('%j is passed on', (value) => {
    expect(isTracestate(value)).toBe(true)
  })

  it.each(['', 'a', 'A=1', 'a=1,a=2', 'a=', 'a=b=c', `a=${'x'.repeat(600)}`, Array.from({ length: 33 }, (_, i) => `k${i}=v`).join(',')])(
    '%j is dropped',
    (value) => {
      expect(isTracestate(value)).toBe(false)
    },
  )
})
