/**
 * Nobody can make the cache give others what was meant for himself, or what nobody asked for: poisoning and deception (unkeyed fields, methods and URLs in
 * disguise, parts, conditions), and what is made of an answer for one client.
 */
import { gunzipSync } from 'node:zlib'
import { beforeEach, describe, expect, it } from 'vitest'
import type { CacheView, ServiceView } from '../../src/balancer/core/routing-view.ts'
import { ask as askRaw, endpoint, fieldOf, get, plain, post, service, type Origin, type SeenRequest } from '../support/balancer-harness.ts'
import { Http2Client } from '../support/http2-client.ts'
import { useProxy } from '../support/proxy-fixture.ts'

const { proxy, origin } = useProxy({ per: 'file', workers: 1 })
const cache: CacheView = { maxBodyBytes: 100_000, graceMs: 0, obeyClients: true, heuristic: 0 }
const fresh = 'Cache-Control: max-age=60\r\n'
let asked: SeenRequest[] = []
let count = 0
let path = ''

async function serving(answer: (request: SeenRequest, number: number) => string, more: Partial<ServiceView> = {}): Promise<Origin> {
  asked = []
  const own = await origin((request) => {
    asked.push(request)
    request.socket.write(answer(request, asked.length))
  })
  await proxy.route(service([own], { cache, retries: { attempts: 0, budget: 0.2 }, ...more }))
  return own
}

/** Says whom it answers. */
const numbered = (_: SeenRequest, n: number): string => plain(`answer ${n}`, fresh)

async function ask(fields = '', target = path) {
  const answer = await askRaw(proxy.port, get(target, fields), 'GET')
  return { ...answer, body: answer.body.toString() }
}
const bodyOf = async (fields = '', target = path): Promise<string> => (await ask(fields, target)).body

/** A request whose every line is written here. */
async function raw(lines: string): Promise<string> {
  return (await askRaw(proxy.port, `${lines}\r\nConnection: close\r\n\r\n`, 'GET')).body.toString()
}

