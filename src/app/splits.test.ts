import { describe, expect, it } from 'vitest'
import { noSwitches } from './routing.ts'
import { checkShares, splitOf, withSplit } from './splits.ts'
import type { ServiceConfig } from '../config/types.ts'

it('the traffic of a version is that of its endpoints', () => {
  const endpoint = (id: string, revision: string) => ({ id, host: 'h', port: 1, weight: 1, state: 'active' as const, revision })
  const endpoints = [endpoint('shop-1', 'v1'), endpoint('h:1', 'v2'), endpoint('shop-2', 'v1')]
  const asked: (readonly string[])[] = []
  const found = splitOf({ name: 'shop' } as ServiceConfig, noSwitches, endpoints, (ids) => {
    asked.push(ids)
    return { requests: ids.length, errors: 0, requestRate: 0, errorRate: 0, p95Ms: undefined }
  })
  expect(asked).toEqual([['shop-1', 'shop-2'], ['shop/h:1']])
  expect([found.traffic.v1?.requests, found.versions]).toEqual([2, { v1: 2, v2: 1 }])
})

describe('shares set by hand', () => {
  const versions = { v1: 2, v2: 1 }

  it.each([
    [{ v1: 0.5, v2: 0.4 }, '0.9 in all'],
    [{ v1: 2, v2: -1 }, 'not from 0 to 1'],
    [{ v1: 0.5, v3: 0.5 }, 'no endpoint has the version v3'],
  ])('%j are refused: %s', (shares, why) => {
    expect(() => {
      checkShares('shop', shares, versions)
    }).toThrow(why)
  })

  it('may leave out versions, and name absent ones that get nothing', () => {
    expect(() => {
      checkShares('shop', { v1: 1, v9: 0 }, versions)
    }).not.toThrow()
  })

  it('are kept by service, and taken back', () => {
    const both = withSplit(withSplit(noSwitches, 'a', { v1: 1 }), 'b', { v2: 1 })
    expect(both.splits).toEqual({ a: { v1: 1 }, b: { v2: 1 } })
    expect(withSplit(both, 'a', undefined).splits).toEqual({ b: { v2: 1 } })
  })
})
