import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compileConditions, type ConditionReading, type RouteConditions } from './route-conditions.ts'
import { ListenerRoutes } from './routes.ts'
import type { RouteView } from './routing-view.ts'

const reading = (target: string, fields: Readonly<Record<string, readonly string[]>> = {}): ConditionReading => ({
  target,
  values: (name) => fields[name] ?? [],
})
const holds = (when: RouteConditions, request: ConditionReading): boolean => compileConditions(when)!.hold(request)

describe('a condition', () => {
  it.each([
    ['1', ['1'], true],
    ['1', ['11'], false],
    ['1', [], false],
    ['1', ['0', '1'], true],
    ['*', [''], true],
    ['*', [], false],
    ['beta-*', ['beta-2'], true],
    ['beta-*', ['beta-'], true],
    ['beta-*', ['beta'], false],
    ['', [''], true],
  ] as const)('%j of a header with the values %j: %s', (pattern, values, expected) => {
    expect(holds({ headers: { 'x-beta': pattern } }, reading('/', { 'x-beta': values }))).toBe(expected)
  })

  it('of a cookie looks into all fields, and is not fooled by what stands in another value', () => {
    const when = { cookies: { beta: 'yes' } }
    expect(holds(when, reading('/', { cookie: ['a=1', 'b=2; beta=yes'] }))).toBe(true)
    expect(holds(when, reading('/', { cookie: ['a="beta=yes; beta=yes"', 'xbeta=yes; a=beta=yes'] }))).toBe(false)
  })

  it('of a query parameter is decoded, and none of the path', () => {
    const when = { query: { tag: 'a b' } }
    expect(holds(when, reading('/x?y=1&tag=a%20b'))).toBe(true)
    expect(holds(when, reading('/x?t%61g=a+b'))).toBe(true)
    expect(holds(when, reading('/tag=a%20b'))).toBe(false)
    expect(holds(when, reading('/x?tag=a'))).toBe(false)
  })

  it('is nothing when there are none', () => {
    expect(compileConditions(undefined)).toBeUndefined()
    expect(compileConditions({ headers: {} })).toBeUndefined()
  })
})

describe('routes with conditions', () => {
  const name = fc.constantFrom('x-a', 'x-b')
  const pattern = fc.constantFrom('1', '2', '*', '1*')
  const when = fc.option(fc.record({ headers: fc.dictionary(name, pattern, { maxKeys: 2 }) }), { nil: undefined })
  const someRoute = fc.record({ path: fc.constantFrom('/', '/a'), methods: fc.option(fc.constant(['GET']), { nil: undefined }), when })
  const value = fc.option(fc.constantFrom('1', '2', '12'), { nil: undefined })

  /** Slow and plain: everything that fits, the best of it. */
  function expected(routes: readonly Partial<RouteView>[], path: string, method: string, request: ConditionReading): number | undefined {
    const patterns = (route: Partial<RouteView>): [string, string][] => Object.entries(route.when?.headers ?? {})
    const matches = (text: string, found: string): boolean =>
      text === '*' ? true : text.endsWith('*') ? found.startsWith(text.slice(0, -1)) : found === text
    const exactness = (route: Partial<RouteView>): number =>
      patterns(route).reduce((sum, [, text]) => sum + (text === '*' ? 0 : text.endsWith('*') ? 1 : 2), 0)
    const fitting = routes
      .map((route, index) => ({ route, index }))
      .filter(({ route }) => (route.path === '/' || route.path === path) && (route.methods?.includes(method) ?? true))
      .filter(({ route }) => patterns(route).every(([header, text]) => request.values(header).some((found) => matches(text, found))))
    const order = ({ route, index }: (typeof fitting)[number]): number[] => [
      -route.path!.length,
      -patterns(route).length,
      -exactness(route),
      route.methods ? 0 : 1,
      index,
    ]
    return fitting.toSorted((a, b) => {
      const [left, right] = [order(a), order(b)]
      const at = left.findIndex((each, i) => each !== right[i])
      return left[at]! - right[at]!
    })[0]?.index
  }

  it('are found as a slow search finds them', () => {
    fc.assert(
      fc.property(
        fc.array(someRoute, { maxLength: 8 }),
        fc.constantFrom('/', '/a'),
        fc.constantFrom('GET', 'POST'),
        value,
        value,
        (routes, path, method, a, b) => {
          const table = new ListenerRoutes(routes.map((route, service) => ({ service, route: { listener: 'web', stripPath: false, ...route } })))
          const request = reading(path, { 'x-a': a === undefined ? [] : [a], 'x-b': b === undefined ? [] : [b] })
          const match = table.find('', path, method, request)
          expect(typeof match === 'object' && 'service' in match ? match.service : undefined).toBe(expected(routes, path, method, request))
        },
      ),
      { numRuns: 2_000 },
    )
  })

  it('that hold keep a single route from being taken unseen', () => {
    const route = { listener: 'web', path: '/', stripPath: false, when: { headers: { 'x-a': '1' } } }
    const table = new ListenerRoutes([{ service: 's', route }])
    expect(table.only).toBeUndefined()
    expect(table.find('', '/', 'GET', reading('/'))).toBe('noRoute')
  })
})
