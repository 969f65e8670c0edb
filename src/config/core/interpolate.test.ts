import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { expand, mask, unmask, type Resolve } from './interpolate.ts'

const variables: Readonly<Record<string, string>> = { NAME: 'web', EMPTY: '', DIR: 'secrets', A: '${NAME}' }

const resolve: Resolve = (reference) => {
  if (reference.kind === 'file') return { text: `<${reference.path}>`, secret: true }
  const text = variables[reference.name] ?? (reference.fallback === undefined ? undefined : '')
  return text === undefined ? { problem: `${reference.name} is not set` } : { text, secret: false }
}

const filled = (text: string): unknown => {
  const result = expand(text, resolve, 1_000)
  return 'problem' in result ? result.problem : result.text
}

describe('filling in', () => {
  it.each([
    ['plain', 'plain'],
    ['${NAME}', 'web'],
    ['a-${NAME}-${NAME}-b', 'a-web-web-b'],
    ['${NONE:-4000}', '4000'],
    ['${EMPTY:-x}', 'x'],
    ['${EMPTY}', ''],
    ['${NAME:-x}', 'web'],
    ['${NONE:-}', ''],
    ['${NONE:-${NAME}}', 'web'],
    ['${NONE:-{"a": 1}}', '{"a": 1}'],
    ['${NONE:-a:-b}', 'a:-b'],
    ['${file:jwt.secret}', '<jwt.secret>'],
    ['${file:${DIR}/jwt}', '<secrets/jwt>'],
    ['$PORT $1 $ {x}', '$PORT $1 $ {x}'],
    ['$${NAME}', '${NAME}'],
    ['$${', '${'],
    ['$${NAME} ${NAME}', '${NAME} web'],
    ['$$NAME', '$$NAME'],
    ['$${A:-${NAME}}', '${A:-web}'],
    ['$${NAME', '${NAME'],
    // What a variable holds is not looked at again.
    ['${A}', '${NAME}'],
  ])('%s → %s', (text, expected) => {
    expect(filled(text)).toBe(expected)
  })

  it.each([
    ['${NONE}', 'NONE is not set'],
    ['${NAME', '"${" is never closed on its line'],
    ['${NAME\n}', '"${" is never closed on its line'],
    ['${}', '${} is not a reference'],
    ['${a b}', '${a b} is not a reference'],
    ['${NAME-x}', '${NAME-x} is not a reference'],
    ['${NAME:?x}', '${NAME:?x} is not a reference'],
    ['${file:}', '${file:} is not a reference'],
    ['${NONE:-${NONE}}', 'NONE is not set'],
    [`${'${X:-'.repeat(20)}${'}'.repeat(20)}`, '${…} is nested deeper than 8'],
    ['${NAME}'.repeat(400), 'gets longer than 1000 characters with ${NAME} filled in'],
  ])('%s is refused', (text, problem) => {
    expect(filled(text)).toBe(problem)
  })

  it('knows what is secret, and what was used', () => {
    expect(expand('${NAME}:${file:x}', resolve, 100)).toEqual({ text: 'web:<x>', secret: true, references: ['${NAME}', '${file:x}'] })
    expect(expand('$${NAME}', resolve, 100)).toEqual({ text: '${NAME}', secret: false, references: [] })
  })
})

describe('masking', () => {
  const snippets = fc.array(fc.oneof(fc.string({ unit: 'grapheme', maxLength: 6 }), fc.constantFrom('${', '}', '$${', '{', '\n', ':-', '${A}', '"', '😀')), { maxLength: 20 })

  it('keeps every position and comes back whole, for every well-formed text', () => {
    fc.assert(
      fc.property(snippets, (parts) => {
        const text = parts.join('')
        const masked = mask(text)
        expect(masked.length).toBe(text.length)
        expect(unmask(masked)).toBe(text)
        expect([...masked.matchAll(/\n/g)].map((m) => m.index)).toEqual([...text.matchAll(/\n/g)].map((m) => m.index))
      }),
      { numRuns: 500 },
    )
  })

  it('leaves nothing of a reference for YAML to see', () => {
    expect(mask('{ a: ${file:b}, c: $${D} }')).toMatch(/^\{ a: [\udc00-\udcff]{9}, c: [\udc00-\udcff]{5} \}$/)
  })

  it('is quick on a megabyte of openings', () => {
    const text = '${'.repeat(500_000)
    expect(mask(text).length).toBe(text.length)
  })
})
