/** What holds for every route: credentials, envelope, limits, headers, trail. */
import { createHash } from 'node:crypto'
import fc from 'fast-check'
import type { FastifyInstance } from 'fastify'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { HoldfastError, InvariantError } from '../kernel/errors.ts'
import { ms, seconds } from '../kernel/time.ts'
import { buildApi } from './app.ts'
import { apiBase, apiLimits } from './deps.ts'
import { statusOfCode } from './errors.ts'
import { testConfig } from './testing/fake-operations.ts'
import { ask, harness, type Answer, type Harness, type Request } from './testing/harness.ts'

let h: Harness
let app: FastifyInstance
beforeEach(async () => {
  h = await harness()
  app = buildApi(h.deps)
})
afterEach(() => app.close())

const at = (path: string): string => apiBase + path
const request = (wanted: Request): Promise<Answer> => ask(app, wanted)
const asAdmin = (wanted: Request): Promise<Answer> => ask(app, { token: h.tokens.admin, ...wanted })

async function rebuild(changes: Parameters<typeof harness>[0]): Promise<void> {
  await app.close()
  h = await harness(changes)
  app = buildApi(h.deps)
}

describe('credentials', () => {
  it('a token, an API key as a bearer, and an API key in its own field are the same to it', async () => {
    const by = { name: 'root', role: 'admin', credential: 'local', expiresAt: undefined } as const
    const { key } = await h.access.createApiKey({ name: 'ci', role: 'viewer', by })
    for (const headers of [
      { authorization: `Bearer ${h.tokens.viewer}` },
      { authorization: `Bearer ${key}` },
      { 'x-api-key': key },
      { authorization: `bearer ${key}` },
    ]) {
      expect((await request({ url: at('/services'), headers })).status).toBe(200)
    }
  })

  it.each(['Basic YTpi', 'Bearer', 'Bearer a b', 'Token x', 'Bearer \u00e9'])('%j is a credential that is refused', async (authorization) => {
    expect(await request({ url: at('/services'), headers: { authorization } })).toMatchObject({
      status: 401,
      body: { error: { code: 'unauthorized' } },
    })
  })

  it('two at once are ambiguous', async () => {
    const headers = { authorization: `Bearer ${h.tokens.viewer}`, 'x-api-key': 'hf_x' }
    expect(await request({ url: at('/services'), headers })).toMatchObject({ status: 400, body: { error: { code: 'invalid_input' } } })
  })

  it.each(['api_key=x', 'apikey=x', 'access_token=x', 'token=x', 'X-API-Key=x', 'JWT=x', 'q=hf_abcdefghjk_x', 'a=1&a=hf_abcdefghjk_x'])(
    'in the query (%s) it is a mistake, even with a good one beside it and on an open route',
    async (query) => {
      for (const url of [at('/services'), '/health', '/nowhere']) {
        expect(await asAdmin({ url: `${url}?${query}` })).toMatchObject({ status: 400, body: { error: { code: 'credential_in_query' } } })
      }
      expect(JSON.stringify([h.operations.stored, h.logged])).not.toContain(query)
    },
  )

  it('a bad one does not close an open route: a probe with a stale token still hears the truth', async () => {
    expect((await request({ url: '/health', token: 'stale' })).status).toBe(200)
  })

  it('guessing is stopped after ten in a minute', async () => {
    const statuses: number[] = []
    for (let i = 0; i < 12; i++) statuses.push((await request({ url: at('/services'), token: `guess${i}` })).status)
    expect(statuses).toEqual([...Array.from({ length: 10 }, () => 401), 429, 429])
    const blocked = await request({ url: at('/services'), token: 'guess' })
    expect(blocked).toMatchObject({ body: { error: { code: 'rate_limited', details: { retryAfterMs: 6_000 } } }, headers: { 'retry-after': '6' } })
    expect((await request({ url: at('/services'), token: 'guess', address: '192.0.2.99' })).status).toBe(401)
  })

  it('answers about them are not kept by anybody on the way', async () => {
    for (const answer of [await asAdmin({ url: at('/services') }), await request({ url: at('/services') }), await request({ url: at('/health') })]) {
      expect(answer.headers['cache-control']).toBe('no-store')
    }
  })
})

