/** TLS to endpoints: who is believed, what is shown to them, what a failed handshake means, and what outlives new certificates. */
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer as createPlain, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer, type TlsOptions, type TLSSocket } from 'node:tls'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { OriginTlsView, ServiceView } from '../../src/balancer/index.ts'
import { endpoint, eventually, plain, RawClient, readRequest, service, startProxy, type RunningProxy } from '../support/balancer-harness.ts'
import { makePair, type Pair } from '../support/certificates.ts'

let proxy: RunningProxy
let directory: string
let authority: Pair
let good: Pair
let other: Pair
let stranger: Pair
let ours: Pair
let oursLater: Pair
const closing: (() => void)[] = []

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-origin-tls-'))
  authority = makePair(directory, 'authority')
  good = makePair(directory, 'good', { hosts: ['shop.internal'], by: authority })
  other = makePair(directory, 'other', { hosts: ['other.internal'], by: authority })
  stranger = makePair(directory, 'stranger', { hosts: ['shop.internal'] })
  ours = makePair(directory, 'ours', { by: authority })
  oursLater = makePair(directory, 'ours-later', { by: authority })
  proxy = await startProxy(1)
})
afterAll(async () => {
  await proxy.stop()
  rmSync(directory, { recursive: true })
})
afterEach(() => {
  for (const close of closing.splice(0)) close()
})

interface SecureOrigin {
  readonly port: number
  readonly sockets: TLSSocket[]
}

type Serve = (socket: TLSSocket, request: { readonly target: string; readonly method: string; readonly body: Buffer }) => void

async function secureOrigin(
  pair: Pair,
  options: TlsOptions = {},
  serve: Serve = (socket, { target }) => socket.write(plain(target)),
): Promise<SecureOrigin> {
  const sockets: TLSSocket[] = []
  const server = createServer({ cert: pair.cert, key: pair.key, ...options }, (socket) => {
    sockets.push(socket)
    let input = Buffer.alloc(0)
    socket.on('error', () => undefined)
    socket.on('data', (chunk: Buffer) => {
      input = Buffer.concat([input, chunk])
      const read = readRequest(input)
      if (read === undefined || typeof read === 'string') return
      input = input.subarray(read.length)
      serve(socket, read.request)
    })
  })
  server.on('tlsClientError', () => undefined)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { port: (server.address() as AddressInfo).port, sockets }
}

const trusting = (more: Partial<OriginTlsView> = {}): Partial<ServiceView> => ({
  origin: { tls: { ca: authority.cert, serverName: 'shop.internal', verify: true, ...more } },
})

async function ask(request: string): Promise<{ readonly status: number; readonly text: string; readonly proxyStatus: string | undefined }> {
  const client = await RawClient.to(proxy.port)
  closing.push(() => {
    client.destroy()
  })
  client.send(request)
  const { status, text, fields } = await client.answer()
  return { status, text, proxyStatus: fields.find(([name]) => name === 'proxy-status')?.[1] }
}
const get = (path: string): ReturnType<typeof ask> => ask(`GET ${path} HTTP/1.1\r\nHost: shop.test\r\n\r\n`)
const post = (path: string): ReturnType<typeof ask> => ask(`POST ${path} HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 2\r\n\r\nhi`)

