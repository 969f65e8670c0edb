/** HTTP/2 to clients, on real sockets: the same requests, answers and refusals as over HTTP/1.1. */
import { afterEach, describe, expect, it } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import type { ServiceView } from '../../src/balancer/index.ts'
import { endpoint, eventually, fieldOf, freePort, get, Origin, pause, plain, service } from '../support/balancer-harness.ts'
import { Http2Client } from '../support/http2-client.ts'
import { useProxy } from '../support/proxy-fixture.ts'

const { proxy, origin, connect } = useProxy({ per: 'file' })
const open: Http2Client[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((client) => client.close()))
})

async function route(...services: readonly ServiceView[]): Promise<void> {
  await proxy.apply({ listeners: [{ name: 'web', host: '127.0.0.1', port: proxy.port, http2: true }], services })
}

async function client(): Promise<Http2Client> {
  const made = await Http2Client.to(`http://127.0.0.1:${proxy.port}`)
  open.push(made)
  return made
}

describe('requests over HTTP/2', () => {
  it('reach the origin as those of HTTP/1.1 do, and HTTP/1.1 is served beside them', async () => {
    const seen = await origin(({ socket, target }) =>
      socket.write(plain(`you asked for ${target}`, 'X-One: 1\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\n')),
    )
    await route(service([seen]))
    const answer = await (await client()).ask({ ':path': '/a?b', cookie: ['x=1', 'y=2'], 'x-two': 'zwei', te: 'trailers' })
    expect(answer).toMatchObject({ status: 200, text: 'you asked for /a?b', code: 0, headers: { 'x-one': '1', 'set-cookie': ['a=b', 'c=d'] } })
    const [request] = seen.requests
    expect(request).toMatchObject({ method: 'GET', target: '/a?b' })
    expect(fieldOf(request!, 'host')).toBe(`127.0.0.1:${proxy.port}`)
    expect(fieldOf(request!, 'cookie')).toBe('x=1; y=2')
    expect(fieldOf(request!, 'via')).toMatch(/^2\.0 /)
    expect(fieldOf(request!, 'x-forwarded-proto')).toBe('http')
    const old = await connect()
    old.send(get('/old'))
    expect((await old.answer()).text).toBe('you asked for /old')
  })

  it('with bodies and trailers, both ways', async () => {
    const seen = await origin(({ socket, body, trailers }) =>
      socket.write(
        `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3\r\n${body.toString().slice(0, 3)}\r\n0\r\nX-Sum: 8\r\nX-Seen: ${trailers}\r\n\r\n`,
      ),
    )
    await route(service([seen]))
    const answer = await (await client()).ask({ ':method': 'POST' }, [Buffer.from('abc'), Buffer.from('def')], { 'x-check': 'fine' })
    expect(answer).toMatchObject({ status: 200, text: 'helloabc', code: 0, trailers: { 'x-sum': '8' } })
    expect(seen.requests[0]?.body.toString()).toBe('abcdef')
    expect(seen.requests[0]?.trailers).toMatch(/^x-check: fine/i)
    const counted = await (await client()).ask({ ':method': 'PUT', 'content-length': '3' }, 'abc')
    expect(counted.status).toBe(200)
    expect(fieldOf(seen.requests[1]!, 'content-length')).toBe('3')
  })

  it('to HEAD, 204 and 304 without a body, and with 1xx before', async () => {
    const seen = await origin(({ socket, method, target }) => {
      if (method === 'HEAD') socket.write('HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n')
      else if (target === '/103') socket.write(`HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${plain('late')}`)
      else socket.write(`HTTP/1.1 ${target.slice(1)} Fine\r\n\r\n`)
    })
    await route(service([seen]))
    const from = await client()
    expect(await from.ask({ ':method': 'HEAD' })).toMatchObject({ status: 200, text: '', code: 0, headers: { 'content-length': '500' } })
    expect(await from.ask({ ':path': '/204' })).toMatchObject({ status: 204, text: '', code: 0 })
    expect(await from.ask({ ':path': '/304' })).toMatchObject({ status: 304, text: '', code: 0 })
    expect(await from.ask({ ':path': '/103' })).toMatchObject({ status: 200, text: 'late', interims: [103], code: 0 })
  })

  it('of which many run at once on one connection', async () => {
    const seen = await origin(({ socket, target }) => {
      setTimeout(() => socket.write(plain(target)), 20)
    })
    await route(service([seen]))
    const from = await client()
    const answers = await Promise.all(Array.from({ length: 60 }, (_, i) => from.ask({ ':path': `/${i}` })))
    expect(answers.map(({ text }) => text)).toEqual(answers.map((_, i) => `/${i}`))
    expect((await proxy.telemetry()).connections.active).toBe(1)
  })

  it('of which a thousand follow each other on one connection', async () => {
    const seen = await origin(({ socket, target }) => socket.write(plain(target)))
    await route(service([seen]))
    const from = await client()
    for (let i = 0; i < 100; i++) {
      const answers = await Promise.all(Array.from({ length: 10 }, () => from.ask()))
      expect(answers.map(({ text }) => text)).toEqual(Array.from({ length: 10 }, () => '/'))
    }
    expect(from.session.destroyed).toBe(false)
  })

  it('with large bodies, at the pace of the reader', async () => {
    const body = Buffer.alloc(3_000_000, 'x')
    const seen = await origin(({ socket, body: given }) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${given.length}\r\n\r\n`)
      socket.write(given)
    })
    await route(service([seen]))
    const answer = await (await client()).ask({ ':method': 'POST' }, body)
    expect(answer).toMatchObject({ status: 200, code: 0 })
    expect(answer.text.length).toBe(body.length)
  })
})

describe('answers over HTTP/2', () => {
  it('of our own', async () => {
    await route(service([], {}))
    const answer = await (await client()).ask({ accept: 'application/json' })
    expect(answer).toMatchObject({ status: 503, code: 0 })
    expect(answer.headers['proxy-status']).toContain('destination_unavailable')
    expect(answer.headers.connection).toBeUndefined()
  })

  it('that break off are reset, and the connection serves on', async () => {
    const seen = await origin(({ socket, target }) => {
      if (target !== '/cut') socket.write(plain('whole'))
      else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf', () => socket.destroy())
    })
    await route(service([seen]))
    const from = await client()
    expect(await from.ask({ ':path': '/cut' })).toMatchObject({ code: 2 })
    expect(await from.ask()).toMatchObject({ text: 'whole', code: 0 })
  })

  it('that come before the whole request end the stream without harm', async () => {
    const seen = await Origin.start(() => undefined)
    await route(service([seen], { rules: { limits: { body: 10 } } }))
    const from = await client()
    const answer = await from.ask({ ':method': 'POST', 'content-length': '200000' }, Buffer.alloc(200_000))
    expect(answer.status).toBe(413)
    await seen.stop()
    expect((await from.ask()).status).toBe(502)
  })

  it('are sent by another endpoint when one is not there', async () => {
    const seen = await origin(({ socket }) => socket.write(plain('here')))
    await route(service([endpoint(await freePort()), seen]))
    const from = await client()
    for (let i = 0; i < 4; i++) expect((await from.ask()).text).toBe('here')
  })

  it('are not waited for when the client has left', async () => {
    const seen = await origin(() => undefined)
    await route(service([seen]))
    const from = await client()
    const stream = from.session.request({ ':path': '/' })
    stream.on('error', () => undefined)
    await eventually('the origin was asked', () => seen.requests.length === 1)
    stream.close(8)
    await eventually('its connection is closed', () => seen.requests[0]!.socket.destroyed)
  })
})

describe('beside HTTP/2', () => {
  it('a WebSocket on the same listener', async () => {
    const port = await freePort()
    const server = new WebSocketServer({ port, host: '127.0.0.1' })
    server.on('connection', (socket) => socket.on('message', (data: Buffer) => socket.send(`echo ${data.toString()}`)))
    await route(service([port]))
    const socket = new WebSocket(`ws://127.0.0.1:${proxy.port}/`)
    const heard = await new Promise<string>((resolve, reject) => {
      socket.on('error', reject)
      socket.on('open', () => {
        socket.send('hi')
      })
      socket.on('message', (data: Buffer) => {
        resolve(data.toString())
      })
    })
    expect(heard).toBe('echo hi')
    socket.terminate()
    server.close()
  })

  it('the preface in pieces, and refused where it is not wanted', async () => {
    const seen = await origin(({ socket }) => socket.write(plain('ok')))
    await route(service([seen]))
    const raw = await connect()
    for (const byte of 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n') {
      raw.send(byte)
      await pause(1)
    }
    // An empty SETTINGS frame; the server's own begins its answer.
    raw.send('\0\0\0\x04\0\0\0\0\0')
    await eventually('a SETTINGS frame', () => raw.rest.length > 9 && raw.rest[3] === 4)
    await proxy.route(service([seen]))
    const refused = await connect()
    refused.send('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
    expect((await refused.answer()).status).toBe(400)
  })
})
