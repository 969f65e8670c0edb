import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseRegex } from './regex.ts'

const whole = (source: string, text: string): boolean => parseRegex(source).matches(text)

describe('a regular expression', () => {
  it.each([
    ['', '', true],
    ['', 'a', false],
    ['page|call', 'call', true],
    ['page|call', 'calls', false],
    ['Disk.*', 'DiskFull', true],
    ['.*', 'two\nlines', false],
    ['(?s).*', 'two\nlines', true],
    ['(?i)disk', 'DISK', true],
    ['(?i:d)isk', 'DISK', false],
    ['a(?i)b|C', 'aB', true],
    ['(?i)a(?-i:B)', 'AB', true],
    ['[^a-c]+', 'xyz', true],
    ['[^a-c]+', 'xaz', false],
    ['[]a]+', ']a', true],
    ['[a-]+', 'a-a', true],
    ['[[:digit:][:alpha:]_]+', 'a1_', true],
    ['[[:^digit:]]+', 'a1', false],
    [String.raw`\d{3,5}`, '1234', true],
    [String.raw`\d{3,5}`, '12', false],
    [String.raw`\d{2,}`, '1234567', true],
    ['x{,3}', 'x{,3}', true],
    [String.raw`\x41\x{1F600}\t`, 'A😀\t', true],
    [String.raw`\101`, 'A', true],
    [String.raw`\Qa.b*\E+`, 'a.b*+', false],
    [String.raw`\Qa.b*\E`, 'a.b*', true],
    [String.raw`\pL+`, 'größe', true],
    [String.raw`\p{Greek}+`, 'αβγ', true],
    [String.raw`\P{Lu}+`, 'abC', false],
    ['^a$', 'a', true],
    ['a^b', 'ab', false],
    [String.raw`\bfoo\b.*`, 'foo bar', true],
    [String.raw`foo\b.*`, 'foobar', false],
    ['(?m).*^b', 'a\nb', false],
    ['(?sm).*^b$', 'a\nb', true],
    ['(?P<name>a)(?<other>b)', 'ab', true],
    ['(a*)*', 'aaa', true],
    ['(a|b)*?c', 'ababc', true],
    ['.', '😀', true],
  ])('%s on %s: %s', (source, text, expected) => {
    expect(whole(source, text)).toBe(expected)
  })

  it.each([
    '(',
    ')',
    '[a',
    'a**',
    '*a',
    '(?=a)',
    '(?!a)',
    '(?<=a)b',
    String.raw`(a)\1`,
    'a\\',
    'a{2,1}',
    'a{1001}',
    '[b-a]',
    String.raw`\p{Nothing}`,
    String.raw`\y`,
    '(?z)',
    '(((a{100}){100}){100})',
    '((){1000}){1000}',
  ])('is refused: %s', (source) => {
    expect(() => parseRegex(source)).toThrow(/^tried to read the regular expression/)
  })

  it('finds what backtracking finds, where both can', () => {
    const atom = fc.constantFrom('a', 'b', '.', '[ab]', '[^a]', 'ab')
    const { source } = fc.letrec<{ source: string }>((tie) => ({
      source: fc.oneof(
        { maxDepth: 4 },
        atom,
        fc.tuple(tie('source'), fc.constantFrom('*', '+', '?', '{0,2}', '{2}')).map(([part, count]) => `(?:${part})${count}`),
        fc.tuple(tie('source'), tie('source')).map(([a, b]) => `${a}${b}`),
        fc.tuple(tie('source'), tie('source')).map(([a, b]) => `(?:${a}|${b})`),
      ),
    }))
    fc.assert(
      fc.property(source, fc.array(fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 8 }), { maxLength: 20 }), (pattern, texts) => {
        const [ours, theirs] = [parseRegex(pattern), new RegExp(`^(?:${pattern})$`, 'u')]
        for (const text of texts) expect(ours.matches(text)).toBe(theirs.test(text))
      }),
    )
  })

  it('takes no longer for what makes backtracking take for ever', () => {
    const text = `${'a'.repeat(5_000)}!`
    for (const source of ['(a+)+', '(a|a)*', '(a|aa)+', '(.*)*b', `${'a?'.repeat(200)}${'a'.repeat(200)}`, '(.*a){20}'])
      expect(whole(source, text)).toBe(false)
  })

  it('does not remember more and more', () => {
    const regex = parseRegex('.*[αβγ].{5}')
    for (let i = 0; i < 5_000; i++) expect(regex.matches(`${String.fromCodePoint(0x4e00 + i)}${i}α12345`)).toBe(true)
  })
})
