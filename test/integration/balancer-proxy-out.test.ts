/** Whose connection it is, told to endpoints by the PROXY protocol: to HAProxy and nginx, which refuse whatever says nothing or something else. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { probeOnce } from '../../src/balancer/primary/prober.ts'
import { connectOnce } from '../../src/balancer/primary/connect-once.ts'
import type { OriginView, ServiceView } from '../../src/balancer/index.ts'
import { eventually, freePort, get, Origin, plain, RawClient, service, startProxy, type RunningProxy } from '../support/balancer-harness.ts'
import { makePair } from '../support/certificates.ts'

let proxy: RunningProxy
let directory: string
let tls: NonNullable<OriginView['tls']>
const children: ChildProcess[] = []
/** Ports that want the header first. */
const peers = { haproxy: 0, haproxyTls: 0, nginx: 0, nginxTls: 0 }

const start = (command: string, args: readonly string[]): void => void children.push(spawn(command, args, { stdio: 'ignore' }))

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-proxy-out-'))
  const { cert, key, certFile, keyFile } = makePair(directory, 'origin', { hosts: ['origin.test'] })
  tls = { ca: cert, serverName: 'origin.test', verify: true }
  const both = join(directory, 'both.pem')
  writeFileSync(both, cert + key)
  for (const name of Object.keys(peers) as (keyof typeof peers)[]) peers[name] = await freePort()
  proxy = await startProxy(1)

  const haproxy = join(directory, 'haproxy.cfg')
  writeFileSync(
    haproxy,
    `defaults
  mode http
  timeout connect 2s
  timeout client 9s
  timeout server 9s
frontend f
  bind 127.0.0.1:${peers.haproxy} accept-proxy
  bind 127.0.0.1:${peers.haproxyTls} accept-proxy ssl crt ${both}
  http-request return status 200 content-type text/plain lf-string "%[src]:%[src_port] %[dst]:%[dst_port]"
`,
  )
  execFileSync('haproxy', ['-c', '-q', '-f', haproxy])
  start('haproxy', ['-db', '-f', haproxy])

  const nginx = join(directory, 'nginx.conf')
  const answers = `location / { return 200 "$proxy_protocol_addr:$proxy_protocol_port $proxy_protocol_server_addr:$proxy_protocol_server_port"; }
    location /large { root ${directory}; }`
  writeFileSync(
    nginx,
    `daemon off; user root; pid ${directory}/nginx.pid; error_log ${directory}/nginx.log; worker_processes 1;
events { worker_connections 256; }
http { access_log off; client_body_temp_path ${directory}/body; proxy_temp_path ${directory}/proxy; fastcgi_temp_path ${directory}/fcgi; uwsgi_temp_path ${directory}/uwsgi; scgi_temp_path ${directory}/scgi;
  server { listen 127.0.0.1:${peers.nginx} proxy_protocol; ${answers} }
  server { listen 127.0.0.1:${peers.nginxTls} ssl proxy_protocol; ssl_certificate ${certFile}; ssl_certificate_key ${keyFile}; ${answers} }
}
`,
  )
  writeFileSync(join(directory, 'large'), Buffer.alloc(3_000_000, 'holdfast'))
  start('nginx', ['-e', `${directory}/nginx.log`, '-c', nginx])
  for (const port of Object.values(peers))
    await eventually('the peer listens', async () => (await connectOnce({ host: '127.0.0.1', port }, { timeoutMs: 500 })) === undefined || undefined)
})
afterAll(async () => {
  for (const child of children) {
    child.kill('SIGTERM')
    await eventually('it has ended', () => child.exitCode !== null || child.signalCode !== null)
  }
  await proxy.stop()
  rmSync(directory, { recursive: true })
})

const to = (peer: keyof typeof peers, version: 'v1' | 'v2', more: Partial<ServiceView> = {}): ServiceView =>
  service([peers[peer]], { origin: { proxyProtocol: version, ...(peer.endsWith('Tls') && { tls }) }, ...more })
const cases = (Object.keys(peers) as (keyof typeof peers)[]).flatMap((peer) => [[peer, 'v1'] as const, [peer, 'v2'] as const])
const endsOf = ({ socket }: RawClient): string => `127.0.0.1:${socket.localPort} 127.0.0.1:${proxy.port}`

