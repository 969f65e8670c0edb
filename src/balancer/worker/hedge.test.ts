import { afterEach, describe, expect, it, vi } from 'vitest'
import { Workbench, type FakeUpstream } from '../testing/workbench.ts'
import type { ServiceView } from '../core/routing-view.ts'
import { observersMax } from './limits.ts'

const get = (fields = ''): string => `GET /a HTTP/1.1\r\nHost: a\r\n${fields}\r\n`
const answer = (body: string, status = '200 OK'): string => `HTTP/1.1 ${status}\r\nContent-Length: ${body.length}\r\n\r\n${body}`

afterEach(() => vi.restoreAllMocks())

const delayMs = 20
const ejection = { consecutiveErrors: 3, consecutiveFailures: 2, baseMs: 30_000, maxMs: 300_000 }

class HedgeBench extends Workbench {
  constructor(view: Partial<ServiceView> = {}, endpoints = 3) {
    super({ hedge: { delayMs, budget: 0.05 }, timeoutMs: 5_000, ...view }, endpoints)
  }

  /** What its timer would do. */
  late(ms = delayMs): void {
    this.now += ms
    this.worker.tick()
    this.service.hedging!.look(this.now)
    this.settle()
  }

  /** The last connection stands, with what is sent on it. */
  opened(): { readonly upstream: FakeUpstream; readonly text: string } {
    this.connect()
    return { upstream: this.upstream, text: this.upstream.socket.taken() }
  }

  get inFlight(): number {
    return this.service.endpoints.reduce((sum, { active }) => sum + active, 0)
  }

  get hedges(): Record<string, number> {
    return this.service.counters.hedges
  }
}

/** A request that has been made at two endpoints. */
function hedged(view: Partial<ServiceView> = {}): { readonly bench: HedgeBench; readonly first: FakeUpstream; readonly second: FakeUpstream } {
  const bench = new HedgeBench(view)
  bench.send(get())
  const { upstream: first, text } = bench.opened()
  bench.late()
  const { upstream: second, text: again } = bench.opened()
  expect(second.pool).not.toBe(first.pool)
  expect(again.replace(/Host: .*\r\n/, '')).toBe(text.replace(/Host: .*\r\n/, ''))
  return { bench, first, second }
}

