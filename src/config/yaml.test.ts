import { describe, expect, it } from 'vitest'
import { problemLine } from './core/problem.ts'
import type { SourceNode } from './core/source.ts'
import { readYaml } from './yaml.ts'

function plain(node: SourceNode): unknown {
  if (node.kind === 'scalar') return node.text
  if (node.kind === 'list') return node.items.map(plain)
  return Object.fromEntries(node.entries.map(({ key, value }) => [key, plain(value)]))
}

const value = (text: string): unknown => {
  const read = readYaml(text, 'f')
  return 'problems' in read ? read.problems.map(problemLine) : plain(read.root)
}

describe('reading', () => {
  it('takes every scalar as it is written', () => {
    expect(value('{ a: 1.10, b: 010, c: 0x1f, d: yes, e: ~, f: 2001-01-01, g: 1_000, h: "x\\ty", i: null }')).toEqual({
      a: '1.10',
      b: '010',
      c: '0x1f',
      d: 'yes',
      e: '~',
      f: '2001-01-01',
      g: '1_000',
      h: 'x\ty',
      i: 'null',
    })
  })

  it('keeps references whole, in every style', () => {
    const text = 'a: { b: ${file:x}, c: ${P:-8080}, d: $${E} }\nf: [${A}, "${B}"]\ng: "\'${C:-"x"}\'"\nh: |\n  ${I:-# no comment}\n'
    expect(value(text)).toEqual({ a: { b: '${file:x}', c: '${P:-8080}', d: '$${E}' }, f: ['${A}', '${B}'], g: '\'${C:-"x"}\'', h: '${I:-# no comment}\n' })
  })

  it('keeps escapes whole, and the quotes around them', () => {
    const text = ['a: "$${"', 'b: "$\\u0024{"', 'c: "$${x\\"y}"', "d: '$${it''s}'", 'e: $${E}', 'f: "}"'].join(', ')
    expect(value(`{ ${text} }`)).toEqual({ a: '$${', b: '$${', c: '$${x"y}', d: "$${it's}", e: '$${E}', f: '}' })
  })

  it('fills in anchors, aliases and merge keys', () => {
    const text = 'a: &a { x: 1, y: 2 }\nb: { <<: *a, y: 3 }\nc: { <<: [{ x: 9 }, *a] }\nd: [*a]\n'
    expect(value(text)).toEqual({ a: { x: '1', y: '2' }, b: { x: '1', y: '3' }, c: { x: '9', y: '2' }, d: [{ x: '1', y: '2' }] })
  })

  it('knows where everything stands, behind a byte order mark and after Windows line ends too', () => {
    const read = readYaml('\ufeffa: 1\r\nbc:\r\n  - "x"\r\n  - ${Y:-z} # c\r\n', 'f')
    const root = 'root' in read ? read.root : undefined
    const entry = root?.kind === 'map' ? root.entries[1] : undefined
    expect(entry?.keyPlace).toEqual({ kind: 'file', file: 'f', line: 2, column: 1, width: 2 })
    const items = entry?.value.kind === 'list' ? entry.value.items : []
    expect(items.map(({ place }) => place)).toEqual([
      { kind: 'file', file: 'f', line: 3, column: 5, width: 3 },
      { kind: 'file', file: 'f', line: 4, column: 5, width: 7 },
    ])
  })

  it('has names that are traps elsewhere as plain keys', () => {
    const read = readYaml('__proto__: 1\nconstructor: 2\n', 'f')
    expect('root' in read && read.root.kind === 'map' ? read.root.entries.map(({ key }) => key) : []).toEqual(['__proto__', 'constructor'])
  })
})

describe('refusing', () => {
  it.each([
    ['a: 1\nb: 2\na: 3\n', 'f:3:1 the key "a" is given twice; it stands on line 1 already'],
    ['a:\n\tb: 1\n', 'f:2:1 not valid YAML: tabs are not allowed as indentation; indent with spaces'],
    ['a: 1\n---\nb: 2\n', 'f:2:1 a second YAML document begins here; keep everything in one, without "---"'],
    ['a: "x\n', 'f:2:1 not valid YAML: missing closing "quote'],
    ['a: b: c\n', 'f:1:4 not valid YAML: nested mappings are not allowed in compact mappings; put a value that holds ": " in quotes, or begin a new line for a new key'],
    ['a: @x\n', 'f:1:4 not valid YAML: plain value cannot start with reserved character @; put the value in quotes'],
    ['a: !!int 3\n', 'f:1:4 not valid YAML: unresolved tag: tag:yaml.org,2002:int; leave the tag out; types come from the key'],
    ['a: *b\n', 'f:1:4 the alias *b stands for nothing; mark a value above it with &b'],
    ['a: &a [*a]\n', 'f:1:8 the alias *a stands for nothing; mark a value above it with &a'],
    ['<<: 3\n', 'f:1:1 "<<" merges maps only; give it an alias of a map, or a list of them'],
    ['? [a]\n: 1\n', 'f:1:3 a list cannot be a key; put the key in quotes'],
  ])('%j', (text, problem) => {
    expect(value(text)).toEqual([problem])
  })

  it('tells each broken line once, and no more than three', () => {
    expect(value('a: @x\nb: @y\n')).toHaveLength(2)
    expect(value('a: @x\n'.repeat(10))).toHaveLength(3)
  })

  it('does not let aliases multiply', () => {
    const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]']
    for (let i = 1; i < 12; i++) lines.push(`a${i}: &a${i} [${Array(10).fill(`*a${i - 1}`).join(', ')}]`)
    expect(value(lines.join('\n'))).toEqual([expect.stringContaining('holds more than 50000 values with all aliases filled in')])
  })

  it.each([
    ['brackets', '[ '],
    ['maps', '{ a: '],
    ['dashes', '- '],
    ['questions', '? '],
    ['colons', ': '],
    ['keys', 'a: b: '],
  ])('does not follow endless %s', (_, piece) => {
    expect(value(piece.repeat(Math.floor(1_000_000 / piece.length)))).toEqual([expect.stringMatching(/^f:1:\d+ is nested deeper than 32 levels$/)])
  })

  it('goes 32 levels deep and no further', () => {
    const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth)
    expect(value(nested(32))).toBeInstanceOf(Array)
    expect(JSON.stringify(value(nested(32)))).toBe(nested(32))
    expect(value(nested(40))).toEqual([expect.stringContaining('is nested deeper than 32 levels')])
  })

  it.each([
    ['closing brackets', '}'],
    ['keys without value', 'x\n'],
    ['anchors', '&a '],
    ['quotes', '"\n'],
    ['items', '- x\n'],
    ['equal keys', 'a: &a x\n'],
  ])('gives an answer soon for a megabyte of %s', (_, piece) => {
    const read = readYaml(piece.repeat(Math.floor(1_000_000 / piece.length)), 'f')
    expect('problems' in read || read.root.kind === 'scalar').toBe(true)
  })
})
