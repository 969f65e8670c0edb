/** TLS at a listener, by real clients: who is served which certificate, what the origin is told, and what outlives a change. */
import { mkdtempSync, rmSync } from 'node:fs'
import { connect as connectPlain } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { ServiceView } from '../../src/balancer/index.ts'
import type { TlsView } from '../../src/balancer/core/tls-view.ts'
import { eventually, fieldOf, Origin, plain, service, startProxy, type RunningProxy } from '../support/balancer-harness.ts'
import { makePair, type Pair } from '../support/certificates.ts'

let proxy: RunningProxy
let origin: Origin
let directory: string
let shop: Pair
let wild: Pair
let authority: Pair
let client: Pair
let stranger: Pair
const open: TLSSocket[] = []

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-tls-'))
  shop = makePair(directory, 'shop', { hosts: ['shop.test'] })
  wild = makePair(directory, 'wild', { hosts: ['*.wild.test'] })
  authority = makePair(directory, 'authority')
  client = makePair(directory, 'client', { by: authority, subject: '/O=Müller, Söhne/CN=ada' })
  stranger = makePair(directory, 'stranger')
  proxy = await startProxy(2)
})
afterAll(async () => {
  await proxy.stop()
  rmSync(directory, { recursive: true })
})
beforeEach(async () => {
  origin = await Origin.start(({ socket, target }) => {
    socket.write(plain(target))
  })
})
afterEach(async () => {
  for (const socket of open.splice(0)) socket.destroy()
  await origin.stop()
})

const certificate = ({ cert, key }: Pair, ...hosts: string[]): TlsView['certificates'][number] => ({ cert, key, hosts })

async function serve(tls: Partial<TlsView>, more: Partial<ServiceView> = {}): Promise<void> {
  const view: TlsView = {
    certificates: [certificate(shop, 'shop.test'), certificate(wild, '*.wild.test')],
    minVersion: 'TLSv1.2',
    requireClientCert: false,
    ...tls,
  }
  await proxy.apply({ listeners: [{ name: 'web', host: '127.0.0.1', port: proxy.port, tls: view }], services: [service([origin], more)] })
}

/** Resolves when the handshake is done. */
function secure(options: ConnectionOptions = {}): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port: proxy.port, rejectUnauthorized: false, servername: 'shop.test', ...options })
    open.push(socket)
    socket.once('error', reject)
    socket.once('secureConnect', () => {
      socket.off('error', reject)
      socket.on('error', () => undefined)
      resolve(socket)
    })
  })
}

/** Sends a request and resolves with all of its answer. */
function ask(socket: TLSSocket, path: string, fields = ''): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = ''
    const onData = (bytes: Buffer): void => {
      answer += bytes.toString('latin1')
      const [head = '', body = ''] = answer.split('\r\n\r\n')
      const length = /content-length: (\d+)/i.exec(head)?.[1]
      if (length === undefined || body.length < Number(length)) return
      socket.off('data', onData)
      resolve(answer)
    }
    socket.on('data', onData)
    socket.once('close', () => {
      reject(new Error(`closed after ${JSON.stringify(answer)}`))
    })
    socket.write(`GET ${path} HTTP/1.1\r\nHost: shop.test\r\n${fields}\r\n`)
  })
}

const nameOf = (socket: TLSSocket): string => socket.getPeerX509Certificate()?.subject ?? ''