describe('what a request can do to what is stored', () => {
  beforeEach(() => {
    path = `/safety/${++count}`
  })

  it.each([
    'X-HTTP-Method-Override: POST',
    'X-Method-Override: DELETE',
    'X-Original-URL: /admin',
    'X-Rewrite-URL: /admin',
    'X-Host: evil.example',
    'X-Forwarded-Prefix: /evil',
  ])('asks in disguise: %s', async (field) => {
    await serving(numbered)
    expect(await bodyOf(`${field}\r\n`)).toBe('answer 1')
    expect(await bodyOf()).toBe('answer 2')
    expect(await bodyOf()).toBe('answer 2')
  })

  it('cannot say by what host, scheme or port it came', async () => {
    await serving(({ fields }) =>
      plain(`${fieldOf({ fields }, 'x-forwarded-host') ?? '-'} ${fieldOf({ fields }, 'x-forwarded-proto') ?? '-'}`, fresh),
    )
    const lies = 'X-Forwarded-Host: evil.example\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Port: 1\r\nForwarded: host=evil.example\r\n'
    expect(await bodyOf(lies)).not.toContain('evil')
    expect(await bodyOf()).not.toContain('evil')
    expect(asked).toHaveLength(1)
    expect(asked[0]?.head).not.toContain('evil')
  })

  it('is believed behind a trusted proxy, and kept apart by what that says', async () => {
    await serving(({ fields }) => plain(fieldOf({ fields }, 'x-forwarded-host') ?? '-', fresh), { rules: { trustedProxies: ['127.0.0.1'] } })
    expect(await bodyOf('X-Forwarded-Host: a.example\r\n')).toBe('a.example')
    expect(await bodyOf('X-Forwarded-Host: b.example\r\n')).toBe('b.example')
    expect(await bodyOf('X-Forwarded-Host: a.example\r\n')).toBe('a.example')
    expect(asked).toHaveLength(2)
  })

  it('gets a part, a condition or an error for itself', async () => {
    await serving(({ fields }) => {
      if (fieldOf({ fields }, 'range') === 'bytes=900-') return `HTTP/1.1 416 No\r\n${fresh}Content-Length: 0\r\n\r\n`
      if (fieldOf({ fields }, 'range') !== undefined) return `HTTP/1.1 206 Part\r\n${fresh}Content-Range: bytes 0-0/5\r\nContent-Length: 1\r\n\r\nw`
      if (fieldOf({ fields }, 'if-match') !== undefined) return `HTTP/1.1 412 No\r\n${fresh}Content-Length: 0\r\n\r\n`
      if (fieldOf({ fields }, 'if-none-match') !== undefined) return `HTTP/1.1 304 Same\r\n${fresh}ETag: "a"\r\n\r\n`
      if (fieldOf({ fields }, 'x-large') !== undefined) return 'HTTP/1.1 400 Too Large\r\nContent-Length: 0\r\n\r\n'
      return plain('whole', `${fresh}ETag: "b"\r\n`)
    })
    const statuses: number[] = []
    for (const fields of [
      'Range: bytes=900-\r\n',
      'Range: bytes=0-0\r\n',
      'If-Match: "x"\r\n',
      'If-None-Match: "a"\r\n',
      `X-Large: ${'x'.repeat(9_000)}\r\n`,
    ])
      statuses.push((await ask(fields)).status)
    expect(statuses).toEqual([416, 206, 412, 304, 400])
    expect(await ask()).toMatchObject({ status: 200, body: 'whole' })
    // Neither can they take away what is stored.
    for (const fields of ['Range: bytes=0-0,2-2\r\n', 'If-Match: "x"\r\n', 'Authorization: Basic x\r\n', 'Cache-Control: no-store\r\n'])
      await ask(fields)
    const before = asked.length
    expect(await ask()).toMatchObject({ status: 200, body: 'whole' })
    expect(asked).toHaveLength(before)
  })

  it('is refused by the proxy, and nobody else is', async () => {
    await serving(numbered)
    expect((await askRaw(proxy.port, `GET ${path} HTTP/1.1\r\nHost: test\r\nBad Field: x\r\n\r\n`, 'GET')).status).toBe(400)
    expect((await askRaw(proxy.port, get(path, `X-Large: ${'x'.repeat(200_000)}\r\n`), 'GET')).status).toBe(431)
    expect(await ask()).toMatchObject({ status: 200, body: 'answer 1' })
  })

  it('has credentials, or gets a cookie: its answer is its own', async () => {
    await serving(({ fields }, n) =>
      plain(`answer ${n}`, fieldOf({ fields }, 'x-login') === undefined ? fresh : `${fresh}Set-Cookie: session=secret\r\n`),
    )
    expect(await bodyOf('Authorization: Bearer x\r\n')).toBe('answer 1')
    expect(await bodyOf('X-Login: 1\r\n')).toBe('answer 2')
    expect(await bodyOf()).toBe('answer 3')
    expect((await ask()).fields.some(([name]) => name === 'set-cookie')).toBe(false)
  })

  it('may write its URL in several ways, and only what means the same is one', async () => {
    await serving(({ target }, n) => plain(`${target} ${n}`, fresh))
    const at = (host: string, target: string): Promise<string> => raw(`GET ${target} HTTP/1.1\r\nHost: ${host}`)
    const first = await at('shop.example', `${path}/%7Ea?x=%41&y`)
    expect(first).toBe(`${path}/%7Ea?x=%41&y 1`)
    for (const host of ['SHOP.example', 'shop.example:80', 'shop.example.']) expect(await at(host, `${path}/~a?x=A&y`), host).toBe(first)
    expect(await raw(`GET http://shop.example${path}/~a?x=A&y HTTP/1.1\r\nHost: shop.example`)).toBe(first)
    for (const target of [`${path}//~a?x=A&y`, `${path}/./~a?x=A&y`, `${path}/~a?y&x=A`, `${path}/%2F~a?x=A&y`]) {
      expect(await at('shop.example', target), target).not.toBe(first)
    }
    expect(await at('shop.example:8080', `${path}/~a?x=A&y`)).not.toBe(first)
    // An HTTP/1.0 request without a host has nothing that its answer could be kept under.
    const without = asked.length
    for (let i = 0; i < 2; i++) await raw(`GET ${path}/none HTTP/1.0`)
    expect(asked).toHaveLength(without + 2)
    // A host that no URL can have does not harm either.
    expect((await askRaw(proxy.port, `POST ${path} HTTP/1.1\r\nHost: a%zz\r\nContent-Length: 0\r\n\r\n`, 'POST')).status).toBeLessThan(500)
    expect(await at('shop.example', `${path}/~a?x=A&y`)).toBe(first)
  })

  it('changes what is stored however its URL is written, what it names, and groups of its origin', async () => {
    await serving(({ method, target }, n) => {
      if (method === 'POST')
        return plain('done', target.endsWith('/groups') ? 'Cache-Group-Invalidation: "shop", "x"\r\n' : `Location: ${path}/~b\r\n`)
      return plain(`answer ${n}`, target.endsWith('/in') ? `${fresh}Cache-Groups: "other", "shop"\r\n` : fresh)
    })
    const all = [`${path}/a%7E`, `${path}/%7Eb`, `${path}/in`, `${path}/out`]
    const bodies = (): Promise<string[]> => Promise.all(all.map((target) => bodyOf('', target)))
    const before = await bodies()
    expect(await bodies()).toEqual(before)
    await askRaw(proxy.port, post('x', '', `${path}/a~`), 'POST')
    const after = await bodies()
    expect(after.map((body, i) => body === before[i])).toEqual([false, false, true, true])
    await askRaw(proxy.port, post('x', '', '/safety/groups'), 'POST')
    expect((await bodies()).map((body, i) => body === after[i])).toEqual([true, true, false, true])
  })

  it('comes by another service with the same URL: neither has what the other gave', async () => {
    const one = await origin(({ socket }) => socket.write(plain('one', `${fresh}ETag: "1"\r\n`)))
    const two = await origin((request) =>
      request.socket.write(
        fieldOf(request, 'if-none-match') === undefined ? plain('two', `${fresh}ETag: "1"\r\n`) : 'HTTP/1.1 304 Same\r\nETag: "1"\r\n\r\n',
      ),
    )
    const route = { listener: 'web', path: '/', stripPath: false } as const
    await proxy.route(
      service([one], { name: 'one', cache }),
      service([two], { name: 'two', cache, routes: [{ ...route, when: { headers: { 'x-beta': '1' } } }] }),
    )
    expect([await bodyOf(), await bodyOf('X-Beta: 1\r\n'), await bodyOf(), await bodyOf('X-Beta: 1\r\n')]).toEqual(['one', 'two', 'one', 'two'])
  })
})

