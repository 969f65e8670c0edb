import { describe, expect, it } from 'vitest'
import { proxyEndpointId, publicEndpointId, staticEndpointId } from './endpoint-id.ts'

describe('the id of an endpoint', () => {
  it.each([
    ['web', staticEndpointId('10.0.0.5', 3000), 'web/10.0.0.5:3000'],
    ['web', staticEndpointId('::1', 3000), 'web/[::1]:3000'],
    ['shop', 'shop-3f2a9c', 'shop-3f2a9c'],
  ])('of %s, %s, is %s in the data plane, and back', (service, id, inProxy) => {
    expect(proxyEndpointId(service, id)).toBe(inProxy)
    expect(publicEndpointId(service, inProxy)).toBe(id)
  })
})
