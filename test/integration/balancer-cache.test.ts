/** The cache of the balancer at real sockets: who asks the origin, and who does not. */
import { beforeEach, describe, expect, it } from 'vitest'
import type { PurgeOrder } from '../../src/balancer/index.ts'
import type { CacheView } from '../../src/balancer/core/routing-view.ts'
import {
  ask as askRaw,
  endpoint,
  eventually,
  fieldOf,
  get,
  pause,
  plain,
  post,
  service,
  type Origin,
  type SeenRequest,
} from '../support/balancer-harness.ts'
import { useProxy } from '../support/proxy-fixture.ts'

const { proxy, origin: originOf } = useProxy({ per: 'file', workers: 1 })
let origin: Origin
let asked: SeenRequest[] = []
let path = ''
let count = 0

const cache: CacheView = { maxBodyBytes: 100_000, graceMs: 0, obeyClients: true, heuristic: 0 }

async function ask(port: number, request: string, method = 'GET') {
  const answer = await askRaw(port, request, method)
  return { ...answer, body: answer.body.toString() }
}

/** What the origin answers, by the number of the request. */
async function answering(answer: (request: SeenRequest, number: number) => string | undefined, view: Partial<CacheView> = {}): Promise<void> {
  asked = []
  origin = await originOf((request) => {
    asked.push(request)
    const text = answer(request, asked.length)
    if (text === undefined) request.socket.destroy()
    else request.socket.write(text)
  })
  await proxy.route(service([origin], { cache: { ...cache, ...view }, retries: { attempts: 0, budget: 0.2 } }))
}

const status = (fields: readonly (readonly [string, string])[]): string => fieldOf({ fields }, 'cache-status') ?? ''

