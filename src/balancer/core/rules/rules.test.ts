import { describe, expect, it } from 'vitest'
import { ms } from '../../../kernel/time.ts'
import { AddressRules, TrustedProxies } from './addresses.ts'
import { chooseCoding, isCompressible, typeMatcher, usualTypes } from './encoding.ts'
import type { RequestReading } from './reading.ts'
import { compileRules } from './rules.ts'
import { mergedRules, type RulesView } from './view.ts'

const request = (more: Partial<Omit<RequestReading, 'field'>> = {}, fields: Readonly<Record<string, string>> = {}): RequestReading => ({
  method: 'GET',
  target: '/a?b=1',
  host: 'shop.example.com',
  address: '192.0.2.7',
  secure: false,
  headBytes: 100,
  bodyLength: 0,
  ...more,
  field: (name) => fields[name],
})

const guardOf = (view: RulesView, path = '/') => compileRules(view, path)!.guard!
const redirect = { https: false, httpsPort: 443, status: 308 }
const cors = {
  origins: ['https://shop.example.com'],
  methods: ['GET', 'PUT'],
  headers: [],
  exposeHeaders: ['x-total'],
  credentials: false,
  maxAge: ms(600_000),
}

describe('Accept-Encoding', () => {
  it.each([
    [undefined, undefined],
    ['', undefined],
    ['gzip', 'gzip'],
    ['br', 'br'],
    ['gzip, deflate, br', 'br'],
    ['gzip;q=1.0, br;q=0.5', 'gzip'],
    ['GZIP', 'gzip'],
    ['x-gzip', 'gzip'],
    ['*', 'br'],
    ['*;q=0', undefined],
    ['br;q=0, *', 'gzip'],
    ['gzip;q=0', undefined],
    ['gzip;q=0.000, identity', undefined],
    ['identity', undefined],
    ['identity;q=0.5, gzip;q=0.2', undefined],
    ['identity;q=0, gzip;q=0.1', 'gzip'],
    ['gzip; q=0.9 , br ; q=0.8', 'gzip'],
    ['gzip;q=2', undefined],
    ['gzip;q=abc', undefined],
    ['deflate', undefined],
    [`${'a,'.repeat(600)}gzip`, undefined],
  ])('%j is %j', (accept, coding) => {
    expect(chooseCoding(accept, ['br', 'gzip'])).toBe(coding)
  })

  it('asks the order of ours only among equals', () => {
    expect(chooseCoding('br, gzip', ['gzip', 'br'])).toBe('gzip')
    expect(chooseCoding('br, gzip;q=0.9', ['gzip', 'br'])).toBe('br')
  })
})

describe('what is compressed', () => {
  const rule = { enabled: true, encodings: ['gzip'], minSize: 100 } as const
  const fits = (fields: Readonly<Record<string, string>>, more: { status?: number; length?: number } = {}): boolean =>
    isCompressible(rule, typeMatcher(usualTypes), { status: 200, length: 1_000, ...more, field: (name) => fields[name] })

  it.each([
    [{ 'content-type': 'text/html; charset=utf-8' }, {}, true],
    [{ 'content-type': 'application/problem+json' }, {}, true],
    [{ 'content-type': 'TEXT/HTML' }, { length: -1 }, true],
    [{ 'content-type': 'text/html' }, { length: 99 }, false],
    [{ 'content-type': 'text/html' }, { length: 0 }, false],
    [{ 'content-type': 'image/png' }, {}, false],
    [{ 'content-type': 'application/grpc' }, {}, false],
    [{}, {}, false],
    [{ 'content-type': 'text/html', 'content-encoding': 'zstd' }, {}, false],
    [{ 'content-type': 'text/html', 'content-encoding': 'identity' }, {}, true],
    [{ 'content-type': 'text/html', 'cache-control': 'public, no-transform' }, {}, false],
    [{ 'content-type': 'text/html', 'content-range': 'bytes 0-9/10' }, {}, false],
    [{ 'content-type': 'text/html' }, { status: 206 }, false],
    [{ 'content-type': 'text/html' }, { status: 304 }, false],
    [{ 'content-type': 'text/html' }, { status: 204 }, false],
    [{ 'content-type': 'text/html' }, { status: 404 }, true],
  ])('%j %j: %j', (fields, more, expected) => {
    expect(fits(fields as Record<string, string>, more)).toBe(expected)
  })
})

