/**
 * The rules of HTTP caches by clause, at the built proxy: what the public suite asks for today and its package lacks, and what it asks for in another way.
 * Nothing waits to become stale: an answer says by its `Age` how old it is.
 */
import { get as askHttp } from 'node:http'
import { beforeEach, describe, expect, it } from 'vitest'
import type { CacheView } from '../../src/balancer/core/routing-view.ts'
import { ask as askRaw, eventually, fieldOf, service, type SeenRequest } from '../support/balancer-harness.ts'
import { useProxy } from '../support/proxy-fixture.ts'

const { proxy, origin } = useProxy({ per: 'file', workers: 2 })
const usual: CacheView = { maxBodyBytes: 100_000, graceMs: 0, obeyClients: true, heuristic: 0 }
let asked: SeenRequest[] = []
let count = 0
let path = ''

type Fields = readonly string[]

/** What the first answer says; what the second request has; what becomes of it. */
type Rule = readonly [what: string, first: Fields, second: Fields, expected: 'stored' | 'asked' | 'validated', more?: More]

interface More {
  readonly status?: number
  readonly request?: Fields
  readonly view?: Partial<CacheView>
  readonly answers?: number
}

const date = (seconds: number): string => new Date(Date.now() + seconds * 1_000).toUTCString()
const request = (fields: Fields, method = 'GET'): string =>
  `${method} ${path} HTTP/1.1\r\nHost: rules.example\r\n${fields.map((each) => `${each}\r\n`).join('')}\r\n`
const answer = (status: number, fields: Fields, body: string): string =>
  `HTTP/1.1 ${status} So\r\n${fields.map((each) => `${each}\r\n`).join('')}Content-Length: ${body.length}\r\n\r\n${body}`

async function serving(respond: (request: SeenRequest, number: number) => string, view: Partial<CacheView> = {}): Promise<void> {
  asked = []
  const own = await origin((seen) => {
    asked.push(seen)
    seen.socket.write(respond(seen, asked.length))
  })
  await proxy.route(service([own], { cache: { ...usual, ...view }, retries: { attempts: 0, budget: 0.2 } }))
}

async function ask(fields: Fields, method = 'GET') {
  const { status, body, fields: got } = await askRaw(proxy.port, request(fields, method), method)
  return { status, body: body.toString(), age: fieldOf({ fields: got }, 'age'), cacheStatus: fieldOf({ fields: got }, 'cache-status') }
}

async function holds([, first, second, expected, more = {}]: Rule): Promise<void> {
  const { status = 200, request: of = [], view = {} } = more
  const answers = more.answers ?? status
  await serving((seen, n) => {
    if (n === 1) return answer(status, first, 'first')
    const conditional = fieldOf(seen, 'if-none-match') !== undefined || fieldOf(seen, 'if-modified-since') !== undefined
    return conditional ? 'HTTP/1.1 304 Same\r\n\r\n' : answer(200, [], 'second')
  }, view)
  await ask(of)
  const got = await ask(second)
  if (expected === 'stored')
    expect({ ...got, asked: asked.length }).toMatchObject({ status: answers, asked: 1, body: answers === 200 || answers === status ? 'first' : '' })
  else if (expected === 'asked') expect({ ...got, asked: asked.length }).toMatchObject({ asked: 2, body: 'second' })
  else expect({ ...got, asked: asked.length }).toMatchObject({ asked: 2, body: 'first' })
}

const fresh = 'Cache-Control: max-age=60'
const old = ['Cache-Control: max-age=60', 'Age: 90']