describe('the rate limit', () => {
  beforeEach(() => rebuild({ access: { ...testConfig.access, rateLimit: { count: 3, per: ms(60_000) } } }))

  it('counts each credential by itself, and says where it stands', async () => {
    const first = await request({ url: at('/services'), token: h.tokens.viewer })
    expect(first.headers).toMatchObject({ ratelimit: '"default";r=2;t=20', 'ratelimit-policy': '"default";q=3;w=60' })
    for (let i = 0; i < 2; i++) await request({ url: at('/services'), token: h.tokens.viewer })
    const over = await request({ url: at('/services'), token: h.tokens.viewer, address: '192.0.2.5' })
    expect(over).toMatchObject({
      status: 429,
      headers: { 'retry-after': '20', ratelimit: '"default";r=0;t=60' },
      body: { error: { code: 'rate_limited' } },
    })
    expect((await request({ url: at('/services'), token: h.tokens.operator })).status).toBe(200)
    await h.clock.advance(seconds(20))
    expect((await request({ url: at('/services'), token: h.tokens.viewer })).status).toBe(200)
  })

  it('counts whoever shows none by address, also for what does not exist', async () => {
    for (let i = 0; i < 3; i++) expect((await request({ url: `/nothing/${i}` })).status).toBe(404)
    expect((await request({ url: '/nothing' })).status).toBe(429)
    expect((await request({ url: '/nothing', address: '192.0.2.5' })).status).toBe(404)
    expect((await request({ url: at('/services'), token: h.tokens.viewer })).status).toBe(200)
  })

  it('never makes a liveness or readiness probe fail', async () => {
    for (let i = 0; i < 20; i++) for (const url of ['/health', '/ready']) expect((await request({ url })).status).toBe(200)
  })
})

