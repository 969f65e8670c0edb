import { afterEach, describe, expect, it, vi } from 'vitest'
import { bodyGraceMs } from '../core/body-pace.ts'
import { Workbench, type FakeUpstream } from '../testing/workbench.ts'
import { answerIdleMs, bodyTimeoutMs, lastRequestMs, readerStallMs } from './limits.ts'

const get = (path = '/'): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`
const post = (length: number): string => `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\n`
const answer = (body: string, fields = ''): string => `HTTP/1.1 200 OK\r\n${fields}Content-Length: ${body.length}\r\n\r\n${body}`

afterEach(() => vi.restoreAllMocks())

/** A request of a known length whose head has reached the origin. */
function posting(length: number, view: ConstructorParameters<typeof Workbench>[0] = {}): Workbench {
  const bench = new Workbench(view)
  bench.send(post(length))
  bench.connect()
  expect(bench.upstream.socket.taken()).toContain(`Content-Length: ${length}\r\n`)
  return bench
}

describe('a body that comes slowly', () => {
  it('is refused with 408 when it trickles', () => {
    const bench = posting(1_000_000)
    for (let second = 0; second < 40; second++) {
      bench.send('x'.repeat(50))
      bench.pass(1_000)
    }
    expect(bench.socket.taken()).toMatch(/^HTTP\/1\.1 408 [^]*slower than 500 bytes per second/)
    expect(bench.refused).toEqual(['slow_body'])
    expect(bench.upstream.closed).toBe(true)
    expect(bench.service.active).toBe(0)
  })

  it('is refused with 408 when it stops', () => {
    const bench = posting(1_000_000)
    bench.send('x')
    bench.pass(bodyTimeoutMs - 200)
    expect(bench.socket.taken()).toBe('')
    bench.pass(400)
    expect(bench.socket.taken()).toMatch(/^HTTP\/1\.1 408 [^]*for 30 s/)
    expect(bench.refused).toEqual(['body_timeout'])
  })

  it('goes on as long as it keeps to the least rate', () => {
    const bench = posting(600_000)
    for (let second = 0; second < 1_000; second++) {
      bench.pass(1_000)
      bench.send('x'.repeat(600))
    }
    expect(bench.upstream.socket.taken()).toHaveLength(600_000)
    bench.upstream.says(answer('done'))
    expect(bench.socket.taken()).toMatch(/done$/)
    expect(bench.refused).toEqual([])
  })

  it('is not blamed on the client while the service does not take it', async () => {
    const bench = posting(1_000_000)
    bench.upstream.socket.block()
    bench.send('x'.repeat(100_000))
    expect(bench.client.inputPaused).toBe(true)
    bench.pass(10 * bodyGraceMs)
    expect(bench.socket.taken()).toBe('')
    bench.upstream.socket.unblock()
    await bench.turns()
    expect(bench.client.inputPaused).toBe(false)
    bench.pass(bodyTimeoutMs - 200)
    expect(bench.socket.taken()).toBe('')
    bench.pass(400)
    expect(bench.socket.taken()).toMatch(/^HTTP\/1\.1 408 /)
  })

  it('is not blamed on the client while an endpoint is looked for', () => {
    const bench = new Workbench({ connectTimeoutMs: 600_000 })
    bench.send(post(10))
    bench.pass(5 * bodyGraceMs)
    bench.connect()
    bench.send('0123456789')
    expect(bench.upstream.socket.taken()).toMatch(/0123456789$/)
    expect(bench.refused).toEqual([])
  })

  it('may come as slowly as it likes once the answer has begun, but not stop', () => {
    const bench = posting(1_000_000)
    bench.upstream.says('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n')
    for (let piece = 0; piece < 20; piece++) {
      bench.pass(bodyTimeoutMs - 1_000)
      bench.send('x')
    }
    expect(bench.socket.destroyed).toBe(false)
    bench.pass(bodyTimeoutMs + 200)
    expect(bench.socket.destroyed).toBe(true)
    expect(bench.refused).toEqual(['body_timeout'])
  })
})

describe('an answer that pauses', () => {
  const begun = (): Workbench => {
    const bench = posting(1_000_000)
    bench.upstream.says('HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n')
    return bench
  }

  it('is cut when nothing comes either way', () => {
    const bench = new Workbench()
    bench.send(get())
    bench.connect()
    bench.upstream.says('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n')
    bench.pass(answerIdleMs - 200)
    expect(bench.socket.destroyed).toBe(false)
    bench.pass(400)
    expect(bench.socket.destroyed).toBe(true)
  })

  it('is waited for while the body of the request makes progress', () => {
    const bench = begun()
    for (let piece = 0; piece < 10; piece++) {
      bench.pass(20_000)
      bench.send('x'.repeat(1_000))
    }
    bench.upstream.says('more')
    expect(bench.socket.taken()).toMatch(/more$/)
  })

  it('is cut when the client does not read it, whatever it sends', () => {
    const bench = begun()
    bench.socket.block()
    bench.upstream.says('y'.repeat(100_000))
    for (let piece = 0; piece < 4 && !bench.socket.destroyed; piece++) {
      bench.pass(readerStallMs / 4)
      bench.send('x'.repeat(10_000))
    }
    expect(bench.socket.destroyed).toBe(true)
  })
})

describe('attempts to connect', () => {
  it('share the time of the request', () => {
    const bench = new Workbench({ connectTimeoutMs: 1_000, timeoutMs: 2_500 }, 9)
    bench.send(get())
    const began = bench.now
    for (let sweep = 0; sweep < 100 && bench.service.active > 0; sweep++) bench.pass(100)
    expect(bench.socket.taken()).toMatch(
      /^HTTP\/1\.1 504 [^]*Proxy-Status: [^\r]*connection_timeout; details="attempts to connect took all of 2500 ms"/,
    )
    expect(bench.now - began).toBe(2_500)
    expect(bench.upstreams).toHaveLength(3)
    expect(bench.upstreams.every(({ closed }) => closed)).toBe(true)
  })

  it('cost nothing when they fail at once', () => {
    const bench = new Workbench({ timeoutMs: 100 }, 5)
    bench.send(get())
    for (let attempt = 0; attempt < 5; attempt++) {
      bench.upstream.breaks('ECONNREFUSED')
      bench.settle()
    }
    expect(bench.upstreams).toHaveLength(5)
    expect(bench.socket.taken()).toMatch(/^HTTP\/1\.1 502 [^]*connection_refused/)
  })

  it('end at once on a connection that speaks before it is asked', () => {
    const bench = new Workbench({}, 2)
    bench.send(get())
    bench.upstream.connected()
    bench.upstream.says('HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n')
    bench.settle()
    expect(bench.upstreams).toHaveLength(2)
    bench.connect()
    bench.upstream.says(answer('ours'))
    expect(bench.socket.taken()).toMatch(/ours$/)
  })
})

describe('the last answer of a connection', () => {
  const saysClose = /\r\nConnection: close\r\n/

  it('says so, also when the end was decided after the head of one before', () => {
    const bench = new Workbench()
    bench.send(get())
    bench.connect()
    bench.upstream.says('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha')
    bench.listener.closed = true
    bench.upstream.says('lf')
    expect(bench.socket.taken()).not.toMatch(saysClose)
    expect(bench.socket.writableEnded).toBe(false)
    bench.send(get('/last'))
    bench.upstream.says(answer('last'))
    expect(bench.socket.taken()).toMatch(saysClose)
    expect(bench.socket.writableEnded).toBe(true)
  })

  it('is given to a request that came before the answer was out', () => {
    const bench = new Workbench()
    bench.send(get())
    bench.connect()
    bench.upstream.says('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha')
    bench.worker.draining = true
    bench.client.closeIfIdle()
    bench.send(get('/pipelined'))
    bench.upstream.says('lf')
    bench.settle()
    expect(bench.upstream.socket.taken()).toContain('GET /pipelined ')
    bench.upstream.says(answer('last'))
    expect(bench.socket.taken()).toMatch(saysClose)
    expect(bench.socket.writableEnded).toBe(true)
  })

  it('is not waited for long when everything ends', () => {
    const bench = new Workbench()
    bench.send(get())
    bench.connect()
    bench.upstream.says('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha')
    bench.worker.draining = true
    bench.client.closeIfIdle()
    bench.upstream.says('lf')
    bench.pass(lastRequestMs - 200)
    expect(bench.socket.writableEnded).toBe(false)
    bench.pass(400)
    expect(bench.socket.writableEnded).toBe(true)
  })

  it('says so when it is our own', () => {
    const bench = new Workbench({ maintenance: true })
    bench.send(get())
    expect(bench.socket.taken()).not.toMatch(saysClose)
    bench.listener.closed = true
    bench.send(get())
    expect(bench.socket.taken()).toMatch(saysClose)
    expect(bench.socket.writableEnded).toBe(true)
  })
})

describe('the retry budget', () => {
  it('gets its place back from a request that became a tunnel', () => {
    const bench = new Workbench()
    bench.send(get())
    bench.connect()
    bench.upstream.says(answer('first'))
    bench.send('GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
    bench.upstream.breaks('ECONNRESET')
    bench.settle()
    expect(bench.service.retrying).toBe(1)
    bench.connect()
    bench.upstream.says('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
    expect(bench.socket.taken()).toContain('101 Switching Protocols')
    expect(bench.service.tunnels).toBe(1)
    expect(bench.service.retrying).toBe(0)
    bench.upstream.breaks()
    expect(bench.service.tunnels).toBe(0)
    expect(bench.service.active).toBe(0)
  })
})

describe('a try of an endpoint that takes longer than usual', () => {
  const view = { retries: { attempts: 1, budget: 0.2, onTimeout: true }, timeoutMs: 40_000, connectTimeoutMs: 40_000 }
  /** What is usual is known: 100 answers at once. */
  const warm = (endpoints: number): Workbench => {
    const bench = new Workbench(view, endpoints)
    for (let i = 0; i < 100; i++) {
      const opened = bench.upstreams.length
      bench.send(get())
      if (bench.upstreams.length > opened) bench.connect()
      for (const upstream of bench.upstreams) if (upstream.socket.taken() !== '') upstream.says(answer('x'))
    }
    bench.socket.taken()
    // It is looked up once a second.
    bench.pass(1_000)
    return bench
  }
  const asked = (bench: Workbench): FakeUpstream => bench.upstreams.find((upstream) => upstream.socket.taken() !== '')!

  it('ends after three times the p99, at least a second, when another one can be asked', () => {
    const bench = warm(2)
    bench.send(get())
    asked(bench)
    bench.pass(900)
    const before = bench.upstreams.length
    bench.pass(200)
    // The next try trusts no idle connection.
    expect(bench.upstreams.length).toBe(before + 1)
    bench.connect()
    bench.pass(10_000)
    bench.upstream.says(answer('second'))
    expect(bench.socket.taken()).toMatch(/second$/)
  })

  it('goes on when there is nobody else, or no budget', () => {
    for (const bench of [warm(1), warm(2)]) {
      bench.send(get())
      const upstream = asked(bench)
      bench.service.retrying = 3
      bench.pass(15_000)
      upstream.says(answer('late'))
      expect(bench.socket.taken()).toMatch(/late$/)
      expect(upstream.pool.errors).toBe(0)
    }
  })
})
