/** One store for all workers of a node: what one has fetched all have, one asks for all, and what is invalid is so in all of them at once. */
import { beforeEach, describe, expect, it } from 'vitest'
import type { CacheStoreView, CacheView } from '../../src/balancer/core/cache-view.ts'
import type { ServiceView } from '../../src/balancer/index.ts'
import {
  eventually,
  fieldOf,
  get,
  pause,
  plain,
  post,
  RawClient,
  readUntil,
  service,
  type Origin,
  type SeenRequest,
} from '../support/balancer-harness.ts'
import { useProxy } from '../support/proxy-fixture.ts'

const workers = 3
const fixture = useProxy({ per: 'file', workers })
const { proxy } = fixture
const cache: CacheView = { maxBodyBytes: 2_000_000, graceMs: 0, obeyClients: true, heuristic: 0 }
const stores: CacheStoreView = { maxBytes: 16 * 1024 * 1024, workerBytes: 1024 * 1024 }
let origin: Origin
let asked: SeenRequest[] = []
let path = ''
let count = 0

async function answering(answer: (request: SeenRequest, number: number) => string | undefined, view: Partial<ServiceView> = {}): Promise<void> {
  asked = []
  origin = await fixture.origin((request) => {
    asked.push(request)
    const text = answer(request, asked.length)
    if (text === undefined) request.socket.destroy()
    else request.socket.write(text)
  })
  const { port } = proxy
  await proxy.apply({
    listeners: [{ name: 'web', host: '127.0.0.1', port }],
    services: [service([origin], { cache, retries: { attempts: 0, budget: 0.2 }, ...view })],
    cache: stores,
  })
}

/** A request on a connection of its own: some worker gets it. */
async function ask(request = get(path), method = 'GET'): ReturnType<RawClient['answer']> {
  const client = await RawClient.to(proxy.port)
  client.send(request)
  const answer = await client.answer(method)
  client.destroy()
  return answer
}

const many = <T>(n: number, one: () => Promise<T>): Promise<T[]> => Promise.all(Array.from({ length: n }, one))
const bodies = (answers: readonly { readonly body: Buffer }[]): ReadonlySet<string> => new Set(answers.map(({ body }) => body.toString()))

