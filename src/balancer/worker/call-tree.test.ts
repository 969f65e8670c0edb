/** The balancer as a hop of a tree of calls: what it passes on, and what it leaves undone. */
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { ServiceView } from '../core/routing-view.ts'
import { Workbench } from '../testing/workbench.ts'

afterEach(() => vi.restoreAllMocks())

const farFuture = '99999999999999'
const request = (fields: string): string => `GET / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`
const within = (ms: number): string => request(`X-Deadline: ${farFuture};remaining=${ms}\r\n`)
const attempt = (count: number): string => request(`X-Retry-Attempt: ${count}\r\n`)
const failed = 'HTTP/1.1 503 Z\r\nConnection: close\r\nContent-Length: 0\r\n\r\n'
const retries = { attempts: 1, budget: 0.2, statuses: [503], onTimeout: true }
const atWork = (view: Partial<ServiceView> = {}): Workbench => new Workbench({ retries, ...view }, 2)

describe('the deadline of a caller', () => {
  it('is passed on with what is left of it', () => {
    const at = atWork()
    at.send(within(500))
    at.now += 200
    at.worker.tick()
    at.connect()
    expect(at.upstream.socket.taken()).toMatch(/\r\nX-Deadline: \d+;remaining=300\r\nX-Retry-Attempt: 0\r\n/)
  })

  it('that is too near is answered at once', () => {
    const at = atWork()
    at.send(within(4))
    expect(at.socket.taken()).toMatch(/^HTTP\/1\.1 504 [^]*deadline of the caller/)
    expect(at.upstreams).toHaveLength(0)
    expect(at.service.active).toBe(0)
  })

  it('that passes while a connection is made leaves the request unsent, and the connection unharmed', () => {
    const at = atWork()
    at.send(within(50))
    at.now += 46
    at.worker.tick()
    at.connect()
    expect(at.upstream.socket.taken()).toBe('')
    expect(at.upstream.closed).toBe(false)
    expect(at.socket.taken()).toMatch(/^HTTP\/1\.1 504 /)
  })

  it('that passes while an endpoint works is no failure of the endpoint, and nobody else is asked', () => {
    const at = atWork({ ejection: { consecutiveErrors: 1, consecutiveFailures: 1, baseMs: 30_000, maxMs: 300_000 } })
    at.send(within(50))
    at.connect()
    at.pass(100)
    expect(at.socket.taken()).toMatch(/^HTTP\/1\.1 504 [^]*deadline of the caller/)
    expect(at.upstreams).toHaveLength(1)
    expect(at.told).toEqual([])
    expect(at.service.endpoints.map(({ active, failureRun }) => [active, failureRun])).toEqual([
      [0, 0],
      [0, 0],
    ])
  })

  it('that makes no sense is left out', () => {
    const at = atWork()
    at.send(request('X-Deadline: soon\r\nX-Retry-Attempt: -1\r\n'))
    at.connect()
    const sent = at.upstream.socket.taken()
    expect(sent).not.toContain('X-Deadline')
    expect(sent).toContain('X-Retry-Attempt: 0\r\n')
  })
})

describe('tries', () => {
  it('are made by the hop that met the failure, counted, and not made again above', () => {
    const at = atWork()
    at.send(attempt(0))
    at.connect()
    at.upstream.says(failed)
    at.settle()
    at.connect()
    expect(at.upstream.socket.taken()).toContain('X-Retry-Attempt: 1\r\n')
    at.upstream.says(failed)
    expect(at.socket.taken()).toMatch(/^HTTP\/1\.1 503 [^]*X-Retry-Spent: 1\r\n/)
  })

  it('of a caller are not multiplied by ours, unless nobody was reached', () => {
    const at = atWork()
    at.send(attempt(1))
    at.upstream.breaks('ECONNREFUSED')
    at.settle()
    expect(at.upstreams).toHaveLength(2)
    at.connect()
    at.upstream.says(failed)
    at.settle()
    expect(at.upstreams).toHaveLength(2)
    expect(at.socket.taken()).toMatch(/^HTTP\/1\.1 503 /)
  })

  it('that were made below are not made again by us', () => {
    const at = atWork()
    at.send(attempt(0))
    at.connect()
    at.upstream.says(failed.replace('Connection', 'X-Retry-Spent: 1\r\nConnection'))
    at.settle()
    expect(at.upstreams).toHaveLength(1)
    expect(at.socket.taken()).toMatch(/^HTTP\/1\.1 503 /)
  })

  it('are as they were for requests without the fields, and nothing is added to those', () => {
    const at = atWork()
    at.send(request(''))
    at.connect()
    expect(at.upstream.socket.taken()).not.toMatch(/X-Retry|X-Deadline/)
  })
})

describe('the deadline of gRPC', () => {
  const grpc = (timeout: string, more = ''): string => request(`Grpc-Timeout: ${timeout}\r\n${more}`)

  it('is passed on with what is left of it, alone, and with the fields of a tree when there are some', () => {
    const at = atWork()
    at.send(grpc('2S'))
    at.now += 200
    at.worker.tick()
    at.connect()
    const sent = at.upstream.socket.taken()
    expect(sent).toContain('\r\nGrpc-Timeout: 1800m\r\n')
    expect(sent).not.toMatch(/X-Deadline|X-Retry-Attempt|2S/)
    const both = atWork()
    both.send(grpc('2S', `X-Deadline: ${farFuture};remaining=500\r\n`))
    both.connect()
    expect(both.upstream.socket.taken()).toMatch(/Grpc-Timeout: 500m\r\nX-Deadline: \d+;remaining=500\r\nX-Retry-Attempt: 0\r\n/)
  })

  it.each(['', '2', 'S', '-2S', '123456789S', '2s', '2 S', '1e3m'])('%j is none, and is not passed on', (timeout) => {
    const at = atWork()
    at.send(grpc(timeout))
    at.connect()
    expect(at.upstream.socket.taken()).not.toMatch(/grpc-timeout/i)
    at.pass(400)
    expect(at.socket.taken()).toBe('')
  })

  it('holds for the whole of an answer', () => {
    const at = atWork()
    at.send(grpc('500m'))
    at.connect()
    at.upstream.says('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n')
    at.pass(400)
    expect(at.socket.destroyed).toBe(false)
    at.pass(200)
    expect(at.socket.destroyed).toBe(true)
  })
})
