import fc from 'fast-check'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { CacheView, ServiceView } from '../../core/routing-view.ts'
import { Workbench } from '../../testing/workbench.ts'
import { FastPath, knownMax } from './fast-path.ts'

const cache: CacheView = { maxBodyBytes: 200_000, graceMs: 0, obeyClients: true, heuristic: 0 }
const epoch = 1_700_000_000_000

afterEach(() => vi.restoreAllMocks())

/** `fast`: with the path that is tested; else only with the exchange. */
function benchOf(fast: boolean, view: Partial<ServiceView> = {}): Workbench {
  const bench = new Workbench({ cache, ...view })
  vi.spyOn(bench.worker, 'wallTime', 'get').mockImplementation(() => epoch + bench.now)
  if (fast) bench.worker.hits = new FastPath(bench.worker, 'x-explain')
  return bench
}

/** Sends it; whatever reaches the origin is answered by `origin`. Returns what the client has got, and what the origin was asked. */
function exchange(bench: Workbench, request: string, origin: (request: string) => string): { got: string; asked: string[] } {
  const asked: string[] = []
  const upstreams = new Set(bench.upstreams)
  bench.send(request)
  for (let turn = 0; turn < 50; turn++) {
    for (const upstream of bench.upstreams) {
      if (!upstreams.has(upstream)) {
        upstreams.add(upstream)
        upstream.connected()
        bench.settle()
      }
      const text = upstream.socket.taken()
      if (text === '') continue
      asked.push(text)
      upstream.says(origin(text))
      bench.settle()
    }
  }
  return { got: bench.socket.taken(), asked }
}

