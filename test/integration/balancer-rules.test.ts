/** HTTP rules of a route through the real data plane: what clients and origins then see. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { brotliDecompressSync, createGunzip, gunzipSync } from 'node:zlib'
import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { request } from 'undici'
import type { RulesView } from '../../src/balancer/core/rules/view.ts'
import { ask, eventually, fieldOf, get, pause, plain, post, service, type SeenAnswer } from '../support/balancer-harness.ts'
import { useProxy } from '../support/proxy-fixture.ts'

const { proxy, origin, serving, connect } = useProxy({ per: 'file' })
const compression = { enabled: true, encodings: ['br', 'gzip'], minSize: 100 } as const
const text = 'The quick brown fox jumps over the lazy dog. '.repeat(2_000)
const html = (body: string, fields = ''): string => plain(body, `Content-Type: text/html\r\n${fields}`)
const field = (answer: Pick<SeenAnswer, 'fields'>, name: string): string | undefined => fieldOf(answer, name)

const withRules = async (rules: RulesView, answer: string | ((path: string) => string)): Promise<Awaited<ReturnType<typeof origin>>> => {
  const made = await origin(({ socket, target }) => socket.write(typeof answer === 'string' ? answer : answer(target)))
  await proxy.route(service([made], { rules }))
  return made
}

describe('what proxies in front say of a client', () => {
  const claims =
    'X-Forwarded-For: 203.0.113.9, <script>\r\nX-Forwarded-For: 198.51.100.7\r\nX-Forwarded-Proto: HTTPS\r\nX-Forwarded-Host: shop.test\r\nX-Forwarded-Port: 443\r\nForwarded: for=203.0.113.9\r\n'
  const seen = async (rules: RulesView): Promise<readonly (string | undefined)[]> => {
    let fields: readonly (readonly [string, string])[] = []
    const made = await origin((request) => {
      fields = request.fields
      request.socket.write(plain('ok'))
    })
    await proxy.route(service([made], { rules }))
    await ask(proxy.port, get('/', claims))
    return ['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'x-forwarded-port', 'forwarded'].map((name) => fieldOf({ fields }, name))
  }

  it('is passed on, with their own address behind it, when they are trusted', async () => {
    expect(await seen({ trustedProxies: ['127.0.0.1'] })).toEqual([
      '203.0.113.9, 198.51.100.7, 127.0.0.1',
      'https',
      'shop.test',
      '443',
      'for=203.0.113.9, for=127.0.0.1;proto=http;host="a.test"',
    ])
  })

  it('is replaced when they are not', async () => {
    const own = ['127.0.0.1', 'http', 'a.test', String(proxy.port), 'for=127.0.0.1;proto=http;host="a.test"']
    expect(await seen({ trustedProxies: ['10.0.0.0/8'] })).toEqual(own)
    expect(await seen({})).toEqual(own)
  })
})

describe('compression', () => {
  it.each([
    ['gzip', gunzipSync],
    ['br', brotliDecompressSync],
  ])('gives %s to who asks for it', async (coding, decode) => {
    await withRules({ compression }, html(text, 'ETag: "1"\r\nAccept-Ranges: bytes\r\n'))
    const answer = await ask(proxy.port, get('/', `Accept-Encoding: ${coding}\r\n`))
    expect(decode(answer.body).toString()).toBe(text)
    expect(answer.body.length).toBeLessThan(text.length / 10)
    expect([field(answer, 'content-encoding'), field(answer, 'vary'), field(answer, 'etag')]).toEqual([coding, 'Accept-Encoding', 'W/"1"'])
    expect([field(answer, 'content-length'), field(answer, 'accept-ranges')]).toEqual([undefined, undefined])
  })

  it('leaves alone what it must, and says that it depends on what was asked', async () => {
    await withRules({ compression }, html(text, 'ETag: "1"\r\n'))
    const answer = await ask(proxy.port, get())
    expect([answer.text, field(answer, 'vary'), field(answer, 'etag'), field(answer, 'content-encoding')]).toEqual([
      text,
      'Accept-Encoding',
      '"1"',
      undefined,
    ])
    const old = await ask(proxy.port, 'GET / HTTP/1.0\r\nAccept-Encoding: gzip\r\n\r\n')
    expect(old.text).toBe(text)
    await withRules({ compression }, html(text, 'Cache-Control: no-transform\r\n'))
    const kept = await ask(proxy.port, get('/', 'Accept-Encoding: gzip\r\n'))
    expect([kept.text, field(kept, 'vary')]).toEqual([text, undefined])
  })

  it('tells the head alone what the whole would have', async () => {
    await withRules({ compression }, 'HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5000\r\n\r\n')
    const client = await connect()
    client.send('HEAD / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n')
    const answer = await client.answer('HEAD')
    expect([field(answer, 'content-encoding'), field(answer, 'content-length'), field(answer, 'transfer-encoding')]).toEqual([
      'gzip',
      undefined,
      undefined,
    ])
    client.send('HEAD / HTTP/1.1\r\nHost: a\r\n\r\n')
    expect(field(await client.answer('HEAD'), 'content-length')).toBe('5000')
  })

  it('keeps connections on both sides, whatever the framing of the origin', async () => {
    const framings: Record<string, string> = {
      '/length': html(text),
      '/chunked': `HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n`,
    }
    const made = await withRules({ compression }, (path) => framings[path]!)
    const client = await connect()
    for (const path of ['/length', '/chunked', '/length', '/chunked']) {
      client.send(get(path, 'Accept-Encoding: gzip\r\n'))
      expect(gunzipSync((await client.answer()).body).toString()).toBe(text)
    }
    expect(made.connections).toBe(1)
  })

  it('takes an answer that ends with its connection, and shows one that was cut as cut', async () => {
    const closing = await origin(({ socket }) => socket.end(`HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n${text}`))
    await proxy.route(service([closing], { rules: { compression } }))
    const answer = await ask(proxy.port, get('/', 'Accept-Encoding: br\r\n'))
    expect(brotliDecompressSync(answer.body).toString()).toBe(text)
    const cutting = await origin(({ socket }) => socket.end(html(text).slice(0, -10)))
    await proxy.route(service([cutting], { rules: { compression } }))
    await expect(ask(proxy.port, get('/', 'Accept-Encoding: gzip\r\n'))).rejects.toThrow('before the answer was whole')
  })

  it('passes every event of a stream at once', async () => {
    let write: ((event: string) => void) | undefined
    const stream = await origin(({ socket }) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n')
      write = (event) => socket.write(`${event.length.toString(16)}\r\n${event}\r\n`)
    })
    await proxy.route(service([stream], { rules: { compression } }))
    const client = await connect()
    client.send(get('/', 'Accept-Encoding: gzip\r\n'))
    const tell = await eventually('the request has come', () => write)
    const decoder = createGunzip()
    let seen = ''
    decoder.on('data', (bytes: Buffer) => (seen += bytes.toString()))
    let fed = 0
    for (const event of ['data: 1\n\n', 'data: 2\n\n', 'data: 3\n\n']) {
      tell(event)
      await eventually(event, () => {
        const body = dechunked(client.rest)
        decoder.write(body.subarray(fed))
        fed = body.length
        return seen.endsWith(event)
      })
    }
  })

  it('holds a fast origin back for a slow reader, and loses nothing', async () => {
    const large = randomBytes(6 * 1024 * 1024).toString('base64')
    await withRules({ compression }, html(large))
    const client = await connect()
    client.socket.pause()
    client.send(get('/', 'Accept-Encoding: gzip\r\n'))
    await pause(300)
    client.socket.resume()
    expect(gunzipSync((await client.answer('GET', 20_000)).body).toString() === large).toBe(true)
  })

  it('survives clients that leave in the middle', async () => {
    const large = randomBytes(1024 * 1024).toString('base64')
    await withRules({ compression }, html(large))
    for (let i = 0; i < 20; i++) {
      const client = await connect()
      client.send(get('/', 'Accept-Encoding: gzip\r\n'))
      await pause(i % 5)
      client.destroy()
    }
    expect(gunzipSync((await ask(proxy.port, get('/', 'Accept-Encoding: gzip\r\n'))).body).length).toBe(large.length)
  })

  it('is read by real clients', async () => {
    await withRules({ compression }, html(text))
    expect(await (await fetch(`http://127.0.0.1:${proxy.port}/`)).text()).toBe(text)
    const { stdout } = await promisify(execFile)('curl', ['-s', '--compressed', '-D', '-', `http://127.0.0.1:${proxy.port}/`])
    expect(stdout).toMatch(/content-encoding: (gzip|br)/i)
    expect(stdout.endsWith(text)).toBe(true)
  })
})

/** The data of what there is of a chunked body. */
function dechunked(answer: Buffer): Buffer {
  const pieces: Buffer[] = []
  let at = answer.indexOf('\r\n\r\n') + 4
  if (at < 4) return Buffer.alloc(0)
  for (;;) {
    const end = answer.indexOf('\r\n', at)
    if (end < 0) break
    const size = parseInt(answer.toString('latin1', at, end), 16)
    if (answer.length < end + 2 + size + 2 || size === 0) break
    pieces.push(answer.subarray(end + 2, end + 2 + size))
    at = end + 2 + size + 2
  }
  return Buffer.concat(pieces)
}