describe('addresses', () => {
  it('lets the narrowest range decide, and deny among equals', () => {
    const rules = new AddressRules(['10.0.0.0/8', '10.1.2.3', '2001:db8::/32'], ['10.1.0.0/16', '10.9.0.0/16', '10.9.0.0/16'])
    expect(
      ['10.2.0.1', '10.1.0.1', '10.1.2.3', '10.9.1.1', '11.0.0.1', '2001:db8::1', '2001:db9::1', '::ffff:10.2.0.1', 'nonsense'].map((each) =>
        rules.allows(each),
      ),
    ).toEqual([true, false, true, false, false, true, false, true, false])
    expect(new AddressRules(['10.0.0.1'], ['10.0.0.1/32']).allows('10.0.0.1')).toBe(false)
    expect(new AddressRules([], ['10.0.0.1']).allows('10.0.0.2')).toBe(true)
  })

  it('believes X-Forwarded-For as far as proxies are trusted', () => {
    const trusted = new TrustedProxies(['10.0.0.0/8', '::1'])
    expect(trusted.clientOf('192.0.2.1', '1.1.1.1')).toBe('192.0.2.1')
    expect(trusted.clientOf('10.0.0.1', undefined)).toBe('10.0.0.1')
    expect(trusted.clientOf('10.0.0.1', '1.1.1.1, 2.2.2.2, 10.0.0.9')).toBe('2.2.2.2')
    expect(trusted.clientOf('10.0.0.1', '1.1.1.1:443')).toBe('1.1.1.1')
    expect(trusted.clientOf('10.0.0.1', '[2001:db8::1]:443, 10.3.3.3')).toBe('2001:db8::1')
    expect(trusted.clientOf('10.0.0.1', '1.1.1.1, unknown')).toBe('10.0.0.1')
    expect(trusted.clientOf('10.0.0.1', '10.5.5.5')).toBe('10.5.5.5')
  })

  it('denies by the address that a trusted proxy tells', () => {
    const guard = guardOf({ deny: ['1.1.1.1'], trustedProxies: ['192.0.2.7'] })
    expect(guard(request({}, { 'x-forwarded-for': '1.1.1.1' }))?.status).toBe(403)
    expect(guard(request({ address: '192.0.2.8' }, { 'x-forwarded-for': '1.1.1.1' }))).toBeUndefined()
  })
})

describe('redirects', () => {
  const to = (view: Partial<NonNullable<RulesView['redirect']>>, more: Partial<RequestReading> = {}, path = '/'): string | undefined =>
    guardOf({ redirect: { ...redirect, ...view } }, path)(request(more))?.fields?.trim()

  it('leads to HTTPS with host, path and query', () => {
    expect(to({ https: true })).toBe('Location: https://shop.example.com/a?b=1')
    expect(to({ https: true, httpsPort: 8443 }, { host: 'shop.example.com:8080' })).toBe('Location: https://shop.example.com:8443/a?b=1')
    expect(to({ https: true }, { host: '[::1]:80' })).toBe('Location: https://[::1]/a?b=1')
    expect(to({ https: true }, { secure: true })).toBeUndefined()
    expect(guardOf({ redirect: { ...redirect, https: true } })(request({ host: '' }))?.status).toBe(400)
  })

  it('believes X-Forwarded-Proto of a trusted proxy only', () => {
    const view = { redirect: { ...redirect, https: true }, trustedProxies: ['10.0.0.1'] }
    const fields = { 'x-forwarded-proto': 'https' }
    expect(guardOf(view)(request({ address: '10.0.0.1' }, fields))).toBeUndefined()
    expect(guardOf(view)(request({}, fields))?.status).toBe(308)
  })

  it('adds or removes www, keeping scheme and port', () => {
    expect(to({ www: 'add' }, { host: 'example.com:8080' })).toBe('Location: http://www.example.com:8080/a?b=1')
    expect(to({ www: 'add' }, { host: 'www.example.com' })).toBeUndefined()
    expect(to({ www: 'add' }, { host: '127.0.0.1' })).toBeUndefined()
    expect(to({ www: 'add' }, { host: 'localhost' })).toBeUndefined()
    expect(to({ www: 'remove' }, { host: 'www.example.com', secure: true })).toBe('Location: https://example.com/a?b=1')
    expect(to({ www: 'remove', https: true }, { host: 'www.example.com' })).toBe('Location: https://example.com/a?b=1')
  })

  it('fills in a rule, and never names another host by a path', () => {
    expect(to({ to: 'https://new.example.com{uri}' })).toBe('Location: https://new.example.com/a?b=1')
    expect(to({ to: '/new{rest}' }, { target: '/old/x?y' }, '/old')).toBe('Location: /new/x?y')
    expect(to({ to: '{rest}' }, { target: '/old//evil.example/x' }, '/old')).toBe('Location: /evil.example/x')
    expect(to({ to: '/{rest}' }, { target: '/old//evil.example/x' }, '/old')).toBe('Location: /evil.example/x')
    expect(to({ to: '{uri}' }, { target: '/\\evil.example' })).toBe('Location: /\\evil.example'.replace('/\\', '/'))
    expect(to({ to: 'https://a.example{uri}' }, { target: '*' })).toBe('Location: https://a.example/')
  })
})

