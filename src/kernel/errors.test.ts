import { describe, expect, it } from 'vitest'
import { assert, codeOf, HoldfastError, InvariantError, messageOf, unreachable } from './errors.ts'

describe('HoldfastError', () => {
  it('carries code, hint, details and cause', () => {
    const cause = new Error('ENOSPC')
    const error = new HoldfastError('disk_full', 'writing failed', { hint: 'Make room.', details: { path: '/x' }, cause })
    expect(error).toBeInstanceOf(Error)
    expect(error).toMatchObject({
      name: 'HoldfastError',
      code: 'disk_full',
      message: 'writing failed',
      hint: 'Make room.',
      details: { path: '/x' },
      cause,
    })
  })

  it('has no cause when none was given', () => {
    expect('cause' in new HoldfastError('x', 'y')).toBe(false)
  })
})

describe('assert', () => {
  it('lets what holds pass and names what does not', () => {
    expect(() => assert(1, 'one')).not.toThrow()
    expect(() => assert(0, 'nothing is something')).toThrow(new InvariantError('nothing is something'))
  })

  it('a state that nobody thought of is a bug', () => {
    expect(() => unreachable({ type: 'new' } as never)).toThrow('unreachable: {"type":"new"}')
  })
})

describe('messageOf', () => {
  it.each([
    [new Error('a', { cause: new Error('b', { cause: 'c' }) }), 'a: b: c'],
    [new Error('alone'), 'alone'],
    [new AggregateError([new Error('a'), new Error('b', { cause: 'c' })], 'two'), 'two: a; b: c'],
    ['text', 'text'],
    [undefined, 'undefined'],
  ])('tells %s with its causes', (thrown, sentence) => {
    expect(messageOf(thrown)).toBe(sentence)
  })

  it.each([
    ['opening the log in /x failed', 'opening the log in /x failed: no such file or directory (ENOENT)'],
    ['opening the log failed', "opening the log failed: ENOENT: no such file or directory, mkdir '/x'"],
    ['cannot read /x: ENOENT', 'cannot read /x: ENOENT'],
  ])('says what the system said once: %s', (message, sentence) => {
    expect(messageOf(new Error(message, { cause: new Error("ENOENT: no such file or directory, mkdir '/x'") }))).toBe(sentence)
  })

  it('ends even when the causes go in a circle', () => {
    const error = new Error('a')
    error.cause = error
    expect(messageOf(error).startsWith('a: a')).toBe(true)
  })
})

describe('codeOf', () => {
  it('finds the code of system errors and of ours, and nothing else', () => {
    expect(codeOf(Object.assign(new Error('x'), { code: 'ENOENT' }))).toBe('ENOENT')
    expect(codeOf(new HoldfastError('conflict', 'x'))).toBe('conflict')
    expect(codeOf(Object.assign(new Error('x'), { code: 7 }))).toBeUndefined()
    expect(codeOf({ code: 'ENOENT' })).toBeUndefined()
    expect(codeOf(new Error('x'))).toBeUndefined()
  })
})
