/** What a trail tells of each decision that the balancer makes about a request: why it went where it went, and why not elsewhere. */
import { describe, expect, it } from 'vitest'
import type { RequestTrail, TrailStep } from '../../src/balancer/core/trail.ts'
import type { ServiceView } from '../../src/balancer/index.ts'
import { ask, endpoint, fieldOf, freePort, get, plain, post, readUntil, service } from '../support/balancer-harness.ts'
import { useProxy } from '../support/proxy-fixture.ts'

const { proxy, origin, serving } = useProxy({ per: 'file' })

const explain = { keep: 64, slowMs: 5_000, sample: 0, header: 'x-explain' }

const explained = (...services: readonly ServiceView[]): Promise<void> =>
  proxy.apply({
    listeners: [{ name: 'web', host: '127.0.0.1', port: proxy.port }],
    services,
    observe: { serverTiming: 'off', explain },
  })

let ids = 0

/** Sends it, asking for its trail unless `quietly`, and returns both. */
async function told(
  fields = '',
  { quietly = false, request = get('/', fields) } = {},
): Promise<{ status: number | undefined; cookie: string; trail: RequestTrail }> {
  const id = `told-${++ids}`
  const answer = await ask(proxy.port, request.replace('\r\n\r\n', `\r\nX-Request-Id: ${id}${quietly ? '' : '\r\nX-Explain: 1'}\r\n\r\n`))
  const [trail] = await proxy.client.explain(id)
  if (trail === undefined) throw new Error('there is no trail')
  return { status: answer.status, cookie: fieldOf(answer, 'set-cookie')?.split(';')[0] ?? '', trail }
}

const said = ({ steps }: RequestTrail): string[] => steps.map(({ step, note = '' }) => `${step}: ${note}`)
const stepOf = ({ steps }: RequestTrail, step: TrailStep['step']): TrailStep | undefined => steps.find((each) => each.step === step)
const skips = (step: TrailStep | undefined): (string | undefined)[] => (step?.candidates ?? []).map(({ skipped }) => skipped)

const answering = (status: number): Promise<Awaited<ReturnType<typeof origin>>> =>
  origin(({ socket }) => socket.write(`HTTP/1.1 ${status} Whatever\r\nContent-Length: 0\r\n\r\n`))

