import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { instant, ms, type Instant } from '../../kernel/time.ts'
import { addressKey, isLoopback } from './address.ts'
import { formatApiKey, parseApiKey } from './api-key.ts'
import { duplicateKey, objectionTo, tokenBytesMax } from './compact-jws.ts'
import { may, permissions, type Permission } from './permissions.ts'
import { RateLimiter } from './rate-limiter.ts'
import { includesRole, isRole, roles } from './roles.ts'

const bytes = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length })

describe('roles and permissions', () => {
  it('each role includes those before it and none after', () => {
    expect(roles.map((held) => roles.map((needed) => includesRole(held, needed)))).toEqual([
      [true, false, false],
      [true, true, false],
      [true, true, true],
    ])
  })

  it('a viewer may only read', () => {
    const names = Object.keys(permissions) as Permission[]
    expect(names.filter((name) => may('viewer', name)).every((name) => name.startsWith('read:'))).toBe(true)
    expect(names.filter((name) => name.startsWith('read:')).every((name) => may('viewer', name))).toBe(true)
  })

  it('configuration, access, recovery and the end of everything are for admins', () => {
    for (const name of ['manage:config', 'manage:access', 'manage:recovery', 'stop:system'] as const) {
      expect([may('operator', name), may('admin', name)]).toEqual([false, true])
    }
  })

  it('knows its roles and nothing that merely looks like one', () => {
    expect(roles.every(isRole)).toBe(true)
    for (const other of ['root', 'Admin', '', undefined, 2, ['admin'], 'toString']) expect(isRole(other)).toBe(false)
  })
})

describe('API keys', () => {
  it('property: what is formatted parses to the same parts', () => {
    fc.assert(
      fc.property(bytes(10), bytes(32), (id, secret) => {
        const made = formatApiKey(id, secret)
        expect(made.key).toMatch(/^hf_[a-z0-9]{10}_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}$/)
        expect(parseApiKey(made.key)).toEqual({ keyId: made.keyId, secret: made.secret })
      }),
    )
  })

  it('property: different secrets have different texts', () => {
    fc.assert(
      fc.property(bytes(32), bytes(32), (a, b) => {
        const same = Buffer.compare(a, b) === 0
        expect(formatApiKey(new Uint8Array(10), a).secret === formatApiKey(new Uint8Array(10), b).secret).toBe(same)
      }),
    )
  })

  it('property: one mistyped character is noticed without looking anything up', () => {
    const { key } = formatApiKey(new Uint8Array(10).fill(7), new Uint8Array(32).fill(200))
    fc.assert(
      fc.property(fc.nat(key.length - 1), fc.constantFrom('a', 'b', 'X', 'Z', '0', '9', '_'), (at, char) => {
        fc.pre(key[at] !== char)
        expect(parseApiKey(key.slice(0, at) + char + key.slice(at + 1))).toBeUndefined()
      }),
    )
  })

  it('two swapped neighbours are noticed', () => {
    const { key } = formatApiKey(
      new Uint8Array(10),
      Uint8Array.from({ length: 32 }, (_, i) => i * 7),
    )
    for (let i = 14; i < key.length - 8; i++) {
      const swapped = key.slice(0, i) + key.charAt(i + 1) + key.charAt(i) + key.slice(i + 2)
      if (swapped !== key) expect(parseApiKey(swapped)).toBeUndefined()
    }
  })

  it.each(['', 'hf_', 'hf__', 'HF_abc', 'hf_abc_def_ghi', 'x'.repeat(100_000)])('is no key: %.20s', (text) => {
    expect(parseApiKey(text)).toBeUndefined()
  })

  it('the checksum is the CRC-32 of ISO 3309', () => {
    // zlib.crc32 of the text before it, in base 62: worked out once with Python's zlib.
    const { key } = formatApiKey(new Uint8Array(10), new Uint8Array(32))
    expect(key).toBe(`hf_aaaaaaaaaa_${'0'.repeat(43)}_2G6LZ2`)
  })
})

