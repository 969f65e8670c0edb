import { describe, expect, it } from 'vitest'
import { ByHost } from './by-host.ts'

describe('what belongs to a host', () => {
  const found = new ByHost([
    { hosts: ['a.test', 'Both.test'], value: 'first' },
    { hosts: ['*.wild.test', 'both.test'], value: 'wild' },
    { hosts: ['own.wild.test'], value: 'own' },
  ])
  it.each([
    ['a.test', 'first'],
    ['A.Test.', 'first'],
    ['both.test', 'first'],
    ['x.wild.test', 'wild'],
    ['own.wild.test', 'own'],
    ['x.y.wild.test', 'first'],
    ['wild.test', 'first'],
    ['.wild.test', 'first'],
    ['', 'first'],
  ])('of %s is %s', (host, expected) => {
    expect(found.find(host)).toBe(expected)
  })

  it('is nothing when there is nothing', () => {
    expect(new ByHost([]).find('a.test')).toBeUndefined()
  })
})
