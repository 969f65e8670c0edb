import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { AddressBook } from './addresses.ts'
import { connectionsIn, hostOf } from './connections.ts'
import { addressesIn } from './environment.ts'
import { buildGraph, type GraphFacts } from './building.ts'
import { Learning, pairsMax, sightingsMin, windowMs } from './learning.ts'

const all = (): boolean => true
const minute = 60_000

describe('learning', () => {
  const seeMany = (learning: Learning, from: string, to: string, count: number, now: number): void => {
    for (let i = 0; i < sightingsMin; i++) learning.see(from, to, 'calls', count / sightingsMin, now + i * 1_000)
  }

  test('a need is believed when it was seen again and again, and is 1 % of the calls', () => {
    const learning = new Learning()
    learning.see('shop', 'auth', 'calls', 500, 0)
    expect(learning.settle(0, all)).toEqual([])
    seeMany(learning, 'shop', 'auth', 490, 1_000)
    seeMany(learning, 'shop', 'rare', 6, 1_000)
    expect(learning.settle(4_000, all).map(({ type, to }) => `${type} ${to}`)).toEqual(['learned auth'])
    expect(learning.learned(4_000)).toMatchObject([{ from: 'shop', to: 'auth', kind: 'calls', count: 990, firstAt: 0, lastAt: 3_000 }])
    seeMany(learning, 'shop', 'rare', 6, 5_000)
    expect(learning.settle(9_000, all).map(({ type, to }) => `${type} ${to}`)).toEqual(['learned rare'])
  })

  test('it is forgotten when it has become rare, has not been seen for a week, or is no more', () => {
    const learning = new Learning()
    seeMany(learning, 'shop', 'auth', 1_000, 0)
    seeMany(learning, 'shop', 'old', 20, 0)
    learning.settle(minute, all)
    seeMany(learning, 'shop', 'auth', 2_500, minute)
    expect(learning.settle(2 * minute, all)).toEqual([])
    seeMany(learning, 'shop', 'auth', 2_500, 2 * minute)
    expect(learning.settle(3 * minute, all)).toMatchObject([{ type: 'forgotten', to: 'old', count: 20 }])
    expect(learning.settle(3 * minute, (name) => name !== 'auth').map(({ type, to }) => `${type} ${to}`)).toEqual(['forgotten auth'])
    seeMany(learning, 'shop', 'auth', 10, 4 * minute)
    learning.settle(5 * minute, all)
    expect(learning.settle(5 * minute + windowMs, all).every(({ type }) => type === 'forgotten')).toBe(true)
    expect(learning.learned(5 * minute + windowMs)).toEqual([])
    expect(learning.save()).toEqual([])
  })

  test('connections count beside calls, not against them', () => {
    const learning = new Learning()
    seeMany(learning, 'shop', 'auth', 1_000_000, 0)
    for (let i = 0; i < sightingsMin; i++) learning.see('shop', 'database', 'connections', 1, i)
    learning.settle(minute, all)
    expect(learning.learned(minute).map(({ to, share }) => [to, share])).toEqual([
      ['auth', 1],
      ['database', 1],
    ])
  })

  test('what is saved is restored', () => {
    const learning = new Learning()
    seeMany(learning, 'shop', 'auth', 999, 1_000)
    learning.settle(5_000, all)
    const other = new Learning()
    other.restore(JSON.parse(JSON.stringify(learning.save())) as ReturnType<Learning['save']>)
    expect(other.learned(9_000)).toEqual(learning.learned(9_000))
    expect(other.settle(9_000, all)).toEqual([])
  })

  test('whatever is seen: shares of a caller add up to 1 at most, nothing is believed twice, and the number of pairs is bounded', () => {
    const name = fc.constantFrom('a', 'b', 'c', 'd')
    const sighting = fc.tuple(
      name,
      name,
      fc.constantFrom('calls' as const, 'connections' as const),
      fc.integer({ min: 0, max: 100 }),
      fc.integer({ min: -5_000, max: windowMs / 50 }),
    )
    fc.assert(
      fc.property(fc.array(sighting, { maxLength: 200 }), (sightings) => {
        const learning = new Learning()
        const believed = new Set<string>()
        let now = 0
        for (const [from, to, kind, count, step] of sightings) {
          now += step
          learning.see(from, to, kind, count, now)
          for (const change of learning.settle(now, all)) {
            const key = `${change.from} ${change.to} ${change.kind}`
            expect(believed.has(key)).toBe(change.type === 'forgotten')
            if (change.type === 'learned') believed.add(key)
            else believed.delete(key)
          }
          const learned = learning.learned(now)
          expect(new Set(learned.map((each) => `${each.from} ${each.to} ${each.kind}`))).toEqual(believed)
          for (const from of 'abcd')
            for (const kind of ['calls', 'connections']) {
              const shares = learned.filter((each) => each.from === from && each.kind === kind).map(({ share }) => share)
              expect(shares.reduce((sum, share) => sum + share, 0)).toBeLessThanOrEqual(1 + 1e-9)
            }
        }
      }),
      { numRuns: 60 },
    )
    const learning = new Learning()
    for (let i = 0; i < pairsMax + 10; i++) learning.see('a', `b${i}`, 'calls', 1, i)
    expect(learning.save().length).toBe(pairsMax)
    expect(learning.save()[0]![1]).toBe('b10')
  })
})