describe('rate limiter', () => {
  const limit = { count: 10, per: ms(60_000) }

  it('lets a whole burst through, then one per slot', () => {
    const limiter = new RateLimiter(limit)
    const taken = Array.from({ length: 11 }, () => limiter.take('a', instant(0)).allowed)
    expect(taken).toEqual([...Array.from({ length: 10 }, () => true), false])
    expect(limiter.take('a', instant(5_999)).allowed).toBe(false)
    expect(limiter.take('a', instant(6_000)).allowed).toBe(true)
    expect(limiter.take('a', instant(6_001)).allowed).toBe(false)
  })

  it('says what is left, until when, and how long to wait', () => {
    const limiter = new RateLimiter(limit)
    expect(limiter.take('a', instant(0))).toMatchObject({ allowed: true, remaining: 9, resetAfter: 6_000, retryAfter: 0 })
    for (let i = 0; i < 9; i++) limiter.take('a', instant(0))
    expect(limiter.take('a', instant(1_000))).toMatchObject({ allowed: false, remaining: 0, resetAfter: 59_000, retryAfter: 5_000 })
  })

  it('a refusal costs nothing', () => {
    const limiter = new RateLimiter(limit)
    for (let i = 0; i < 1_000; i++) limiter.take('a', instant(0))
    expect(limiter.take('a', instant(6_000)).allowed).toBe(true)
  })

  it('looking costs nothing', () => {
    const limiter = new RateLimiter(limit)
    for (let i = 0; i < 100; i++) expect(limiter.check('a', instant(0)).allowed).toBe(true)
    expect(limiter.size).toBe(0)
  })

  it('keeps at most so many keys, forgetting the one seen longest ago', () => {
    const limiter = new RateLimiter({ count: 1, per: ms(1_000) }, 3)
    for (const key of ['a', 'b', 'c']) limiter.take(key, instant(0))
    limiter.take('d', instant(0))
    expect(limiter.size).toBe(3)
    expect(limiter.check('a', instant(0)).allowed).toBe(true)
    for (const key of ['b', 'c', 'd']) expect(limiter.check(key, instant(0)).allowed).toBe(false)
  })

  it('property: no window of `per` ever holds more than twice `count`, and after it one is always allowed', () => {
    const steps = fc.array(fc.integer({ min: 0, max: 400 }), { minLength: 1, maxLength: 300 })
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 13 }), (waits, count) => {
        const per = ms(1_000)
        const limiter = new RateLimiter({ count, per })
        const allowedAt: number[] = []
        let now = 0
        for (const wait of waits) {
          now += wait
          if (limiter.take('k', now as Instant).allowed) allowedAt.push(now)
        }
        for (const from of allowedAt) expect(allowedAt.filter((at) => at >= from && at < from + per).length).toBeLessThanOrEqual(2 * count)
        expect(limiter.check('k', (now + per) as Instant).allowed).toBe(true)
      }),
    )
  })

  it('property: retryAfter is the first moment that is allowed', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 0, max: 5_000 }), (count, at) => {
        const limiter = new RateLimiter({ count, per: ms(1_000) })
        for (let i = 0; i < count; i++) limiter.take('k', instant(at))
        const { retryAfter } = limiter.take('k', instant(at))
        expect(limiter.check('k', instant(at + retryAfter)).allowed).toBe(true)
        expect(limiter.check('k', instant(at + retryAfter - 0.1)).allowed).toBe(false)
      }),
    )
  })
})

describe('addresses', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::1', '2001:db8:1:2::/64'],
    ['2001:db8:1:3::1', '2001:db8:1:3::/64'],
    ['not an address', 'not an address'],
  ])('%s is counted as %s', (address, key) => {
    expect(addressKey(address)).toBe(key)
  })

  it.each(['localhost', 'api.localhost', '127.0.0.1', '127.1.2.3', '::1', '[::1]', '::ffff:127.0.0.1'])('%s is this machine', (host) => {
    expect(isLoopback(host)).toBe(true)
  })

  it.each(['0.0.0.0', '::', '10.0.0.1', 'example.com', 'localhost.example.com', '127.0.0.1.example.com', ''])(
    '%s is not this machine alone',
    (host) => {
      expect(isLoopback(host)).toBe(false)
    },
  )
})

describe('the outside of a token', () => {
  const part = (json: string): string => Buffer.from(json).toString('base64url')
  const token = (header: string, payload: string, signature = 'c2ln'): string => `${part(header)}.${part(payload)}.${signature}`
  const good = token('{"alg":"HS256"}', '{"exp":1,"deep":{"exp":2},"list":[{"exp":3},{"exp":4}],"text":"a:\\"exp\\":{"}')

  it('has no objection to a sound one', () => {
    expect(objectionTo(good)).toBeUndefined()
  })

  it.each([
    ['two parts', 'YQ.YQ', 'parts'],
    ['four parts', `${good}.YQ`, 'parts'],
    ['an empty signature', token('{}', '{}', ''), 'base64url'],
    ['padding', `${part('{}')}=.${part('{}')}.c2ln`, 'base64url'],
    ['the alphabet of plain base64', token('{}', '{}', 'a+b/'), 'base64url'],
    ['unused bits that are set', token('{}', '{}', 'c2lnYR'), 'base64url'],
    ['a header that is no JSON', token('nonsense', '{}'), 'JSON'],
    ['a payload that is a list', token('{}', '[]'), 'JSON'],
    ['a payload that is null', token('{}', 'null'), 'JSON'],
    ['exp twice', token('{}', '{"exp":1,"exp":9999999999}'), 'twice'],
    ['exp twice, once escaped', token('{}', '{"exp":1,"\\u0065xp":9999999999}'), 'twice'],
    ['alg twice', token('{"alg":"HS256","alg":"none"}', '{}'), 'twice'],
    ['a name twice, deep inside', token('{}', '{"a":[{"b":{"c":1,"c":2}}]}'), 'twice'],
    ['2 MiB', 'x'.repeat(2 * 1_048_576), 'bytes'],
    ['one byte too many', `${'a'.repeat(tokenBytesMax - 3)}.b.c`, 'bytes'],
  ])('refuses %s', (_, text, why) => {
    expect(objectionTo(text)).toContain(why)
  })

  it('property: never throws, whatever comes', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string({ unit: 'binary' }),
          fc.tuple(fc.json(), fc.json()).map(([a, b]) => token(a, b)),
        ),
        (text) => {
          expect(['string', 'undefined']).toContain(typeof objectionTo(text))
        },
      ),
    )
  })

  it('property: what JSON.stringify writes names nothing twice', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(duplicateKey(JSON.stringify(value))).toBeUndefined()
      }),
    )
  })
})
