import { describe, expect, it } from 'vitest'
import type { EndpointStatus } from '../../registry/types.ts'
import { breakersOf } from './breakers.ts'

const standing = (...states: EndpointStatus['breaker'][]): string | undefined =>
  breakersOf({
    name: 'shop',
    endpoints: states.map((breaker, index) => ({
      id: `e${index}`,
      service: 'shop',
      host: 'h',
      port: 1,
      weight: 1,
      state: 'active',
      health: 'healthy',
      reason: undefined,
      breaker,
      instance: undefined,
      traffic: { active: 0, requests: 0, errors: 0, responseTimeMs: undefined },
    })),
  })?.state

describe('the breaker of a service', () => {
  it('is open only when all of its endpoints are refused', () => {
    expect(standing('open', 'closed')).toBe('closed')
    expect(standing('open', 'open')).toBe('open')
    expect(standing('open', 'halfOpen')).toBe('halfOpen')
    expect(standing('forcedOpen', 'forcedOpen')).toBe('forcedOpen')
    expect(standing(undefined, undefined)).toBeUndefined()
  })
})