const book = new AddressBook({
  isLocal: (host) => ['localhost', '127.0.0.1', '::1', '10.0.0.1'].includes(host),
  nodes: [
    { host: '127.0.0.1', port: 7000, name: 'auth' },
    { host: 'db.internal', port: 5432, name: 'database' },
    { host: '10.0.0.9', port: 6379, name: 'cache' },
  ],
  listeners: [
    {
      port: 8080,
      routes: [
        { host: undefined, path: '/', service: 'web' },
        { host: undefined, path: '/cart', service: 'shop' },
        { host: 'localhost', path: '/', service: 'admin' },
      ],
    },
    { port: 9000, routes: [{ host: undefined, path: '/', service: 'queue' }] },
  ],
})

describe('addresses in an environment', () => {
  const names = (env: Record<string, string>): string[] => addressesIn(env, book).map(({ name, outside }) => (outside ? `(${name})` : name))

  test('URLs lead to services, checks, and through listeners by host and path', () => {
    expect(names({ A: 'http://localhost:7000/x', B: 'postgres://app:secret@db.internal/shop', C: 'http://127.0.0.1:8080/cart/1' })).toEqual([
      'auth',
      'database',
      'shop',
    ])
    expect(names({ A: 'http://10.0.0.1:8080/carts', B: 'http://localhost:8080/cart' })).toEqual(['web', 'admin'])
    expect(names({ A: 'https://api.example.com/v1', B: 'redis://10.0.0.9' })).toEqual(['(api.example.com:443)', 'cache'])
  })

  test('pairs count only where they are known; a host is read with its port', () => {
    expect(names({ A: 'auth:80', B: '127.0.0.1:7000,10.0.0.9:6379', C: '12:30', D: 'localhost:9000' })).toEqual(['auth', 'cache', 'queue'])
    expect(names({ DB_HOST: 'db.internal', DB_PORT: '5432', OTHER_HOST: 'db.internal' })).toEqual(['database'])
  })

  test('where it is reached itself is not what it needs; what is no address is none', () => {
    expect(names({ PUBLIC_URL: 'http://localhost:8080', CORS_ORIGIN: 'http://localhost:7000', BASE_URL: 'http://localhost:7000' })).toEqual([])
    expect(names({ A: 'http://', B: 'mailto:a@b', C: 'file:///etc/passwd', D: 'http://[::zz]/', E: '' })).toEqual([])
  })

  test('any environment can be read', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.webUrl())), (env) => void addressesIn(env, book)),
      { numRuns: 25 },
    )
  })
})

