import { describe, expect, it } from 'vitest'
import { parse, problems } from '../testing/configs.ts'

const services = (mirror: string): string =>
  `listeners: { web: { port: 8080 }, db: { port: 5432, protocol: tcp } }
services:
  web: { endpoints: ["10.0.0.9:1"], mirror: ${mirror} }
  next: { endpoints: ["10.0.0.9:2"] }
  pg: { endpoints: ["10.0.0.9:3"], tcp: db }`

describe('a mirror', () => {
  it('copies what changes nothing and compares, unless told otherwise', () => {
    const { web, next } = parse(services('{ service: next, share: 10% }')).config.services
    expect(web?.mirror).toEqual({ service: 'next', share: 0.1, compare: true, methods: ['GET', 'HEAD', 'OPTIONS'], maxBody: 65_536 })
    expect(next?.mirror).toBeUndefined()
    const { web: all } = parse(services('{ service: next, share: 100%, compare: false, methods: [POST], maxBody: 1MiB }')).config.services
    expect(all?.mirror).toEqual({ service: 'next', share: 1, compare: false, methods: ['POST'], maxBody: 1_048_576 })
  })

  it.each([
    ['{ service: web, share: 10% }', 'cannot be its own mirror'],
    ['{ service: nxt, share: 10% }', 'did you mean "next"?'],
    ['{ service: pg, share: 10% }', 'carries connections'],
    ['{ service: next }', 'share'],
    ['{ service: next, share: 110% }', 'share'],
    ['{ service: next, share: 10%, methods: [FETCH] }', 'a method such as GET or POST'],
    ['{ service: next, share: 10%, maxBody: 2MiB }', 'a size from'],
  ])('refuses %s', (mirror, why) => {
    const found = problems(services(mirror))
    expect(found).toHaveLength(1)
    expect(found[0]).toContain(why)
  })
})