const clauses: Readonly<Record<string, readonly Rule[]>> = {
  '9111, 3: storing': [
    ['with a lifetime, any final status', [fresh], [], 'stored', { status: 599 }],
    ['302 without one', ['ETag: "a"'], [], 'asked', { status: 302 }],
    ['no-store', [fresh, 'Cache-Control: no-store'], [], 'asked'],
    ['No-StOrE', [fresh, 'Cache-Control: No-StOrE'], [], 'asked'],
    ['must-understand and understood', ['Cache-Control: max-age=60, no-store, must-understand'], [], 'stored'],
    ['must-understand and not', ['Cache-Control: max-age=60, no-store, must-understand'], [], 'asked', { status: 599 }],
    ['private', [fresh, 'Cache-Control: private'], [], 'asked'],
    ['Authorization', [fresh], [], 'asked', { request: ['Authorization: x'] }],
    ['Authorization, must-revalidate', [`${fresh}, must-revalidate`], [], 'stored', { request: ['Authorization: x'] }],
    ['Authorization, s-maxage', ['Cache-Control: s-maxage=60'], [], 'stored', { request: ['Authorization: x'] }],
    ['Set-Cookie', [fresh, 'Set-Cookie: a=b'], [], 'asked'],
    ['Set-Cookie where it may be', [fresh, 'Set-Cookie: a=b'], [], 'stored', { view: { storesCookies: true } }],
    ['a cookie of the client', [fresh], ['Cookie: a=b'], 'stored'],
  ],
  '9111, 4.1: Vary': [
    ['*', [fresh, 'Vary: *'], [], 'asked'],
    ['a star among others', [fresh, 'Vary: Foo, *'], [], 'asked'],
    ['a star on another line', [fresh, 'Vary:', 'Vary: *'], [], 'asked'],
    ['another value', [fresh, 'Vary: Foo'], ['Foo: 2'], 'asked', { request: ['Foo: 1'] }],
    ['not said and said', [fresh, 'Vary: Foo'], ['Foo: 1'], 'asked'],
    ['one line or two', [fresh, 'Vary: Foo'], ['Foo: 1', 'Foo: 2'], 'stored', { request: ['Foo: 1, 2'] }],
    ['white space', [fresh, 'Vary: Foo'], ['Foo:  1,   2 '], 'stored', { request: ['Foo: 1,2'] }],
    [
      'languages in another case',
      [fresh, 'Vary: Accept-Language'],
      ['Accept-Language: EN ,  de'],
      'stored',
      { request: ['Accept-Language: en, de'] },
    ],
    ['languages in another order', [fresh, 'Vary: Accept-Language'], ['Accept-Language: de, en'], 'asked', { request: ['Accept-Language: en, de'] }],
  ],
  '9111, 4.2: freshness': [
    ['s-maxage before max-age', ['Cache-Control: max-age=1000, s-maxage=60', 'Age: 90'], [], 'asked'],
    ['max-age before Expires', [fresh, 'Expires: 0'], [], 'stored'],
    ['Expires without Date', [`Expires: ${date(60)}`], [], 'stored'],
    ['Expires with a Date that is none', ['Date: foo', `Expires: ${date(60)}`], [], 'stored'],
    ['two Expires that differ', [`Expires: ${date(60)}`, `Expires: ${date(61)}`], [], 'asked'],
    ['Expires in UTC', ['Expires: Thu, 18 Aug 2050 02:01:18 UTC'], [], 'asked'],
    ['Expires by RFC 850', ['Expires: Thursday, 18-Aug-50 02:01:18 GMT'], [], 'stored'],
    ['Expires by asctime', ['Expires: Thu Aug  8 02:01:18 2050'], [], 'stored'],
    ['Expires before a Date to come', [`Date: ${date(400)}`, `Expires: ${date(300)}`], [], 'asked'],
    ['max-age in quotes of an extension', ['Cache-Control: extension="max-age=3600", max-age=1', 'Age: 9'], [], 'asked'],
    ['leading zeros', ['Cache-Control: max-age=000060'], [], 'stored'],
    ['single quotes', ["Cache-Control: max-age='60'"], [], 'asked'],
    ['a negative one', ['Cache-Control: max-age=-60'], [], 'asked'],
    ['more than 2^31 seconds', ['Cache-Control: max-age=99999999999'], [], 'stored'],
    ['guessed, 10 % of a day', [`Last-Modified: ${date(-86_400)}`, `Date: ${date(0)}`], [], 'stored', { view: { heuristic: 0.1 } }],
    ['guessed of 503', [`Last-Modified: ${date(-86_400)}`], [], 'asked', { status: 503, view: { heuristic: 0.1 } }],
  ],
  '9111, 5.1: Age': [
    ['greater than the lifetime', old, [], 'asked'],
    ['no number', [fresh, 'Age: abc'], [], 'stored'],
    ['negative', [fresh, 'Age: -90'], [], 'stored'],
    ['a fraction', [fresh, 'Age: 90.0'], [], 'stored'],
    ['2^31 and more', [fresh, 'Age: 2147483649'], [], 'asked'],
    ['the first of a list is old', [fresh, 'Age: 90, 0'], [], 'asked'],
    ['the first of a list is young', [fresh, 'Age: 0, 90'], [], 'stored'],
    ['the first line is old', [fresh, 'Age: 90', 'Age: 0'], [], 'asked'],
    ['the first line is young', [fresh, 'Age: 0', 'Age: 90'], [], 'stored'],
  ],
  '9111, 4.3: validation': [
    ['by tag', [...old, 'ETag: "a"'], [], 'validated'],
    ['by date', [...old, `Last-Modified: ${date(-1_000)}`], [], 'validated'],
    ['no-cache', [`${fresh}, no-cache`, 'ETag: "a"'], [], 'validated'],
    ['its client’s tag', [fresh, 'ETag: "a"'], ['If-None-Match: "x", W/"a"'], 'stored', { answers: 304 }],
    [
      'the tag before the date',
      [fresh, 'ETag: "a"', `Last-Modified: ${date(-1_000)}`],
      ['If-None-Match: "x"', `If-Modified-Since: ${date(0)}`],
      'stored',
    ],
    ['its client’s date is older than Date', [fresh, `Date: ${date(0)}`], [`If-Modified-Since: ${date(-3_000)}`], 'stored'],
  ],
  '9111, 5.2.1: what clients say': [
    ['no-cache', [fresh], ['Cache-Control: no-cache'], 'asked'],
    ['no-cache where it does not count', [fresh], ['Cache-Control: no-cache'], 'stored', { view: { obeyClients: false } }],
    ['max-age', [fresh, 'Age: 30'], ['Cache-Control: max-age=10'], 'asked'],
    ['min-fresh', [fresh, 'Age: 30'], ['Cache-Control: min-fresh=40'], 'asked'],
    ['max-stale', old, ['Cache-Control: max-stale=40'], 'stored'],
    ['max-stale and must-revalidate', ['Cache-Control: max-age=60, must-revalidate', 'Age: 90'], ['Cache-Control: max-stale'], 'asked'],
    ['Pragma', [fresh], ['Pragma: no-cache'], 'asked'],
    ['Pragma beside Cache-Control', [fresh], ['Pragma: no-cache', 'Cache-Control: x'], 'stored'],
  ],
  '5861: stale answers': [
    ['beyond stale-while-revalidate', ['Cache-Control: max-age=60, stale-while-revalidate=20', 'Age: 90', 'ETag: "a"'], [], 'validated'],
    ['no error, no stale-if-error', ['Cache-Control: max-age=60, stale-if-error=600', 'Age: 90'], [], 'asked'],
  ],
  '9213: targeted control': [
    ['goes before Cache-Control', ['Cache-Control: no-store', 'CDN-Cache-Control: max-age=60'], [], 'stored'],
    ['ours goes before that', ['Holdfast-Cache-Control: max-age=60', 'CDN-Cache-Control: no-store'], [], 'stored'],
    ['a shorter one', ['Cache-Control: max-age=1000', 'CDN-Cache-Control: max-age=60', 'Age: 90'], [], 'asked'],
    ['Expires does not count', [`Expires: ${date(1_000)}`, 'CDN-Cache-Control: max-age=0'], [], 'asked'],
    ['private', [fresh, 'CDN-Cache-Control: private'], [], 'asked'],
    ['no dictionary', ['Cache-Control: no-store', 'CDN-Cache-Control: max-age=60, &&&'], [], 'asked'],
    ['of the wrong type', ['Cache-Control: no-store', 'CDN-Cache-Control: max-age="60"'], [], 'asked'],
    ['an extension beside it', ['CDN-Cache-Control: foobar, max-age=60'], [], 'stored'],
  ],
}

