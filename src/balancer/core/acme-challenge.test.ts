import { expect, it } from 'vitest'
import { challengeAnswer } from './acme-challenge.ts'

it.each([
  ['/.well-known/acme-challenge/abc', 'abc.thumb'],
  ['/.well-known/acme-challenge/ab', undefined],
  ['/.well-known/acme-challenge/abc/', undefined],
  ['/.well-known/acme-challenge/constructor', undefined],
  ['/abc', undefined],
])('answers %s with %s', (target, expected) => {
  expect(challengeAnswer(target, { abc: 'abc.thumb' })).toBe(expected)
})
