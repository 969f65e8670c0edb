/** How a gRPC call ends that its service does not end: cut midway, too late, refused, given up. What the client is told, and what the service sees. */
import { Client, credentials, Metadata, status, type ClientReadableStream, type StatusObject } from '@grpc/grpc-js'
import { createServer, type Http2Server, type ServerHttp2Session, type ServerHttp2Stream, type IncomingHttpHeaders } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { endpoint, eventually, freePort, service } from '../support/balancer-harness.ts'
import { Http2Client } from '../support/http2-client.ts'
import { useProxy } from '../support/proxy-fixture.ts'
import type { ServiceView } from '../../src/balancer/index.ts'

const { proxy } = useProxy({ per: 'file' })

const message = (text: string): Buffer => {
  const head = Buffer.alloc(5)
  head.writeUInt32BE(text.length, 1)
  return Buffer.concat([head, Buffer.from(text)])
}
const texts = (call: ClientReadableStream<string>): string[] => {
  const heard: string[] = []
  call.on('data', (text: string) => heard.push(text))
  call.on('error', () => undefined)
  return heard
}

let server: Http2Server
let port: number
let client: Client
let raw: Http2Client
const seen: { path: string; headers: IncomingHttpHeaders; stream: ServerHttp2Stream; session: ServerHttp2Session }[] = []

beforeAll(async () => {
  server = createServer()
  server.on('sessionError', () => undefined)
  server.on('stream', (stream, headers) => {
    const path = String(headers[':path'])
    seen.push({ path, headers, stream, session: stream.session as ServerHttp2Session })
    stream.on('error', () => undefined)
    stream.resume()
    if (path.endsWith('/silent')) return
    stream.respond({ ':status': 200, 'content-type': 'application/grpc+proto' }, { waitForTrailers: true })
    stream.on('wantTrailers', () => {
      stream.sendTrailers({ 'grpc-status': '0' })
    })
    stream.write(message('one'))
    if (path.endsWith('/early')) stream.end()
    if (path.endsWith('/whole')) stream.end(message('two'))
    if (path.endsWith('/half')) stream.write(message('never whole').subarray(0, 8))
  })
  port = await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)))
  client = new Client(`127.0.0.1:${proxy.port}`, credentials.createInsecure(), { 'grpc.enable_retries': 0 })
  await route()
  raw = await Http2Client.to(`http://127.0.0.1:${proxy.port}`)
})
afterAll(async () => {
  client.close()
  await raw.close()
  for (const { session } of seen) session.destroy()
  await new Promise((resolve) => server.close(resolve))
})

const route = (more: Partial<ServiceView> = {}, at: readonly number[] = [port]): Promise<void> =>
  proxy.apply({
    listeners: [{ name: 'web', host: '127.0.0.1', port: proxy.port, http2: true }],
    services: [
      service(
        at.map((each) => endpoint(each, { http2: true })),
        more,
      ),
    ],
  })

const listen = (path: string, options: { readonly deadline?: number; readonly metadata?: Metadata } = {}): ClientReadableStream<string> =>
  client.makeServerStreamRequest(
    `/test.Ends/${path}`,
    (text: string) => Buffer.from(text),
    (bytes) => bytes.toString(),
    'go',
    options.metadata ?? new Metadata(),
    options,
  )
const statusOf = (call: ClientReadableStream<string>): Promise<StatusObject> => new Promise((resolve) => call.on('status', resolve))
const lastAt = (path: string): (typeof seen)[number] => seen.findLast((each) => each.path.endsWith(path))!
const grpc = { ':method': 'POST', 'content-type': 'application/grpc', te: 'trailers' }

describe('a stream that is cut', () => {
  it.each([
    ['by the death of the connection', (at: (typeof seen)[number]) => at.session.destroy()],
    ['by a reset of the stream', (at: (typeof seen)[number]) => at.stream.close(2)],
  ])('%s is UNAVAILABLE, and says why, behind what has come of it', async (_how, cut) => {
    await route()
    const call = listen('open')
    const heard = texts(call)
    const ended = statusOf(call)
    await eventually('the first message', () => heard.length === 1)
    cut(lastAt('/open'))
    expect(await ended).toMatchObject({ code: status.UNAVAILABLE, details: 'the service ended the connection in the middle of its answer' })
    expect(heard).toEqual(['one'])
    // The connection to the client has not suffered.
    const next = listen('whole')
    const all = texts(next)
    expect([(await statusOf(next)).code, all]).toEqual([status.OK, ['one', 'two']])
  })

  it('in the middle of a message as well, and while the client still sends', async () => {
    await route()
    for (const [path, sends] of [
      ['/test.Ends/half', false],
      ['/test.Ends/open', true],
    ] as const) {
      const stream = raw.session.request({ ...grpc, ':path': path }, { endStream: false })
      const told: IncomingHttpHeaders[] = []
      let bytes = 0
      stream.on('trailers', (trailers: IncomingHttpHeaders) => told.push(trailers))
      stream.on('data', (chunk: Buffer) => (bytes += chunk.length))
      stream.on('error', () => undefined)
      const closed = new Promise<number>((resolve) => stream.on('close', () => resolve(stream.rstCode)))
      if (sends) stream.write(message('more'))
      else stream.end(message('all'))
      await eventually('its bytes', () => bytes >= (sends ? 8 : 16))
      lastAt(path).session.destroy()
      expect(await closed).toBe(0)
      expect(told).toEqual([expect.objectContaining({ 'grpc-status': '14' })])
    }
  })

  it('by the service itself, in good order, before the client is done: its own trailers arrive', async () => {
    await route()
    const stream = raw.session.request({ ...grpc, ':path': '/test.Ends/early' }, { endStream: false })
    const told = new Promise<IncomingHttpHeaders>((resolve) => stream.on('trailers', resolve))
    stream.on('error', () => undefined).resume()
    stream.write(message('more'))
    expect(await told).toMatchObject({ 'grpc-status': '0' })
  })

  it('and is not of gRPC is reset still', async () => {
    await route()
    const stream = raw.session.request({ ':method': 'POST', ':path': '/test.Ends/open' }, { endStream: true })
    stream.on('error', () => undefined)
    const closed = new Promise<number>((resolve) => stream.on('close', () => resolve(stream.rstCode)))
    await new Promise((resolve) => stream.once('data', resolve))
    lastAt('/open').session.destroy()
    expect(await closed).toBe(2)
  })
})