describe('a request that is late', () => {
  it('is answered by its hedge, and the loser stays to show what its endpoint does', () => {
    const { bench, first, second } = hedged()
    bench.now += 2
    second.says(answer('second'))
    expect(bench.socket.taken()).toMatch(/second$/)
    expect(bench.hedges).toEqual({ hedge: 1 })
    expect(bench.inFlight).toBe(1)
    expect(first.pool.active).toBe(1)
    expect(first.pool.ewmaMs).toBe(22)
    expect(bench.service.retrying).toBe(0)
    bench.now += 700
    first.says(answer('first'))
    expect(bench.socket.taken()).toBe('')
    expect(first.closed).toBe(true)
    expect(first.pool.ewmaMs).toBe(722)
    expect(first.pool.errors).toBe(0)
    expect(bench.inFlight).toBe(0)
  })

  it('is answered by the first attempt when that is faster after all', () => {
    const { bench, first, second } = hedged()
    first.says(answer('first'))
    expect(bench.socket.taken()).toMatch(/first$/)
    expect(second.closed).toBe(true)
    expect(bench.hedges).toEqual({ first: 1 })
    expect(bench.inFlight).toBe(0)
    bench.send(get())
    expect(bench.service.active).toBe(1)
  })

  it('takes no part of a head for an answer', () => {
    const { bench, first, second } = hedged()
    const text = answer('second')
    second.says(text.slice(0, 20))
    expect(bench.socket.taken()).toBe('')
    second.says(text.slice(20))
    expect(bench.socket.taken()).toMatch(/second$/)
    expect(first.user).toBeDefined()
  })

  it('goes on with the hedge when the first attempt fails, and the failure is booked', () => {
    const { bench, first, second } = hedged({ ejection })
    first.breaks('ECONNRESET')
    expect(bench.socket.taken()).toBe('')
    expect(first.pool.failureRun).toBe(1)
    const text = answer('second')
    second.says(text.slice(0, 10))
    second.says(text.slice(10))
    expect(bench.socket.taken()).toMatch(/second$/)
    expect(bench.hedges).toEqual({ hedge: 1 })
    expect(bench.inFlight).toBe(0)
  })

  it('goes on with what has come of the head of the hedge', () => {
    const { bench, first, second } = hedged()
    const text = answer('second')
    second.says(text.slice(0, 30))
    first.breaks('ECONNRESET')
    second.says(text.slice(30))
    expect(bench.socket.taken()).toMatch(/^HTTP\/1.1 200 [^]*second$/)
  })

  it('waits for the other when one answers 5xx', () => {
    const { bench, first, second } = hedged()
    first.says(answer('broken', '500 Broken'))
    expect(bench.socket.taken()).toBe('')
    second.says(answer('fine'))
    expect(bench.socket.taken()).toMatch(/fine$/)
    const other = hedged()
    other.second.says(answer('broken', '500 Broken'))
    expect(other.bench.socket.taken()).toBe('')
    other.first.says(answer('fine'))
    expect(other.bench.socket.taken()).toMatch(/fine$/)
    expect(other.bench.hedges).toEqual({ first: 1 })
  })

  it('gets the 5xx that came when the other has nothing at all', () => {
    const { bench, first, second } = hedged({ retries: { attempts: 0, budget: 0.2 } })
    second.says(answer('broken', '500 Broken'))
    first.breaks('ECONNRESET')
    expect(bench.socket.taken()).toMatch(/^HTTP\/1.1 500 [^]*broken$/)
    expect(bench.inFlight).toBe(0)
    expect(bench.hedges).toEqual({ first: 1 })
  })

  it('fails when both do', () => {
    const { bench, first, second } = hedged({ retries: { attempts: 1, budget: 0.2 } })
    second.breaks('ECONNRESET')
    expect(bench.socket.taken()).toBe('')
    first.breaks('ECONNRESET')
    // The hedge was its one second try; being caught in the end of a process allows one more.
    bench.settle()
    const third = bench.opened().upstream
    third.breaks('ECONNRESET')
    expect(bench.socket.taken()).toMatch(/^HTTP\/1.1 502 /)
    expect(bench.inFlight).toBe(0)
    expect(bench.hedges).toEqual({ none: 1 })
  })

  it('leaves nothing behind when its client goes', () => {
    const { bench, first, second } = hedged()
    bench.client.exchange.clientGone()
    expect(first.closed && second.closed).toBe(true)
    expect(bench.inFlight).toBe(0)
    expect(bench.service.retrying).toBe(0)
    expect(bench.hedges).toEqual({ none: 1 })
  })

  it('leaves nothing behind when its client goes while the hedge connects', () => {
    const bench = new HedgeBench()
    bench.send(get())
    bench.opened()
    bench.late()
    expect(bench.upstreams.length).toBe(2)
    bench.client.exchange.clientGone()
    expect(bench.inFlight).toBe(0)
    expect(bench.upstreams.every(({ closed }) => closed)).toBe(true)
  })

  it('is hedged once', () => {
    const { bench } = hedged()
    bench.late(1_000)
    expect(bench.upstreams.length).toBe(2)
  })

  it('gets its hedge later when there was no room for one at first', () => {
    const bench = new HedgeBench()
    bench.send(get())
    bench.opened()
    bench.service.retrying = 3
    bench.late()
    expect(bench.upstreams.length).toBe(1)
    bench.service.retrying = 0
    bench.service.hedging!.sweep(bench.now + 100)
    bench.settle()
    expect(bench.upstreams.length).toBe(2)
    bench.opened().upstream.says(answer('second'))
    expect(bench.socket.taken()).toMatch(/second$/)
  })

  it('is not looked at again when it has been answered', () => {
    const bench = new HedgeBench()
    bench.send(get())
    const { upstream } = bench.opened()
    bench.service.retrying = 3
    bench.late()
    upstream.says(answer('first'))
    bench.service.retrying = 0
    bench.service.hedging!.sweep(bench.now + 100)
    bench.settle()
    expect(bench.upstreams.length).toBe(1)
    expect(bench.hedges).toEqual({})
  })

  it('lets the caller know that it was tried twice', () => {
    const bench = new HedgeBench()
    bench.send(get('X-Retry-Attempt: 0\r\n'))
    expect(bench.opened().text).toContain('X-Retry-Attempt: 0')
    bench.late()
    expect(bench.opened().text).toContain('X-Retry-Attempt: 1')
  })
})

