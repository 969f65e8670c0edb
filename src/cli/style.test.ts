import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { printable, wantsColour } from './style.ts'

describe('printable', () => {
  it('keeps text and tabs, drops what moves the cursor or names the window', () => {
    expect(printable('a\tb\u001b[2Jc\u001b]0;title\u0007d\re\u009b1m', false)).toBe('a\tbcde1m')
  })

  it('keeps colours where they are wanted, and ends them', () => {
    expect(printable('\u001b[31mred\u001b[1A', true)).toBe('\u001b[31mred\u001b[0m')
    expect(printable('\u001b[31mred', false)).toBe('red')
  })

  it('leaves no control character in any text', () => {
    const nasty = fc.string({
      unit: fc.constantFrom('\u001b', '[', ']', '3', '1', 'm', ';', 'J', '\u0007', '\\', '\n', '\r', '\u009b', 'ü', 'x', '\u0000'),
    })
    fc.assert(
      fc.property(nasty, (text) => {
        // eslint-disable-next-line no-control-regex -- that is what must not be there
        expect(printable(text, false)).not.toMatch(/[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/)
        // eslint-disable-next-line no-control-regex -- as above, colours apart
        expect(printable(text, true).replace(/\u001b\[[0-9;:]*m/g, '')).not.toMatch(/[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/)
      }),
    )
  })
})

describe('wantsColour', () => {
  it.each([
    [true, {}, true],
    [false, {}, false],
    [true, { NO_COLOR: '1' }, false],
    [true, { NO_COLOR: '' }, true],
    [true, { TERM: 'dumb' }, false],
    [false, { FORCE_COLOR: '1' }, true],
    [true, { FORCE_COLOR: '0' }, false],
    [true, { FORCE_COLOR: '1', NO_COLOR: '1' }, false],
  ])('terminal %s with %o: %s', (isTerminal, env, expected) => {
    expect(wantsColour(isTerminal, env)).toBe(expected)
  })
})
