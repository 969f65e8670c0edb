/** What is counted of requests by route and by endpoint, over all workers, on real sockets. */
import { describe, expect, it } from 'vitest'
import { ask, endpoint, freePort, get, plain, service } from '../support/balancer-harness.ts'
import { useProxy } from '../support/proxy-fixture.ts'

const { proxy, origin } = useProxy({ per: 'test', workers: 2 })

const route = (path: string, host?: string) => ({ listener: 'web', path, stripPath: false, host })

describe('what is counted', () => {
  it('has routes and endpoints apart, and adds up over all workers without loss', async () => {
    const answers = await origin(({ target, socket }) => {
      socket.write(target.startsWith('/fails') ? 'HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n' : plain('ok'))
    })
    const refusing = await freePort()
    await proxy.route(
      service([endpoint(answers.port), endpoint(refusing)], { algorithm: 'round-robin', routes: [route('/'), route('/fails'), route('/quiet')] }),
    )
    // A connection for each, so that both workers have some.
    for (let i = 0; i < 20; i++) await ask(proxy.port, get('/x'))
    for (let i = 0; i < 5; i++) await ask(proxy.port, get('/fails'))
    const { services, endpoints, workers } = await proxy.telemetry()
    expect(workers).toHaveLength(2)
    const { routes, responses, duration } = services.api!
    expect(responses).toEqual({ '2xx': 20, '5xx': 5 })
    expect(Object.keys(routes).sort()).toEqual(['/', '/fails'])
    expect(routes['/']).toMatchObject({ responses: { '2xx': 20 }, duration: { count: 20 } })
    expect(routes['/fails']).toMatchObject({ responses: { '5xx': 5 }, duration: { count: 5 } })
    expect(routes['/']!.duration.sum + routes['/fails']!.duration.sum).toBe(duration.sum)
    expect(endpoints[`e${answers.port}`]).toMatchObject({ responses: { '2xx': 20, '5xx': 5 }, firstByte: { count: 25 }, refused: 0 })
    const other = endpoints[`e${refusing}`]!
    expect(other).toMatchObject({ responses: {}, firstByte: { count: 0 } })
    expect(other.refused).toBeGreaterThan(0)
  })

  it('forgets a route that is gone, and keeps what was counted of one that stays', async () => {
    const alive = await origin(({ socket }) => socket.write(plain('ok')))
    const endpoints = [endpoint(alive.port)]
    await proxy.route(service(endpoints, { routes: [route('/'), route('/gone')] }))
    for (const path of ['/', '/gone', '/']) await ask(proxy.port, get(path))
    expect(Object.keys((await proxy.telemetry()).services.api!.routes).sort()).toEqual(['/', '/gone'])
    await proxy.route(service(endpoints, { routes: [route('/'), route('/', 'b.test')] }))
    await ask(proxy.port, get('/'))
    const { routes } = (await proxy.telemetry()).services.api!
    expect(Object.keys(routes)).toEqual(['/'])
    expect(routes['/']).toMatchObject({ responses: { '2xx': 3 } })
  })
})
