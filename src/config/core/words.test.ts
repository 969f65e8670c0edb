import { describe, expect, it } from 'vitest'
import { either, nearest, plainLine, quote } from './words.ts'

const known = ['instances', 'endpoints', 'env', 'command', 'health', 'dependsOn', 'SIGTERM', 'round-robin', 'port']

describe('the nearest known word', () => {
  it.each([
    ['instnces', 'instances'],
    ['Instances', 'instances'],
    ['instance', 'instances'],
    ['comand', 'command'],
    ['comamnd', 'command'],
    ['depends_on', 'dependsOn'],
    ['TERM', 'SIGTERM'],
    ['round_robin', 'round-robin'],
    ['prot', 'port'],
    ['evn', 'env'],
    ['healthcheck', 'health'],
    ['environment', 'env'],
  ])('%s → %s', (word, expected) => {
    expect(nearest(word, known)).toBe(expected)
  })

  it.each(['', 'x', 'zz', 'replicas', '---', 'a'.repeat(100_000)])('%.20s is near to nothing', (word) => {
    expect(nearest(word, known)).toBeUndefined()
  })
})

it('quotes so that nothing can break a line or steer a terminal', () => {
  expect(quote('a"b\n\u001b[31m\u009b\u202e')).toBe('"a\\"b\\n\\u001b[31m\\u009b\\u202e"')
  expect(quote('x'.repeat(100))).toBe(`"${'x'.repeat(60)}…"`)
  expect(plainLine('a\u001b[31m\nb')).toBe('a [31m b')
})

it('lists words as people do', () => {
  expect([either([]), either(['a']), either(['a', 'b']), either(['a', 'b', 'c'], 'and')]).toEqual(['', 'a', 'a or b', 'a, b and c'])
})