describe('CORS', () => {
  const preflight = { origin: 'https://shop.example.com', 'access-control-request-method': 'PUT', 'access-control-request-headers': 'x-a' }

  it('answers preflights', () => {
    expect(guardOf({ cors })(request({ method: 'OPTIONS' }, preflight))).toMatchObject({
      status: 204,
      fields:
        'Access-Control-Allow-Origin: https://shop.example.com\r\nVary: Origin\r\nAccess-Control-Allow-Methods: GET, PUT\r\n' +
        'Access-Control-Allow-Headers: x-a\r\nAccess-Control-Max-Age: 600\r\n',
    })
    expect(guardOf({ cors })(request({ method: 'OPTIONS' }, { ...preflight, origin: 'https://evil.example' }))?.status).toBe(403)
    expect(guardOf({ cors })(request({ method: 'OPTIONS' }, { origin: preflight.origin }))).toBeUndefined()
  })

  it('takes wildcards of whole labels', () => {
    const guard = guardOf({ cors: { ...cors, origins: ['https://*.example.com'] } })
    const status = (origin: string) => guard(request({ method: 'OPTIONS' }, { ...preflight, origin }))?.status
    expect(
      ['https://a.example.com', 'https://a.b.example.com', 'https://example.com', 'https://evil-example.com', 'https://a.example.com.evil.net'].map(
        status,
      ),
    ).toEqual([204, 204, 403, 403, 403])
  })

  it('says on every answer who may read it', () => {
    const lines = (origins: string[], origin?: string, credentials = false): string =>
      compileRules({ cors: { ...cors, origins, credentials } }, '/')!.answer!(request({}, origin === undefined ? {} : { origin })).lines
    expect(lines(['https://a.example'], 'https://a.example')).toBe(
      'Access-Control-Allow-Origin: https://a.example\r\nVary: Origin\r\nAccess-Control-Expose-Headers: x-total\r\n',
    )
    expect(lines(['https://a.example'], 'https://b.example')).toBe('Vary: Origin\r\n')
    expect(lines(['https://a.example'])).toBe('Vary: Origin\r\n')
    expect(lines(['*'], 'https://b.example')).toContain('Access-Control-Allow-Origin: *\r\n')
    expect(lines(['*'], 'https://b.example', true)).toContain('Allow-Origin: https://b.example\r\nAccess-Control-Allow-Credentials: true')
  })
})

describe('limits', () => {
  const guard = guardOf({ limits: { body: 10, head: 200, target: 5 } })
  it.each([
    [{ target: '/12345' }, 414],
    [{ target: '/', headBytes: 201 }, 431],
    [{ target: '/', bodyLength: 11 }, 413],
    [{ target: '/', bodyLength: 10 }, undefined],
    [{ target: '/', bodyLength: -1 }, undefined],
  ])('%j is answered %j', (more, status) => {
    expect(guard(request(more))?.status).toBe(status)
  })
})

describe('a route', () => {
  it('has no rules when nothing is said', () => {
    expect(compileRules(undefined, '/')).toBeUndefined()
    expect(compileRules({}, '/')).toBeUndefined()
    expect(compileRules({ compression: { enabled: false, encodings: ['gzip'], minSize: 0 } }, '/')).toBeUndefined()
  })

  it('goes key by key before its service', () => {
    const service: RulesView = { deny: ['1.1.1.1'], limits: { body: 1 } }
    expect(mergedRules(service, { limits: { body: 2 }, deny: undefined })).toEqual({ deny: ['1.1.1.1'], limits: { body: 2 } })
    expect(mergedRules(service, undefined)).toBe(service)
  })

  it('tells who may not come nothing else', () => {
    const guard = guardOf({ deny: ['192.0.2.7'], redirect: { ...redirect, https: true } })
    expect(guard(request())?.status).toBe(403)
  })
})
