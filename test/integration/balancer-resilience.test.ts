/** Ejection, breakers and second tries over real sockets, with several workers: what clients see, what is told, what survives. */
import { describe, expect, it } from 'vitest'
import { ask, eventually, fieldOf, get, pause, service, type Origin } from '../support/balancer-harness.ts'
import { useProxy } from '../support/proxy-fixture.ts'

const { proxy, origin, serving } = useProxy({ per: 'file', workers: 2 })

const failing = (): Promise<Origin> => origin(({ socket }) => socket.write('HTTP/1.1 500 Broken\r\nContent-Length: 6\r\n\r\nbroken'))

const breakerOpen = async (): Promise<string | undefined> => {
  const answer = await ask(proxy.port, get())
  return fieldOf(answer, 'proxy-status')?.includes('breaker open') === true ? fieldOf(answer, 'retry-after') : undefined
}
const ejection = { consecutiveErrors: 3, consecutiveFailures: 2, baseMs: 30_000, maxMs: 300_000 }
const breaker = { errorRate: 0.5, windowMs: 10_000, minimumRequests: 5, openMs: 30_000 }

describe('one of three that fails', () => {
  it('is seen by no client that asks with GET, and is ejected', async () => {
    const bad = await failing()
    await proxy.route(service([bad, await serving(), await serving()], { ejection, retries: { attempts: 1, budget: 0.2, statuses: [500] } }))
    const statuses = new Set<number>()
    for (let i = 0; i < 40; i++) statuses.add((await ask(proxy.port, get())).status)
    expect([...statuses]).toEqual([200])
    expect(bad.requests.length).toBeLessThan(12)
    const telemetry = await eventually('an endpoint is ejected', () =>
      Object.values(proxy.client.telemetry()?.endpoints ?? {}).find(({ ejected }) => ejected !== undefined),
    )
    expect(telemetry.ejected).toMatch(/^\d+ errors in a row, for \d+ s more$/)
    const asked = bad.requests.length
    for (let i = 0; i < 20; i++) await ask(proxy.port, get())
    expect(bad.requests.length).toBe(asked)
  })
})

describe('a service whose only endpoint fails', () => {
  it('is not asked while its breaker is open, until an operator closes it', async () => {
    const bad = await failing()
    await proxy.route(service([bad], { breaker }))
    let retryAfter: string | undefined
    for (let i = 0; i < 50 && retryAfter === undefined; i++) retryAfter = await breakerOpen()
    expect(Number(retryAfter)).toBeGreaterThan(20)
    await pause(50)
    // The other worker has been told.
    for (let i = 0; i < 10; i++) expect(await breakerOpen()).toBeDefined()
    await proxy.client.breaker('api', 'close')
    await pause(50)
    expect((await ask(proxy.port, get())).status).toBe(500)
  })

  it('is held open by hand', async () => {
    await proxy.route(service([await serving()], { breaker }))
    await proxy.client.breaker('api', 'isolate')
    await pause(50)
    for (let i = 0; i < 6; i++) expect(await breakerOpen()).toBeDefined()
    await proxy.client.breaker('api', 'reset')
    await pause(50)
    expect((await ask(proxy.port, get())).status).toBe(200)
  })
})