describe('the cache', () => {
  beforeEach(() => {
    path = `/${++count}`
  })

  it('answers from the store, to GET and HEAD, with age and status', async () => {
    await answering((_, n) => plain(`answer ${n}`, 'Cache-Control: max-age=60\r\nX-A: 1\r\nConnection: x-hop\r\nX-Hop: 1\r\nCache-Tag: a b\r\n'))
    const first = await ask(proxy.port, get(path))
    const second = await ask(proxy.port, get(path))
    const head = await ask(proxy.port, get(path).replace('GET', 'HEAD'), 'HEAD')
    expect([first, second].map(({ body }) => body)).toEqual(['answer 1', 'answer 1'])
    expect(status(first.fields)).toBe('holdfast; fwd=uri-miss; fwd-status=200; stored')
    expect(status(second.fields)).toMatch(/^holdfast; hit; ttl=(59|60)$/)
    expect(fieldOf(second, 'age')).toBe('0')
    expect(fieldOf(second, 'x-a')).toBe('1')
    expect(fieldOf(second, 'x-hop')).toBeUndefined()
    for (const answer of [first, second]) expect(fieldOf(answer, 'cache-tag')).toBeUndefined()
    expect(head).toMatchObject({ status: 200, body: '' })
    expect(fieldOf(head, 'content-length')).toBe('8')
    expect(asked).toHaveLength(1)
  })

  it('asks once for all who ask meanwhile, also when the body is chunked', async () => {
    await answering((request) => {
      setTimeout(
        () => request.socket.write('HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n'),
        100,
      )
      return ''
    })
    const answers = await Promise.all(Array.from({ length: 50 }, () => ask(proxy.port, get(path))))
    expect(new Set(answers.map(({ body }) => body))).toEqual(new Set(['hello']))
    expect(asked).toHaveLength(1)
  })

  it('lets the next one ask when the first gets nothing, and does not hold up those whose answer may not be kept', async () => {
    await answering((request, n) => {
      if (n === 1) return undefined
      setTimeout(() => request.socket.write(plain('private', 'Cache-Control: private\r\n')), 100)
      return ''
    })
    const began = performance.now()
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(proxy.port, get(path))))
    expect(answers.filter((answer) => answer.body === 'private')).toHaveLength(19)
    expect(answers.filter((answer) => answer.status === 502)).toHaveLength(1)
    expect(performance.now() - began).toBeLessThan(2_000)
    await Promise.all(Array.from({ length: 5 }, () => ask(proxy.port, get(path))))
    expect(asked).toHaveLength(25)
  })

  it('gives a stale answer at once and has it validated in the background, by one request', async () => {
    await answering((request, n) => {
      if (n === 1) return plain('old', 'Cache-Control: max-age=1, stale-while-revalidate=30\r\nETag: "a"\r\n')
      setTimeout(() => request.socket.write(plain('new', 'Cache-Control: max-age=60\r\nETag: "b"\r\n')), 50)
      return ''
    })
    await ask(proxy.port, get(path))
    await pause(1_100)
    const stale = await Promise.all(Array.from({ length: 10 }, () => ask(proxy.port, get(path))))
    expect(new Set(stale.map(({ body }) => body))).toEqual(new Set(['old']))
    await eventually('it was asked', () => asked.length === 2)
    expect(fieldOf(asked[1]!, 'if-none-match')).toBe('"a"')
    await pause(100)
    expect((await ask(proxy.port, get(path))).body).toBe('new')
    expect(asked).toHaveLength(2)
  })

  it('is told by a 304 that what it has is right, and answers the client’s own condition', async () => {
    await answering((request) =>
      fieldOf(request, 'if-none-match') === '"a"'
        ? 'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\nX-New: 2\r\nCache-Control: max-age=60\r\n\r\n'
        : plain('body', 'Cache-Control: no-cache\r\nETag: "a"\r\n'),
    )
    await ask(proxy.port, get(path))
    const second = await ask(proxy.port, get(path))
    expect(second).toMatchObject({ status: 200, body: 'body' })
    expect(fieldOf(second, 'x-new')).toBe('2')
    expect(status(second.fields)).toContain('fwd=stale; fwd-status=304')
    const third = await ask(proxy.port, get(path, 'If-None-Match: "x", "a"\r\n'))
    expect(third).toMatchObject({ status: 304, body: '' })
    const part = await ask(proxy.port, get(path, 'Range: bytes=1-2\r\n'))
    expect(part).toMatchObject({ status: 206, body: 'od' })
    expect(fieldOf(part, 'content-range')).toBe('bytes 1-2/4')
    expect(await ask(proxy.port, get(path, 'Range: bytes=9-\r\n'))).toMatchObject({ status: 416 })
    expect(asked).toHaveLength(2)
  })

  it('gives a stale answer for an origin that fails, as far as it may', async () => {
    const fields = 'Cache-Control: max-age=1, stale-if-error=30\r\n'
    await answering((_, n) => (n === 1 ? plain('old', fields) : n === 2 ? undefined : 'HTTP/1.1 503 Away\r\nContent-Length: 0\r\n\r\n'))
    await ask(proxy.port, get(path))
    await pause(1_100)
    for (let i = 0; i < 2; i++) {
      const answer = await ask(proxy.port, get(path))
      expect(answer).toMatchObject({ status: 200, body: 'old' })
      expect(status(answer.fields)).toMatch(/hit; ttl=-\d+; detail="stale-if-error/)
    }
    await answering((_, n) => (n === 1 ? plain('old', 'Cache-Control: max-age=1, must-revalidate\r\n') : undefined))
    path += '/strict'
    await ask(proxy.port, get(path))
    await pause(1_100)
    expect(await ask(proxy.port, get(path))).toMatchObject({ status: 502 })
  })

  it('forgets what an unsafe request has changed, and not what one that failed has not', async () => {
    await answering((request, n) =>
      request.method === 'POST'
        ? request.target.endsWith('fails')
          ? 'HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n'
          : plain('done')
        : plain(`answer ${n}`, 'Cache-Control: max-age=60\r\n'),
    )
    await ask(proxy.port, get(path))
    await ask(proxy.port, post('x', '', `${path}/fails`), 'POST')
    expect((await ask(proxy.port, get(path))).body).toBe('answer 1')
    await ask(proxy.port, post('x', '', path), 'POST')
    expect((await ask(proxy.port, get(path))).body).toBe('answer 4')
  })

  it('keeps variants apart, and nothing of one client for another', async () => {
    await answering((request, n) =>
      plain(`${fieldOf(request, 'accept-language') ?? '-'} ${n}`, 'Cache-Control: max-age=60\r\nVary: Accept-Language\r\n'),
    )
    const of = async (fields: string): Promise<string> => (await ask(proxy.port, get(path, fields))).body
    expect([await of('Accept-Language: de\r\n'), await of('Accept-Language: en\r\n'), await of('Accept-Language: DE\r\n'), await of('')]).toEqual([
      'de 1',
      'en 2',
      'de 1',
      '- 3',
    ])
    expect(await of('Accept-Language: de\r\nAuthorization: Basic x\r\n')).toBe('de 4')
  })

  it('asks once more, without conditions, when a 304 is about none of the variants that are stored', async () => {
    await answering((request, n) =>
      fieldOf(request, 'if-none-match') === undefined
        ? plain(`answer ${n}`, `Cache-Control: max-age=60\r\nVary: Foo\r\nETag: "${fieldOf(request, 'foo')!}"\r\n`)
        : 'HTTP/1.1 304 Same\r\nETag: "none of them"\r\n\r\n',
    )
    for (const foo of ['a', 'b']) await ask(proxy.port, get(path, `Foo: ${foo}\r\n`))
    expect(await ask(proxy.port, get(path, 'Foo: c\r\n'))).toMatchObject({ status: 200, body: 'answer 5' })
    expect(fieldOf(asked[3]!, 'if-none-match')).toBe('"b", "a"')
    expect(await ask(proxy.port, get(path, 'Foo: c\r\n'))).toMatchObject({ body: 'answer 5' })
  })
})