describe('what is made of a stored answer for one client', () => {
  beforeEach(() => {
    path = `/made/${++count}`
  })

  it('is compressed for those who take it, from one stored answer', async () => {
    const text = 'a long text '.repeat(50)
    const rules = { compression: { enabled: true, encodings: ['gzip'] as const, minSize: 0 } }
    await serving(() => plain(text, `${fresh}Content-Type: text/plain\r\nETag: "a"\r\n`), { rules })
    for (let i = 0; i < 2; i++) {
      const packed = await askRaw(proxy.port, get(path, 'Accept-Encoding: gzip\r\n'), 'GET')
      expect(fieldOf(packed, 'content-encoding')).toBe('gzip')
      expect(fieldOf(packed, 'vary')?.toLowerCase()).toContain('accept-encoding')
      expect(gunzipSync(packed.body).toString()).toBe(text)
      const whole = await ask()
      expect(whole.body).toBe(text)
      expect(fieldOf(whole, 'content-encoding')).toBeUndefined()
      expect(fieldOf(whole, 'vary')?.toLowerCase()).toContain('accept-encoding')
      const tag = fieldOf(packed, 'etag') ?? ''
      expect(await ask(`Accept-Encoding: gzip\r\nIf-None-Match: ${tag}\r\n`)).toMatchObject({ status: 304, body: '' })
    }
    expect(asked).toHaveLength(1)
  })

  it('is kept in both codings where the service itself chooses', async () => {
    await serving(({ fields }) =>
      plain(
        fieldOf({ fields }, 'accept-encoding') ?? 'plain',
        `${fresh}Vary: Accept-Encoding\r\nContent-Encoding: ${fieldOf({ fields }, 'accept-encoding') ?? 'identity'}\r\nETag: "same"\r\n`,
      ),
    )
    const bodies: string[] = []
    for (const fields of ['Accept-Encoding: br\r\n', '', 'Accept-Encoding: br;q=0.9\r\n', '']) bodies.push(await bodyOf(fields))
    expect(bodies).toEqual(['br', 'plain', 'br', 'plain'])
    expect(asked).toHaveLength(2)
  })

  it('has the fields of its own client: rules, origins of scripts, sessions', async () => {
    await serving(numbered, {
      sticky: { cookie: 'hf', drain: false },
      rules: {
        headers: { response: { set: { 'x-shop': '1' } }, security: 'basic' },
        cors: {
          origins: ['https://a.example', 'https://b.example'],
          methods: ['GET'],
          headers: [],
          exposeHeaders: [],
          credentials: true,
          maxAgeSeconds: 60,
        } as never,
      },
    })
    const [first, second, third] = [await ask('Origin: https://a.example\r\n'), await ask('Origin: https://b.example\r\n'), await ask()]
    expect([first.body, second.body, third.body]).toEqual(['answer 1', 'answer 1', 'answer 1'])
    expect([first, second, third].map((answer) => fieldOf(answer, 'access-control-allow-origin'))).toEqual([
      'https://a.example',
      'https://b.example',
      undefined,
    ])
    for (const answer of [second, third]) {
      expect(fieldOf(answer, 'x-shop')).toBe('1')
      expect(answer.fields.filter(([name]) => name === 'x-shop')).toHaveLength(1)
      // The session of the first client is not that of everybody.
      expect(fieldOf(answer, 'set-cookie')).toBeUndefined()
      expect(fieldOf(answer, 'cache-control')).toBe('max-age=60')
    }
    expect(fieldOf(first, 'set-cookie')).toContain('hf=')
  })

  it('is the same by HTTP/2 and by HTTP/1.1, with its own framing', async () => {
    await serving(numbered)
    await proxy.apply({
      listeners: [{ name: 'web', host: '127.0.0.1', port: proxy.port, http2: true }],
      services: [service([await origin((request) => request.socket.write(plain('answer', `${fresh}Connection: close\r\n`)))], { cache })],
    })
    const host = `127.0.0.1:${proxy.port}`
    const client = await Http2Client.to(`http://${host}`)
    const first = await client.ask({ ':path': path })
    const second = await client.ask({ ':path': path })
    client.session.close()
    expect([first.text, second.text]).toEqual(['answer', 'answer'])
    expect(first.headers['cache-status']).toContain('stored')
    expect(second.headers['cache-status']).toContain('; hit')
    const third = await askRaw(proxy.port, `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`, 'GET')
    expect(fieldOf(third, 'cache-status')).toContain('; hit')
    expect(fieldOf(third, 'age')).toBe('0')
  })

  it('is of the side of a split that the client is on', async () => {
    const sides = await Promise.all(['one', 'two'].map((name) => origin((request) => request.socket.write(plain(name, fresh)))))
    const endpoints = sides.map(({ port }, i) => endpoint(port, { revision: `v${i + 1}` }))
    const split = { shares: { v1: 0.5, v2: 0.5 }, by: { by: 'header', name: 'x-user' } } as const
    await proxy.route(service(endpoints, { cache, split }))
    const asks = async (): Promise<string[]> => {
      const said: string[] = []
      for (let user = 0; user < 20; user++) said.push(await bodyOf(`X-User: ${user}\r\n`))
      return said
    }
    const first = await asks()
    expect(new Set(first)).toEqual(new Set(['one', 'two']))
    expect(await asks()).toEqual(first)
    expect(sides.reduce((sum, { requests }) => sum + requests.length, 0)).toBe(2)
  })
})