describe('heads', () => {
  it('are changed both ways, in answers of our own too', async () => {
    const made = await withRules(
      {
        headers: {
          request: { set: { 'x-shop': 'eu' }, remove: ['cookie'] },
          response: { set: { server: 'shop' }, add: { 'x-extra': '1' }, remove: ['x-powered-by'] },
          security: 'basic',
        },
      },
      plain('ok', 'Server: express\r\nX-Powered-By: me\r\n'),
    )
    const answer = await ask(proxy.port, get('/', 'Cookie: a=b\r\nX-Shop: forged\r\nX-Kept: 1\r\n'))
    const [seen] = made.requests
    expect([fieldOf(seen!, 'x-shop'), fieldOf(seen!, 'cookie'), fieldOf(seen!, 'x-kept')]).toEqual(['eu', undefined, '1'])
    expect(['server', 'x-extra', 'x-powered-by', 'x-frame-options'].map((name) => field(answer, name))).toEqual([
      'shop',
      '1',
      undefined,
      'SAMEORIGIN',
    ])
    await proxy.route(service([], { rules: { headers: { response: { set: { 'x-a': '1' } }, security: 'off' } } }))
    const ours = await ask(proxy.port, get())
    expect([ours.status, field(ours, 'x-a')]).toEqual([503, '1'])
  })

  it('say who may read an answer, whoever gives it', async () => {
    const cors = { origins: ['https://a.example'], methods: ['GET', 'PUT'], headers: [], exposeHeaders: [], credentials: true, maxAge: 600_000 }
    const rules = { cors } as unknown as RulesView
    const made = await withRules(rules, plain('ok', 'Access-Control-Allow-Origin: *\r\n'))
    const answer = await ask(proxy.port, get('/', 'Origin: https://a.example\r\n'))
    expect(answer.fields.filter(([name]) => name === 'access-control-allow-origin')).toEqual([['access-control-allow-origin', 'https://a.example']])
    const preflight = await ask(
      proxy.port,
      'OPTIONS / HTTP/1.1\r\nHost: a\r\nOrigin: https://a.example\r\nAccess-Control-Request-Method: PUT\r\n\r\n',
    )
    expect([preflight.status, field(preflight, 'access-control-allow-methods'), field(preflight, 'content-length')]).toEqual([
      204,
      'GET, PUT',
      undefined,
    ])
    expect(made.requests).toHaveLength(1)
    await proxy.route(service([], { rules }))
    const ours = await ask(proxy.port, get('/', 'Origin: https://a.example\r\n'))
    expect([ours.status, field(ours, 'access-control-allow-origin')]).toEqual([503, 'https://a.example'])
  })
})