describe('what is never hedged', () => {
  const once = (text: string, view: Partial<ServiceView> = {}, endpoints = 3): HedgeBench => {
    const bench = new HedgeBench(view, endpoints)
    bench.send(text)
    bench.opened()
    bench.late(1_000)
    expect(bench.upstreams.length).toBe(1)
    return bench
  }

  it('what is not safe, what has nobody else, what is a try of somebody above, what has no time left', () => {
    once('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab')
    once('PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab')
    once(get(), {}, 1)
    once(get('X-Retry-Attempt: 1\r\n'))
    once(get('Connection: upgrade\r\nUpgrade: websocket\r\n'))
  })

  it('when its answer has begun', () => {
    const bench = new HedgeBench()
    bench.send(get())
    bench.opened().upstream.says('HTTP/1.1 200')
    bench.late()
    expect(bench.upstreams.length).toBe(1)
  })

  it('while nobody knows what is late', () => {
    const bench = new HedgeBench({ hedge: { budget: 0.05 } })
    bench.send(get())
    bench.opened()
    bench.late(4_000)
    expect(bench.upstreams.length).toBe(1)
  })

  it('to an endpoint whose breaker is not closed', () => {
    const breaker = { errorRate: 0.5, windowMs: 10_000, minimumRequests: 5, openMs: 30_000 }
    const bench = new HedgeBench({ breaker })
    bench.send(get())
    bench.opened()
    for (const endpoint of bench.service.endpoints) if (endpoint !== bench.upstream.pool) endpoint.breaker?.trip(bench.now)
    bench.late()
    expect(bench.upstreams.length).toBe(1)
  })

  it('when the budget is spent', () => {
    const bench = new HedgeBench({ algorithm: 'random' })
    let made = 0
    for (let i = 0; i < 100; i++) {
      const before = bench.upstreams.length
      bench.send(get())
      if (bench.upstreams.length > before) bench.connect()
      const sent = bench.upstreams.length
      bench.late()
      if (bench.upstreams.length > sent) bench.connect()
      for (const upstream of bench.upstreams) if (!upstream.closed) upstream.says(answer('x'))
      made = Object.values(bench.hedges).reduce((sum, count) => sum + count, 0)
    }
    expect(made).toBeLessThanOrEqual(15)
  })
})

describe('an endpoint over which hedges win', () => {
  it('is taken for hanging when it answers none of them in time, and that is told', () => {
    const { bench, first, second } = hedged({ ejection, timeoutMs: 30_000 })
    second.says(answer('second'))
    expect(first.pool.failureRun).toBe(0)
    bench.now += 5_000
    bench.worker.tick()
    bench.service.hedging!.sweep(bench.now)
    expect(first.pool.failureRun).toBe(1)
    expect(first.closed).toBe(true)
    expect(bench.inFlight).toBe(0)
  })

  it('is doubted at once: what cannot be sent twice goes elsewhere', () => {
    const { bench, first } = hedged()
    expect(first.pool.isDoubtful(bench.now)).toBe(true)
    expect(first.pool.isDoubtful(bench.now + 1_000)).toBe(false)
  })

  it('is not drained by those that only look on', () => {
    const { bench, first, second } = hedged()
    second.says(answer('second'))
    first.pool.view = { ...first.pool.view, state: 'draining' }
    bench.service.hedging!.sweep(bench.now)
    expect(first.pool.active).toBe(0)
    expect(first.closed).toBe(true)
  })

  it('keeps no more than a few of them', () => {
    expect(observersMax).toBeLessThan(10)
  })
})