const anonymous = (text: string): string => text.replaceAll(/(X-Request-Id: |"requestId":")\w+/g, '$1*').replaceAll(/Date: .* GMT/g, 'Date: *')
const get = (path: string, fields = ''): string => `GET ${path} HTTP/1.1\r\nHost: a.example\r\n${fields}\r\n`
const answer = (body: string, fields = 'Cache-Control: max-age=60\r\n'): string =>
  `HTTP/1.1 200 OK\r\n${fields}Content-Length: ${body.length}\r\n\r\n${body}`

describe('the fast path', () => {
  it('answers the third request, which is the second hit, and counts it', () => {
    const bench = benchOf(true)
    for (let i = 0; i < 4; i++) expect(exchange(bench, get('/a'), () => answer('hello')).got).toMatch(/\r\n\r\nhello$/)
    expect(bench.worker.hits!.answered).toBe(2)
    expect(bench.upstreams).toHaveLength(1)
    expect(bench.service.counters).toMatchObject({ requests: 4, responseBytes: 20, cache: { hit: 3, miss: 1, stored: 1 } })
    expect(bench.service.tally.take()).toMatchObject({ responses: { '2xx': 4 }, duration: { count: 4 } })
    expect(bench.service.active).toBe(0)
  })

  it('gives each answer an id of its own, of the same form as all others', () => {
    const bench = benchOf(true)
    const ids = Array.from({ length: 50 }, () => /X-Request-Id: (\w+)/.exec(exchange(bench, get('/a'), () => answer('hello')).got)![1]!)
    expect(new Set(ids).size).toBe(50)
    expect(ids.toSorted()).toEqual(ids)
    expect(new Set(ids.map((id) => id.length)).size).toBe(1)
  })

  it('answers pipelined requests in their order, in one write', () => {
    const bench = benchOf(true)
    const bodies = (path: string) => answer(`body of ${path}`)
    for (const path of ['/a', '/b', '/a', '/b']) exchange(bench, get(path), () => bodies(path))
    const write = vi.spyOn(bench.socket, 'write')
    const { got } = exchange(bench, get('/a') + get('/b') + get('/a'), () => 'unused')
    expect([...got.matchAll(/body of (\/\w)/g)].map(([, path]) => path)).toEqual(['/a', '/b', '/a'])
    expect(write).toHaveBeenCalledTimes(1)
    const mixed = exchange(bench, get('/a') + get('/c') + get('/b'), () => bodies('/c')).got
    expect([...mixed.matchAll(/body of (\/\w)/g)].map(([, path]) => path)).toEqual(['/a', '/c', '/b'])
  })

  it('grows old by the second, and ends with its lifetime', () => {
    const bench = benchOf(true)
    const at = (ms: number): string[] => {
      bench.now += ms
      const { got } = exchange(bench, get('/a'), () => answer('hello'))
      return [/Age: (\d+)/.exec(got)?.[1] ?? '', /Cache-Status: (.*)/.exec(got)![1]!]
    }
    at(0)
    at(0)
    expect([at(0), at(1), at(999), at(8_999), at(1), at(1_000)]).toEqual([
      ['0', 'holdfast; hit; ttl=60'],
      ['0', 'holdfast; hit; ttl=59'],
      ['1', 'holdfast; hit; ttl=59'],
      ['9', 'holdfast; hit; ttl=50'],
      ['10', 'holdfast; hit; ttl=50'],
      ['11', 'holdfast; hit; ttl=49'],
    ])
    expect(bench.worker.hits!.answered).toBe(6)
    expect(at(49_000)[1]).toContain('fwd=')
  })

  it('forgets what the store has dropped', () => {
    const bench = benchOf(true)
    for (let i = 0; i < 3; i++) exchange(bench, get('/a'), () => answer('old'))
    bench.worker.responses.drop('http://a.example/a')
    expect(exchange(bench, get('/a'), () => answer('new')).got).toMatch(/new$/)
    exchange(bench, get('/a'), () => 'unused')
    exchange(bench, get('/a'), () => 'unused')
    bench.worker.responses.purge({ soft: false, all: true, names: [] })
    expect(exchange(bench, get('/a'), () => answer('newer')).got).toMatch(/newer$/)
  })

  it('keeps what an invalidation of something else leaves valid', () => {
    const bench = benchOf(true)
    for (let i = 0; i < 3; i++) exchange(bench, get('/a'), () => answer('old'))
    bench.worker.responses.purge({ soft: false, all: false, names: ['t:other'] })
    for (let i = 0; i < 3; i++) exchange(bench, get('/a'), () => answer('new'))
    expect(bench.worker.hits!.answered).toBe(4)
  })

  it('leaves alone what a route or a service does more than carry', () => {
    const limited: Partial<ServiceView> = { rateLimit: { key: { by: 'client-ip' }, rate: 1_000, periodMs: 1_000, burst: 1_000 } }
    const sticky: Partial<ServiceView> = { maintenance: true }
    for (const view of [limited, sticky]) {
      const bench = benchOf(true, view)
      for (let i = 0; i < 4; i++) exchange(bench, get('/a'), () => answer('hello'))
      expect(bench.worker.hits!.answered).toBe(0)
      vi.restoreAllMocks()
    }
  })

  it('knows a bounded number of requests', () => {
    const bench = benchOf(true)
    const hits = bench.worker.hits!
    const route = bench.worker.routesOf(bench.listener)!.only!
    const facts = {
      status: 200,
      bornAt: epoch + bench.now,
      lifetimeMs: 60_000,
      noCache: false,
      forAll: true,
      staleForbidden: false,
      staleWhileRevalidateMs: 0,
      staleIfErrorMs: undefined,
      etag: undefined,
      lastModified: undefined,
      modifiedAt: undefined,
      vary: [],
    }
    const stored = { facts, variant: '', reason: 'OK', lines: [], body: Buffer.alloc(1), names: [], mark: 0, checkedAt: 0 } as never
    for (let i = 0; i < knownMax + 100; i++) {
      const hit = { key: `k${i}`, target: `/${i}`, request: { all: () => [] }, variants: [stored], stored, view: cache }
      hits.learn(bench.worker.routesOf(bench.listener)!, false, route, 'a.example', hit)
    }
    expect(hits.size).toBe(knownMax)
  })

  it('answers as the exchange would, whatever is stored and asked', () => {
    const fields = [
      'Accept-Encoding: gzip\r\n',
      'Accept-Encoding: br, gzip\r\n',
      'accept-encoding: gzip\r\n',
      'Accept-Language: de\r\n',
      'Cookie: a=b\r\n',
      'Cache-Control: no-cache\r\n',
      'Cache-Control: max-age=5\r\n',
      'Pragma: no-cache\r\n',
      'If-None-Match: "v1"\r\n',
      'If-Modified-Since: Tue, 14 Nov 2023 22:13:20 GMT\r\n',
      'If-Match: "v1"\r\n',
      'Range: bytes=1-2\r\n',
      'Authorization: Basic x\r\n',
      'Connection: keep-alive\r\n',
      'Connection: x-hop\r\nX-Hop: 1\r\n',
      'X-Request-Id: mine\r\n',
      'Via: 1.1 elsewhere\r\n',
      'Via: 1.1 holdfast-test\r\n',
      'X-Deadline: 1000\r\n',
      'X-Explain: 1\r\n',
      'Content-Length: 0\r\n',
      'Expect: 100-continue\r\n',
      'X-Other: 1\r\n',
    ]
    const responseFields = [
      'Vary: Accept-Encoding\r\n',
      'Vary: accept-language, cookie\r\n',
      'Age: 7\r\n',
      'ETag: "v1"\r\n',
      'Content-Type: text/plain\r\n',
      'Connection: x-gone\r\nX-Gone: 1\r\n',
      'Cache-Status: other; hit; ttl=5\r\n',
      'Cache-Tag: a\r\n',
    ]
    const control = fc.oneof(
      { weight: 5, arbitrary: fc.constantFrom('max-age=60', 'public, max-age=60', 'max-age=60, stale-while-revalidate=60') },
      { weight: 1, arbitrary: fc.constantFrom('max-age=3', 'no-cache', 'no-store', 's-maxage=60', '') },
    )
    const request = fc.record({
      method: fc.constantFrom('GET', 'GET', 'GET', 'GET', 'GET', 'HEAD', 'POST'),
      path: fc.constantFrom('/a', '/a', '/a', '/a', '/b', '/a?b', '//a', 'http://a.example/a'),
      host: fc.constantFrom('a.example', 'a.example', 'a.example', 'a.example', 'A.example', 'a.example:80'),
      fields: fc.oneof(fc.constant([]), fc.uniqueArray(fc.constantFrom(...fields), { maxLength: 3 })),
      twice: fc.boolean(),
      passes: fc.constantFrom(0, 0, 0, 1, 999, 1_000, 2_500, 70_000),
    })
    const response = fc.record({
      status: fc.constantFrom('200 OK', '200 OK', '404 Not Found', '301 Moved', '204 No Content'),
      control,
      fields: fc.uniqueArray(fc.constantFrom(...responseFields), { maxLength: 3 }),
      bytes: fc.constantFrom(0, 1, 100, 70_000),
    })
    let answered = 0
    fc.assert(
      fc.property(fc.array(response, { minLength: 1, maxLength: 3 }), fc.array(request, { minLength: 5, maxLength: 16 }), (responses, requests) => {
        const [slow, fast] = [false, true].map((way) => {
          const bench = benchOf(way)
          let number = 0
          const origin = (): string => {
            const { status, control: said, fields: lines, bytes } = responses[number++ % responses.length]!
            const body = status.startsWith('204') ? '' : `${number}`.padEnd(bytes, 'x')
            return `HTTP/1.1 ${status}\r\nCache-Control: ${said}\r\n${lines.join('')}${status.startsWith('204') ? '' : `Content-Length: ${body.length}\r\n`}\r\n${body}`
          }
          const transcript = requests.map(({ method, path, host, fields: lines, twice, passes }) => {
            bench.now += passes
            const text = `${method} ${path} HTTP/1.1\r\nHost: ${host}\r\n${lines.join('')}\r\n`
            const { got, asked } = exchange(bench, twice ? text + text : text, (asked) =>
              asked.startsWith('HEAD') ? origin().replace(/\r\n\r\n[^]*/, '\r\n\r\n') : origin(),
            )
            return anonymous([got, ...asked].join('\n---\n'))
          })
          if (way) answered += bench.worker.hits!.answered
          const { requests: counted, responseBytes, cache: became } = bench.service.counters
          const { responses: byClass } = bench.service.tally.take()
          vi.restoreAllMocks()
          return { transcript, counted, responseBytes, byClass, became }
        })
        expect(fast).toEqual(slow)
      }),
      { numRuns: 150 },
    )
    // Else it has shown nothing.
    expect(answered).toBeGreaterThan(100)
  })
})
