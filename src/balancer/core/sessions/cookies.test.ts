import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cookieValues, takeCookie } from './cookies.ts'

describe('taking a cookie out', () => {
  it.each([
    ['hf=1', '', ['1']],
    ['a=1; hf=2', 'a=1', ['2']],
    ['hf=2; a=1', 'a=1', ['2']],
    ['a=1; hf=2; b=3', 'a=1; b=3', ['2']],
    ['a=1;hf=2;b=3', 'a=1;b=3', ['2']],
    ['a=1 ;  b = 2 ; hf = 3 ;c', 'a=1 ;  b = 2 ;c', ['3']],
    ['hf=1; a=x; hf=2', 'a=x', ['1', '2']],
    ['hf=1; hf=2', '', ['1', '2']],
    ['hf=1;;', '', ['1']],
    ['hf', '', ['']],
    ['hf=; a=b', 'a=b', ['']],
    ['a=hf; hf==x=', 'a=hf', ['=x=']],
    ['a="x; hf=evil"; hf=1', 'a="x; hf=evil"', ['1']],
    ['a="x\\"; hf=evil"; hf=1', 'a="x\\"; hf=evil"', ['1']],
    ['a="x; hf=1', 'a="x', ['1']],
    ['a=x"; hf=1; b="', 'a=x"; b="', ['1']],
    ['a=b="; hf=1; c="', 'a=b="; c="', ['1']],
    ['a=1; hf="q;q"', 'a=1', ['"q;q"']],
  ])('of %j leaves %j', (text, rest, values) => {
    expect(takeCookie(text, 'hf')).toEqual({ rest, values })
    expect(cookieValues(text, 'hf')).toEqual(values)
  })

  it.each(['', 'a=1', 'HF=1', 'hfx=1; xhf=2', 'a=hf', 'a="hf=1"', ';;'])('of %j, where it is not, is nothing', (text) => {
    expect(takeCookie(text, 'hf')).toBeUndefined()
    expect(cookieValues(text, 'hf')).toEqual([])
  })

  it('leaves every other pair byte for byte, in its order, and none of its own', () => {
    const piece = fc.constantFrom('a=1', ' b=2', 'hf=x', ' hf=y', '', ' ', 'c="q; hf=z"', ' d', '\thf=w ', 'e="open', ' f=x"')
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const text = pieces.join(';')
        const taken = takeCookie(text, 'hf')
        if (taken === undefined) {
          expect(cookieValues(text, 'hf')).toEqual([])
          return
        }
        expect(cookieValues(taken.rest, 'hf')).toEqual([])
        for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) expect(cookieValues(taken.rest, name)).toEqual(cookieValues(text, name))
      }),
    )
  })
})
