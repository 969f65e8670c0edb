import { isIP } from 'node:net'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { address, bindHost, headerName, isIPv4, isIPv6, origin, probePath, routeHost, routePath, statusRange } from './addresses.ts'

describe('IP addresses', () => {
  it('agrees with Node about every address', () => {
    const candidate = fc.oneof(
      fc.ipV4(),
      fc.ipV6(),
      fc.stringMatching(/^[0-9a-f:.]{0,20}$/),
      fc.array(fc.constantFrom('0', '1', 'ff', 'abcd', '12345', '1.2.3.4', '', ':', '::'), { maxLength: 9 }).map((parts) => parts.join(':')),
    )
    fc.assert(
      fc.property(candidate, (text) => {
        expect([text, isIPv4(text)]).toEqual([text, isIP(text) === 4])
        expect([text, isIPv6(text)]).toEqual([text, isIP(text) === 6])
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('addresses', () => {
  it.each([
    ['10.0.0.5:3000', { host: '10.0.0.5', port: 3000 }],
    ['Web.Internal:80', { host: 'web.internal', port: 80 }],
    ['[::1]:3000', { host: '::1', port: 3000 }],
    ['my_db:5432', { host: 'my_db', port: 5432 }],
  ])('%s', (text, expected) => {
    expect(address.read(text)).toEqual(expected)
    expect(address.read(String(address.write(expected)))).toEqual(expected)
  })

  it.each([
    ['10.0.0.5', 'add the port: "10.0.0.5:3000"'],
    ['::1', 'write the port after brackets: "[::1]:3000"'],
    ['http://web:80', 'leave out the scheme and the path'],
    ['web:0', undefined],
    ['web:70000', undefined],
    ['10.0.0.256:80', undefined],
    ['10.1:80', undefined],
    ['-web:80', undefined],
    ['[web]:80', undefined],
    ['a b:80', undefined],
    [':80', undefined],
  ])('%s is refused', (text, hint) => {
    expect(address.read(text)).toBeUndefined()
    expect(address.hint?.(text)).toBe(hint)
  })
})

describe('hosts', () => {
  it.each(['127.0.0.1', '0.0.0.0', '::', '::1', 'localhost', 'fe80::1%eth0'])('listens on %s', (host) => {
    expect(bindHost.read(host)).toBe(host)
  })

  it.each([
    ['Shop.Example.COM', 'shop.example.com'],
    ['shop.example.com.', 'shop.example.com'],
    ['*.Example.com', '*.example.com'],
    ['[::1]', '[::1]'],
    ['::1', '[::1]'],
    ['10.0.0.1', '10.0.0.1'],
    ['xn--bcher-kva.example', 'xn--bcher-kva.example'],
  ])('routes %s as %s', (text, expected) => {
    expect(routeHost.read(text)).toBe(expected)
  })

  it.each(['*', '*.*.com', 'a.*.com', '*com', 'shop:80', 'http://shop', 'bücher.example', '', '.', 'a..b', '*.10.0.0.1', '[shop]'])('does not route %j', (text) => {
    expect(routeHost.read(text)).toBeUndefined()
  })
})

describe('paths', () => {
  it.each([
    ['/', '/'],
    ['/api', '/api'],
    ['/api/', '/api'],
    ['/a/b%20c', '/a/b%20c'],
    ['/a.b/..c', '/a.b/..c'],
  ])('%s routes as %s', (text, expected) => {
    expect(routePath.read(text)).toBe(expected)
  })

  it.each(['', 'api', '/api/*', '/a?b', '/a#b', '/a b', '/ä', '//', '/a//b', '/a/../b', '/./a', '/..', '/a\\b', '/a\nb'])('%j is refused', (text) => {
    expect(routePath.read(text)).toBeUndefined()
  })

  it('lets a probe have a query', () => {
    expect(probePath.read('/health?deep=1')).toBe('/health?deep=1')
    expect(probePath.read('/health#x')).toBeUndefined()
    expect(probePath.read('health')).toBeUndefined()
    expect(probePath.read('/health\r\nX: y')).toBeUndefined()
  })
})

describe('what else is on a network', () => {
  it.each([
    ['200-399', { min: 200, max: 399 }],
    ['204', { min: 204, max: 204 }],
  ])('status %s', (text, expected) => {
    expect(statusRange.read(text)).toEqual(expected)
    expect(String(statusRange.write(expected))).toBe(text)
  })

  it.each(['399-200', '99', '600', '2xx', '200-', '200 - 399'])('status %s is refused', (text) => {
    expect(statusRange.read(text)).toBeUndefined()
  })

  it.each([
    ['https://Shop.example.com', 'https://shop.example.com'],
    ['https://shop.example.com:443', 'https://shop.example.com'],
    ['http://localhost:3000', 'http://localhost:3000'],
    ['http://[::1]:3000', 'http://[::1]:3000'],
  ])('origin %s', (text, expected) => {
    expect(origin.read(text)).toBe(expected)
  })

  it.each(['*', 'null', 'shop.example.com', 'https://shop.example.com/', 'https://a@b', 'ftp://a', 'https://'])('origin %s is refused', (text) => {
    expect(origin.read(text)).toBeUndefined()
  })

  it('takes header names in any case and nothing that could split a head', () => {
    expect(headerName.read('X-User-Id')).toBe('x-user-id')
    expect(headerName.read('x user')).toBeUndefined()
    expect(headerName.read('x:\r\ny')).toBeUndefined()
  })
})
