/** What is written and remembered about requests: the access log, trails, trace context, Server-Timing. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { accessFields } from '../../src/config/types.ts'
import type { ObserveView } from '../../src/balancer/core/observe-view.ts'
import type { ServiceView } from '../../src/balancer/index.ts'
import { ask, eventually, fieldOf, freePort, get, plain, post, readUntil, service } from '../support/balancer-harness.ts'
import { otlpFaults } from '../support/otlp.ts'
import { useProxy } from '../support/proxy-fixture.ts'

const { proxy, origin, serving } = useProxy({ per: 'file', workers: 2 })

const off: ObserveView = { serverTiming: 'off' }
const access = { sample: 1, fields: accessFields, mask: ['token'] }

const observed = (observe: Partial<ObserveView>, ...services: readonly ServiceView[]): Promise<void> =>
  proxy.apply({ listeners: [{ name: 'web', host: '127.0.0.1', port: proxy.port }], services, observe: { ...off, ...observe } })

type Line = Readonly<Record<string, unknown>>

const linesIn = (directory: string): Line[] => {
  const text = readdirSync(directory)
    .map((file) => readFileSync(join(directory, file), 'utf8'))
    .join('')
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Line)
}

const written = (directory: string, count: number): Promise<Line[]> =>
  eventually('the lines are written', () => {
    try {
      const lines = linesIn(directory)
      return lines.length >= count && lines
    } catch {
      return undefined
    }
  })

describe('the access log', () => {
  it('has a line for every request, with what it was and how it went, and no secrets', async () => {
    const directory = join(proxy.directory, 'access-plain')
    const alive = await serving('hello')
    await observed({ access: { ...access, directory } }, service([alive]))
    const fields = 'X-Request-Id: one\r\nUser-Agent: a "quoted" one\r\nReferer: http://from.test/page?secret=1\r\n'
    await ask(proxy.port, get('/x?token=abc&y=1', fields))
    await ask(proxy.port, post('four'))
    const lines = await written(directory, 2)
    expect(lines).toHaveLength(2)
    expect(lines.find(({ id }) => id === 'one')).toEqual({
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) as string,
      id: 'one',
      client: '127.0.0.1',
      method: 'GET',
      host: 'a.test',
      target: '/x?token=***&y=1',
      status: 200,
      requestBytes: 0,
      responseBytes: 5,
      durationMs: expect.any(Number) as number,
      connectMs: expect.any(Number) as number,
      firstByteMs: expect.any(Number) as number,
      service: 'api',
      route: '/',
      endpoint: expect.any(String) as string,
      tries: 1,
      userAgent: 'a "quoted" one',
      referrer: 'http://from.test/page',
    })
    expect(lines.find(({ method }) => method === 'POST')).toMatchObject({ requestBytes: 4, status: 200 })
  })

  it('tells what failed and was tried again, and what no service was there for', async () => {
    const directory = join(proxy.directory, 'access-failed')
    const alive = await serving()
    const refusing = await freePort()
    await observed(
      { access: { ...access, directory } },
      service([refusing, alive], { routes: [{ listener: 'web', path: '/app', stripPath: false }] }),
    )
    for (let i = 0; i < 4; i++) await ask(proxy.port, get('/app'))
    await ask(proxy.port, get('/nowhere'))
    const lines = await written(directory, 5)
    expect(lines.filter(({ status }) => status === 404)).toEqual([expect.objectContaining({ target: '/nowhere', tries: 0 })])
    expect(lines.filter(({ reasons }) => (reasons as string[] | undefined)?.includes('retried')).every(({ tries }) => tries === 2)).toBe(true)
    expect(lines.some(({ tries }) => tries === 2)).toBe(true)
  })

  it('has a line for what was no request, whatever the share, and counts lines', async () => {
    const directory = join(proxy.directory, 'access-malformed')
    await observed({ access: { ...access, sample: 0, directory } }, service([await serving()]))
    await ask(proxy.port, 'GET / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n')
    await ask(proxy.port, 'NONSENSE?secret=1\r\n\r\n')
    const lines = await written(directory, 2)
    for (const line of lines) {
      expect(Object.keys(line)).toEqual(['time', 'id', 'client', 'status', 'refused'])
      expect(line).toMatchObject({ client: '127.0.0.1', status: 400 })
    }
    expect(new Set(lines.map(({ refused }) => refused)).size).toBe(2)
    expect(JSON.stringify(lines)).not.toContain('secret')
    const { observed: counts } = await readUntil(proxy, 'the lines are counted', ({ observed: { accessLines } }) => accessLines >= 2)
    expect(counts.accessDropped).toBe(0)
  })

  it('counts lines that could not be written, and what is under way when it is switched off ends without one', async () => {
    const slow = await origin(({ socket }) => setTimeout(() => socket.write(plain('late')), 1_000))
    // A file in place of the directory.
    const directory = join(proxy.directory, 'access-impossible')
    writeFileSync(directory, '')
    await observed({ access: { ...access, directory } }, service([slow]))
    await ask(proxy.port, get('/'))
    await readUntil(proxy, 'the line is dropped', ({ observed: { accessDropped } }) => accessDropped === 1)
    const late = ask(proxy.port, get('/'))
    await eventually('it is under way', () => slow.requests.length === 2)
    const { workers } = proxy.client.telemetry()!
    await observed({}, service([slow]))
    expect((await late).status).toBe(200)
    expect((await proxy.telemetry()).workers.map(({ pid }) => pid)).toEqual(workers.map(({ pid }) => pid))
  })

  it('writes plain requests in the share asked for, and failed ones always', async () => {
    const directory = join(proxy.directory, 'access-sampled')
    const dead = await freePort()
    const alive = await serving()
    const routes = (path: string): ServiceView['routes'] => [{ listener: 'web', path, stripPath: false }]
    await observed(
      { access: { ...access, sample: 0, directory } },
      service([alive], { routes: routes('/') }),
      service([dead], { name: 'dead', routes: routes('/dead') }),
    )
    await ask(proxy.port, get('/'))
    await ask(proxy.port, get('/dead'))
    expect(await written(directory, 1)).toEqual([expect.objectContaining({ target: '/dead', status: 502, reasons: ['failed'] })])
  })
})

describe('trace context', () => {
  const tracing = { name: 'test', sample: 0 }
  const traceId = '0af7651916cd43dd8448eb211c80319c'
  const parent = `00-${traceId}-b7ad6b7169203331-01`

  it('is begun where there is none, and followed where there is one', async () => {
    const alive = await serving()
    await observed({ tracing }, service([alive]))
    await ask(proxy.port, get('/new'))
    await ask(proxy.port, get('/known', `traceparent: ${parent}\r\ntracestate: a=1,b=2\r\n`))
    const [begun, followed] = alive.requests
    expect(fieldOf(begun!, 'traceparent')).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/)
    expect(fieldOf(followed!, 'traceparent')).toMatch(new RegExp(`^00-${traceId}-(?!b7ad6b7169203331)[0-9a-f]{16}-01$`))
    expect(fieldOf(followed!, 'tracestate')).toBe('a=1,b=2')
  })

  it('that is not valid is replaced as a whole', async () => {
    const alive = await serving()
    await observed({ tracing }, service([alive]))
    await ask(proxy.port, get('/', `traceparent: ${parent}-more\r\ntracestate: a=1\r\n`))
    await ask(proxy.port, get('/', `traceparent: ${parent}\r\nTraceparent: ${parent}\r\n`))
    for (const { fields } of alive.requests) {
      const parents = fields.filter(([name]) => name === 'traceparent')
      expect(parents).toHaveLength(1)
      expect(parents[0]?.[1]).not.toContain(traceId)
      expect(fields.some(([name]) => name === 'tracestate')).toBe(false)
    }
  })

  it('of a sampled request leads to spans at the collector', async () => {
    const bodies: string[] = []
    const keys: unknown[] = []
    const collector = createServer((request, response) => {
      let body = ''
      keys.push(request.headers['x-key'])
      request.on('data', (chunk: Buffer) => (body += chunk.toString()))
      request.on('end', () => {
        bodies.push(body)
        response.end('{}')
      })
    }).listen(0, '127.0.0.1')
    await eventually('the collector listens', () => collector.listening)
    const alive = await serving()
    const endpoint = `http://127.0.0.1:${(collector.address() as AddressInfo).port}/v1/traces`
    await observed({ tracing: { ...tracing, endpoint, headers: { 'x-key': 'secret' } } }, service([await freePort(), alive]))
    for (let i = 0; i < 2; i++) await ask(proxy.port, get('/spans', `traceparent: ${parent}\r\n`))
    const spans = await eventually('five spans', () => {
      const all = bodies.flatMap((body) =>
        (JSON.parse(body) as Exported).resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans)),
      )
      return all.length >= 4 && all
    })
    collector.close()
    collector.closeAllConnections()
    expect(new Set(keys)).toEqual(new Set(['secret']))
    expect(bodies.flatMap(otlpFaults)).toEqual([])
    expect(otlpFaults(bodies[0]!.replace('"kind":', '"kind":9'))).toHaveLength(1)
    const roots = spans.filter(({ kind }) => kind === 2)
    expect(roots.map(({ parentSpanId }) => parentSpanId)).toEqual(['b7ad6b7169203331', 'b7ad6b7169203331'])
    expect(spans.every((span) => span.traceId === traceId)).toBe(true)
    const attempts = spans.filter(({ kind }) => kind === 3)
    expect(attempts.every(({ parentSpanId }) => roots.some(({ spanId }) => spanId === parentSpanId))).toBe(true)
    // The origin's parent is the span of the attempt that reached it.
    const seen = alive.requests.map((request) => fieldOf(request, 'traceparent')?.split('-')[2])
    expect(seen.every((id) => attempts.some(({ spanId }) => spanId === id))).toBe(true)
    expect(roots.every(({ startTimeUnixNano, endTimeUnixNano }) => BigInt(endTimeUnixNano) >= BigInt(startTimeUnixNano))).toBe(true)
  })

  it('is left alone when tracing is off', async () => {
    const alive = await serving()
    await observed({}, service([alive]))
    await ask(proxy.port, get('/', `traceparent: ${parent}\r\n`))
    await ask(proxy.port, get('/'))
    expect(alive.requests.map((request) => fieldOf(request, 'traceparent'))).toEqual([parent, undefined])
  })
})

interface Exported {
  readonly resourceSpans: readonly {
    readonly scopeSpans: readonly {
      readonly spans: readonly {
        readonly traceId: string
        readonly spanId: string
        readonly parentSpanId?: string
        readonly kind: number
        readonly startTimeUnixNano: string
        readonly endTimeUnixNano: string
      }[]
    }[]
  }[]
}

describe('Server-Timing', () => {
  const explain = { keep: 16, slowMs: 5_000, sample: 0, header: 'x-explain' }

  it('is there for who asks, and for nobody else', async () => {
    const alive = await origin(({ socket }) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'))
    await observed({ explain, serverTiming: 'asked' }, service([alive]))
    const asked = await ask(proxy.port, get('/', 'X-Explain: 1\r\n'))
    const plain = await ask(proxy.port, get('/'))
    expect(fieldOf(asked, 'server-timing')).toMatch(/^total;dur=[\d.]+, connect;dur=[\d.]+, tries;desc="1"$/)
    expect(fieldOf(plain, 'server-timing')).toBeUndefined()
  })
})

describe('a trail', () => {
  const explain = { keep: 16, slowMs: 5_000, sample: 0, header: 'x-explain' }

  it('tells of every attempt, whichever worker made it, and of no plain request', async () => {
    const alive = await serving()
    const refusing = await freePort()
    await observed({ explain }, service([refusing, alive]))
    // Connections are spread over the workers: some of these meet the endpoint that refuses.
    for (let i = 0; i < 8; i++) await ask(proxy.port, get('/', `X-Request-Id: many-${i}\r\n`))
    const found = (await Promise.all(Array.from({ length: 8 }, (_, i) => proxy.client.explain(`many-${i}`)))).flat()
    expect(found.length).toBeGreaterThan(0)
    expect(found.length).toBeLessThan(8)
    for (const { steps, tries, status, reasons } of found) {
      expect([tries, status, reasons]).toEqual([2, 200, ['retried']])
      expect(steps.map(({ step }) => step)).toEqual(['picked', 'failed', 'picked', 'sent', 'answered', 'ended'])
      const again = steps[2]?.candidates ?? []
      expect(again).toHaveLength(2)
      expect(again.filter(({ skipped }) => skipped !== undefined).map(({ skipped }) => skipped)).toEqual(['tried before by this request'])
    }
  })

  it('is there for who asks for it, and says what the others stood at', async () => {
    await observed({ explain }, service([await serving(), await serving()]))
    await ask(proxy.port, get('/', 'X-Request-Id: asked\r\nX-Explain: yes\r\n'))
    const [trail] = await proxy.client.explain('asked')
    expect(trail).toMatchObject({ id: 'asked', status: 200, reasons: ['asked'], service: 'api', route: '/', client: '127.0.0.1' })
    expect(trail?.steps[0]?.candidates).toHaveLength(2)
    expect(await proxy.client.explain('never seen')).toEqual([])
  })
})