describe('the envelope', () => {
  it('of an unknown route', async () => {
    expect(await request({ url: at('/no/such?x=1') })).toMatchObject({
      status: 404,
      body: { success: false, error: { code: 'not_found', message: `there is no GET ${apiBase}/no/such`, details: null } },
    })
  })

  it.each([
    ['malformed JSON', '{"service":', 'application/json', 400, 'invalid_json'],
    ['a poisoned prototype', '{"__proto__":{"x":1}}', 'application/json', 400, 'invalid_json'],
    ['a poisoned constructor', '{"constructor":{"prototype":{"x":1}}}', 'application/json', 400, 'invalid_json'],
    ['another type', 'service=shop', 'application/x-www-form-urlencoded', 415, 'unsupported_media_type'],
    ['plain text', 'shop', 'text/plain', 415, 'unsupported_media_type'],
    ['YAML where none is read', 'a: b', 'text/yaml', 415, 'unsupported_media_type'],
    ['a type that is none', '{}', 'nonsense', 415, 'unsupported_media_type'],
    ['no body at all', '', 'application/json', 400, 'invalid_input'],
    ['null', 'null', 'application/json', 400, 'invalid_input'],
    ['a list', '[]', 'application/json', 400, 'invalid_input'],
    ['one byte too many', `"${'x'.repeat(apiLimits.bodyBytesMax - 1)}"`, 'application/json', 413, 'body_too_large'],
  ])('of a body that is %s', async (_, payload, type, status, code) => {
    const answer = await asAdmin({ method: 'POST', url: at('/scaling/scale'), payload, headers: { 'content-type': type } })
    expect(answer).toMatchObject({ status, body: { success: false, error: { code } } })
    expect(h.operations.journal).toEqual([])
  })

  it('a body of exactly 1 MiB is read', async () => {
    const payload = JSON.stringify({ text: '' })
    const text = 'x'.repeat(apiLimits.bodyBytesMax - payload.length)
    expect((await asAdmin({ method: 'POST', url: at('/config/check'), payload: { text } })).status).toBe(200)
  })

  it('names every offending field, of path, query and body together', async () => {
    const { body } = await asAdmin({ method: 'POST', url: at('/scaling/scale'), payload: { instances: 2.5, reason: 'a\nb', extra: 1 } })
    expect(body.error).toMatchObject({
      code: 'invalid_input',
      details: {
        fields: [
          { field: 'body.service', message: 'is missing' },
          { field: 'body.instances', message: 'must be a whole number, got 2.5' },
          { field: 'body.reason', message: 'must be one line without control characters, got "a\\nb"' },
          { field: 'body.extra', message: 'is not known here' },
        ],
      },
    })
    const query = await asAdmin({ url: at('/events?limit=0&level=loud&since=whenever&after=-1&limits=3') })
    expect((query.body.error?.details as { fields: { field: string }[] }).fields.map(({ field }) => field)).toEqual([
      'query.level',
      'query.since',
      'query.limit',
      'query.after',
      'query.limits',
    ])
  })

  it.each([
    [new HoldfastError('unknown_service', 'there is no service "x"', { hint: 'there is y' }), 404],
    [new HoldfastError('conflict', 'it is being restarted already'), 409],
    [new HoldfastError('restart_failed', 'the new instance never became ready'), 409],
    [new HoldfastError('unavailable', 'the store cannot be read'), 503],
    [new HoldfastError('config_invalid', 'two problems', { details: { problems: [1, 2] } }), 400],
    [new HoldfastError('something_new', 'never heard of'), 500],
  ])('of an error thrown on purpose: %s', async (error, status) => {
    h.operations.failure = error
    const answer = await asAdmin({ method: 'POST', url: at('/services/shop/restart') })
    expect(answer).toMatchObject({ status, body: { error: { code: error.code, message: error.message, details: error.details ?? null } } })
    expect(answer.body.error?.hint).toBe(error.hint)
    expect(statusOfCode(error.code)).toBe(status)
  })

  it.each([new Error('the password is hunter2'), new InvariantError('the password is hunter2'), new TypeError('the password is hunter2')])(
    'of a bug (%o): says nothing of its inside, and the log says all',
    async (bug) => {
      h.operations.failure = bug
      const answer = await asAdmin({ method: 'POST', url: at('/services/shop/restart') })
      expect(answer).toMatchObject({ status: 500, body: { error: { code: 'internal', details: null } } })
      expect(JSON.stringify(answer.body)).not.toContain('hunter2')
      const line = h.logged.find((one) => one.includes('a request failed')) ?? ''
      expect(line).toContain('hunter2')
      expect(line).toContain(String(answer.headers['x-request-id']))
    },
  )

  it.each(['/%', '/%zz', `${apiBase}/services/%E0%A4%A`])('of a path that is not validly encoded: %s', async (url) => {
    expect(await asAdmin({ url })).toMatchObject({ status: 400, body: { success: false, error: { code: 'invalid_path' } } })
  })

  it('property: whatever the body, the answer is a refusal in the envelope or done, and never a 500', async () => {
    const values = fc.oneof(
      fc.json(),
      fc.string(),
      fc.record({ service: fc.anything(), instances: fc.anything() }).map((value) => JSON.stringify(value)),
    )
    await rebuild({ access: { ...testConfig.access, rateLimit: { count: 100_000, per: ms(60_000) } } })
    await fc.assert(
      fc.asyncProperty(
        values,
        fc.constantFrom('/scaling/scale', '/loadbalancer/servers', '/auth/api-keys', '/auth/token', '/maintenance'),
        async (payload, path) => {
          const method = path === '/maintenance' ? 'PUT' : 'POST'
          const { status, body } = await asAdmin({ method, url: at(path), payload, headers: { 'content-type': 'application/json' } })
          expect(status).toBeOneOf([200, 201, 400, 404])
          expect(body.success).toBe(status < 400)
          if (!body.success)
            expect(body.error).toMatchObject({ code: expect.stringMatching(/^[a-z_]+$/) as string, message: expect.any(String) as string })
        },
      ),
      { numRuns: 200 },
    )
  })

  it('property: whatever the query, likewise', async () => {
    await rebuild({ access: { ...testConfig.access, rateLimit: { count: 100_000, per: ms(60_000) } } })
    const names = fc.constantFrom('limit', 'after', 'since', 'level', 'type', 'service', 'order', '__proto__', 'x')
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(names, fc.string())), async (pairs) => {
        const { status } = await asAdmin({ url: `${at('/events')}?${new URLSearchParams(pairs).toString()}` })
        expect(status).toBeOneOf([200, 400, 404])
      }),
      { numRuns: 200 },
    )
  })
})