describe('a purge', () => {
  const purged: readonly (readonly [string, PurgeOrder])[] = [
    ['of a URL', { by: 'url', url: '' }],
    ['of a tag', { by: 'tag', tags: ['x', 'pb'] }],
    ['of a prefix', { by: 'prefix', prefix: '' }],
    ['of a release', { by: 'release', release: 'v2' }],
    ['of a service', { by: 'service', service: 'api' }],
    ['of everything', { by: 'all' }],
  ]
  it('takes what it says and nothing else', async () => {
    await answering((_, n) => plain(`answer ${n}`, 'Cache-Control: max-age=60, stale-while-revalidate=30\r\nSurrogate-Key: pa pb\r\n'))
    await proxy.route(service([endpoint(origin.port, { revision: 'v2' })], { cache }))
    path = '/purge/1'
    const url = `http://a.test${path}`
    await ask(proxy.port, get(path))
    for (const order of [
      { by: 'url', url: `${url}/x` },
      { by: 'tag', tags: ['c'] },
      { by: 'release', release: 'v2', service: 'x' },
    ] as const)
      expect(await proxy.client.purge(order)).toEqual({ entries: 0 })
    expect((await ask(proxy.port, get(path))).body).toBe('answer 1')
    for (const [what, order] of purged) {
      const before = (await ask(proxy.port, get(path))).body
      const one = order.by === 'url' ? { ...order, url } : order.by === 'prefix' ? { ...order, prefix: 'http://a.test/purge/' } : order
      const { entries } = await proxy.client.purge(one)
      if (order.by === 'all' || order.by === 'service') expect(entries, what).toBeGreaterThan(0)
      else expect(entries, what).toBe(1)
      expect((await ask(proxy.port, get(path))).body, what).not.toBe(before)
    }
    await proxy.client.purge({ by: 'tag', tags: ['pa'], soft: true })
    const stale = await ask(proxy.port, get(path))
    expect(stale.body).toBe(`answer ${purged.length + 1}`)
    expect(status(stale.fields)).toMatch(/hit; ttl=(0|-\d)/)
    await eventually('it was fetched anew', () => asked.length === purged.length + 2)
  })
})