describe('the store of the node', () => {
  beforeEach(() => {
    path = `/${++count}`
  })

  it('has for all workers what one of them has fetched', async () => {
    await answering((_, n) => plain(`answer ${n}`, 'Cache-Control: max-age=60\r\nETag: "a"\r\n'))
    await ask()
    expect(bodies(await many(30, () => ask()))).toEqual(new Set(['answer 1']))
    expect(bodies(await many(10, () => ask(get(path, 'Range: bytes=0-2\r\n'))))).toEqual(new Set(['ans']))
    expect(new Set((await many(10, () => ask(get(path, 'If-None-Match: "a"\r\n')))).map(({ status }) => status))).toEqual(new Set([304]))
    expect(asked).toHaveLength(1)
    const { cache: store, services } = await readUntil(proxy, 'all is counted', (read) => (read.services.api?.cache?.hit ?? 0) >= 50)
    expect(store).toMatchObject({ maxBytes: stores.maxBytes, unanswered: 0, cutOff: 0 })
    expect(store!.workerEntries).toBeGreaterThan(1)
    expect(services.api!.cache).toMatchObject({ hit: 50, miss: 1, stored: 1, fenced: 0, bypass: 0, collapsed: 0 })
  })

  it('lets one worker ask for all', async () => {
    await answering((request) => {
      setTimeout(() => request.socket.write(plain('hello', 'Cache-Control: max-age=60\r\n')), 200)
      return ''
    })
    expect(bodies(await many(60, () => ask()))).toEqual(new Set(['hello']))
    expect(asked).toHaveLength(1)
  })

  it('lets the next one ask when the first fails, and all at once when it is not to be kept', async () => {
    await answering((request, n) => {
      if (n === 1) setTimeout(() => request.socket.destroy(), 100)
      else setTimeout(() => request.socket.write(plain('private', 'Cache-Control: private\r\n')), 100)
      return ''
    })
    const began = performance.now()
    const answers = await many(30, () => ask())
    expect(answers.filter(({ status }) => status === 502)).toHaveLength(1)
    expect(answers.filter(({ body }) => body.toString() === 'private')).toHaveLength(29)
    expect(performance.now() - began).toBeLessThan(3_000)
  })

  it('keeps variants apart', async () => {
    await answering((request) => plain(fieldOf(request, 'accept-language') ?? '-', 'Cache-Control: max-age=60\r\nVary: Accept-Language\r\n'))
    for (const language of ['de', 'en', 'fr', 'de', 'en', 'fr']) {
      expect(bodies(await many(10, () => ask(get(path, `Accept-Language: ${language}\r\n`))))).toEqual(new Set([language]))
    }
    expect(asked.length).toBeLessThanOrEqual(9)
  })

  it('keeps apart what services answer at the same URL', async () => {
    await answering(() => plain('one', 'Cache-Control: max-age=60\r\n'))
    const other = await fixture.origin(({ socket }) => socket.write(plain('two', 'Cache-Control: max-age=60\r\n')))
    const routes = [{ listener: 'web', path: '/', stripPath: false, when: { headers: { 'x-beta': '1' } } }]
    const listeners = [{ name: 'web', host: '127.0.0.1', port: proxy.port }]
    await proxy.apply({ listeners, cache: stores, services: [service([origin], { cache }), service([other], { name: 'beta', cache, routes })] })
    for (let i = 0; i < 3; i++) {
      expect(bodies(await many(6, () => ask()))).toEqual(new Set(['one']))
      expect(bodies(await many(6, () => ask(get(path, 'X-Beta: 1\r\n'))))).toEqual(new Set(['two']))
    }
    expect([asked.length, other.requests.length]).toEqual([1, 1])
    expect(await proxy.client.purge({ by: 'service', service: 'beta' })).toEqual({ entries: 1 })
  })

  it('forgets in all workers what was changed, before the change is answered', async () => {
    let value = 0
    await answering((request) => {
      if (request.method === 'POST') value++
      return plain(String(value), request.method === 'POST' ? '' : 'Cache-Control: max-age=60\r\n')
    })
    const readers = await many(12, () => fixture.connect())
    for (let i = 0; i < 30; i++) {
      const changed = Number((await ask(post('x', '', path), 'POST')).body.toString())
      const read = await Promise.all(
        readers.map(async (reader) => {
          reader.send(get(path))
          return Number((await reader.answer()).body.toString())
        }),
      )
      for (const each of read) expect(each).toBeGreaterThanOrEqual(changed)
    }
    expect(asked.length).toBeLessThan(30 * (1 + workers + 1))
  })

  it.each([
    ['of a known length', (body: string) => plain(body)],
    ['in chunks', (body: string) => `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`],
    ['up to the end of the connection', (body: string) => `HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n${body}`],
  ])('holds the answer to a change, and then gives all of it: %s', async (_what, answer) => {
    const body = 'x'.repeat(700_000)
    const closes = answer('').includes('close')
    const origin = await fixture.origin(({ socket }) => {
      const text = answer(body)
      if (closes) socket.end(text)
      else socket.write(text)
    })
    await proxy.route(service([origin], { cache }))
    for (let i = 0; i < 3; i++) {
      const client = await fixture.connect()
      for (let j = 0; j < 2; j++) {
        client.send(post('x', '', path))
        const { status, body: got } = await client.answer('POST')
        expect([status, got.length]).toEqual([200, body.length])
        if (closes) break
      }
    }
  })

  it('is purged in all workers at once', async () => {
    await answering((_, n) => plain(`answer ${n}`, `Cache-Control: max-age=60, stale-while-revalidate=60\r\nCache-Tag: t${count}\r\n`))
    for (let i = 1; i <= 5; i++) {
      expect(bodies(await many(12, () => ask()))).toEqual(new Set([`answer ${i}`]))
      // It may be on its way to the store still.
      expect((await proxy.client.purge({ by: 'tag', tags: [`t${count}`] })).entries).toBeLessThanOrEqual(1)
    }
    await ask()
    await proxy.client.purge({ by: 'url', url: `http://a.test${path}`, soft: true })
    const stale = await ask()
    expect(stale.body.toString()).toBe('answer 6')
    expect(fieldOf(stale, 'cache-status')).toMatch(/hit; ttl=(0|-\d)/)
    await eventually('it was fetched anew', () => asked.length === 7)
    await pause(50)
    expect(bodies(await many(12, () => ask()))).toEqual(new Set(['answer 7']))
    expect(asked).toHaveLength(7)
  })

  it('carries what is larger than a worker keeps', async () => {
    const body = 'x'.repeat(1_500_000)
    await answering(() => plain(body, 'Cache-Control: max-age=60\r\n'))
    for (let i = 0; i < 6; i++) expect((await ask()).body).toHaveLength(body.length)
    expect(asked).toHaveLength(1)
  })

  it('does not answer: nobody is given what was kept, and each worker asks for all who have come before it asked', async () => {
    let underway = 0
    let most = 0
    await answering((request, n) => {
      most = Math.max(most, ++underway)
      setTimeout(() => {
        underway--
        request.socket.write(plain(`answer ${n}`, 'Cache-Control: max-age=60\r\n'))
      }, 50)
      return ''
    })
    await ask()
    process.kill(proxy.pid, 'SIGSTOP')
    try {
      await pause(700)
      most = 0
      const before = asked.length
      const answers = await many(120, () => ask())
      expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))
      expect(bodies(answers)).not.toContain('answer 1')
      // Those who come while it is asked for wait for the next answer.
      expect(most).toBeLessThanOrEqual(workers)
      expect(asked.length - before).toBeLessThanOrEqual(4 * workers)
    } finally {
      process.kill(proxy.pid, 'SIGCONT')
    }
  })
})