describe('the graph as it is put together', () => {
  const facts = (change: Partial<GraphFacts>): GraphFacts => ({ services: [], checks: [], learned: [], book, seenOf: () => 0, ...change })
  const service = (name: string, more: Partial<GraphFacts['services'][number]> = {}): GraphFacts['services'][number] => ({
    ...{ name, dependsOn: [], env: {}, needs: undefined },
    ...more,
  })
  const learned = (from: string, to: string): GraphFacts['learned'][number] => ({
    from,
    to,
    kind: 'calls',
    count: 10,
    share: 1,
    firstAt: 0,
    lastAt: 1,
  })
  const edges = (change: Partial<GraphFacts>): string[] =>
    buildGraph(facts(change)).needs.map(
      ({ of, anyOf, hard, evidence }) => `${of} ${hard ? '' : '?'}${anyOf.join('|')} ${evidence.map(({ kind }) => kind).join('+')}`,
    )

  test('what speaks for one need comes together', () => {
    const services = [service('shop', { dependsOn: ['auth'], env: { AUTH: 'http://localhost:7000' } }), service('auth')]
    expect(edges({ services, learned: [learned('shop', 'auth')] })).toEqual(['shop auth dependsOn+calls+environment'])
  })

  test('what is configured is the whole of it', () => {
    const services = [
      service('shop', { needs: [{ anyOf: ['auth'], hard: false }], dependsOn: ['web'], env: { DB: 'postgres://db.internal' } }),
      service('auth'),
      service('web'),
    ]
    expect(edges({ services, learned: [learned('shop', 'web'), learned('shop', 'auth')] })).toEqual(['shop ?auth configured', 'shop web dependsOn'])
  })

  test('an environment is believed unless it is known better', () => {
    const services = [service('auth', { env: { WEB: 'http://localhost:8080/', DB: 'postgres://elsewhere/x' } }), service('web'), service('admin')]
    expect(edges({ services })).toEqual(['auth admin environment', 'auth elsewhere:5432 environment'])
    expect(edges({ services, learned: [learned('admin', 'auth')] })).toEqual(['admin auth calls', 'auth elsewhere:5432 environment'])
    expect(edges({ services, seenOf: () => 1_000 })).toEqual(['auth elsewhere:5432 environment'])
    expect(buildGraph(facts({ services })).kindOf('elsewhere:5432')).toBe('address')
  })

  test('a check needs what it names and the service it tells of', () => {
    const checks = [
      { name: 'front', dependsOn: ['database'], service: 'web', needs: undefined },
      { name: 'database', dependsOn: [], service: undefined, needs: undefined },
    ]
    expect(edges({ services: [service('web')], checks })).toEqual(['front database configured', 'front web configured'])
  })
})

describe('/proc/net/tcp', () => {
  const table = [
    '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode',
    '   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 34129 1 0000000000000000 100 0 0 10 0',
    '   1: 0100007F:D2A4 0100007F:1F90 01 00000000:00000000 02:000000F5 00000000  1000        0 55021 2 0000000000000000 20 4 30 10 -1',
    '   2: 0100007F:D2A6 0100007F:1F90 06 00000000:00000000 03:00000F5B 00000000     0        0 0 3 0000000000000000',
    '  10: 0100007F:D2A8 0A00000A:1538 01 00000000:00000000 00:00000000 00000000     0        0 55023 1 0000000000000000 20 4 30 10 -1',
    '',
  ].join('\n')

  test('gives what is established', () => {
    expect(connectionsIn(table, all)).toEqual([
      { localPort: 0xd2a4, remoteHost: '127.0.0.1', remotePort: 8080, inode: '55021' },
      { localPort: 0xd2a8, remoteHost: '10.0.0.10', remotePort: 5432, inode: '55023' },
    ])
    expect(connectionsIn(table, (port) => port === 5432).length).toBe(1)
    expect(connectionsIn('', all)).toEqual([])
  })

  test('knows addresses of both kinds', () => {
    expect(hostOf('00000000000000000000000001000000')).toBe('::1')
    expect(hostOf('0000000000000000FFFF00000100007F')).toBe('127.0.0.1')
    expect(hostOf('B80D0120000000000000000001000000')).toBe('2001:db8:0:0:0:0:0:1')
  })
})
