import { describe, expect, it } from 'vitest'
import { maskTarget, withoutQuery } from './mask.ts'

const names = new Set(['token', 'api_key'])

describe('a target that is written', () => {
  it.each([
    ['/x', '/x'],
    ['/x?a=1', '/x?a=1'],
    ['/x?token=s&a=1', '/x?token=***&a=1'],
    ['/x?a=1&TOKEN=s&api_key=t', '/x?a=1&TOKEN=***&api_key=***'],
    ['/x?t%6Fken=s', '/x?t%6Fken=***'],
    ['/x?%=1&token=a=b', '/x?%=1&token=***'],
    ['/token=s', '/token=s'],
  ])('%s has no secrets', (target, written) => {
    expect(maskTarget(target, names)).toBe(written)
  })

  it('has an end', () => {
    expect(maskTarget(`/${'x'.repeat(5_000)}`, names)).toHaveLength(2_048)
    expect(maskTarget(`/?a=${'x'.repeat(5_000)}`, names)).toHaveLength(2_048)
  })
})

it('a referrer is written without its query', () => {
  expect(withoutQuery('https://a.test/page?secret=1#there')).toBe('https://a.test/page')
})
