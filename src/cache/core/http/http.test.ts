/** The rules of RFC 9111 as tables: what comes in, what follows. Times are seconds after `begin`. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cacheStatusOf } from './cache-status.ts'
import { ifRangeHolds, isForOrigin, notModified, tagsOf, validatedBy, validationLines } from './conditional.ts'
import { controlOf } from './control.ts'
import { parseHttpDate } from './dates.ts'
import { deltaMax, directivesOf, requestDirectives, responseDirectives } from './directives.ts'
import type { Fields } from './fields.ts'
import { invalidatedBy } from './invalidation.ts'
import { rangeOf } from './range.ts'
import { mayUse, mayUseOnError, uselessAt, wishesOf } from './serving.ts'
import { mayStore, type StoredFacts, type Storing } from './storing.ts'
import { parseDictionary } from './structured.ts'
import { headConfirms, updated } from './update.ts'
import { secondaryKey, varyOf } from './vary.ts'

const begin = Date.UTC(2026, 10, 21, 12)
const at = (seconds: number): number => begin + seconds * 1_000
const date = (seconds: number): string => new Date(at(seconds)).toUTCString()

type Lines = readonly (readonly [string, string])[]
const fields = (lines: Lines): Fields => ({ all: (name) => lines.filter(([each]) => each.toLowerCase() === name).map(([, value]) => value) })
const request = (lines: Lines = [], method = 'GET'): Fields & { readonly method: string } => ({ ...fields(lines), method })

interface Asked {
  readonly status?: number
  readonly request?: Lines
  readonly method?: string
  readonly heuristic?: number
  readonly defaultLifetimeMs?: number
  readonly maxLifetimeMs?: number
  readonly storesCookies?: boolean
}
const store = (response: Lines, asked: Asked = {}): Storing =>
  mayStore(
    request(asked.request, asked.method),
    asked.status ?? 200,
    fields(response),
    { requestTime: begin, responseTime: begin },
    {
      heuristic: asked.heuristic ?? 0,
      defaultLifetimeMs: asked.defaultLifetimeMs,
      maxLifetimeMs: asked.maxLifetimeMs,
      storesCookies: asked.storesCookies,
    },
  )
function facts(response: Lines, asked: Asked = {}): StoredFacts {
  const storing = store(response, asked)
  if (!storing.store) throw new Error(storing.why)
  return storing.facts
}
const why = (response: Lines, asked: Asked = {}): string => {
  const storing = store(response, asked)
  return storing.store ? 'stored' : storing.why
}

describe('the longest time that is allowed', () => {
  it.each([
    ['a longer one', [['cache-control', 'max-age=3600']], 60_000],
    ['a shorter one', [['cache-control', 'max-age=30']], 30_000],
    [
      'what has aged on its way',
      [
        ['cache-control', 'max-age=3600'],
        ['age', '1000'],
      ],
      1_060_000,
    ],
    ['a default', [], 60_000],
  ] as const)('%s', (_name, lines, lifetimeMs) => {
    expect(facts([...lines], { maxLifetimeMs: 60_000, defaultLifetimeMs: 90_000 }).lifetimeMs).toBe(lifetimeMs)
  })
})

describe('Cache-Control', () => {
  it.each([
    ['max-age=3600', 3_600],
    ['MaX-aGe=3600', 3_600],
    ['foobar, max-age=003600', 3_600],
    ['max-age="3600"', 3_600],
    ['extension="max-age=3600", max-age=1', 1],
    ['max-age=1, extension="max-age=3600"', 1],
    ['extension="a, max-age=3600", max-age=1', 1],
    ['max-age=99999999999', deltaMax],
    ['max-age=1800, max-age=1', 1],
    ['max-age=1, max-age=1800', 1],
    ['max-age=x, max-age=1800', 0],
    ["max-age='3600'", 0],
    ['max-age=-3600', 0],
    ['max-age=3600.5', 0],
    ['max-age =3600', 0],
    ['max-age= 3600', 0],
    ['max-age=3600a', 0],
    ['max-age', 0],
    ['max-age="3600', 0],
    ['=3600, ,;, max-age=5', 5],
    ['public', undefined],
  ])('%s is fresh for %s', (value, seconds) => {
    expect(responseDirectives(directivesOf(value)).maxAge).toBe(seconds)
  })

  it('reads whatever comes, in linear time, and finds a directive behind it', () => {
    fc.assert(
      fc.property(fc.string(), (junk) => {
        const balanced = (junk.match(/"/g) ?? []).length === 0
        const { noStore } = responseDirectives(directivesOf(`${junk},no-store`))
        expect(noStore || !balanced).toBe(true)
      }),
    )
    expect(directivesOf('"'.repeat(50_000)).size).toBe(0)
  })

  it('takes a qualified no-cache or private as the whole', () => {
    expect(responseDirectives(directivesOf('no-cache="a, b", private=x'))).toMatchObject({ noCache: true, private: true })
  })

  it('knows what a client may ask for', () => {
    expect(requestDirectives(directivesOf('max-stale'))).toMatchObject({ maxStale: Infinity })
    expect(requestDirectives(directivesOf('max-stale=5, min-fresh=3, only-if-cached'))).toMatchObject({
      maxStale: 5,
      minFresh: 3,
      onlyIfCached: true,
    })
  })
})

describe('targeted control', () => {
  const lifetime = (lines: Lines): number | undefined => controlOf(fields(lines)).directives.maxAge

  it.each<[Lines, number | undefined]>([
    [
      [
        ['CDN-Cache-Control', 'max-age=5'],
        ['Cache-Control', 'no-store'],
      ],
      5,
    ],
    [
      [
        ['CDN-Cache-Control', 'max-age=5'],
        ['Holdfast-Cache-Control', 'max-age=6'],
      ],
      6,
    ],
    [
      [
        ['CDN-Cache-Control', 'max-age=5;a=1, foo'],
        ['Cache-Control', 'max-age=9'],
      ],
      5,
    ],
    [
      [
        ['CDN-Cache-Control', 'max-age=5.5'],
        ['Cache-Control', 'max-age=9'],
      ],
      undefined,
    ],
    [
      [
        ['CDN-Cache-Control', 'max-age="5"'],
        ['Cache-Control', 'max-age=9'],
      ],
      undefined,
    ],
    [
      [
        ['CDN-Cache-Control', 'max-age=5, &&&'],
        ['Cache-Control', 'max-age=9'],
      ],
      9,
    ],
    [
      [
        ['CDN-Cache-Control', ''],
        ['Cache-Control', 'max-age=9'],
      ],
      9,
    ],
    [
      [
        ['CDN-Cache-Control', 'max-age =5'],
        ['Cache-Control', 'max-age=9'],
      ],
      9,
    ],
  ])('%j: %s', (lines, seconds) => {
    expect(lifetime(lines)).toBe(seconds)
  })

  it('makes Expires count no more', () => {
    expect(
      why([
        ['CDN-Cache-Control', 'public'],
        ['Expires', date(100)],
      ]),
    ).toContain('neither a lifetime nor a validator')
  })

  it('reads dictionaries by the letter', () => {
    expect(parseDictionary('a=1, b;x=?0, c="q\\"", d=tok, e=(1 "two";p), f=:YQ==:, a=2')).toEqual(
      new Map<string, unknown>([
        ['b', true],
        ['c', 'q"'],
        ['d', { token: 'tok' }],
        ['e', { other: true }],
        ['f', { other: true }],
        ['a', 2],
      ]),
    )
    for (const bad of ['A=1', 'a=', 'a=1,', 'a=1 b', 'a=(1', 'a=1.2345', 'a=1234567890123456', 'a="é"'])
      expect(parseDictionary(bad), bad).toBeUndefined()
  })
})

describe('dates', () => {
  it.each([
    ['Sun, 06 Nov 1994 08:49:37 GMT', Date.UTC(1994, 10, 6, 8, 49, 37)],
    ['SUN, 06 nOV 1994 08:49:37 gmt', Date.UTC(1994, 10, 6, 8, 49, 37)],
    ['Sunday, 06-Nov-94 08:49:37 GMT', Date.UTC(1994, 10, 6, 8, 49, 37)],
    ['Thursday, 18-Aug-50 02:01:18 GMT', Date.UTC(2050, 7, 18, 2, 1, 18)],
    ['Sun Nov  6 08:49:37 1994', Date.UTC(1994, 10, 6, 8, 49, 37)],
    ['Sun, 06 Nov 1994 08:49:37 UTC', undefined],
    ['Sun, 06 Nov 94 08:49:37 GMT', undefined],
    ['Sun, 06  Nov 1994 08:49:37 GMT', undefined],
    ['Sun, 31 Feb 1994 08:49:37 GMT', undefined],
    ['Sun, 06 Nov 1994 24:49:37 GMT', undefined],
    ['Sun, 06 Nov 1994 8:49:37 GMT', undefined],
    ['0', undefined],
    ['', undefined],
  ])('%s', (text, time) => {
    expect(parseHttpDate(text, begin)).toBe(time)
  })

  it('reads back what is written', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 253_402_300_799 }), (seconds) => {
        expect(parseHttpDate(new Date(seconds * 1_000).toUTCString(), begin)).toBe(seconds * 1_000)
      }),
    )
  })
})

describe('freshness', () => {
  const fresh = (response: Lines, seconds: number, asked: Asked = {}): boolean =>
    mayUse(facts(response, asked), wishesOf(request()), at(seconds), options).use === 'now'
  const options = { graceMs: 0, obeyClients: true }

  it.each<[string, Lines, number, boolean]>([
    ['max-age', [['Cache-Control', 'max-age=10']], 9, true],
    ['max-age is over', [['Cache-Control', 'max-age=10']], 10, false],
    ['s-maxage before max-age', [['Cache-Control', 'max-age=1, s-maxage=10']], 9, true],
    [
      'shorter s-maxage',
      [
        ['Cache-Control', 'max-age=10'],
        ['Cache-Control', 's-maxage=1'],
      ],
      5,
      false,
    ],
    [
      'max-age before Expires',
      [
        ['Cache-Control', 'max-age=10'],
        ['Expires', date(-5)],
        ['Date', date(0)],
      ],
      9,
      true,
    ],
    [
      'Expires',
      [
        ['Expires', date(10)],
        ['Date', date(0)],
      ],
      9,
      true,
    ],
    [
      'Expires counts from Date',
      [
        ['Expires', date(10)],
        ['Date', date(5)],
      ],
      6,
      false,
    ],
    [
      'an invalid Expires',
      [
        ['Expires', '0'],
        ['ETag', '"a"'],
      ],
      0,
      false,
    ],
    [
      'Expires that differ',
      [
        ['Expires', date(10)],
        ['Expires', date(11)],
        ['ETag', '"a"'],
      ],
      0,
      false,
    ],
    [
      'Age',
      [
        ['Cache-Control', 'max-age=10'],
        ['Age', '5'],
      ],
      6,
      false,
    ],
    [
      'the first of several Ages',
      [
        ['Cache-Control', 'max-age=10'],
        ['Age', '0, 7200'],
      ],
      6,
      true,
    ],
    [
      'the first line of Age',
      [
        ['Cache-Control', 'max-age=10'],
        ['Age', '7200'],
        ['Age', '0'],
      ],
      0,
      false,
    ],
    [
      'an Age that is none',
      [
        ['Cache-Control', 'max-age=10'],
        ['Age', '-7200'],
      ],
      6,
      true,
    ],
    [
      'a huge Age',
      [
        ['Cache-Control', 'max-age=3600'],
        ['Age', '2147483649'],
      ],
      0,
      false,
    ],
    [
      'an old Date',
      [
        ['Cache-Control', 'max-age=10'],
        ['Date', date(-20)],
      ],
      0,
      false,
    ],
    [
      'a Date to come',
      [
        ['Cache-Control', 'max-age=10'],
        ['Date', date(60)],
      ],
      9,
      true,
    ],
  ])('%s', (_, response, seconds, expected) => {
    expect(fresh(response, seconds)).toBe(expected)
  })

  it('guesses only when it is told to, and where a guess is allowed', () => {
    const response: Lines = [
      ['Last-Modified', date(-1_000)],
      ['Date', date(0)],
    ]
    expect(fresh(response, 50)).toBe(false)
    expect(fresh(response, 99, { heuristic: 0.1 })).toBe(true)
    expect(fresh(response, 101, { heuristic: 0.1 })).toBe(false)
    expect(why(response, { heuristic: 0.1, status: 403 })).toContain('403 is kept only with a lifetime of its own')
    expect(fresh([...response, ['Cache-Control', 'public']], 1, { heuristic: 0.1, status: 599 })).toBe(true)
  })

  it('counts the time that the request took', () => {
    const storing = mayStore(
      request(),
      200,
      fields([
        ['Cache-Control', 'max-age=10'],
        ['Age', '3'],
      ]),
      { requestTime: at(-4), responseTime: at(0) },
      { heuristic: 0 },
    )
    expect(storing).toMatchObject({ facts: { bornAt: at(-7) } })
  })
})

describe('storing', () => {
  it.each<[string, Lines, Asked, string]>([
    ['nothing said', [], {}, 'neither a lifetime nor a validator'],
    ['nothing said, but a default', [], { defaultLifetimeMs: 1_000 }, 'stored'],
    ['a validator', [['ETag', '"a"']], {}, 'stored'],
    ['a validator of a failure', [['ETag', '"a"']], { status: 503 }, '503 is kept only with a lifetime'],
    ['a failure, and a default', [], { status: 502, defaultLifetimeMs: 1_000 }, '502 is kept only with a lifetime'],
    ['a failure with a lifetime', [['Cache-Control', 'max-age=5']], { status: 503 }, 'stored'],
    ['no-store', [['Cache-Control', 'max-age=5, No-StOrE']], {}, 'no-store'],
    ['private', [['Cache-Control', 'private="a", max-age=5']], {}, 'private'],
    ['POST', [['Cache-Control', 'max-age=5']], { method: 'POST' }, 'the method is POST'],
    ['a part', [['Cache-Control', 'max-age=5']], { status: 206 }, 'parts are not kept'],
    ['any final status', [['Cache-Control', 'max-age=5']], { status: 599 }, 'stored'],
    ['must-understand', [['Cache-Control', 'max-age=5, must-understand']], { status: 599 }, 'must-understand'],
    ['must-understand and understood', [['Cache-Control', 'max-age=5, must-understand, no-store']], {}, 'stored'],
    [
      'Vary: *',
      [
        ['Cache-Control', 'max-age=5'],
        ['Vary', 'Foo, *'],
      ],
      {},
      'Vary: *',
    ],
    ['Authorization', [['Cache-Control', 'max-age=5']], { request: [['Authorization', 'x']] }, '3.5'],
    ['Authorization, public', [['Cache-Control', 'max-age=5, public']], { request: [['Authorization', 'x']] }, 'stored'],
    ['Authorization, must-revalidate', [['Cache-Control', 'max-age=5, must-revalidate']], { request: [['Authorization', 'x']] }, 'stored'],
    ['no-store in the request', [['Cache-Control', 'max-age=5']], { request: [['Cache-Control', 'no-store']] }, '5.2.1.5'],
    [
      'Set-Cookie',
      [
        ['Cache-Control', 'max-age=5'],
        ['Set-Cookie', 'a=b'],
      ],
      {},
      'Set-Cookie',
    ],
    [
      'Set-Cookie where it is a field like all others',
      [
        ['Cache-Control', 'max-age=5'],
        ['Set-Cookie', 'a=b'],
      ],
      { storesCookies: true },
      'stored',
    ],
    [
      'Set-Cookie, public',
      [
        ['Cache-Control', 'max-age=5, public'],
        ['Set-Cookie', 'a=b'],
      ],
      {},
      'stored',
    ],
  ])('%s', (_, response, asked, expected) => {
    expect(why(response, asked)).toContain(expected)
  })
})

describe('serving', () => {
  const options = { graceMs: 0, obeyClients: true }
  const use = (control: string, seconds: number, asked: Lines = [], over: Partial<typeof options> = {}): string =>
    mayUse(
      facts([
        ['Cache-Control', control],
        ['ETag', '"a"'],
      ]),
      wishesOf(request(asked)),
      at(seconds),
      { ...options, ...over },
    ).use

  it.each<[string, number, Lines, string]>([
    ['max-age=10', 5, [], 'now'],
    ['max-age=10', 15, [], 'validated'],
    ['max-age=10, no-cache', 5, [], 'validated'],
    ['max-age=10', 5, [['Cache-Control', 'no-cache']], 'validated'],
    ['max-age=10', 5, [['Pragma', 'no-cache']], 'validated'],
    [
      'max-age=10',
      5,
      [
        ['Pragma', 'no-cache'],
        ['Cache-Control', 'max-age=9'],
      ],
      'now',
    ],
    ['max-age=10', 5, [['Cache-Control', 'max-age=4']], 'validated'],
    ['max-age=10', 5, [['Cache-Control', 'min-fresh=6']], 'validated'],
    ['max-age=10', 15, [['Cache-Control', 'max-stale=6']], 'now'],
    ['max-age=10', 15, [['Cache-Control', 'max-stale']], 'now'],
    ['max-age=10', 15, [['Cache-Control', 'max-stale=4']], 'validated'],
    ['max-age=10, must-revalidate', 15, [['Cache-Control', 'max-stale']], 'validated'],
    ['max-age=10, stale-while-revalidate=5', 14, [], 'now-and-validate'],
    ['max-age=10, stale-while-revalidate=5', 15, [], 'validated'],
    ['s-maxage=10, stale-while-revalidate=5', 14, [], 'validated'],
    ['max-age=10, proxy-revalidate, stale-while-revalidate=5', 14, [], 'validated'],
  ])('%s after %s s, asked with %j: %s', (control, seconds, asked, expected) => {
    expect(use(control, seconds, asked)).toBe(expected)
  })

  it('does not listen to clients where it shall not', () => {
    expect(use('max-age=10', 5, [['Cache-Control', 'no-cache']], { obeyClients: false })).toBe('now')
  })

  it('stands in for an origin that fails, as far as the response, the operator and the law allow', () => {
    const onError = (control: string, seconds: number, graceMs = 0, status = 200): boolean =>
      mayUseOnError(facts([['Cache-Control', control]], { status }), at(seconds), { ...options, graceMs })
    expect(onError('max-age=10', 5, 5_000, 404)).toBe(true)
    expect(onError('max-age=10', 5, 5_000, 503), 'a failure for a failure').toBe(false)
    expect(onError('max-age=10', 5)).toBe(true)
    expect(onError('max-age=10', 11)).toBe(false)
    expect(onError('max-age=10, stale-if-error=5', 14)).toBe(true)
    expect(onError('max-age=10, stale-if-error=5', 15)).toBe(false)
    expect(onError('max-age=10', 14, 5_000)).toBe(true)
    for (const law of ['must-revalidate', 'proxy-revalidate', 'no-cache', 's-maxage=10']) {
      expect(onError(`max-age=10, ${law}, stale-if-error=5`, 11, 5_000), law).toBe(false)
    }
  })

  it('keeps a response for as long as something can be done with it', () => {
    const until = (lines: Lines): number => (uselessAt(facts(lines), { ...options, graceMs: 2_000, validatorsForMs: 60_000 }) - begin) / 1_000
    expect(until([['Cache-Control', 'max-age=10']])).toBe(12)
    expect(until([['Cache-Control', 'max-age=10, stale-if-error=30']])).toBe(40)
    expect(until([['Cache-Control', 'max-age=10, must-revalidate, stale-if-error=30']])).toBe(10)
    expect(
      until([
        ['Cache-Control', 'max-age=10'],
        ['ETag', '"a"'],
      ]),
    ).toBe(70)
  })
})

describe('variants', () => {
  const key = (names: string, lines: Lines): string => secondaryKey(varyOf(fields([['Vary', names]])) as readonly string[], fields(lines))

  it('reads Vary as a set of names', () => {
    expect(
      varyOf(
        fields([
          ['Vary', 'Foo, bar'],
          ['Vary', ', BAR ,'],
        ]),
      ),
    ).toEqual(['bar', 'foo'])
    expect(
      varyOf(
        fields([
          ['Vary', ''],
          ['Vary', '*'],
        ]),
      ),
    ).toBe('*')
  })

  it.each<[string, Lines, Lines, boolean]>([
    ['foo', [['Foo', '1']], [['foo', '1']], true],
    ['foo', [['Foo', '1']], [['Foo', '2']], false],
    ['foo', [['Foo', '']], [], false],
    [
      'foo',
      [['Foo', '1, 2']],
      [
        ['Foo', '1'],
        ['Foo', '2'],
      ],
      true,
    ],
    ['foo', [['Foo', '1,2']], [['Foo', ' 1 , 2 ']], true],
    [
      'foo, bar',
      [
        ['Foo', 'a'],
        ['Bar', 'b'],
      ],
      [
        ['Foo', 'b'],
        ['Bar', 'a'],
      ],
      false,
    ],
    [
      'foo, bar',
      [['Foo', 'a\nb']],
      [
        ['Foo', 'a'],
        ['Bar', 'b'],
      ],
      false,
    ],
    ['accept-language', [['Accept-Language', 'en, de']], [['Accept-Language', 'eN,De']], true],
    ['accept-language', [['Accept-Language', 'en, de']], [['Accept-Language', 'de, en']], false],
    ['accept-encoding', [['Accept-Encoding', 'gzip, br;q=0.5']], [['Accept-Encoding', 'br, x-gzip']], true],
    ['accept-encoding', [['Accept-Encoding', 'gzip, br;q=0']], [['Accept-Encoding', 'gzip, br']], false],
    ['accept-encoding', [], [['Accept-Encoding', '']], false],
  ])('%s: %j and %j', (names, one, other, same) => {
    expect(key(names, one) === key(names, other)).toBe(same)
  })
})

describe('conditions', () => {
  const stored = facts([
    ['ETag', '"a"'],
    ['Last-Modified', date(-100)],
    ['Cache-Control', 'max-age=5'],
  ])
  const undated = facts([
    ['Date', date(0)],
    ['Cache-Control', 'max-age=5'],
  ])

  it.each<[Lines, boolean]>([
    [[['If-None-Match', '"a"']], true],
    [[['If-None-Match', 'W/"a"']], true],
    [[['If-None-Match', '"x", "a,b", "a"']], true],
    [
      [
        ['If-None-Match', '"x"'],
        ['If-Modified-Since', date(0)],
      ],
      false,
    ],
    [[['If-None-Match', '*']], true],
    [[['If-Modified-Since', date(-100)]], true],
    [[['If-Modified-Since', date(-101)]], false],
    [[['If-Modified-Since', 'yesterday']], false],
    [[], false],
  ])('%j: %s', (lines, expected) => {
    expect(notModified(request(lines), stored, at(1))).toBe(expected)
  })

  it('compares with Date where nothing else is known, and only for a 200', () => {
    expect(notModified(request([['If-Modified-Since', date(0)]]), undated, at(1))).toBe(true)
    expect(notModified(request([['If-Modified-Since', date(-1)]]), undated, at(1))).toBe(false)
    expect(notModified(request([['If-None-Match', '"a"']]), { ...stored, status: 404 }, at(1))).toBe(false)
  })

  it('leaves conditions of the origin to the origin', () => {
    expect(isForOrigin(request([['If-Match', '"a"']]))).toBe(true)
    expect(isForOrigin(request([['If-None-Match', '"a"']]))).toBe(false)
  })

  it('asks of all variants at once by tag, of one by date too', () => {
    expect(validationLines([stored])).toBe(`If-None-Match: "a"\r\nIf-Modified-Since: ${date(-100)}\r\n`)
    expect(validationLines([stored, { ...stored, etag: 'W/"b"' }, stored])).toBe('If-None-Match: "a", W/"b"\r\n')
    expect(validationLines([undated])).toBe('')
  })

  it('finds what a 304 is about', () => {
    const weak = { ...stored, etag: 'W/"b"' }
    expect(validatedBy(fields([['ETag', '"b"']]), [stored, weak])).toBe(weak)
    expect(validatedBy(fields([['ETag', '"a"']]), [weak, stored])).toBe(stored)
    expect(validatedBy(fields([['ETag', '"c"']]), [stored])).toBeUndefined()
    expect(validatedBy(fields([]), [undated])).toBe(undated)
    expect(validatedBy(fields([]), [stored, weak])).toBeUndefined()
    expect(validatedBy(fields([['Last-Modified', date(-100)]]), [undated, stored])).toBe(stored)
  })

  it('gives a range only on the strong tag or the very date', () => {
    expect(ifRangeHolds(request([]), stored)).toBe(true)
    expect(ifRangeHolds(request([['If-Range', '"a"']]), stored)).toBe(true)
    expect(ifRangeHolds(request([['If-Range', 'W/"a"']]), { ...stored, etag: 'W/"a"' })).toBe(false)
    expect(ifRangeHolds(request([['If-Range', date(-100)]]), stored)).toBe(true)
    expect(ifRangeHolds(request([['If-Range', date(-99)]]), stored)).toBe(false)
  })

  it('tells tags apart from commas', () => {
    expect(tagsOf('"a,b" , W/"c",plain')).toEqual(['"a,b"', 'W/"c"', 'plain'])
  })
})

describe('ranges', () => {
  it.each([
    ['bytes=0-1', { kind: 'part', from: 0, to: 1 }],
    ['bytes=1-', { kind: 'part', from: 1, to: 9 }],
    ['bytes=-1', { kind: 'part', from: 9, to: 9 }],
    ['bytes=-100', { kind: 'part', from: 0, to: 9 }],
    ['Bytes = 5-100', { kind: 'part', from: 5, to: 9 }],
    ['bytes=10-', { kind: 'unsatisfiable' }],
    ['bytes=-0', { kind: 'unsatisfiable' }],
    ['bytes=0-1,3-4', { kind: 'forward' }],
    ['bytes=5-1', { kind: 'whole' }],
    ['bytes=a-b', { kind: 'whole' }],
    ['lines=1-2', { kind: 'whole' }],
  ])('%s of ten bytes', (value, expected) => {
    expect(rangeOf(value, 10)).toEqual(expected)
  })

  it('has nothing to give of nothing', () => {
    expect(rangeOf('bytes=0-', 0)).toEqual({ kind: 'unsatisfiable' })
  })
})

describe('news of a stored header', () => {
  it('replaces lines by name, but for what the stored bytes say', () => {
    const stored = [
      ['A', '1'],
      ['ETag', '"a"'],
      ['Set-Cookie', 'x'],
      ['Set-Cookie', 'y'],
      ['Content-Length', '5'],
    ] as const
    const news = [
      ['a', '2'],
      ['etag', '"b"'],
      ['set-cookie', 'z'],
      ['Content-Length', '9'],
      ['B', '3'],
    ] as const
    expect(updated(stored, news)).toEqual([
      ['ETag', '"a"'],
      ['Content-Length', '5'],
      ['a', '2'],
      ['set-cookie', 'z'],
      ['B', '3'],
    ])
  })

  it('believes a HEAD that says nothing to the contrary', () => {
    const stored = { etag: '"a"', lastModified: undefined, length: 5 }
    expect(headConfirms(stored, { etag: '"a"', lastModified: undefined, length: 5 })).toBe(true)
    expect(headConfirms(stored, { etag: undefined, lastModified: undefined, length: undefined })).toBe(true)
    expect(headConfirms(stored, { etag: '"b"', lastModified: undefined, length: 5 })).toBe(false)
    expect(headConfirms(stored, { etag: '"a"', lastModified: undefined, length: 6 })).toBe(false)
  })
})

describe('invalidation', () => {
  const target = 'http://shop.test/cart?x=1'
  it('takes the target and what is named on the same origin', () => {
    const response = fields([
      ['Location', '/orders/5#top'],
      ['Content-Location', 'http://other.test/cart'],
    ])
    expect(invalidatedBy('POST', 201, target, response)).toEqual([target, 'http://shop.test/orders/5'])
    expect(invalidatedBy('M-SEARCH', 302, target, fields([]))).toEqual([target])
    expect(invalidatedBy('POST', 500, target, response)).toEqual([])
    expect(invalidatedBy('GET', 200, target, response)).toEqual([])
    expect(invalidatedBy('PUT', 200, target, fields([['Location', 'http://[']]))).toEqual([target])
  })
})

describe('Cache-Status', () => {
  it.each([
    [{ hit: true, ttl: -412.7, detail: 'stale-if-error' }, 'holdfast; hit; ttl=-413; detail=stale-if-error'],
    [{ fwd: 'stale', fwdStatus: 304, collapsed: false, stored: true }, 'holdfast; fwd=stale; fwd-status=304; stored; collapsed=?0'],
    [{ fwd: 'bypass', detail: 'a "b" c' }, 'holdfast; fwd=bypass; detail="a \\"b\\" c"'],
  ] as const)('%j', (status, text) => {
    expect(cacheStatusOf(status)).toBe(text)
  })
})
