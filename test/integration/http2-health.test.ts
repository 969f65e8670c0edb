/** Probes of endpoints that speak HTTP/2: by a path, and by the health protocol of gRPC, plainly and by TLS; for a new instance, and for those that are there. */
import { mkdtempSync, rmSync } from 'node:fs'
import { createSecureServer, createServer, type Http2Server, type ServerHttp2Stream } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Server, ServerCredentials, status, type sendUnaryData, type ServerUnaryCall } from '@grpc/grpc-js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { probeOnce } from '../../src/balancer/primary/prober.ts'
import type { ProbeView } from '../../src/balancer/index.ts'
import { probeOnce as askInstance } from '../../src/supervisor/runtimes/process/probe.ts'
import { systemClock } from '../../src/kernel/system.ts'
import { ms } from '../../src/kernel/time.ts'
import { freePort } from '../support/balancer-harness.ts'
import { makePair } from '../support/certificates.ts'

const directory = mkdtempSync(join(tmpdir(), 'holdfast-health-'))
const { cert, key } = makePair(directory, 'origin', { hosts: ['origin.test'] })
const tls = { ca: cert, serverName: 'origin.test', verify: true }
const grpcServers: Server[] = []
const servers: Http2Server[] = []
let plain: number
let secure: number
let web: number
let webSecure: number

/** By hand, as the health protocol describes it: field 1 of the question is the name, field 1 of the answer the status. */
async function grpcServer(credentials: ServerCredentials): Promise<number> {
  const server = new Server()
  grpcServers.push(server)
  const bytes = (value: Buffer): Buffer => value
  server.addService(
    {
      check: {
        path: '/grpc.health.v1.Health/Check',
        requestStream: false,
        responseStream: false,
        requestSerialize: bytes,
        requestDeserialize: bytes,
        responseSerialize: bytes,
        responseDeserialize: bytes,
      },
    },
    {
      check: (call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) => {
        const name = call.request.subarray(2).toString()
        if (name === 'slow') return
        if (name === 'shop.Orders' || name === '') done(null, Buffer.from([8, 1]))
        else if (name === 'shop.Down') done(null, Buffer.from([8, 2]))
        else done({ code: status.NOT_FOUND, details: 'unknown service' })
      },
    },
  )
  return new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', credentials, (error, port) => {
      if (error) reject(error)
      else resolve(port)
    })
  })
}

async function webServer(server: Http2Server): Promise<number> {
  servers.push(server)
  server.on('stream', (stream: ServerHttp2Stream, headers) => {
    const ok = headers[':path'] === '/up' && headers[':method'] === 'GET'
    stream.respond({ ':status': ok ? 200 : 503 })
    stream.end(ok ? 'all is well' : 'no')
  })
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)))
}

beforeAll(async () => {
  const pair = { cert_chain: Buffer.from(cert), private_key: Buffer.from(key) }
  plain = await grpcServer(ServerCredentials.createInsecure())
  secure = await grpcServer(ServerCredentials.createSsl(null, [pair]))
  web = await webServer(createServer())
  webSecure = await webServer(createSecureServer({ cert, key }))
})
afterAll(async () => {
  for (const server of grpcServers) server.forceShutdown()
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  rmSync(directory, { recursive: true })
})

const probe = (more: Partial<ProbeView>): ProbeView => ({
  path: '',
  intervalMs: 1_000,
  timeoutMs: 1_000,
  fall: 1,
  rise: 1,
  statusMin: 200,
  statusMax: 299,
  ...more,
})
const at = (port: number): { host: string; port: number; http2: true } => ({ host: '127.0.0.1', port, http2: true })

describe('the health protocol of gRPC', () => {
  it.each([
    ['shop.Orders', undefined],
    ['', undefined],
    ['shop.Down', 'the gRPC health check of shop.Down answered NOT_SERVING'],
    ['shop.Lost', 'the gRPC health check of shop.Lost ended with NOT_FOUND: unknown service'],
  ])('about %j', async (grpc, failure) => {
    expect(await probeOnce(at(plain), probe({ grpc }))).toBe(failure)
    expect(await probeOnce(at(secure), probe({ grpc }), { tls })).toBe(failure)
  })

  it('fails in time, where nobody listens, where it is not spoken, and for who is not believed', async () => {
    expect(await probeOnce(at(plain), probe({ grpc: 'slow', timeoutMs: 200 }))).toBe('the gRPC health check of slow did not answer within 200 ms')
    expect(await probeOnce(at(await freePort()), probe({ grpc: '' }))).toBe('the gRPC health check failed: ECONNREFUSED')
    expect(await probeOnce(at(web), probe({ grpc: '' }))).toBe('the gRPC health check answered HTTP 503')
    expect(await probeOnce(at(secure), probe({ grpc: '' }), { tls: { verify: true } })).toMatch(/^the gRPC health check failed: the endpoint /)
  })
})

describe('a path', () => {
  it('is asked for by HTTP/2', async () => {
    expect(await probeOnce(at(web), probe({ path: '/up' }))).toBeUndefined()
    expect(await probeOnce(at(webSecure), probe({ path: '/up', body: 'well' }), { tls })).toBeUndefined()
    expect(await probeOnce(at(web), probe({ path: '/up', body: 'ill' }))).toBe('GET /up answered without "ill" in its body')
    expect(await probeOnce(at(web), probe({ path: '/down' }))).toBe('GET /down answered 503, expected 200-299')
  })
})

describe('a new instance', () => {
  const health = {
    interval: ms(1_000),
    timeout: ms(1_000),
    fall: 1,
    rise: 1,
    expect: { statusMin: 200, statusMax: 299, body: undefined },
    path: undefined as string | undefined,
  }

  it('is asked the same', async () => {
    const origin = { protocol: 'h2' } as const
    expect(await askInstance(systemClock, plain, { ...health, grpc: 'shop.Orders' }, origin)).toEqual({ passed: true, host: '127.0.0.1' })
    expect(await askInstance(systemClock, plain, { ...health, grpc: 'shop.Down' }, origin)).toMatchObject({ passed: false, connected: true })
    expect(await askInstance(systemClock, web, { ...health, path: '/up' }, origin)).toEqual({ passed: true, host: '127.0.0.1' })
    const secured = { ...origin, tls: { ca: undefined, cert: undefined, key: undefined, serverName: undefined, verify: true } }
    expect(await askInstance(systemClock, webSecure, { ...health, path: '/up' }, secured)).toEqual({ passed: true, host: '127.0.0.1' })
  })
})
