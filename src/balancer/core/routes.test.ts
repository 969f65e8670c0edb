import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { matchesPrefix, routingPath, strippedTarget } from './request-path.ts'
import { ListenerRoutes, listenerRoutes } from './routes.ts'
import type { RouteView, ServiceView } from './routing-view.ts'

const nothing = { target: '/', values: () => [] }

const table = (...routes: readonly (Partial<RouteView> & { service: string })[]): ListenerRoutes<string> =>
  new ListenerRoutes(routes.map(({ service, ...route }) => ({ service, route: { listener: 'web', path: '/', stripPath: false, ...route } })))

/** The service that is found, or why none is. */
function found(routes: ListenerRoutes<string>, host: string, path: string, method = 'GET'): string {
  const match = routes.find(host, path, method, nothing)
  return match === 'noRoute' ? match : 'allowed' in match ? `allowed: ${match.allowed.join()}` : match.service
}

describe('a route', () => {
  const hosts = table(
    { service: 'exact', host: 'a.example.com' },
    { service: 'deep', host: '*.a.example.com' },
    { service: 'wide', host: '*.example.com' },
    { service: 'any' },
  )

  it.each([
    ['a.example.com', 'exact'],
    ['b.example.com', 'wide'],
    ['x.y.example.com', 'wide'],
    ['x.a.example.com', 'deep'],
    ['example.com', 'any'],
    ['evilexample.com', 'any'],
    ['.example.com', 'any'],
    ['', 'any'],
  ])('of the most specific host: %s goes to %s', (host, service) => {
    expect(found(hosts, host, '/')).toBe(service)
  })

  const paths = table(
    { service: 'root' },
    { service: 'api', path: '/api' },
    { service: 'v2', path: '/api/v2' },
    { service: 'slash', path: '/dir/' },
    { service: 'write', path: '/api/v2', methods: ['POST', 'PUT'] },
  )

  it.each([
    ['/', 'GET', 'root'],
    ['/api', 'GET', 'api'],
    ['/api/', 'GET', 'api'],
    ['/api/v2/x', 'GET', 'v2'],
    ['/api/v2', 'POST', 'write'],
    ['/apix', 'GET', 'root'],
    ['/dir/x', 'GET', 'slash'],
    ['/dir', 'GET', 'root'],
  ])('of the longest path: %s by %s goes to %s', (path, method, service) => {
    expect(found(paths, 'a', path, method)).toBe(service)
  })

  it('for other methods only is a refusal that names them; no route at all is another', () => {
    const routes = table(
      { service: 'a', path: '/a', methods: ['POST'] },
      { service: 'b', path: '/a/b', methods: ['PUT', 'POST'] },
      { service: 'c', host: 'h', path: '/c' },
    )
    expect(found(routes, 'h', '/a/b')).toBe('allowed: PUT,POST')
    expect(found(routes, 'h', '/x')).toBe('noRoute')
    expect(found(routes, 'i', '/c')).toBe('noRoute')
    expect(found(routes, 'h', '/c', 'DELETE')).toBe('c')
  })

  it('that takes everything is known beforehand', () => {
    expect(table({ service: 'a' }).only?.service).toBe('a')
    expect(table({ service: 'a', path: '/x' }).only).toBeUndefined()
    expect(table({ service: 'a', methods: ['GET'] }).only).toBeUndefined()
    expect(table({ service: 'a' }, { service: 'b', host: 'h' }).only).toBeUndefined()
    expect(table().only).toBeUndefined()
  })

  it('belongs to its listener', () => {
    const service = { name: 's', routes: [{ listener: 'web', path: '/', stripPath: true }] } as unknown as ServiceView
    expect(listenerRoutes('web', [service], ({ name }) => name).find('', '/', 'GET', nothing)).toMatchObject({ service: 's', stripPath: true })
    expect(listenerRoutes('admin', [service], ({ name }) => name).find('', '/', 'GET', nothing)).toBe('noRoute')
  })
})

describe('the path that is matched', () => {
  it.each([
    ['/a/b?x=/../y', '/a/b'],
    ['/', '/'],
    ['/%61dmin', '/admin'],
    ['/%2561', '/%2561'],
    ['/a%2Fb', '/a%2Fb'],
    ['/x/../admin', '/admin'],
    ['/x/%2e%2E/admin', '/admin'],
    ['/../../admin', '/admin'],
    ['/a/./b/.', '/a/b/'],
    ['/a/b/..', '/a/'],
    ['//admin', '/admin'],
    ['/a//b', '/a/b'],
    ['/a/..', '/'],
    ['/...', '/...'],
    ['/.well-known/x', '/.well-known/x'],
    ['/a/', '/a/'],
  ])('of %s is %s', (target, path) => {
    expect(routingPath(target)).toBe(path)
  })

  it('is the same for every spelling, begins with a slash, and is itself in normal form', () => {
    const segment = fc.constantFrom('a', 'admin', '.', '..', '', '%61', '%2e', '%2E%2e', '%2f', 'b.c')
    fc.assert(
      fc.property(fc.array(segment, { maxLength: 8 }), (segments) => {
        const path = routingPath(`/${segments.join('/')}`)
        expect(path).toMatch(/^\//)
        expect(path).not.toMatch(/\/\/|\/\.{1,2}(\/|$)|%2e/i)
        expect(routingPath(path)).toBe(path)
      }),
    )
  })

  it('ends at segments', () => {
    expect(matchesPrefix('/ab', '/a')).toBe(false)
    expect(matchesPrefix('/a', '/a/')).toBe(false)
    expect(matchesPrefix('/a/', '/a')).toBe(true)
  })
})

describe('stripping', () => {
  it.each([
    ['/api/users?x=1', '/api', '/users?x=1'],
    ['/api', '/api', '/'],
    ['/api?x', '/api', '/?x'],
    ['/api/', '/api', '/'],
    ['/api/a%41%2F', '/api', '/a%41%2F'],
    ['/dir/x', '/dir/', '/x'],
    ['/a', '/', '/a'],
    ['/%61pi/x?y', '/api', '/x?y'],
    ['/apix/../api/y', '/api', '/y'],
    ['/api/../api/y', '/api', '/y'],
    ['/api/%2e%2e/api/y', '/api', '/y'],
    ['/api//evil.test/x', '/api', '/evil.test/x'],
  ])('%s without %s is %s', (target, prefix, rest) => {
    expect(strippedTarget(target, prefix)).toBe(rest)
  })

  it('never leaves a path that means another place than the one that was matched', () => {
    const segment = fc.constantFrom('api', 'apix', 'x', '..', '.', '', '%2e%2e', '%61pi')
    fc.assert(
      fc.property(fc.array(segment, { maxLength: 6 }), (segments) => {
        const target = `/${segments.join('/')}`
        const path = routingPath(target)
        fc.pre(matchesPrefix(path, '/api'))
        expect(routingPath(`/api${strippedTarget(target, '/api')}`).replace(/\/$/, '')).toBe(path.replace(/\/$/, ''))
      }),
    )
  })
})
