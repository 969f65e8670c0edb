/** What is answered in place of a failure, over real sockets. */
import { describe, expect, it } from 'vitest'
import { ask, eventually, fieldOf, get, service } from '../support/balancer-harness.ts'
import { useProxy } from '../support/proxy-fixture.ts'

const { proxy, origin, serving } = useProxy({ per: 'file', workers: 2 })
const fallback = { status: 200, page: { contentType: 'application/json', body: '{"items":[]}' } }

describe('a fallback', () => {
  it('is answered where no endpoint is, says so, and is counted as the failure', async () => {
    await proxy.route(service([], { fallback }))
    const answer = await ask(proxy.port, get('/', 'Accept: text/html\r\n'))
    expect([answer.status, answer.body.toString()]).toEqual([200, '{"items":[]}'])
    expect(fieldOf(answer, 'content-type')).toBe('application/json')
    expect(fieldOf(answer, 'holdfast-fallback')).toBe('no-endpoint')
    expect(fieldOf(answer, 'proxy-status')).toContain('destination_unavailable')
    const counts = await eventually('it is counted', () => {
      const api = proxy.client.telemetry()?.services.api
      return api?.fallbacks['no-endpoint'] === 1 ? api : undefined
    })
    expect(counts.responses).toMatchObject({ '5xx': 1 })
  })

  it('stands for a timeout and for a broken connection', async () => {
    const silent = await origin(() => undefined)
    await proxy.route(service([silent], { fallback, timeoutMs: 300, retries: { attempts: 0, budget: 0.2 } }))
    expect(fieldOf(await ask(proxy.port, get()), 'holdfast-fallback')).toBe('timeout')
    const broken = await origin(({ socket }) => socket.destroy())
    await proxy.route(service([broken], { fallback, retries: { attempts: 0, budget: 0.2 } }))
    expect(fieldOf(await ask(proxy.port, get()), 'holdfast-fallback')).toBe('failed')
  })

  it('stands for an open breaker', async () => {
    const failing = await origin(({ socket }) => socket.write('HTTP/1.1 500 Broken\r\nContent-Length: 6\r\n\r\nbroken'))
    await proxy.route(service([failing], { fallback, breaker: { errorRate: 0.5, windowMs: 10_000, minimumRequests: 5, openMs: 30_000 } }))
    let seen: string | undefined
    for (let i = 0; i < 50 && seen === undefined; i++) seen = fieldOf(await ask(proxy.port, get()), 'holdfast-fallback')
    expect(seen).toBe('breaker-open')
  })

  it('leaves what the service answers, and what is refused', async () => {
    const one = await serving('real')
    await proxy.route(service([one], { fallback, rateLimit: { key: { by: 'service' }, rate: 1, periodMs: 60_000, burst: 1 } }))
    expect((await ask(proxy.port, get())).body.toString()).toBe('real')
    const refused = await ask(proxy.port, get())
    expect([refused.status, fieldOf(refused, 'holdfast-fallback')]).toEqual([429, undefined])
  })
})
