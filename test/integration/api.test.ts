/** The API on real sockets: listening, streams, slow and broken clients, and the end. */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { apiBase, apiLimits, ApiServer, MetricsServer } from '../../src/api/index.ts'
import { testConfig } from '../../src/api/testing/fake-operations.ts'
import { harness, type Harness } from '../../src/api/testing/harness.ts'

let h: Harness
let server: ApiServer
const sockets: Socket[] = []

beforeEach(async () => {
  h = await harness()
  server = new ApiServer(h.deps)
  await server.start()
})
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  await server.stop(AbortSignal.timeout(2_000))
})

const portOf = (url: string): number => Number(new URL(url).port)

async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000
  while (!condition()) {
    if (performance.now() > deadline) throw new Error('waited 10 s in vain')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

async function raw(text: string | Buffer): Promise<{ socket: Socket; got: () => string; closed: () => boolean }> {
  const socket = connect(portOf(server.url), '127.0.0.1')
  sockets.push(socket)
  let got = ''
  let closed = false
  socket.on('data', (chunk: Buffer) => (got += chunk.toString('latin1')))
  socket.on('close', () => (closed = true))
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  socket.write(text)
  return { socket, got: () => got, closed: () => closed }
}

const streamRequest = (path = '/events/stream', token = h.tokens.viewer): string =>
  `GET ${apiBase}${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\n\r\n`

describe('listening', () => {
  it('serves where it says', async () => {
    expect(server.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
    expect(await (await fetch(`${server.url}/ready`)).json()).toEqual({ success: true, data: { ready: true } })
  })

  it('a port that is taken is named, with how to find who has it', async () => {
    const port = portOf(server.url)
    const second = new ApiServer({ ...h.deps, config: { ...h.deps.config, api: { ...testConfig.api, port } } })
    await expect(second.start()).rejects.toMatchObject({
      code: 'listen_failed',
      message: `the API could not listen on 127.0.0.1:${port}: the address is in use`,
      hint: expect.stringMatching(new RegExp(`ss -ltnp 'sport = :${port}'.*api\\.port`)) as string,
      details: { host: '127.0.0.1', port },
    })
    await second.stop(AbortSignal.timeout(100))
    expect((await fetch(`${server.url}/health`)).status).toBe(200)
  })

  it.each([
    ['192.0.2.1', /no address of this machine/],
    ['no-such-host.invalid', /cannot be resolved/],
  ])('a host that is not ours is named: %s', async (host, message) => {
    const wrong = new ApiServer({ ...h.deps, config: { ...h.deps.config, api: { ...testConfig.api, host } } })
    await expect(wrong.start()).rejects.toMatchObject({ code: 'listen_failed', message: expect.stringMatching(message) as string })
  })

  it('stops twice, and starts again where it was', async () => {
    const port = portOf(server.url)
    await server.stop(AbortSignal.timeout(1_000))
    await server.stop(AbortSignal.timeout(1_000))
    expect(() => server.url).toThrow('does not listen')
    server = new ApiServer({ ...h.deps, config: { ...h.deps.config, api: { ...testConfig.api, port } } })
    await server.start()
    expect((await fetch(`${server.url}/health`)).status).toBe(200)
  })
})

describe('streams', () => {
  it('bring events as they happen, and resume where they broke', async () => {
    const read = async (headers: Record<string, string>, count: number): Promise<{ ids: number[]; stop: () => Promise<void> }> => {
      const answer = await fetch(`${server.url}${apiBase}/events/stream`, { headers: { authorization: `Bearer ${h.tokens.viewer}`, ...headers } })
      expect(answer.headers.get('content-type')).toBe('text/event-stream')
      const reader = (answer.body as ReadableStream<Uint8Array>).pipeThrough(new TextDecoderStream()).getReader()
      let text = ''
      const ids = (): number[] => [...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id))
      for (let i = 0; i < 3 && Object.keys(headers).length === 0; i++) {
        h.operations.emit('config.applied', { message: `m${i}`, data: { file: undefined, changes: [] } })
      }
      while (ids().length < count) text += (await reader.read()).value ?? ''
      return { ids: ids(), stop: () => reader.cancel() }
    }
    const first = await read({}, 3)
    await first.stop()
    await until(() => h.operations.listening === 0)
    const last = first.ids.at(-1) ?? 0
    h.operations.emit('config.applied', { message: 'while away', data: { file: undefined, changes: [] } })
    const second = await read({ 'last-event-id': String(last) }, 1)
    expect(second.ids).toEqual([last + 1])
    await second.stop()
  })

  it('a reader that stops reading is cut off, and its memory is freed', async () => {
    const { socket, closed } = await raw(streamRequest())
    socket.pause()
    await until(() => h.operations.listening === 1)
    const message = 'x'.repeat(10_000)
    for (let i = 0; i < 2_000 && h.operations.listening === 1; i++) {
      h.operations.emit('config.applied', { message, data: { file: undefined, changes: [] } })
      if (i % 20 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    await until(() => h.operations.listening === 0)
    socket.resume()
    await until(closed)
  })

  it('end at once when the API stops', async () => {
    const { got, closed } = await raw(streamRequest())
    const logs = await raw(streamRequest('/services/shop/logs?follow=true'))
    await until(() => h.operations.listening === 2)
    const began = performance.now()
    await server.stop(AbortSignal.timeout(5_000))
    expect(performance.now() - began).toBeLessThan(1_000)
    await until(() => closed() && logs.closed())
    expect(got()).toMatch(/\r\n0\r\n\r\n$/)
    expect(h.operations.listening).toBe(0)
  })
})

describe('stopping', () => {
  it('lets a request finish, and cuts it at the deadline', async () => {
    let finish: () => void = () => undefined
    h.operations.restart = async (service) => {
      await new Promise<void>((resolve) => (finish = resolve))
      return { service, replaced: [] }
    }
    const ask = (): Promise<Response> =>
      fetch(`${server.url}${apiBase}/services/shop/restart`, { method: 'POST', headers: { authorization: `Bearer ${h.tokens.admin}` } })
    const answer = ask()
    await until(() => h.operations.dataOf('access.granted').length === 1)
    const stopping = server.stop(AbortSignal.timeout(5_000))
    finish()
    expect((await answer).status).toBe(200)
    await stopping

    server = new ApiServer(h.deps)
    await server.start()
    const cut = ask().catch((error: unknown) => error)
    await until(() => h.operations.dataOf('access.granted').length === 2)
    const began = performance.now()
    await server.stop(AbortSignal.timeout(200))
    expect(performance.now() - began).toBeLessThan(2_000)
    expect(await cut).toBeInstanceOf(Error)
    finish()
  })

  it('is not held up by an idle connection, or one that never says anything', async () => {
    const { got } = await raw('GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await raw('GET /hea')
    await until(() => got().includes('"success":true'))
    const began = performance.now()
    await server.stop(AbortSignal.timeout(500))
    expect(performance.now() - began).toBeLessThan(1_500)
  })
})

describe('what is not HTTP', () => {
  it.each([
    ['noise', '\u0000\u0001\u0002 nonsense\r\n\r\n', 400, 'malformed_request'],
    ['two lengths', 'POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab', 400, 'malformed_request'],
    [
      'length and chunks',
      'POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      400,
      'malformed_request',
    ],
    ['a head of 20 KiB', `GET /health HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, 431, 'header_too_large'],
  ])('%s is refused in the envelope', async (_, text, status, code) => {
    const { got, closed } = await raw(text)
    await until(closed)
    expect(got()).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
    expect(JSON.parse(got().split('\r\n\r\n')[1] ?? '')).toMatchObject({ success: false, error: { code } })
  })

  it('a body without end is cut at 1 MiB', async () => {
    const { socket, got } = await raw(
      `POST ${apiBase}/config/check HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${h.tokens.admin}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`,
    )
    const piece = `10000\r\n${'x'.repeat(0x10000)}\r\n`
    for (let i = 0; i < 40 && socket.writable; i++) socket.write(piece)
    await until(() => got().includes('\r\n\r\n'))
    expect(got()).toMatch(/^HTTP\/1\.1 413 /)
    expect(got()).toContain('"code":"body_too_large"')
    expect(h.operations.journal).toEqual([])
  })

  it('a body that is announced too long is refused before it comes', async () => {
    const { got } = await raw(
      `POST ${apiBase}/config/check HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${h.tokens.admin}\r\nContent-Type: application/json\r\nContent-Length: ${apiLimits.bodyBytesMax + 1}\r\n\r\n`,
    )
    await until(() => got().includes('body_too_large'))
  })
})

describe('the metrics listener', () => {
  it('has the metrics and nothing else', async () => {
    const metrics = new MetricsServer({ operations: h.operations, config: { metrics: { port: 0, host: '127.0.0.1' } }, log: h.deps.log })
    await metrics.start()
    const answer = await fetch(`${metrics.url}/metrics`)
    expect([answer.headers.get('content-type'), await answer.text()]).toEqual([
      'text/plain; version=0.0.4; charset=utf-8',
      await h.operations.metrics(),
    ])
    expect((await fetch(`${metrics.url}${apiBase}/health`)).status).toBe(404)
    await metrics.stop(AbortSignal.timeout(1_000))
    await metrics.stop(AbortSignal.timeout(1_000))
  })

  it('is not opened when it has no port', async () => {
    const metrics = new MetricsServer({ operations: h.operations, config: { metrics: { port: undefined, host: '127.0.0.1' } }, log: h.deps.log })
    await metrics.start()
    expect(() => metrics.url).toThrow('do not listen')
    await metrics.stop(AbortSignal.timeout(1_000))
  })

  it('says which key to change when its port is taken', async () => {
    const holder: Server = createServer().listen(0, '127.0.0.1')
    await once(holder, 'listening')
    const { port } = holder.address() as AddressInfo
    const metrics = new MetricsServer({ operations: h.operations, config: { metrics: { port, host: '127.0.0.1' } }, log: h.deps.log })
    await expect(metrics.start()).rejects.toMatchObject({ code: 'listen_failed', hint: expect.stringContaining('metrics.port') as string })
    holder.close()
  })
})