describe('TLS at a listener', () => {
  it('carries requests, and the origin learns of it', async () => {
    await serve({})
    const socket = await secure({ ALPNProtocols: ['http/1.1'] })
    expect(socket.alpnProtocol).toBe('http/1.1')
    expect(await ask(socket, '/a', 'X-Forwarded-Proto: http\r\n')).toMatch(/^HTTP\/1\.1 200 OK[^]*\/a$/)
    expect(await ask(socket, '/b')).toMatch(/\/b$/)
    const [seen] = origin.requests
    expect([fieldOf(seen!, 'x-forwarded-proto'), fieldOf(seen!, 'x-forwarded-port'), fieldOf(seen!, 'forwarded')]).toEqual([
      'https',
      String(proxy.port),
      'for=127.0.0.1;proto=https;host="shop.test"',
    ])
  })

  it.each([
    ['shop.test', 'CN=shop'],
    ['a.wild.test', 'CN=wild'],
    ['A.WILD.test', 'CN=wild'],
    ['a.b.wild.test', 'CN=shop'],
    ['elsewhere.test', 'CN=shop'],
    [undefined, 'CN=shop'],
  ])('shows %s the certificate %s', async (servername, expected) => {
    await serve({})
    expect(nameOf(await secure({ servername }))).toBe(expected)
  })

  it.each(['TLSv1.2', 'TLSv1.3'] as const)('speaks %s', async (version) => {
    await serve({})
    const socket = await secure({ minVersion: version, maxVersion: version })
    expect(socket.getProtocol()).toBe(version)
    expect(await ask(socket, '/')).toMatch(/200 OK/)
  })

  it('refuses what is older than it may be, and counts it', async () => {
    await serve({ minVersion: 'TLSv1.3' })
    await expect(secure({ maxVersion: 'TLSv1.2' })).rejects.toThrow(/protocol version/)
    await serve({})
    await expect(secure({ minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' })).rejects.toThrow(/protocol version/)
    await expect(secure({ ALPNProtocols: ['smtp'] })).rejects.toThrow(/no application protocol/)
    expect((await proxy.telemetry()).refused.tls_handshake).toBe(3)
  })

  it('carries a large body both ways', async () => {
    const body = Buffer.alloc(3_000_000, 'abcdefghij')
    const echo = await Origin.start(({ socket, body }) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`)
      socket.write(body)
    })
    await serve({}, service([echo]))
    const socket = await secure()
    const chunks: Buffer[] = []
    let length = 0
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      length += chunk.length
    })
    socket.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n`)
    socket.write(body)
    await eventually('the whole echo', () => length > body.length)
    const answer = Buffer.concat(chunks)
    expect(answer.subarray(answer.indexOf('\r\n\r\n') + 4).equals(body)).toBe(true)
    await echo.stop()
  })

  it('cuts an answer whose origin broke off so that the client knows', async () => {
    const broken = await Origin.start(({ socket }) => {
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n')
      setTimeout(() => socket.destroy(), 50)
    })
    await serve({}, service([broken]))
    const socket = await secure()
    let answer = ''
    socket.on('data', (bytes: Buffer) => (answer += bytes.toString()))
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await eventually('the connection is closed', () => socket.destroyed)
    expect(answer).toContain('hello')
    expect(answer).not.toContain('0\r\n\r\n')
    await broken.stop()
  })

  it('survives what is not TLS', async () => {
    await serve({})
    const socket = connectPlain(proxy.port, '127.0.0.1')
    let closed = false
    socket.on('error', () => undefined)
    socket.on('close', () => (closed = true))
    socket.resume()
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await eventually('it is closed', () => closed)
    expect(await ask(await secure(), '/')).toMatch(/200 OK/)
  })
})

describe('sessions', () => {
  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'are taken up again by any worker, after new certificates, and by new workers (%s)',
    async (maxVersion) => {
      await serve({})
      const first = await secure({ maxVersion, minVersion: maxVersion })
      let session: Buffer | undefined = first.getSession()
      first.on('session', (given: Buffer) => (session = given))
      await ask(first, '/')
      const again = async (): Promise<boolean> => {
        const socket = await secure({ maxVersion, minVersion: maxVersion, session })
        await ask(socket, '/')
        return socket.isSessionReused()
      }
      expect(await Promise.all(Array.from({ length: 8 }, again))).toEqual(Array(8).fill(true))
      await serve({ certificates: [certificate(shop, 'shop.test')] })
      expect(await again()).toBe(true)
      const { workers } = await proxy.telemetry()
      for (const { pid } of workers) process.kill(pid, 'SIGKILL')
      await eventually('both are seen to have died', () => proxy.signals.filter(({ type }) => type === 'workerExited').length >= 2)
      proxy.signals.length = 0
      expect(await again()).toBe(true)
    },
  )

  it('that were begun without a certificate do not open what asks for one', async () => {
    await serve({})
    const first = await secure({ maxVersion: 'TLSv1.2' })
    await ask(first, '/')
    const session = first.getSession()
    await serve({ clientCa: authority.cert, requireClientCert: true })
    await expect(secure({ maxVersion: 'TLSv1.2', session })).rejects.toThrow()
  })
})

describe('new certificates', () => {
  it('serve the next connection, and no open one is dropped', async () => {
    await serve({ certificates: [certificate(shop)] })
    const before = await secure()
    await ask(before, '/')
    await serve({ certificates: [certificate(wild)] })
    expect(nameOf(await secure())).toBe('CN=wild')
    expect(await ask(before, '/still')).toMatch(/\/still$/)
  })

  it('may begin and end to be there on the same port', async () => {
    await proxy.route(service([origin]))
    await expect(secure()).rejects.toThrow()
    await serve({})
    expect(nameOf(await secure())).toBe('CN=shop')
  })
})

describe('certificates of clients', () => {
  it('are told to the origin, and nobody else can say so', async () => {
    await serve({ clientCa: authority.cert })
    const known = await secure({ cert: client.cert, key: client.key })
    const forged = 'Client-Cert: :AAAA:\r\nclient_cert: :AAAA:\r\nClient-Cert-Chain: :AAAA:\r\nX-Client-Cert-Subject: CN=root\r\n'
    await ask(known, '/known', forged)
    await ask(await secure(), '/nobody', forged)
    await ask(await secure({ cert: stranger.cert, key: stranger.key }), '/stranger', forged)
    const told = origin.requests.map(({ target, fields }) => [target, fields.filter(([name]) => name.includes('client')).map(([, value]) => value)])
    const der = client.cert.split('\n').slice(1, -2).join('')
    expect(told).toEqual([
      ['/known', ['O=M%C3%BCller\\, S%C3%B6hne,CN=ada', `:${der}:`]],
      ['/nobody', []],
      ['/stranger', []],
    ])
  })

  it('are needed where they are required', async () => {
    await serve({ clientCa: authority.cert, requireClientCert: true })
    const asked = async (options: ConnectionOptions): Promise<string> => ask(await secure(options), '/')
    expect(await asked({ cert: client.cert, key: client.key })).toMatch(/200 OK/)
    await expect(asked({})).rejects.toThrow()
    await expect(asked({ cert: stranger.cert, key: stranger.key })).rejects.toThrow()
    expect(origin.requests).toHaveLength(1)
  })
})