describe('request ids', () => {
  it('one that is sane is kept, on the answer, in events and in logs', async () => {
    const answer = await asAdmin({ method: 'POST', url: at('/services/shop/restart'), headers: { 'x-request-id': 'build-42:a.b_c' } })
    expect(answer.headers['x-request-id']).toBe('build-42:a.b_c')
    expect(h.operations.dataOf('action.done')).toMatchObject([{ requestId: 'build-42:a.b_c' }])
    expect(h.logged.join('')).toContain('"requestId":"build-42:a.b_c"')
  })

  it.each(['a\u00a0b', 'a b', '', 'x'.repeat(129), '<script>', '\u001b[31m', 'a,b', '{"actor":"root"}'])('%j is replaced', async (given) => {
    const id = String((await request({ url: '/nothing', headers: { 'x-request-id': given } })).headers['x-request-id'])
    expect(id).toMatch(/^[0-9A-HJKMNP-TV-Z]{26}$/)
    expect(h.logged.join('')).not.toContain(given === '' ? '"requestId":""' : JSON.stringify(given))
  })

  it('property: nothing a client sends can break a line of the log or of an event', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 60 }), async (text) => {
        h.logged.length = 0
        h.operations.stored.length = 0
        await asAdmin({ method: 'DELETE', url: at(`/loadbalancer/servers/${encodeURIComponent(Buffer.from(text).toString())}`) })
        await asAdmin({ method: 'POST', url: at('/auth/token'), payload: { role: 'viewer', subject: text } })
        for (const line of h.logged) expect(() => JSON.parse(line) as unknown).not.toThrow()
        // eslint-disable-next-line no-control-regex -- control characters are what is looked for
        for (const { event } of h.operations.stored) expect(event.message).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/)
      }),
      { numRuns: 50 },
    )
  })
})

describe('headers', () => {
  it('every answer carries those that protect a browser, also a refusal', async () => {
    for (const url of ['/health', at('/services'), '/nothing', '/', '/api/docs']) {
      expect((await request({ url })).headers).toMatchObject({
        'x-content-type-options': 'nosniff',
        'x-frame-options': 'DENY',
        'referrer-policy': 'no-referrer',
        'content-security-policy': expect.stringContaining("frame-ancestors 'none'") as string,
      })
    }
  })

  it('the pages may load only what this server has', async () => {
    for (const url of ['/', '/api/docs']) {
      const { headers } = await request({ url })
      expect(String(headers['content-security-policy'])).not.toMatch(/https?:|\*|unsafe-eval/)
    }
  })

  it('the page at / runs exactly the style and the script that its policy names', async () => {
    const { body, headers } = await request({ url: '/' })
    for (const tag of ['style', 'script']) {
      const [, text = ''] = new RegExp(`<${tag}>([^]*)</${tag}>`).exec(String(body.data)) ?? []
      const hash = createHash('sha256').update(text).digest('base64')
      expect(text.length).toBeGreaterThan(50)
      expect(headers['content-security-policy']).toContain(`${tag}-src 'sha256-${hash}'`)
    }
  })

  it('CORS is for the configured origins only', async () => {
    const preflight = (origin: string) =>
      request({
        method: 'OPTIONS',
        url: at('/services'),
        headers: { origin, 'access-control-request-method': 'GET', 'access-control-request-headers': 'authorization' },
      })
    const known = await preflight('https://ops.example.com')
    expect(known.headers['access-control-allow-origin']).toBe('https://ops.example.com')
    expect(String(known.headers['access-control-allow-headers'])).toContain('Authorization')
    expect((await preflight('https://evil.example.com')).headers['access-control-allow-origin']).not.toBe('https://evil.example.com')
    const { headers } = await asAdmin({ url: at('/services'), headers: { origin: 'https://evil.example.com' } })
    expect(headers['access-control-allow-origin']).toBeUndefined()
    expect(headers['access-control-allow-credentials']).toBeUndefined()
  })

  it('without configured origins there is no CORS at all', async () => {
    await rebuild({ api: { port: 0, host: '127.0.0.1', corsOrigins: [] } })
    const { headers, status } = await request({
      method: 'OPTIONS',
      url: at('/services'),
      headers: { origin: 'https://a.example', 'access-control-request-method': 'GET' },
    })
    expect([status, headers['access-control-allow-origin']]).toEqual([404, undefined])
  })
})

describe('the Host field, when only this machine can connect', () => {
  it.each(['localhost', 'localhost:3006', '127.0.0.1:3006', '[::1]:3006', 'LOCALHOST', 'shop.localhost:1', 'localhost.:80', 'ops.example.com'])(
    '%s is answered',
    async (host) => {
      expect((await request({ url: '/health', headers: { host } })).status).toBe(200)
    },
  )

  it.each(['evil.example.com', 'evil.example.com:3006', 'localhost.evil.example.com', '127.0.0.1.evil.example.com', '169.254.169.254', '10.0.0.1'])(
    '%s is a page elsewhere that made a browser come here',
    async (host) => {
      for (const url of ['/health', at('/services'), '/metrics', '/nothing']) {
        expect(await asAdmin({ url, headers: { host } })).toMatchObject({ status: 403, body: { error: { code: 'host_not_allowed' } } })
      }
    },
  )

  it('when others can connect, their names for it are theirs', async () => {
    await rebuild({ api: { port: 0, host: '0.0.0.0', corsOrigins: [] } })
    expect((await request({ url: '/health', headers: { host: 'anything.example.com' } })).status).toBe(200)
  })
})

