import { afterEach, describe, expect, it, vi } from 'vitest'
import type { ServiceView } from '../core/routing-view.ts'
import { Workbench } from '../testing/workbench.ts'
import { outlierHoldMs } from './limits.ts'

const request = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
const post = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx'
const answer = (status: number, body = 'x', fields = ''): string =>
  `HTTP/1.1 ${status} Z\r\nConnection: close\r\n${fields}Content-Length: ${body.length}\r\n\r\n${body}`
const retries = { attempts: 1, budget: 0.2, statuses: [500, 502, 503, 504] }
const ejection = { consecutiveErrors: 5, consecutiveFailures: 2, baseMs: 30_000, maxMs: 300_000 }
const breaker = { errorRate: 0.5, windowMs: 10_000, minimumRequests: 4, openMs: 5_000 }

afterEach(() => vi.restoreAllMocks())

/** One request, each attempt answered with the next text. */
function exchange(bench: Workbench, answers: readonly string[], text = request): string {
  let seen = 0
  const opened = bench.upstreams.length
  bench.send(text)
  while (bench.upstreams.length > opened + seen && seen < answers.length) {
    bench.connect()
    const upstream = bench.upstream
    upstream.says(answers[seen++]!)
    bench.settle()
  }
  return bench.socket.taken()
}

describe('requests that cannot be sent again', () => {
  it('go past an endpoint that has just answered an error, until it answers well', () => {
    const at = new Workbench({ retries, ejection, algorithm: 'round-robin' }, 2)
    expect(exchange(at, [answer(500), answer(200, 'good')])).toContain('good')
    const failing = at.service.endpoints.find(({ errorRun }) => errorRun === 1)!
    const before = failing.requests
    for (let i = 0; i < 6; i++) expect(exchange(at, [answer(200)], post)).toContain('200')
    expect(failing.requests).toBe(before)
    for (let i = 0; i < 2; i++) exchange(at, [answer(200)])
    for (let i = 0; i < 2; i++) exchange(at, [answer(200)], post)
    expect(failing.requests).toBeGreaterThan(before + 1)
  })
})

describe('an answer with an error', () => {
  const bench = (view: Partial<ServiceView> = {}): Workbench => new Workbench({ retries, ...view }, 2)

  it('is not passed on when another endpoint has a better one', () => {
    const at = bench()
    expect(exchange(at, [answer(503, 'no'), answer(200, 'yes')])).toMatch(/^HTTP\/1\.1 200 [^]*yes$/)
    expect(at.service.counters.retried).toBe(1)
    expect(at.service.retrying).toBe(0)
  })

  it('is passed on when it is the last one', () => {
    expect(exchange(bench(), [answer(503, 'first'), answer(500, 'second')])).toMatch(/^HTTP\/1\.1 500 [^]*second$/)
  })

  it('is passed on after all when nobody else answers', () => {
    const at = bench()
    at.send(request)
    at.connect()
    at.upstream.says(answer(503, 'the real one'))
    at.settle()
    at.upstream.breaks('ECONNREFUSED')
    at.settle()
    expect(at.socket.taken()).toMatch(/^HTTP\/1\.1 503 [^]*the real one$/)
    expect(at.service.active).toBe(0)
  })

  it('keeps its status when it was not whole and nobody else answers', () => {
    const at = bench()
    at.send(request)
    at.connect()
    at.upstream.says('HTTP/1.1 502 Z\r\nContent-Length: 100\r\n\r\npart')
    at.settle()
    at.upstream.breaks('ECONNREFUSED')
    at.settle()
    expect(at.socket.taken()).toMatch(/^HTTP\/1\.1 502 [^]*answered 502/)
  })

  it.each([
    ['to a POST', post, answer(503), {}],
    ['that says when to come back', request, answer(503, 'x', 'Retry-After: 3\r\n'), {}],
    ['of another status', request, answer(501), {}],
    ['without a second try allowed', request, answer(503), { retries: { ...retries, attempts: 0 } }],
    ['where no status is worth it', request, answer(503), { retries: { attempts: 1, budget: 0.2 } }],
  ])('%s is passed on at once', (_, text, error, view) => {
    const at = bench(view)
    expect(exchange(at, [error], text)).toMatch(/^HTTP\/1\.1 50[13] /)
    expect(at.upstreams).toHaveLength(1)
  })

  it('is passed on when there is nobody else', () => {
    const at = new Workbench({ retries })
    expect(exchange(at, [answer(503, 'alone')])).toMatch(/alone$/)
  })
})

describe('no answer in time', () => {
  it('is waited for half the time when there is a second try, if asked for', () => {
    const at = new Workbench({ timeoutMs: 1_000, retries: { ...retries, onTimeout: true } }, 2)
    at.send(request)
    at.connect()
    at.pass(600)
    expect(at.upstreams).toHaveLength(2)
    at.connect()
    at.upstream.says(answer(200, 'in time'))
    expect(at.socket.taken()).toMatch(/in time$/)
  })

  it('ends in 504 otherwise', () => {
    const at = new Workbench({ timeoutMs: 1_000, retries }, 2)
    at.send(request)
    at.connect()
    at.pass(1_200)
    expect(at.socket.taken()).toMatch(/^HTTP\/1\.1 504 /)
    expect(at.upstreams).toHaveLength(1)
  })
})

