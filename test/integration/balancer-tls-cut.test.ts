/** Answers whose end is that of their connection, over TLS: one that the endpoint has not announced (`close_notify`) may have been made by anybody. */
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSecureContext, TLSSocket, type SecureVersion } from 'node:tls'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { eventually, get, RawClient, service } from '../support/balancer-harness.ts'
import { makePair, type Pair } from '../support/certificates.ts'
import { Http2Client } from '../support/http2-client.ts'
import { useProxy } from '../support/proxy-fixture.ts'

const { proxy } = useProxy({ per: 'file' })
let directory: string
let pair: Pair
const servers: Server[] = []
const sockets = new Set<Socket>()

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-tls-cut-'))
  pair = makePair(directory, 'origin', { hosts: ['origin.test'] })
})
afterEach(async () => {
  for (const socket of sockets) socket.destroy()
  sockets.clear()
  await Promise.all(servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve))))
})
afterAll(() => {
  rmSync(directory, { recursive: true })
})

const head = 'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n'
type Ending = 'announced' | 'cut'

/** Answers without a length. TLS is made on top of the connection by hand, so that the latter can end without it. */
async function origin(ending: Ending, body: Buffer, version: SecureVersion = 'TLSv1.3', start = head): Promise<number> {
  const server = createServer((socket) => {
    sockets.add(socket)
    const context = createSecureContext({ cert: pair.cert, key: pair.key, minVersion: version, maxVersion: version })
    const secure = new TLSSocket(socket, { isServer: true, secureContext: context })
    socket.on('error', () => undefined)
    secure.on('error', () => undefined)
    secure.once('data', () => {
      secure.write(Buffer.concat([Buffer.from(start), body]), () => (ending === 'cut' ? socket : secure).end())
    })
  })
  servers.push(server)
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)))
}

async function route(port: number, more: Parameters<typeof service>[1] = {}): Promise<void> {
  await proxy.apply({
    listeners: [{ name: 'web', host: '127.0.0.1', port: proxy.port, http2: true }],
    services: [
      service([port], {
        origin: { tls: { ca: pair.cert, serverName: 'origin.test', verify: true } },
        retries: { attempts: 0, budget: 0 },
        ...more,
      }),
    ],
  })
}

const small = Buffer.from('until the end')
const large = Buffer.alloc(3_000_000, 'holdfast')

describe.each(['TLSv1.2', 'TLSv1.3'] as const)('an answer that ends with its connection, by %s', (version) => {
  it.each([
    ['announced', small],
    ['announced', large],
    ['cut', small],
    ['cut', large],
  ] as const)('%s', async (ending, body) => {
    await route(await origin(ending, body, version))
    const client = await RawClient.to(proxy.port)
    client.send(get())
    if (ending === 'announced') expect((await client.answer()).body.equals(body)).toBe(true)
    else {
      await client.end()
      expect(client.text).toContain('chunked')
      expect(client.text.endsWith('\r\n0\r\n\r\n')).toBe(false)
    }
    client.destroy()
  })
})

describe('what a cut answer is to clients', () => {
  it.each(['announced', 'cut'] as const)('that read slowly: %s', async (ending) => {
    await route(await origin(ending, large))
    const client = await RawClient.to(proxy.port)
    client.socket.pause()
    client.send(get())
    await new Promise((resolve) => setTimeout(resolve, 300))
    client.socket.resume()
    if (ending === 'announced') expect((await client.answer()).body.length).toBe(large.length)
    else await expect(client.answer()).rejects.toThrow(/before the answer was whole/)
    client.destroy()
  })

  it('of HTTP/1.0 a reset, of HTTP/2 a reset of the stream', async () => {
    await route(await origin('cut', small))
    const old = await RawClient.to(proxy.port)
    old.send('GET / HTTP/1.0\r\nHost: a\r\n\r\n')
    await eventually('it is reset', () => old.errorCode === 'ECONNRESET' || old.errorCode === 'EPIPE')
    const modern = await Http2Client.to(`http://127.0.0.1:${proxy.port}`)
    expect((await modern.ask()).code).toBe(2)
    await modern.close()
  })

  it('with a length it is whole by that, however it ends', async () => {
    await route(await origin('cut', small, 'TLSv1.3', `HTTP/1.1 200 OK\r\nContent-Length: ${small.length}\r\n\r\n`))
    const client = await RawClient.to(proxy.port)
    client.send(get())
    expect((await client.answer()).text).toBe('until the end')
    client.destroy()
  })

  it('behind a PROXY header it is seen as well', async () => {
    const server = createServer((socket) => {
      sockets.add(socket)
      socket.once('data', (line: Buffer) => {
        socket.pause()
        const rest = line.subarray(line.indexOf('\r\n') + 2)
        if (rest.length > 0) socket.unshift(rest)
        const secure = new TLSSocket(socket, { isServer: true, secureContext: createSecureContext({ cert: pair.cert, key: pair.key }) })
        secure.on('error', () => undefined)
        secure.once('data', (request: Buffer) => {
          secure.write(`${head}all`, () => (request.includes('/cut') ? socket : secure).end())
        })
      })
      socket.on('error', () => undefined)
    })
    servers.push(server)
    const port = await new Promise<number>((resolve) => server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)))
    await route(port, { origin: { proxyProtocol: 'v1', tls: { ca: pair.cert, serverName: 'origin.test', verify: true } } })
    const client = await RawClient.to(proxy.port)
    client.send(get('/whole'))
    expect((await client.answer()).text).toBe('all')
    client.send(get('/cut'))
    await expect(client.answer()).rejects.toThrow(/before the answer was whole/)
    client.destroy()
  })
})
