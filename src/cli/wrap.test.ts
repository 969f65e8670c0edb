import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hang, wrap } from './wrap.ts'

describe('wrap', () => {
  it('breaks between words, and cuts what is too much', () => {
    expect(wrap('exited with code 1; it wrote last: no database', 20, 3)).toEqual(['exited with code 1;', 'it wrote last: no', 'database'])
    expect(wrap('one two three four five', 9, 2)).toEqual(['one two', 'three fo…'])
    expect(wrap('averyveryverylongword is cut', 10, 3)).toEqual(['averyvery…', 'is cut'])
    expect(wrap('', 10, 3)).toEqual([''])
  })

  it('never makes a line too long or too many of them, and loses no word that has room', () => {
    const text = fc.array(fc.stringMatching(/^[a-z]{1,12}$/), { minLength: 1, maxLength: 40 }).map((words) => words.join(' '))
    fc.assert(
      fc.property(text, fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 5 }), (all, width, linesMax) => {
        const lines = wrap(all, width, linesMax)
        expect(lines.length).toBeLessThanOrEqual(linesMax)
        for (const line of lines) expect(line.length).toBeLessThanOrEqual(width)
        if (!lines.some((line) => line.includes('…'))) expect(lines.join(' ')).toBe(all)
      }),
    )
  })
})

describe('hang', () => {
  it('puts what follows below the text', () => {
    expect(hang('  └ ', 'one two three', 11)).toEqual(['  └ one two', '    three'])
  })
})
