import { describe, expect, it } from 'vitest'
import { parse, problems } from '../testing/configs.ts'

const versions = 'endpoints: [{ address: "10.0.0.9:1", version: v1 }, { address: "10.0.0.9:2", version: v2 }]'
const service = (keys: string): string => `services: { web: { ${versions}, ${keys} } }`

describe('sessions, splits and routes with conditions', () => {
  it('are read, and shown again', () => {
    const text = service(
      'balance: { sticky: { cookie: hf, ttl: 1h } }, split: { v1: 95%, v2: 5% }, splitBy: "header:X-User", routes: [/, { path: /, when: { headers: { X-Beta: "1" } } }]',
    )
    const { web } = parse(text).config.services
    expect(web?.balance.sticky).toEqual({ cookie: 'hf', ttl: 3_600_000, drain: false })
    expect([web?.split, web?.splitBy]).toEqual([{ v1: 0.95, v2: 0.05 }, { by: 'header', name: 'x-user' }])
    expect(web?.routes[1]?.when).toEqual({ headers: { 'x-beta': '1' } })
  })

  it('are off when nothing is said, and a cookie is enough for a session', () => {
    const { web } = parse(service('balance: { sticky: hf }')).config.services
    expect(web?.balance.sticky).toMatchObject({ cookie: 'hf', drain: false })
    expect(web?.split).toBeUndefined()
  })

  it.each([
    ['split: { v1: 90%, v2: 5% }', 'the shares are 95% in all'],
    ['split: { v1: 95%, v3: 5% }', 'no endpoint has the version v3'],
    ['split: { v1: 0.5, v2: 50% }', 'write the sign'],
    ['splitBy: service', 'client-ip, header:NAME or cookie:NAME'],
    ['balance: { sticky: { cookie: "a b" } }', 'the name of a cookie'],
    ['balance: { sticky: { ttl: 1h } }', 'cookie'],
    ['routes: [{ path: /, when: {} }]', 'has no condition'],
    ['routes: [{ path: /, when: { headers: { "x y": "1" } } }]', 'the name of a header'],
    ['routes: [{ when: { headers: { a: "1" } } }, { when: { headers: { A: "1" } } }]', 'takes the same requests as services.web.routes[0]'],
  ])('refuse %s', (keys, why) => {
    const found = problems(service(keys))
    expect(found).toHaveLength(1)
    expect(found[0]).toContain(why)
  })
})