describe.each(Object.entries(clauses))('RFC %s', (_, rules) => {
  beforeEach(() => {
    path = `/rules/${++count}`
  })

  it.each(rules.map((rule) => [rule[0], rule] as const))('%s', async (_, rule) => {
    await holds(rule)
  })
})

describe('what a row cannot say', () => {
  beforeEach(() => {
    path = `/rules/${++count}`
  })

  it('within stale-while-revalidate it is given at once, and after what was fetched meanwhile only what that says', async () => {
    await serving((_, n) =>
      answer(
        200,
        [
          n === 1 ? 'Cache-Control: max-age=60, stale-while-revalidate=3600' : 'Cache-Control: no-cache',
          ...(n === 1 ? ['Age: 90'] : []),
          `ETag: "${n}"`,
        ],
        `${n}`,
      ),
    )
    await ask([])
    expect(await ask([])).toMatchObject({ body: '1', cacheStatus: expect.stringMatching(/hit; ttl=-3\d/) as unknown })
    await eventually('it is validated', () => asked.length === 2)
    await eventually('and stored', () => asked.length >= 2)
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect((await ask([])).body).toBe('3')
  })

  it('interim answers are passed on, and neither they nor their fields are stored', async () => {
    await serving(
      () =>
        `HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nX-Mine: 1\r\n\r\n${answer(200, [fresh], 'final')}`,
    )
    const once = (): Promise<{ interims: number[]; mine: unknown; hints: unknown }> =>
      new Promise((resolve, reject) => {
        const interims: number[] = []
        let hints: unknown
        askHttp({ port: proxy.port, host: '127.0.0.1', path, headers: { host: 'rules.example' } }, (got) => {
          got.resume().on('end', () => resolve({ interims, mine: got.headers['x-mine'], hints }))
        })
          .on('information', ({ statusCode, headers }) => {
            interims.push(statusCode)
            hints = headers['x-mine'] ?? hints
          })
          .on('error', reject)
      })
    expect(await once()).toEqual({ interims: [102, 103], mine: undefined, hints: '1' })
    expect(await once()).toEqual({ interims: [], mine: undefined, hints: undefined })
    expect(asked).toHaveLength(1)
  })

  it('Age grows from what came, and Date stays', async () => {
    const made = date(-30)
    await serving(() => answer(200, ['Cache-Control: max-age=600', 'Age: 30', `Date: ${made}`], 'x'))
    await ask([])
    const got = await askRaw(proxy.port, request([]), 'GET')
    expect(Number(fieldOf(got, 'age'))).toBeGreaterThanOrEqual(30)
    expect(fieldOf(got, 'date')).toBe(made)
  })

  it('an answer without Date has that of its arrival, and a 304 without one makes it young', async () => {
    const tag = 'ETag: "a"'
    await serving((seen) => {
      if (fieldOf(seen, 'if-none-match') !== undefined) return `HTTP/1.1 304 Same\r\n${tag}\r\n\r\n`
      return answer(200, [fresh, tag, ...(seen.target.endsWith('?old') ? [`Date: ${date(-90)}`] : [])], 'x')
    })
    await ask([])
    const came = Date.parse(fieldOf(await askRaw(proxy.port, request([]), 'GET'), 'date') ?? '')
    expect(Math.abs(Date.now() - came)).toBeLessThan(10_000)
    path += '?old'
    await ask([])
    expect((await ask([])).cacheStatus).toContain('fwd-status=304')
    expect((await ask([])).cacheStatus).toContain('hit; ttl=')
  })

  it('only-if-cached is told so; other queries are other requests; HEAD is answered from a GET', async () => {
    await serving((_, n) => answer(200, [fresh], `${n}`))
    expect((await ask(['Cache-Control: only-if-cached'])).status).toBe(504)
    expect(asked).toHaveLength(0)
    await ask([])
    expect(await ask([], 'HEAD')).toMatchObject({ status: 200, body: '' })
    const before = path
    path += '?a=1'
    expect((await ask([])).body).toBe('2')
    path = before
    expect((await ask(['Cache-Control: only-if-cached'])).body).toBe('1')
  })

  it.each(['POST', 'PUT', 'DELETE', 'M-SEARCH'])('%s makes it forget when it went well, and not when it failed', async (method) => {
    await serving((seen, n) => answer(seen.method === method && fieldOf(seen, 'fails') !== undefined ? 500 : 200, [fresh], `${n}`))
    await ask([])
    await ask(['Fails: 1', 'Content-Length: 0'], method)
    expect((await ask([])).body).toBe('1')
    await ask(['Content-Length: 0'], method)
    expect((await ask([])).body).toBe('4')
  })

  it('stale answers stand in only where they may (9111, 4.2.4)', async () => {
    const laws = ['must-revalidate', 'proxy-revalidate', 'no-cache', 's-maxage=60', 'x']
    const statuses: number[] = []
    for (const law of laws) {
      path = `/rules/${++count}`
      await serving((_, n) => (n === 1 ? answer(200, [`Cache-Control: max-age=60, ${law}`, 'Age: 90'], 'x') : answer(503, [], '')), {
        graceMs: 3_600_000,
      })
      await ask([])
      statuses.push((await ask([])).status)
    }
    expect(statuses).toEqual([503, 503, 503, 503, 200])
  })
})
