/** What is answered in place of a failure, over real sockets. */
import { describe, expect, it } from 'vitest'
import { ask, eventually, fieldOf, get, service } from '../support/balancer-harness.ts'
import { useProxy } from '../support/proxy-fixture.ts'

const { proxy, origin, serving, connect } = useProxy({ per: 'file', workers: 2 })
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

describe('a fallback to another service', () => {
  const instead = { fallback: { service: 'other' } } as const
  const other = (origins: Parameters<typeof service>[0], more: Parameters<typeof service>[1] = {}) =>
    service(origins, { name: 'other', routes: [], ...more })

  it('answers, says for what, and both are counted', async () => {
    const standIn = await serving('stand-in')
    await proxy.route(service([], instead), other([standIn]))
    const answer = await ask(proxy.port, get())
    expect([answer.status, answer.body.toString(), fieldOf(answer, 'holdfast-fallback')]).toEqual([200, 'stand-in', 'no-endpoint'])
    await eventually('they are counted', () => {
      const { api, other } = proxy.client.telemetry()?.services ?? {}
      return (api?.responses['5xx'] ?? 0) >= 1 && other?.requests === 1 && other.responses['2xx'] === 1 && api?.active === 0 && other.active === 0
    })
  })

  it('gets a body that was sent already, when the method may be repeated', async () => {
    const broken = await origin(({ socket }) => socket.destroy())
    const standIn = await origin(({ socket, body }) => socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body.toString()}`))
    await proxy.route(service([broken], { ...instead, retries: { attempts: 0, budget: 0.2 } }), other([standIn]))
    const send = (method: string) => ask(proxy.port, `${method} / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello`)
    const put = await send('PUT')
    expect([put.status, put.body.toString(), fieldOf(put, 'holdfast-fallback')]).toEqual([200, 'hello', 'failed'])
    const post = await send('POST')
    expect([post.status, fieldOf(post, 'holdfast-fallback'), standIn.requests.length]).toEqual([502, undefined, 1])
  })

  it('takes what nobody has got, whatever the method, and after a timeout what may be repeated', async () => {
    const standIn = await serving('stand-in')
    const silent = await origin(() => undefined)
    await proxy.route(service([], instead), other([standIn]))
    expect((await ask(proxy.port, 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi')).body.toString()).toBe('stand-in')
    await proxy.route(service([silent], { ...instead, timeoutMs: 300, retries: { attempts: 0, budget: 0.2 } }), other([standIn]))
    const answer = await ask(proxy.port, get())
    expect([answer.body.toString(), fieldOf(answer, 'holdfast-fallback')]).toEqual(['stand-in', 'timeout'])
  })

  it('has no fallback of its own, and is no loop', async () => {
    await proxy.route(service([], instead), other([], { fallback: { service: 'api' } }))
    const answer = await ask(proxy.port, get())
    expect([answer.status, fieldOf(answer, 'holdfast-fallback')]).toEqual([503, 'no-endpoint'])
    await proxy.route(service([], { fallback: { service: 'nobody' } }))
    expect((await ask(proxy.port, get())).status).toBe(503)
  })

  it('stands for one that is full, and keeps the connection', async () => {
    let release = (): void => undefined
    const slow = await origin(({ socket }) => {
      release = () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nslow')
    })
    const standIn = await serving('stand-in')
    const view = { ...instead, concurrency: { limit: 1, queue: { requests: 1, timeoutMs: 200 } } }
    await proxy.route(service([slow], view), other([standIn]))
    const first = ask(proxy.port, get())
    await eventually('the first is there', () => slow.requests.length === 1)
    const client = await connect()
    for (let i = 0; i < 2; i++) {
      client.send(get())
      const answer = await client.answer()
      expect([answer.body.toString(), fieldOf(answer, 'holdfast-fallback')]).toEqual(['stand-in', 'shed'])
    }
    release()
    expect((await first).body.toString()).toBe('slow')
    client.send(get())
    await eventually('its own service has it', () => slow.requests.length === 2)
    release()
    const own = await client.answer()
    expect([own.body.toString(), fieldOf(own, 'holdfast-fallback')]).toEqual(['slow', undefined])
  })
})