describe('a trail tells of', () => {
  it('an ejection: by what, and for how long', async () => {
    const [bad, good] = [await answering(500), await serving()]
    await explained(service([bad, good], { ejection: { consecutiveErrors: 2, consecutiveFailures: 2, baseMs: 30_000, maxMs: 30_000 } }))
    for (let i = 0; i < 6; i++) await ask(proxy.port, get('/'))
    const { trail } = await told()
    expect(skips(stepOf(trail, 'picked'))).toEqual([
      expect.stringMatching(/^ejected: 2 (answers of 5xx|errors) in a row.*, for \d+ s more$/),
      undefined,
    ])
  })

  it('an open breaker: what opened it, and when it is tried again; and that nobody is left', async () => {
    const breaker = { errorRate: 0.5, windowMs: 10_000, minimumRequests: 4, openMs: 10_000 }
    const [bad, good] = [await answering(500), await serving()]
    await explained(service([bad, good], { breaker }))
    for (let i = 0; i < 12; i++) await ask(proxy.port, get('/'))
    const { trail } = await told()
    const open = /^its circuit breaker is open: \d of \d requests failed, tried again in \d+ s$/
    expect(skips(stepOf(trail, 'picked'))).toEqual([expect.stringMatching(open), undefined])

    await explained(service([bad], { breaker }))
    const alone = await told('', { quietly: true })
    expect(alone.status).toBe(503)
    expect(said(alone.trail).slice(0, 2)).toEqual([
      'picked: nobody: all breakers are open',
      expect.stringMatching(/^refused: 503 by the balancer, .*breaker open/),
    ])
    expect(skips(stepOf(alone.trail, 'picked'))).toEqual([expect.stringMatching(open)])
  })

  it('an answer in whose place another endpoint was asked, and why not once more', async () => {
    const [busy, good] = [await answering(503), await serving()]
    const retries = { attempts: 1, budget: 0.2, statuses: [503] }
    await explained(service([busy, good], { retries }))
    await ask(proxy.port, get('/'))
    const trails = [await told('', { quietly: true }).catch(() => undefined), await told('', { quietly: true }).catch(() => undefined)]
    const trail = trails.find((each) => each !== undefined)!.trail
    expect(said(trail)).toEqual([
      expect.stringMatching(/^picked: round-robin; all as they stood/),
      'retried: it answered 503, which retries.on names: another endpoint is asked',
      expect.stringMatching(/^picked: round-robin/),
      'sent: on a new connection',
      'answered: 200',
      'ended: 200',
    ])
    expect(skips(trail.steps[0])).toEqual([undefined, undefined])
    expect(skips(trail.steps[2])).toEqual(['tried before by this request', undefined])

    await explained(service([busy], { retries }))
    const only = await told('', { quietly: true })
    expect(said(only.trail).slice(-2)).toEqual(['answered: 503: no other endpoint is asked, for no other endpoint can be asked', 'ended: 503'])
    const once = await told('', { request: post('x'), quietly: true })
    expect(said(once.trail).at(-2)).toBe('answered: 503: no other endpoint is asked, for it may have run, and may not run twice')
  })

  it('a failure, and why it was the end', async () => {
    const broken = await origin(({ socket }) => socket.destroy())
    await explained(service([broken, await freePort()]))
    const { status, trail } = await told('', { request: post('x') })
    expect(status).toBe(502)
    expect(
      said(trail).some((line) =>
        /^failed: the connection broke before the answer.*: not tried again, for it may have run, and may not run twice$/.test(line),
      ),
    ).toBe(true)
    expect(said(trail).at(-2)).toMatch(/^refused: 502 by the balancer, connection_terminated/)
  })

  it('sessions and sides', async () => {
    const [one, two] = [await serving('one'), await serving('two')]
    const endpoints = [endpoint(one.port, { revision: 'v1' }), endpoint(two.port, { revision: 'v2' })]
    const split = { shares: { v1: 0.5, v2: 0.5 } }
    await explained(service(endpoints, { sticky: { cookie: 'hf', drain: false }, split }))
    const first = await told()
    expect(stepOf(first.trail, 'session')?.note).toMatch(/^session miss: no cookie, side v[12] \(50 % of the clients\)$/)
    const other = skips(stepOf(first.trail, 'picked')).find((each) => each !== undefined)
    expect(other).toMatch(/^it is v[12], the client is on side v[12]$/)
    const again = await told(`Cookie: ${first.cookie}\r\n`)
    expect(stepOf(again.trail, 'session')?.note).toMatch(/^session hit: the cookie names e\d+, side v[12]/)
    const forged = await told('Cookie: hf=nonsense\r\n')
    expect(stepOf(forged.trail, 'session')?.note).toMatch(/^session miss: the cookie is forged, too old/)
  })

  it('what the cache has made of it, with the clause', async () => {
    const cache = { maxBodyBytes: 1_000, graceMs: 60_000, obeyClients: true, heuristic: 0 }
    const fields = ['Cache-Control: max-age=60\r\n', 'Cache-Control: max-age=10\r\nAge: 15\r\nETag: "a"\r\n', 'Cache-Control: private\r\n']
    const one = await origin(({ target, head, socket }) => {
      if (target === '/1' && head.includes('If-None-Match'))
        socket.write('HTTP/1.1 304 Same\r\nETag: "a"\r\nCache-Control: max-age=10\r\nAge: 15\r\n\r\n')
      else socket.write(plain('x', fields[Number(target.slice(1))] ?? ''))
    })
    await explained(service([one], { cache }))
    const notes = async (target: string): Promise<(string | undefined)[]> =>
      (await told('', { request: get(target, 'X-Explain: 1\r\n') })).trail.steps.filter(({ step }) => step === 'cache').map(({ note }) => note)
    expect(await notes('/0')).toEqual(['nothing of it is stored', expect.stringMatching(/^fresh for (59|60) s: it is kept \(RFC 9111, 3\)$/)])
    expect(await notes('/0')).toEqual([expect.stringMatching(/^fresh for (59|60) s: answered from the store \(RFC 9111, 4\)$/)])
    await notes('/1')
    expect(await notes('/1')).toEqual([
      expect.stringMatching(/^stale for [56] s: it is validated \(RFC 9111, 4\.3\)$/),
      expect.stringMatching(/the service says that it is right \(RFC 9111, 4\.3\.3\)$/),
    ])
    expect((await notes('/2')).at(-1)).toBe('not kept: private (RFC 9111, 5.2.2.7)')
    await explained(service([await freePort()], { cache, retries: { attempts: 0, budget: 0.2 } }))
    expect((await notes('/1')).at(-1)).toMatch(/^stale for [56] s: it stands in for a failure \(502; RFC 9111, 4\.2\.4\)$/)
  })

  it('the rate limit', async () => {
    const rateLimit = { key: { by: 'service' }, rate: 1, periodMs: 60_000, burst: 1 } as const
    await explained(service([await serving()], { rateLimit }))
    expect(said((await told()).trail)[0]).toBe('limited: within the rate limit, 0 left')
    const { status, trail } = await told()
    expect(status).toBe(429)
    expect(said(trail)).toEqual([
      expect.stringMatching(/^limited: over the rate limit, the next is let in after [\d.]+ s$/),
      'refused: 429 by the balancer, http_request_denied: rate limit',
      'ended: 429',
    ])
  })

  it('waiting: why, since when, and what ended it', async () => {
    const waiting = { managed: true, coming: true, parking: { timeoutMs: 10_000, requests: 10, bytes: 10_000 } }
    await explained(service([], waiting))
    const asked = told('', { quietly: true })
    await readUntil(proxy, 'it waits', ({ services }) => services.api?.parked === 1)
    await explained(service([await serving()], waiting))
    const { trail } = await asked
    expect(said(trail).slice(0, 3)).toEqual([
      'parked: no endpoint can take it; for 10.0 s at most',
      expect.stringMatching(/^released: after \d+ ms: an endpoint can take it$/),
      'picked: round-robin',
    ])
    await explained(service([], { ...waiting, parking: { ...waiting.parking, timeoutMs: 50 } }))
    const late = await told('', { quietly: true })
    expect(late.status).toBe(503)
    expect(said(late.trail).slice(0, 3)).toEqual([
      expect.stringMatching(/^parked: no endpoint can take it; for \d+ ms at most$/),
      expect.stringMatching(/^released: after \d+ ms: its time to wait is over$/),
      expect.stringMatching(/^refused: 503 by the balancer, destination_unavailable: parked too long$/),
    ])
  })

  it('the fallback, and copies for a mirror', async () => {
    const other = service([await serving('other')], { name: 'other', routes: [] })
    await explained(service([await freePort()], { fallback: { service: 'other' } }), other)
    const { status, trail } = await told('', { quietly: true })
    expect(status).toBe(200)
    expect(said(trail)).toContain('fallback: failed: other is asked')

    const mirror = { service: 'other', share: 1, methods: ['GET'], compare: false, maxBodyBytes: 1_000 }
    await explained(service([await serving()], { mirror }), other)
    expect(said((await told()).trail)).toContain('mirrored: a copy went to other')
  })

  it('the rest of an answer that broke off', async () => {
    const body = 'x'.repeat(1_000)
    const head = 'ETag: "a"\r\nAccept-Ranges: bytes\r\n'
    const partly = (): ReturnType<typeof origin> =>
      origin(({ socket, ...request }) => {
        if (fieldOf(request, 'range') === undefined) {
          socket.write(`HTTP/1.1 200 OK\r\n${head}Content-Length: 1000\r\n\r\n${body.slice(0, 100)}`)
          setTimeout(() => socket.destroy(), 20)
        } else {
          const range = 'Content-Range: bytes 100-999/1000\r\nContent-Length: 900'
          socket.write(`HTTP/1.1 206 Partial Content\r\n${head}${range}\r\n\r\n${body.slice(100)}`)
        }
      })
    await explained(service([await partly(), await partly()]))
    const { status, trail } = await told('', { quietly: true })
    expect(status).toBe(200)
    expect(said(trail)).toContain('resumed: it broke off in the middle of its answer: the rest is asked for elsewhere')
  })

  it('nobody whom a plain request is known by', async () => {
    await explained(service([await origin(({ socket }) => socket.write(plain('ok')))]))
    await expect(told('', { quietly: true })).rejects.toThrow('there is no trail')
  })
})