describe('the PROXY protocol to endpoints', () => {
  it.each(cases)('tells %s by %s of every client who it is, one after another and again', async (peer, version) => {
    await proxy.route(to(peer, version))
    for (let each = 0; each < 3; each++) {
      const client = await RawClient.to(proxy.port)
      for (let request = 0; request < 2; request++) {
        client.send(get('/'))
        expect((await client.answer()).text).toBe(endsOf(client))
      }
      client.destroy()
    }
  })

  it.each(cases.filter(([peer]) => peer.startsWith('nginx')))('brings a large answer whole: %s, %s', async (peer, version) => {
    await proxy.route(to(peer, version))
    const client = await RawClient.to(proxy.port)
    client.send(get('/large'))
    const { status, text } = await client.answer()
    expect([status, text.length, text.replaceAll('holdfast', '')]).toEqual([200, 3_000_000, ''])
    client.destroy()
  })

  it.each(['v1', 'v2'] as const)('comes first on connections of a TCP service: %s', async (version) => {
    const view = to('haproxy', version, { routes: [], tcp: { kind: 'plain', listener: 'web', readFromPrimary: true, idleMs: 60_000 } })
    await proxy.apply({ listeners: [{ name: 'web', host: '127.0.0.1', port: proxy.port, protocol: 'tcp' }], services: [view] })
    const client = await RawClient.to(proxy.port)
    client.send(get('/'))
    expect((await client.answer()).text).toBe(endsOf(client))
    client.destroy()
  })

  it('gives a connection that was opened for one client to nobody else when it is switched off', async () => {
    const line = 'PROXY TCP4 192.0.2.7 192.0.2.8 1 2\r\n'
    const apply = (origin: OriginView | undefined): Promise<void> =>
      proxy.apply({
        listeners: [{ name: 'web', host: '127.0.0.1', port: proxy.port, proxyFrom: ['127.0.0.1'] }],
        services: [service([peers.haproxy], { origin, retries: { attempts: 0, budget: 0 } })],
      })
    await apply({ proxyProtocol: 'v2' })
    const client = await RawClient.to(proxy.port)
    client.send(line + get('/'))
    expect((await client.answer()).text).toContain('192.0.2.7:1 ')
    await apply(undefined)
    client.send(get('/'))
    // Whoever takes the header takes nothing without one.
    expect((await client.answer()).text).not.toContain('192.0.2.7')
    client.destroy()
  })

  it('keeps the connection for the further requests of the same client, and for nobody else; it ends with the client’s', async () => {
    const bodies: string[] = []
    // Reads the header of each connection, and answers with it.
    const origin = await Origin.raw((socket) => {
      let line = ''
      let unread = ''
      socket.on('data', (chunk: Buffer) => {
        unread += chunk.toString('latin1')
        // The header, and a head or the body of one, may come one by one.
        if (!unread.endsWith(unread.includes('POST ') ? '\r\n\r\nhi' : '\r\n\r\n')) return
        if (line === '') line = unread.slice(0, unread.indexOf('\r\n'))
        bodies.push(unread)
        unread = ''
        socket.write(plain(line))
      })
      socket.on('end', () => socket.end())
    })
    await proxy.route(service([origin], { origin: { proxyProtocol: 'v1' } }))
    const clients = [await RawClient.to(proxy.port), await RawClient.to(proxy.port)]
    for (let request = 0; request < 4; request++) {
      for (const client of clients) {
        client.send(request % 2 === 0 ? get('/') : 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi')
        expect((await client.answer()).text).toBe(`PROXY TCP4 127.0.0.1 127.0.0.1 ${client.socket.localPort} ${proxy.port}`)
      }
    }
    expect(origin.connections).toBe(2)
    expect(bodies.filter((body) => body.startsWith('PROXY '))).toHaveLength(2)
    clients[0]!.destroy()
    await eventually('its connection is gone, the other one is not', () => origin.sockets.size === 1)
    clients[1]!.send(get('/'))
    expect((await clients[1]!.answer()).status).toBe(200)
    expect(origin.connections).toBe(2)
    clients[1]!.destroy()
    await origin.stop()
  })

  it.each(cases)('is spoken by probes, for themselves: %s, %s', async (peer, version) => {
    const probe = { path: '/', intervalMs: 1_000, timeoutMs: 2_000, fall: 1, rise: 1, statusMin: 200, statusMax: 200 }
    const at = { host: '127.0.0.1', port: peers[peer] }
    const { origin } = to(peer, version)
    expect(await probeOnce(at, probe, origin)).toBeUndefined()
    expect(await connectOnce(at, probe, origin)).toBeUndefined()
    expect(await probeOnce(at, probe, origin?.tls && { tls: origin.tls })).toMatch(/failed/)
  })
})