describe('ejection', () => {
  it('is asked for after a run of errors, and nothing goes there while it lasts', () => {
    const at = new Workbench({ ejection }, 2)
    const [first, second] = at.service.endpoints
    for (let i = 0; i < 10; i++) exchange(at, [answer(i % 2 === 0 ? 500 : 200)])
    expect([first!.errorRun, second!.errorRun]).toEqual([5, 0])
    expect(at.told).toContainEqual({ type: 'outlier', endpoint: 'e0', service: 'api', kind: 'errors', count: 5 })
    at.service.verdicts!.ejected(first!, 30_000, at.now)
    for (let i = 0; i < 4; i++) {
      exchange(at, [answer(200)])
      expect(at.upstream.pool).toBe(second)
    }
    at.pass(30_100)
    for (let i = 0; i < 2; i++) exchange(at, [answer(500)])
    expect(at.told.filter((message) => message.type === 'outlier' && message.endpoint === 'e0')).toHaveLength(2)
  })

  it('is not waited for: until it is decided, nothing goes there either', () => {
    const at = new Workbench({ ejection }, 2)
    for (let i = 0; i < 9; i++) exchange(at, [answer(i % 2 === 0 ? 500 : 200)])
    for (let i = 0; i < 4; i++) {
      exchange(at, [answer(200)])
      expect(at.upstream.pool.id).toBe('e1')
    }
    // It is not taken out after all, since too many others are.
    at.pass(outlierHoldMs + 100)
    exchange(at, [answer(200)])
    exchange(at, [answer(200)])
    expect(at.upstreams.slice(-2).map(({ pool }) => pool.id)).toContain('e0')
  })

  it('holds nothing back from an endpoint that is alone', () => {
    const at = new Workbench({ ejection })
    for (let i = 0; i < 5; i++) exchange(at, [answer(500)])
    expect(at.service.endpoints[0]!.ejectedUntil).toBe(0)
  })

  it.each([[501], [505], [404]])('is not asked for by %i', (status) => {
    const at = new Workbench({ ejection }, 2)
    for (let i = 0; i < 20; i++) exchange(at, [answer(status)])
    expect(at.told).toEqual([])
  })
})

describe('the breaker', () => {
  const opened = (): Workbench => {
    const at = new Workbench({ breaker })
    for (let i = 0; i < 4; i++) exchange(at, [answer(500)])
    return at
  }

  it('refuses at once while it is open, and says for how long', () => {
    const at = opened()
    expect(at.told).toContainEqual(expect.objectContaining({ type: 'breaker', endpoint: 'e0', from: 'closed', to: 'open', failed: 4 }))
    const told = exchange(at, [])
    expect(told).toMatch(/^HTTP\/1\.1 503 /)
    expect(told).toMatch(/Proxy-Status: [^\r]*details="breaker open"/)
    expect(Number(/Retry-After: (\d+)/.exec(told)?.[1])).toBeGreaterThanOrEqual(4)
    expect(at.service.active).toBe(0)
  })

  it('tries again after its time, and closes when that goes well', () => {
    const at = opened()
    at.pass(6_100)
    for (let i = 0; i < 12; i++) {
      expect(exchange(at, [answer(200)])).toMatch(/^HTTP\/1\.1 200/)
      at.pass(1_000)
    }
    expect(at.service.endpoints[0]!.breaker!.state).toBe('closed')
  })

  it('of one endpoint sends everything to the other', () => {
    const at = new Workbench({ breaker }, 2)
    for (let i = 0; i < 8; i++) exchange(at, [answer(i % 2 === 0 ? 500 : 200)])
    for (let i = 0; i < 5; i++) {
      expect(exchange(at, [answer(200)])).toMatch(/^HTTP\/1\.1 200/)
      expect(at.upstream.pool.id).toBe('e1')
    }
  })

  it('is held open and let go by hand', () => {
    const at = new Workbench({ breaker }, 2)
    at.service.verdicts!.order('isolate', at.service.endpoints, at.now)
    expect(exchange(at, [])).toMatch(/breaker open/)
    at.service.verdicts!.order('close', at.service.endpoints, at.now)
    expect(exchange(at, [answer(200)])).toMatch(/^HTTP\/1\.1 200/)
  })

  it('gets the place of a trial back from a client that leaves', () => {
    const at = opened()
    at.pass(6_100)
    at.send(request)
    at.connect()
    expect(at.service.endpoints[0]!.breaker!.state).toBe('halfOpen')
    at.client.exchange.clientGone()
    at.pass(10_100)
    expect(at.service.endpoints[0]!.breaker!.poll(at.now)).toBe('closed')
  })
})
