import { describe, expect, it } from 'vitest'
import type { Fields } from './fields.ts'
import { groupsChangedBy, groupsOf, originOf } from './groups.ts'

const fields = (name: string, ...lines: readonly string[]): Fields => ({ all: (asked) => (asked === name ? lines : []) })

describe('cache groups', () => {
  it.each<[readonly string[], readonly string[]]>([
    [['"scripts"'], ['scripts']],
    [['"a b", "c\\"d";x=1'], ['a b', 'c"d']],
    [
      ['"a"', '"b", "a"'],
      ['a', 'b'],
    ],
    [['scripts'], []],
    [['"a", b'], []],
    [['"a",'], []],
    [['("a" "b")'], []],
    [[''], []],
    [[], []],
  ])('%j', (lines, expected) => {
    expect(groupsOf(fields('cache-groups', ...lines))).toEqual(expected)
    expect(groupsChangedBy(fields('cache-group-invalidation', ...lines))).toEqual(expected)
  })

  it('has limits', () => {
    const many = Array.from({ length: 100 }, (_, i) => `"g${i}"`).join(', ')
    expect(groupsOf(fields('cache-groups', many))).toHaveLength(64)
    expect(groupsOf(fields('cache-groups', `"${'x'.repeat(129)}", "y"`))).toEqual(['y'])
  })

  it('is of one origin', () => {
    expect(originOf('https://shop.example.com:8443/a/b?c')).toBe('https://shop.example.com:8443')
    expect(originOf('http://shop')).toBe('http://shop')
  })
})