describe('grpc-timeout', () => {
  it('is passed on, shortened, and nothing else of a tree of calls is said', async () => {
    await route()
    expect((await raw.ask({ ...grpc, ':path': '/test.Ends/whole', 'grpc-timeout': '2S' }, message('x'))).trailers['grpc-status']).toBe('0')
    const { headers } = lastAt('/whole')
    expect(headers['grpc-timeout']).toMatch(/^(?:2000|19\d\d)m$/)
    expect(headers['x-deadline'] ?? headers['x-retry-attempt']).toBeUndefined()
    await raw.ask({ ...grpc, ':path': '/test.Ends/whole', 'grpc-timeout': 'soon' }, message('x'))
    expect(lastAt('/whole').headers['grpc-timeout']).toBeUndefined()
  })

  it('ends a call that is not answered, and one whose answer has no end, also when the client forgets it', async () => {
    await route()
    const began = performance.now()
    const silent = await raw.ask({ ...grpc, ':path': '/test.Ends/silent', 'grpc-timeout': '300m' }, message('x'))
    expect(silent).toMatchObject({ status: 200, code: 0, headers: { 'grpc-status': '4' } })
    const open = await raw.ask({ ...grpc, ':path': '/test.Ends/open', 'grpc-timeout': '300m' }, message('x'))
    expect(open).toMatchObject({ code: 0, trailers: { 'grpc-status': '4', 'grpc-message': 'the time that the caller gave is over' } })
    expect(performance.now() - began).toBeLessThan(2_000)
    await eventually('the service hears of both', () => lastAt('/silent').stream.aborted && lastAt('/open').stream.aborted)
    // A caller that waits no longer says nothing of the service.
    expect((await raw.ask({ ...grpc, ':path': '/test.Ends/whole' }, message('x'))).trailers['grpc-status']).toBe('0')
  })

  it('that is over when it comes sends nothing', async () => {
    await route()
    const before = seen.length
    const answer = await raw.ask({ ...grpc, ':path': '/test.Ends/whole', 'grpc-timeout': '1m' }, message('x'))
    expect(answer).toMatchObject({ status: 200, headers: { 'grpc-status': '4' } })
    expect(seen.length).toBe(before)
  })
})

describe('a call that is refused', () => {
  const told = async (): Promise<unknown> => (await raw.ask({ ...grpc, ':path': '/test.Ends/whole' }, message('x'))).headers['grpc-status']

  it('has the status that fits', async () => {
    await route({ rateLimit: { key: { by: 'service' }, rate: 1, periodMs: 60_000, burst: 1 } })
    expect(await told()).toBeUndefined()
    expect(await told()).toBe(String(status.RESOURCE_EXHAUSTED))
    await route({ managed: true, coming: true, parking: { timeoutMs: 200, requests: 10, bytes: 10_000 } }, [])
    const parked = await raw.ask({ ...grpc, ':path': '/test.Ends/whole' }, message('x'))
    expect(parked.headers).toMatchObject({ 'grpc-status': '14', 'grpc-message': expect.stringContaining('parked too long') as string })
    await route({ maintenance: true })
    expect(await told()).toBe(String(status.UNAVAILABLE))
    await route({ breaker: { errorRate: 0.5, windowMs: 10_000, minimumRequests: 2, openMs: 60_000 }, retries: { attempts: 0, budget: 0 } }, [
      await freePort(),
    ])
    for (let each = 0; each < 3; each++) expect(await told()).toBe('14')
    const open = await raw.ask({ ...grpc, ':path': '/test.Ends/whole' }, message('x'))
    expect(open.headers['grpc-message']).toContain('breaker open')
    await proxy.apply({ listeners: [{ name: 'web', host: '127.0.0.1', port: proxy.port, http2: true }], services: [] })
    expect(await told()).toBe(String(status.UNIMPLEMENTED))
  })
})

describe('a call', () => {
  it('that the client cancels is cancelled at the service', async () => {
    await route()
    const call = listen('open')
    const heard = texts(call)
    const ended = statusOf(call)
    await eventually('the first message', () => heard.length === 1)
    call.cancel()
    expect((await ended).code).toBe(status.CANCELLED)
    await eventually('the service hears of it', () => lastAt('/open').stream.aborted)
  })

  it('carries large metadata, and what is too large is RESOURCE_EXHAUSTED', async () => {
    await route()
    const metadata = new Metadata()
    for (let each = 0; each < 12; each++) metadata.set(`x-large-${each}`, 'v'.repeat(2_000))
    const call = listen('whole', { metadata })
    const heard = texts(call)
    expect((await statusOf(call)).code).toBe(status.OK)
    expect([heard, lastAt('/whole').headers['x-large-11']]).toEqual([['one', 'two'], 'v'.repeat(2_000)])
    for (let each = 0; each < 8; each++) metadata.set(`x-larger-${each}`, 'v'.repeat(2_000))
    const refused = listen('whole', { metadata })
    texts(refused)
    expect((await statusOf(refused)).code).toBe(status.RESOURCE_EXHAUSTED)
  })
})