describe('answers by rule', () => {
  it('redirect, and keep the connection', async () => {
    const made = await serving()
    await proxy.route(service([made], { rules: { redirect: { https: true, httpsPort: 443, status: 308 } } }))
    const client = await connect()
    for (const path of ['/a?b', '/c']) {
      client.send(get(path))
      const answer = await client.answer()
      expect([answer.status, field(answer, 'location'), field(answer, 'proxy-status')]).toEqual([308, `https://a.test${path}`, undefined])
    }
    const { statusCode, headers } = await request(`http://127.0.0.1:${proxy.port}/x`)
    expect([statusCode, headers.location]).toEqual([308, 'https://127.0.0.1/x'])
    expect(made.requests).toHaveLength(0)
  })

  it('keep out who may not come, by route and by service', async () => {
    const made = await serving()
    const open = { listener: 'web', path: '/open', stripPath: false, rules: { deny: [] } }
    await proxy.route(service([made], { routes: [{ listener: 'web', path: '/', stripPath: false }, open], rules: { deny: ['127.0.0.0/8'] } }))
    expect((await ask(proxy.port, get('/'))).status).toBe(403)
    expect((await ask(proxy.port, get('/open'))).status).toBe(200)
    expect(made.requests).toHaveLength(1)
  })

  it('bound the body, counted and chunked', async () => {
    const made = await serving()
    await proxy.route(service([made], { rules: { limits: { body: 10 } } }))
    expect((await ask(proxy.port, post('0123456789'))).status).toBe(200)
    expect((await ask(proxy.port, post('0123456789a'))).status).toBe(413)
    const chunked = (body: string): string => `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${body}0\r\n\r\n`
    expect((await ask(proxy.port, chunked('5\r\n01234\r\n5\r\n56789\r\n'))).status).toBe(200)
    expect((await ask(proxy.port, chunked('5\r\n01234\r\n6\r\n56789a\r\n'))).status).toBe(413)
    expect(made.requests.map(({ body }) => body.length)).toEqual([10, 10])
  })

  it('show the pages of the service', async () => {
    const page = (body: string) => ({ contentType: 'text/html; charset=utf-8', body })
    const rules = { pages: { '5xx': page('<h1>sorry ä</h1>'), maintenance: page('<h1>back soon</h1>') } }
    await proxy.route(service([], { rules }))
    const answer = await ask(proxy.port, get())
    expect([answer.status, answer.body.toString(), field(answer, 'content-type')]).toEqual([503, '<h1>sorry ä</h1>', 'text/html; charset=utf-8'])
    expect(JSON.parse((await ask(proxy.port, get('/', 'Accept: application/json\r\n'))).text)).toMatchObject({ success: false })
    await proxy.route(service([], { rules, maintenance: true }))
    expect((await ask(proxy.port, get())).text).toBe('<h1>back soon</h1>')
  })
})