describe('TLS to endpoints', () => {
  it('carries requests on kept connections, and takes sessions up again', async () => {
    const reused: boolean[] = []
    const origin = await secureOrigin(good, {}, (socket, { target }) => {
      reused.push(socket.isSessionReused())
      socket.write(plain(target, target === '/close' ? 'Connection: close\r\n' : ''))
      if (target === '/close') socket.end()
    })
    await proxy.route(service([origin.port], trusting()))
    expect((await get('/a')).text).toBe('/a')
    expect((await get('/b')).text).toBe('/b')
    expect(origin.sockets).toHaveLength(1)
    expect(origin.sockets[0]?.servername).toBe('shop.internal')
    expect((await get('/close')).text).toBe('/close')
    expect((await get('/c')).text).toBe('/c')
    expect(reused).toEqual([false, false, false, true])
  })

  it.each(['TLSv1.2', 'TLSv1.3'] as const)('carries large bodies both ways by %s', async (version) => {
    const origin = await secureOrigin(good, { minVersion: version, maxVersion: version }, (socket, { body }) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`)
      socket.write(body)
    })
    await proxy.route(service([origin.port], trusting()))
    const body = 'abcdefghij'.repeat(300_000)
    const { status, text } = await ask(`POST / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
    expect([status, text === body]).toEqual([200, true])
  })

  it('carries a tunnel', async () => {
    const origin = await secureOrigin(good, {}, (socket) => {
      socket.removeAllListeners('data')
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n')
      socket.on('data', (bytes: Buffer) => socket.write(bytes))
    })
    await proxy.route(service([origin.port], trusting()))
    const client = await RawClient.to(proxy.port)
    closing.push(() => {
      client.destroy()
    })
    client.send('GET / HTTP/1.1\r\nHost: shop.test\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n')
    expect((await client.answer()).status).toBe(101)
    client.send('ping')
    await eventually('the echo', () => client.text === 'ping')
  })

  it('gives an early answer to who sends on', async () => {
    const server = await secureOrigin(good)
    await proxy.route(service([server.port], trusting()))
    const early = createServer({ cert: good.cert, key: good.key }, (socket) => {
      socket.on('error', () => undefined)
      socket.once('data', () => {
        socket.pause()
        socket.end('HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbig')
      })
    })
    await new Promise<void>((resolve) => early.listen(0, '127.0.0.1', resolve))
    closing.push(() => early.close())
    await proxy.route(service([(early.address() as AddressInfo).port], trusting()))
    const answer = await ask(`PUT / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 500000\r\n\r\n${'x'.repeat(500_000)}`)
    expect([answer.status, answer.text]).toEqual([413, 'big'])
  })

  it.each([
    ['of a name that was not asked for', () => other, {}, 'error=tls_certificate_error; details="the endpoint shows a certificate for another name"'],
    [
      'signed by itself',
      () => stranger,
      {},
      'error=tls_certificate_error; details="the endpoint shows a certificate signed by itself, which is not believed here"',
    ],
    [
      'of an authority it does not know',
      () => good,
      { ca: undefined },
      'error=tls_certificate_error; details="the endpoint shows a certificate of an authority that is not known here"',
    ],
  ])('does not believe a certificate %s', async (_what, pair, tls, expected) => {
    const origin = await secureOrigin(pair())
    await proxy.route(service([origin.port], trusting(tls)))
    const answer = await get('/')
    expect(answer.status).toBe(502)
    expect(answer.proxyStatus).toContain(expected)
    await eventually('it is told', () => proxy.signals.find((signal) => signal.type === 'endpointSuspect' && signal.handshake?.startsWith('shows')))
  })

  it('believes all of them when told so', async () => {
    const origin = await secureOrigin(stranger)
    await proxy.route(service([origin.port], { origin: { tls: { verify: false } } }))
    expect((await get('/any')).text).toBe('/any')
  })

  it('says that an endpoint speaks no TLS', async () => {
    const server = createPlain((socket) => {
      socket.on('error', () => undefined)
      socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    closing.push(() => server.close())
    await proxy.route(service([(server.address() as AddressInfo).port], trusting()))
    expect((await get('/')).proxyStatus).toContain('error=tls_protocol_error; details="the endpoint does not speak TLS"')
  })

  it('sends what an endpoint could not be trusted with to another one, whatever the method', async () => {
    const bad = await secureOrigin(other)
    const right = await secureOrigin(good)
    await proxy.route(service([bad.port, right.port], trusting()))
    for (let count = 0; count < 4; count++) expect((await post(`/${count}`)).text).toBe(`/${count}`)
  })

  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'shows its own certificate to who asks for one, and goes elsewhere when it is refused: %s',
    async (version) => {
      const asking = { requestCert: true, rejectUnauthorized: true, ca: authority.cert, minVersion: version, maxVersion: version }
      const strict = await secureOrigin(good, asking)
      const open = await secureOrigin(good)
      await proxy.route(service([strict.port], trusting({ cert: ours.cert, key: ours.key })))
      expect((await post('/known')).text).toBe('/known')
      expect(strict.sockets[0]?.getPeerX509Certificate()?.subject).toBe('CN=ours')
      await proxy.route(service([strict.port], trusting()))
      expect((await post('/unknown')).proxyStatus).toMatch(
        /error=tls_alert_received; details="the endpoint refuses the handshake: (?:certificate required|handshake failure)"/,
      )
      await proxy.route(service([strict.port, open.port], trusting()))
      for (let count = 0; count < 4; count++) expect((await post(`/${count}`)).text).toBe(`/${count}`)
    },
  )

  it('shows a new certificate on new connections, and ends none of those under way', async () => {
    let release = (): void => undefined
    const shown: (string | undefined)[] = []
    const origin = await secureOrigin(good, { requestCert: true, ca: authority.cert }, (socket, { target }) => {
      if (target !== '/again') shown.push(socket.getPeerX509Certificate()?.subject)
      if (target === '/slow') release = () => socket.write(plain(target))
      else socket.write(plain(target))
    })
    await proxy.route(service([origin.port], trusting({ cert: ours.cert, key: ours.key })))
    const slow = get('/slow')
    await eventually('it waits', () => origin.sockets[0])
    await proxy.route(service([origin.port], trusting({ cert: oursLater.cert, key: oursLater.key })))
    expect((await get('/new')).text).toBe('/new')
    release()
    expect((await slow).text).toBe('/slow')
    expect((await get('/again')).text).toBe('/again')
    expect(origin.sockets).toHaveLength(2)
    expect(shown).toEqual(['CN=ours', 'CN=ours-later'])
  })

  it('probes by TLS', async () => {
    const bad = await secureOrigin(other)
    const right = await secureOrigin(good)
    const probe = { path: '/', intervalMs: 50, timeoutMs: 1_000, fall: 1, rise: 1, statusMin: 200, statusMax: 399 }
    proxy.signals.length = 0
    await proxy.route(service([endpoint(bad.port), endpoint(right.port)], { ...trusting(), probe }))
    const told = await eventually('the verdict', () => proxy.signals.find((signal) => signal.type === 'endpointUnhealthy'))
    expect(told).toMatchObject({ endpoint: `e${bad.port}`, reason: 'GET / failed: the endpoint shows a certificate for another name' })
    await eventually('the other one is asked', () => right.sockets.length > 1)
    expect(proxy.signals.filter((signal) => signal.type === 'endpointUnhealthy')).toHaveLength(1)
  })
})
