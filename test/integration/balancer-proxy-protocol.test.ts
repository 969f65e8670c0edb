/** Who a client is, as a proxy in front says by the PROXY protocol: by hand, and by HAProxy. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectSecure } from 'node:tls'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { ListenerView } from '../../src/balancer/index.ts'
import { ask, eventually, fieldOf, freePort, Origin, plain, RawClient, service, startProxy, type RunningProxy } from '../support/balancer-harness.ts'
import { makePair, type Pair } from '../support/certificates.ts'

let proxy: RunningProxy
let origin: Origin
let directory: string
let pair: Pair
const children: ChildProcess[] = []

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-proxy-protocol-'))
  pair = makePair(directory, 'shop', { hosts: ['shop.test'] })
  proxy = await startProxy(1)
  origin = await Origin.start(({ socket, fields }) => socket.write(plain(fieldOf({ fields }, 'x-forwarded-for') ?? 'nobody')))
})
afterEach(async () => {
  for (const child of children.splice(0)) {
    child.kill('SIGKILL')
    await eventually('it has ended', () => child.exitCode !== null || child.signalCode !== null)
  }
})
afterAll(async () => {
  await origin.stop()
  await proxy.stop()
  rmSync(directory, { recursive: true })
})

const listen = (more: Partial<ListenerView> = {}): Promise<void> =>
  proxy.apply({ listeners: [{ name: 'web', host: '127.0.0.1', port: proxy.port, proxyFrom: ['127.0.0.1'], ...more }], services: [service([origin])] })
const request = 'GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n'
const line = 'PROXY TCP4 192.0.2.7 127.0.0.1 51234 80\r\n'
const tls = (): ListenerView['tls'] => ({
  certificates: [{ cert: pair.cert, key: pair.key, hosts: [] }],
  minVersion: 'TLSv1.2',
  requireClientCert: false,
})

function start(command: string, args: readonly string[]): ChildProcess {
  const child = spawn(command, args, { stdio: 'ignore' })
  children.push(child)
  return child
}

/** The first answer through a server that may be starting. */
const through = async (port: number, text = request): Promise<string> => {
  for (let tries = 0; ; tries++) {
    try {
      return (await ask(port, text)).text
    } catch (error) {
      if (tries > 100) throw error
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}

describe('the PROXY protocol at a listener', () => {
  it('tells the origin who the client is, on every request of the connection', async () => {
    await listen()
    const client = await RawClient.to(proxy.port)
    client.send(line + request)
    expect((await client.answer()).text).toBe('192.0.2.7')
    client.send(request)
    expect((await client.answer()).text).toBe('192.0.2.7')
    client.destroy()
  })

  it('reads a header that comes byte by byte', async () => {
    await listen()
    const client = await RawClient.to(proxy.port)
    for (const char of line) {
      client.send(char)
      await new Promise((resolve) => setImmediate(resolve))
    }
    client.send(request)
    expect((await client.answer()).text).toBe('192.0.2.7')
    client.destroy()
  })

  it.each([
    ['without a header', request, 'proxy_header'],
    ['with one that is malformed', `PROXY TCP4 a b 1 2\r\n${request}`, 'proxy_header'],
  ])('refuses a connection %s', async (_what, text, reason) => {
    await listen()
    const before = (await proxy.telemetry()).refused[reason] ?? 0
    await expect(ask(proxy.port, text)).rejects.toThrow(/closed/)
    expect((await proxy.telemetry()).refused[reason]).toBe(before + 1)
  })

  it('reads the header in front of the bytes of a TCP service, and goes by what it says', async () => {
    const tcp = { kind: 'plain', listener: 'web', readFromPrimary: true, idleMs: 60_000 } as const
    const other = await Origin.start(({ socket }) => socket.write(plain('other')))
    await proxy.apply({
      listeners: [{ name: 'web', host: '127.0.0.1', port: proxy.port, proxyFrom: ['127.0.0.1'], protocol: 'tcp' }],
      services: [service([origin, other], { routes: [], tcp, algorithm: 'ip-hash' })],
    })
    const from = async (address: string): Promise<string> => {
      const client = await RawClient.to(proxy.port)
      client.send(line.replace('192.0.2.7', address) + request)
      const { text } = await client.answer()
      client.destroy()
      return text
    }
    const told = await Promise.all(Array.from({ length: 16 }, (_, each) => from(`192.0.2.${each + 1}`)))
    expect(new Set(told)).toEqual(new Set(['nobody', 'other']))
    expect(await Promise.all(Array.from({ length: 16 }, (_, each) => from(`192.0.2.${each + 1}`)))).toEqual(told)
    await expect(ask(proxy.port, request)).rejects.toThrow(/closed/)
    await other.stop()
  })

  it('refuses a connection that says nothing for 3 s, and one that ends before', async () => {
    await listen()
    const silent = await RawClient.to(proxy.port)
    const ended = await RawClient.to(proxy.port)
    ended.send('PROXY')
    ended.socket.end()
    await ended.end()
    await silent.end()
    const { refused } = await proxy.telemetry()
    expect(refused.proxy_header_timeout).toBe(1)
  })

  it('refuses whoever is not trusted', async () => {
    await listen({ proxyFrom: ['10.0.0.0/8'] })
    await expect(ask(proxy.port, line + request)).rejects.toThrow(/closed/)
    expect((await proxy.telemetry()).refused.proxy_untrusted).toBe(1)
  })

  it('reads the header in front of TLS', async () => {
    await listen({ tls: tls() })
    const raw = await RawClient.to(proxy.port)
    raw.send(line)
    raw.socket.removeAllListeners('data')
    const secure = connectSecure({ socket: raw.socket, servername: 'shop.test', rejectUnauthorized: false })
    let answer = ''
    secure.on('data', (bytes: Buffer) => (answer += bytes.toString('latin1')))
    secure.write(request)
    await eventually('the answer', () => answer.endsWith('192.0.2.7'))
    secure.destroy()
  })

  it.each(['send-proxy', 'send-proxy-v2', 'send-proxy-v2 proxy-v2-options crc32c', 'send-proxy-v2 ssl verify none'])(
    'understands HAProxy: %s',
    async (option) => {
      await listen(option.includes('ssl') ? { tls: tls() } : {})
      const port = await freePort()
      const file = join(directory, 'haproxy.cfg')
      writeFileSync(
        file,
        `defaults\n  mode tcp\n  timeout connect 2s\n  timeout client 5s\n  timeout server 5s\nlisten front\n  bind 127.0.0.1:${port}\n  server us 127.0.0.1:${proxy.port} source 127.0.0.1 ${option}\n`,
      )
      execFileSync('haproxy', ['-c', '-q', '-f', file])
      start('haproxy', ['-db', '-f', file])
      expect(await through(port)).toBe('127.0.0.1')
    },
  )
})
