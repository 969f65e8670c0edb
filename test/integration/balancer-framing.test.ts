/** Bytes through the real proxy: every way in which a message can be framed, cut or interrupted. */
import { describe, expect, it } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import {
  ask,
  endpoint,
  eventually,
  fieldOf,
  get,
  Origin,
  pause,
  plain,
  post,
  type RawClient,
  service,
  type AnswerRequest,
} from '../support/balancer-harness.ts'
import { useProxy } from '../support/proxy-fixture.ts'

const { proxy, routed, connect } = useProxy({ per: 'file' })

const origin = (answer: AnswerRequest): Promise<Origin> => routed(Origin.start(answer))
const answering = (bytes: string): Promise<Origin> => origin(({ socket }) => socket.write(Buffer.from(bytes, 'latin1')))

async function exchange(request: string, method = 'GET'): Promise<Awaited<ReturnType<RawClient['answer']>> & { client: RawClient }> {
  const client = await connect()
  client.send(request)
  return { ...(await client.answer(method)), client }
}

describe('answers', () => {
  it('with Content-Length, and the connection serves on', async () => {
    await answering(plain('hello', 'X-One: 1\r\n'))
    const { client, ...first } = await exchange(get())
    expect(first).toMatchObject({ status: 200, text: 'hello' })
    expect(first.fields).toContainEqual(['x-one', '1'])
    client.send(get('/again'))
    expect((await client.answer()).text).toBe('hello')
  })

  it('chunked, with trailers, without what may not be a trailer', async () => {
    await answering(
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n5;ext="a"\r\nhello\r\n006\r\n world\r\n0\r\nX-Sum: 11\r\nSet-Cookie: a=b\r\n\r\n',
    )
    const { text, trailers, fields } = await exchange(get())
    expect({ text, trailers }).toEqual({ text: 'hello world', trailers: 'X-Sum: 11' })
    expect(fieldOf({ fields }, 'trailer')).toBeUndefined()
  })

  it('that end with the connection are cut into chunks for HTTP/1.1, and end with the connection for HTTP/1.0', async () => {
    await origin(({ socket }) => socket.end('HTTP/1.0 200 OK\r\nX-A: b\r\n\r\nuntil the end'))
    const modern = await exchange(get())
    expect(modern.text).toBe('until the end')
    expect(modern.fields).toContainEqual(['transfer-encoding', 'chunked'])
    const old = await exchange('GET / HTTP/1.0\r\nHost: a\r\n\r\n')
    expect(old.text).toBe('until the end')
    expect(fieldOf(old, 'transfer-encoding')).toBeUndefined()
    expect(fieldOf(old, 'connection')).toBe('close')
  })

  it('to HEAD, 204 and 304 have no body, and nothing that follows is taken for one', async () => {
    const seen = await origin(({ method, target, socket }) => {
      if (method === 'HEAD') socket.write('HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n')
      else if (target === '/204') socket.write('HTTP/1.1 204 No Content\r\n\r\n')
      else if (target === '/304') socket.write('HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\nETag: "a"\r\n\r\n')
      else socket.write(plain('body'))
    })
    const client = await connect()
    client.send(`HEAD / HTTP/1.1\r\nHost: a\r\n\r\n${get('/204')}${get('/304')}${get('/last')}`)
    expect((await client.answer('HEAD')).fields).toContainEqual(['content-length', '500'])
    expect((await client.answer()).status).toBe(204)
    expect((await client.answer()).status).toBe(304)
    expect((await client.answer()).text).toBe('body')
    expect(seen.connections).toBe(1)
  })

  it('204 with a body all the same does not poison the next answer', async () => {
    const seen = await origin(({ target, socket }) => {
      if (target === '/204') {
        socket.write('HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n')
        setTimeout(() => socket.write('6\r\nHTTP/1\r\n0\r\n\r\n'), 20)
      } else socket.write(plain('clean'))
    })
    const client = await connect()
    client.send(get('/204') + get('/next'))
    const first = await client.answer()
    expect(first.status).toBe(204)
    expect(fieldOf(first, 'transfer-encoding')).toBeUndefined()
    expect((await client.answer()).text).toBe('clean')
    expect(seen.connections).toBe(2)
  })

  it('with bytes behind them: these are dropped with the connection', async () => {
    const seen = await answering(`${plain('hello')}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil`)
    const client = await connect()
    client.send(get('/1') + get('/2'))
    expect((await client.answer()).text).toBe('hello')
    expect((await client.answer()).text).toBe('hello')
    expect(seen.connections).toBe(2)
  })

  it.each([
    ['both lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n'],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello'],
    ['a folded field', 'HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 0\r\n\r\n'],
    ['a NUL', 'HTTP/1.1 200 OK\r\nA: \0\r\nContent-Length: 0\r\n\r\n'],
    ['bare LF', 'HTTP/1.1 200 OK\nContent-Length: 0\n\n'],
    ['status 099', 'HTTP/1.1 099 Odd\r\nContent-Length: 0\r\n\r\n'],
    ['status 600', 'HTTP/1.1 600 Odd\r\nContent-Length: 0\r\n\r\n'],
    ['HTTP/2.0', 'HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n'],
    ['chunked in HTTP/1.0', 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['101 that nobody asked for', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n'],
    ['no HTTP at all', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['a head of 100 KiB', `HTTP/1.1 200 OK\r\nA: ${'x'.repeat(100 * 1024)}\r\n\r\n`],
    ['200 fields', `HTTP/1.1 200 OK\r\n${'A: b\r\n'.repeat(200)}\r\n`],
    ['interim answers without end', 'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(40)],
  ])('that are not valid (%s) become 502', async (_what, bytes) => {
    await answering(bytes)
    const client = await connect()
    client.send(get())
    let answer = await client.answer()
    while (answer.status < 200) answer = await client.answer()
    expect(answer.status).toBe(502)
    expect(fieldOf(answer, 'proxy-status')).toMatch(/^holdfast-\w+; error=http_protocol_error/)
  })

  it('100 and 103 are passed on to HTTP/1.1 and kept from HTTP/1.0', async () => {
    await answering(`HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n${plain('final')}`)
    const { client, ...hints } = await exchange(get())
    expect(hints.status).toBe(103)
    expect(fieldOf(hints, 'link')).toBe('</a.css>')
    expect((await client.answer()).status).toBe(100)
    expect((await client.answer()).text).toBe('final')
    expect((await exchange('GET / HTTP/1.0\r\nHost: a\r\n\r\n')).text).toBe('final')
  })

  it('lose what is hop-by-hop and what Connection names', async () => {
    await answering(
      plain('', 'Connection: X-Secret, keep-alive\r\nX-Secret: 1\r\nKeep-Alive: timeout=5\r\nProxy-Authenticate: Basic\r\nX-Kept: 1\r\n'),
    )
    const { fields } = await exchange(get())
    const names = fields.map(([name]) => name)
    expect(names).toContain('x-kept')
    for (const gone of ['connection', 'x-secret', 'keep-alive', 'proxy-authenticate']) expect(names).not.toContain(gone)
    expect(fieldOf({ fields }, 'via')).toMatch(/^1\.1 holdfast-/)
    expect(fieldOf({ fields }, 'x-request-id')).toBeDefined()
  })

  it.each([
    ['Content-Length', 'GET / HTTP/1.1\r\nHost: a\r\n\r\n', 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort'],
    ['chunks', 'GET / HTTP/1.1\r\nHost: a\r\n\r\n', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nshort'],
    ['no last chunk', 'GET / HTTP/1.1\r\nHost: a\r\n\r\n', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n'],
    ['a malformed chunk', 'GET / HTTP/1.1\r\nHost: a\r\n\r\n', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshortXX\r\n'],
    ['chunks, to HTTP/1.0', 'GET / HTTP/1.0\r\nHost: a\r\n\r\n', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nshort'],
  ])('that are cut (%s) never look whole', async (_what, request, bytes) => {
    await origin(({ socket }) => socket.end(bytes))
    const old = request.includes('HTTP/1.0')
    // What a quick client sees may be another thing than what a slow one sees: hence the rounds.
    for (let round = 0; round < (old ? 20 : 1); round++) {
      const client = await connect()
      client.send(request)
      await client.end()
      if (old) await eventually('a reset', () => client.errorCode === 'ECONNRESET')
      else await expect(client.answer()).rejects.toThrow(/before the answer was whole/)
      expect(client.text).not.toMatch(/\n0\r\n\r\n$/)
    }
  })

  it.each([0, 30])('that end with the connection, broken by a reset after %i ms, never look whole', async (ms) => {
    await origin(({ socket }) => {
      socket.write('HTTP/1.1 200 OK\r\n\r\npart')
      if (ms === 0) socket.resetAndDestroy()
      else setTimeout(() => socket.resetAndDestroy(), ms)
    })
    for (let round = 0; round < 10; round++) {
      const old = await connect()
      old.send('GET / HTTP/1.0\r\nHost: a\r\n\r\n')
      const modern = await connect()
      modern.send(get())
      await Promise.all([old.end(), modern.end()])
      // When the reset overtook the data there was no answer at all; that is told as such.
      if (!old.text.includes('502')) await eventually('a reset', () => old.errorCode === 'ECONNRESET')
      if (!modern.text.includes('502')) expect(modern.text).not.toMatch(/\n0\r\n\r\n$/)
    }
  })
})

describe('requests', () => {
  it('with Content-Length and chunked arrive byte for byte, canonical', async () => {
    const seen = await answering(plain('ok'))
    await exchange(post('hello'))
    await exchange(
      'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n05;x=y\r\nhello\r\n0\r\nX-Sum: 1\r\nHost: evil\r\nContent-Type: x\r\n\r\n',
    )
    expect(seen.requests.map(({ body }) => body.toString())).toEqual(['hello', 'hello'])
    expect(seen.requests[1]?.trailers).toBe('X-Sum: 1')
    expect(seen.malformed).toEqual([])
  })

  it('trailers that are forbidden do not spoil the bodies of others', async () => {
    await answering(plain('ok'))
    const chunked = (trailer: string): string => `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n${trailer}\r\n\r\n`
    expect((await exchange(chunked('Content-Length: 5'))).status).toBe(400)
    expect((await exchange(chunked('Host: b'))).status).toBe(200)
    expect((await exchange(chunked('Host: b'))).status).toBe(200)
    expect((await exchange(chunked('X-Sum: 1'))).status).toBe(200)
  })

  it('split into single bytes', async () => {
    const seen = await answering(plain('ok'))
    const client = await connect()
    for (const byte of `POST /s HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\nA: b\r\n\r\n`) {
      client.send(byte)
      await pause(1)
    }
    expect((await client.answer()).status).toBe(200)
    expect(seen.requests[0]).toMatchObject({ target: '/s', trailers: 'A: b' })
    expect(seen.requests[0]?.body.toString()).toBe('abc0123456789abcdef')
  })

  it('pipelined are answered in order, the last of them in pieces', async () => {
    let waiting = 0
    const seen = await origin(({ target, socket }) => {
      setTimeout(() => socket.write(plain(target)), target === '/1' ? 50 : 0)
      waiting++
    })
    const client = await connect()
    const third = get('/3')
    client.send(`${get('/1')}${post('body', '', '/2')}${third.slice(0, 25)}`)
    await pause(20)
    client.send(third.slice(25))
    expect((await client.answer()).text).toBe('/1')
    expect((await client.answer()).text).toBe('/2')
    expect((await client.answer()).text).toBe('/3')
    expect(waiting).toBe(3)
    expect(seen.requests.map(({ target }) => target)).toEqual(['/1', '/2', '/3'])
  })

  it('whose head comes in pieces behind a long one are answered without waiting', async () => {
    await answering(plain('ok'))
    const client = await connect()
    client.send(`${get('/long', `X-Long: ${'y'.repeat(2_000)}\r\n`)}GET /short HT`)
    await client.answer()
    client.send('TP/1.1\r\nHost: ')
    await pause(20)
    client.send('a\r\n\r\n')
    expect((await client.answer('GET', 2_000)).status).toBe(200)
  })

  it('half-closed behind their end still get their answer', async () => {
    await origin(({ socket }) => setTimeout(() => socket.write(plain('late')), 50))
    const client = await connect()
    client.send(get())
    client.socket.end()
    expect((await client.answer()).text).toBe('late')
    await client.end()
  })

  it('half-closed in the middle reach the origin as broken, never as whole', async () => {
    const seen = await origin(({ socket }) => socket.write(plain('ok')))
    const client = await connect()
    client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nonly this')
    await eventually('the bytes', () => seen.everything.includes('only this'))
    client.socket.end()
    await eventually('the close', () => seen.sockets.size === 0)
    expect(seen.requests).toEqual([])
  })

  it('with Expect wait for the word of the origin, and a final answer ends the wait', async () => {
    const seen = await routed(
      Origin.raw((socket) => {
        socket.on('data', (chunk: Buffer) => {
          if (chunk.includes('/no')) socket.end('HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')
          else if (chunk.includes('Expect')) socket.write('HTTP/1.1 100 Continue\r\n\r\n')
          else socket.write(plain('done'))
        })
      }),
    )
    const client = await connect()
    client.send('POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n')
    expect((await client.answer()).status).toBe(100)
    expect(seen.everything).toContain('Expect: 100-continue')
    client.send('hello')
    expect((await client.answer()).text).toBe('done')
    const refused = await exchange('POST /no HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n')
    expect(refused.status).toBe(417)
    await refused.client.end()
  })

  it('answered while the body is still coming: the client gets the answer, the connections are not used again', async () => {
    const seen = await routed(
      Origin.raw((socket) => {
        socket.once('data', () => socket.write('HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig'))
        socket.on('end', () => socket.end())
      }),
    )
    const client = await connect()
    client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n')
    for (let i = 0; i < 20; i++) client.send(Buffer.alloc(65_536, 120))
    const answer = await client.answer()
    expect(answer).toMatchObject({ status: 413, text: 'big' })
    expect(fieldOf(answer, 'connection')).toBe('close')
    await client.end()
    await eventually('no connection is kept', () => seen.sockets.size === 0)
  })

  it('answered while the body is still coming by an origin that closes at once: the answer is not lost with the connection', async () => {
    await routed(
      Origin.raw((socket) => {
        socket.once('data', () => {
          socket.pause()
          socket.write('HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbig')
          socket.destroySoon()
        })
      }),
    )
    for (let round = 0; round < 10; round++) {
      const client = await connect()
      client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n')
      for (let i = 0; i < 40; i++) client.send(Buffer.alloc(65_536, 120))
      expect(await client.answer()).toMatchObject({ status: 413, text: 'big' })
      client.destroy()
    }
  })

  it('of HTTP/1.0 without Host, with and without keep-alive', async () => {
    const seen = await answering(plain('ok'))
    const client = await connect()
    client.send('GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n')
    expect(fieldOf(await client.answer(), 'connection')).toBe('keep-alive')
    client.send('GET /b HTTP/1.0\r\n\r\n')
    expect(fieldOf(await client.answer(), 'connection')).toBe('close')
    await client.end()
    expect(seen.requests.map(({ head }) => head.split('\r\n')[0])).toEqual(['GET /a HTTP/1.1', 'GET /b HTTP/1.1'])
    expect(fieldOf(seen.requests[0]!, 'via')).toMatch(/^1\.0 /)
  })

  it('cannot lie about where they come from', async () => {
    const seen = await answering(plain('ok'))
    const lies =
      'X-Forwarded-For: 6.6.6.6\r\nX_Forwarded_For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nForwarded: for=6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\nX-Request-Id: mine-1\r\n'
    const answer = await ask(proxy.port, get('/', lies))
    const [request] = seen.requests
    expect(request?.head).not.toContain('6.6.6.6')
    expect(fieldOf(request!, 'x-forwarded-for')).toBe('127.0.0.1')
    expect(fieldOf(request!, 'x-forwarded-proto')).toBe('http')
    expect(fieldOf(request!, 'x-forwarded-host')).toBe('a.test')
    expect(fieldOf(request!, 'forwarded')).toBe('for=127.0.0.1;proto=http;host="a.test"')
    expect(fieldOf(request!, 'x-request-id')).toBe('mine-1')
    expect(fieldOf(answer, 'x-request-id')).toBe('mine-1')
  })

  it('that have been here before end in 502, CONNECT and TRACE in 405', async () => {
    await answering(plain('ok'))
    const via = fieldOf(await ask(proxy.port, get()), 'via')!
    const loop = await ask(proxy.port, get('/', `Via: ${via}\r\n`))
    expect(loop.status).toBe(502)
    expect(fieldOf(loop, 'proxy-status')).toContain('proxy_loop_detected')
    const connected = await exchange('CONNECT db:5432 HTTP/1.1\r\nHost: db:5432\r\n\r\n')
    expect(connected.status).toBe(405)
    await connected.client.end()
    expect((await ask(proxy.port, 'TRACE / HTTP/1.1\r\nHost: a\r\n\r\n')).status).toBe(405)
  })
})

describe('upgrades', () => {
  it('carry WebSockets both ways, and end when one side ends', async () => {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
    await new Promise((resolve) => server.once('listening', resolve))
    const { port } = server.address() as { port: number }
    server.on('connection', (socket, request) => {
      socket.on('message', (data: Buffer, binary) => {
        socket.send(binary ? data : `${request.url ?? ''} ${data.toString()}`, { binary })
      })
    })
    await proxy.route(service([endpoint(port)]))
    const socket = new WebSocket(`ws://127.0.0.1:${proxy.port}/chat`)
    const messages: Buffer[] = []
    socket.on('message', (data: Buffer) => messages.push(data))
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
    socket.send('hello')
    const large = Buffer.alloc(3 * 1024 * 1024, 7)
    socket.send(large)
    await eventually('both messages', () => messages.length === 2)
    expect(messages[0]?.toString()).toBe('/chat hello')
    expect(messages[1]?.equals(large)).toBe(true)
    socket.close(4000, 'enough')
    const code = await new Promise((resolve) => socket.once('close', resolve))
    expect(code).toBe(4000)
    server.close()
  })

  it('refuses none, forwards them as ordinary requests when they are unsafe: h2c, lists', async () => {
    const seen = await answering(plain('ok'))
    for (const upgrade of ['h2c', 'websocket, h2c', 'TLS/1.0']) {
      const fields = `Connection: Upgrade, HTTP2-Settings\r\nUpgrade: ${upgrade}\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n`
      expect((await exchange(get('/', fields))).text).toBe('ok')
    }
    for (const { head } of seen.requests) expect(head).not.toMatch(/upgrade|http2-settings/i)
  })

  it('answered with another protocol than was asked for become 502', async () => {
    await answering('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n')
    expect((await exchange(get('/', 'Connection: Upgrade\r\nUpgrade: websocket\r\n'))).status).toBe(502)
  })

  it('carry the first bytes behind the head both ways, and pass a half-close on', async () => {
    const seen = await routed(
      Origin.raw((socket) => {
        socket.once('data', () => socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nfirst'))
        socket.on('end', () => socket.end('last'))
      }),
    )
    const client = await connect()
    client.send(`${get('/', 'Connection: Upgrade\r\nUpgrade: echo\r\n')}early`)
    const { status } = await client.answer()
    expect(status).toBe(101)
    await eventually('the first bytes', () => client.text === 'first')
    await eventually('the early bytes', () => seen.everything.endsWith('early'))
    client.socket.end()
    await client.end()
    expect(client.text).toBe('firstlast')
  })

  it('an origin that has said all still hears the client', async () => {
    const seen = await routed(
      Origin.raw((socket) => {
        socket.once('data', () => socket.end('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nbye'))
      }),
    )
    const client = await connect()
    client.send(get('/', 'Connection: Upgrade\r\nUpgrade: echo\r\n'))
    await client.end()
    client.send('after the end')
    await eventually('what came after', () => seen.everything.endsWith('after the end'))
  })
})
