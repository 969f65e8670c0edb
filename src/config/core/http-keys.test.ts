import { describe, expect, it } from 'vitest'
import { parse, problems } from '../testing/configs.ts'

const service = (keys: string): string => `services: { web: { endpoints: ["10.0.0.9:1"], ${keys} } }`

describe('HTTP rules', () => {
  it('stand under a service and under its routes', () => {
    const { web } = parse(service('compression: true, deny: [10.0.0.0/8], routes: [{ path: /a, compression: false, limits: { body: 1KiB } }, /b]')).config.services
    expect(web?.http).toMatchObject({ compression: { enabled: true, encodings: ['br', 'gzip'], minSize: 1_024 }, deny: ['10.0.0.0/8'] })
    expect(web?.routes[0]?.http).toMatchObject({ compression: { enabled: false }, limits: { body: 1_024 } })
    expect(web?.routes[1]?.http).toBeUndefined()
  })

  it.each([
    ['headers: { request: { set: { content-length: "1" } } }', 'content-length'],
    ['headers: { request: { set: { Transfer_Encoding: chunked } } }', 'Transfer_Encoding'],
    ['headers: { response: { remove: [connection] } }', 'connection'],
    ['headers: { response: { set: { x-a: "ä" } } }', 'plain ASCII'],
    ['allow: [10.0.0.0/33]', 'an address or a range'],
    ['deny: [10.1]', 'an address or a range'],
    ['cors: { origins: [] }', 'cors.origins'],
    ['cors: { origins: ["https://a.example/x"] }', 'leave out the path'],
    ['redirect: { to: "ftp://a" }', 'a URL or a path'],
    ['redirect: { status: 200 }', '301, 302, 303, 307 or 308'],
    ['errorPages: { 200: a.html }', 'a status such as 404'],
    ['compression: { encodings: [zip] }', 'br or gzip'],
  ])('refuses %s', (keys, why) => {
    const found = problems(service(keys))
    expect(found).toHaveLength(1)
    expect(found[0]).toContain(why)
  })
})