describe('the trail', () => {
  it('what changes something is recorded before and after, and what follows from it can name its cause', async () => {
    await request({ method: 'POST', url: at('/services/shop/restart'), token: h.tokens.operator, address: '192.0.2.5' })
    const [before, after] = h.operations.stored
    expect(before).toMatchObject({ type: 'access.granted', level: 'debug' })
    expect(after?.event).toMatchObject({
      type: 'action.done',
      cause: before?.id,
      data: { actor: 'operator', role: 'operator', action: `POST ${apiBase}/services/:name/restart`, address: '192.0.2.5', status: 200 },
    })
    expect(h.operations.actors).toEqual([{ name: 'operator', address: '192.0.2.5', cause: before?.id }])
    expect(h.operations.stored).toHaveLength(2)
  })

  it('a failure is recorded with its reason', async () => {
    h.operations.failure = new HoldfastError('conflict', 'it is being restarted already')
    await asAdmin({ method: 'POST', url: at('/services/shop/restart') })
    expect(h.operations.dataOf('action.failed')).toMatchObject([{ status: 409, error: 'it is being restarted already' }])
  })

  it('so is a request that was refused for its form, without repeating what was in it', async () => {
    await asAdmin({ method: 'POST', url: at('/auth/token'), payload: { role: 'viewer', ttl: 'hunter2' } })
    expect(h.operations.dataOf('action.failed')).toMatchObject([{ status: 400, error: 'not valid: body.ttl' }])
    expect(JSON.stringify([h.operations.stored, h.logged])).not.toContain('hunter2')
  })

  it('reading leaves none', async () => {
    await asAdmin({ url: at('/services') })
    await asAdmin({ method: 'POST', url: at('/config/check'), payload: {} })
    expect(h.operations.stored).toEqual([])
  })

  it('denials are recorded', async () => {
    await request({ method: 'POST', url: at('/system/down'), token: h.tokens.viewer })
    await request({ method: 'POST', url: at('/system/down') })
    expect(h.operations.dataOf('access.denied')).toMatchObject([
      { actor: 'viewer', role: 'viewer', status: 403 },
      { actor: 'anonymous', role: 'none', status: 401 },
    ])
    expect(h.operations.journal).toEqual([])
  })

  it('a flood of denials cannot fill the log, and what was left out is counted', async () => {
    for (let i = 0; i < 300; i++) await request({ url: at('/services'), address: `198.51.${i % 100}.1` })
    const denied = h.operations.dataOf('access.denied').length
    expect(denied).toBe(60)
    await h.clock.advance(seconds(60))
    await request({ url: at('/services') })
    expect(h.operations.stored.at(-1)?.event.message).toContain('(240 denials before this one were not recorded)')
  })

  it('no credential is in any event, log or answer that is not for it', async () => {
    const by = { name: 'root', role: 'admin', credential: 'local', expiresAt: undefined } as const
    const { key } = await h.access.createApiKey({ name: 'ci', role: 'admin', by })
    const { code } = h.access.createLoginCode()
    const answers = [
      await request({ method: 'POST', url: at('/auth/token'), payload: { login: code } }),
      await request({ method: 'POST', url: at('/services/shop/restart'), headers: { 'x-api-key': key } }),
      await asAdmin({ url: at(`/services?api_key=${key}`) }),
      await asAdmin({ url: `/nothing?token=${h.tokens.admin}` }),
      await request({ url: at('/services'), token: `${h.tokens.admin}x` }),
      await asAdmin({ url: at('/auth/api-keys') }),
    ]
    const minted = (answers[0]?.body.data as { token: string }).token
    const everything = JSON.stringify([h.operations.stored, h.logged, answers.slice(1)])
    for (const secret of [key, key.split('_')[2] ?? key, code, h.tokens.admin, minted, h.access.localToken()])
      expect(everything).not.toContain(secret)
    expect(everything).toContain('apikey:ci')
  })
})
