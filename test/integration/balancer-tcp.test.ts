/** TCP services: connections carried by the real data plane between raw sockets. */
import { connect, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ServiceView } from '../../src/balancer/index.ts'
import { endpoint, eventually, freePort, Origin, pause, RawClient, service, startProxy, type RunningProxy } from '../support/balancer-harness.ts'

let proxy: RunningProxy
let origins: Origin[] = []
const clients: RawClient[] = []

beforeEach(async () => {
  proxy = await startProxy()
})

afterEach(async () => {
  for (const { socket } of clients.splice(0)) socket.destroy()
  for (const origin of origins) await origin.stop()
  origins = []
  await proxy.stop()
})

/** Says its name to each connection, then sends back what it gets. */
async function echo(name: string, port = 0): Promise<Origin> {
  const origin = await Origin.raw((socket) => {
    socket.write(`${name}:`)
    socket.on('data', (chunk: Buffer) => {
      if (!socket.write(chunk)) socket.pause()
    })
    socket.on('drain', () => socket.resume())
    socket.on('end', () => socket.end('bye'))
  }, port)
  origins.push(origin)
  return origin
}

const tcp = (targets: Parameters<typeof service>[0], more: Partial<ServiceView> = {}): ServiceView =>
  service(targets, {
    name: 'db',
    routes: [],
    algorithm: 'least-connections',
    connectTimeoutMs: 300,
    tcp: { kind: 'plain', listener: 'web', readFromPrimary: true, idleMs: 60_000 },
    ...more,
  })

const parking = { timeoutMs: 3_000, requests: 10, bytes: 1_000_000 }

const route = (view: ServiceView): Promise<void> =>
  proxy.apply({ listeners: [{ name: 'web', host: '127.0.0.1', port: proxy.port, protocol: 'tcp' }], services: [view] })

async function client(): Promise<RawClient> {
  const made = await RawClient.to(proxy.port)
  clients.push(made)
  return made
}

const greeted = (made: RawClient): Promise<string> =>
  eventually('a greeting', () => {
    const text = made.rest.toString('latin1')
    return text.includes(':') ? text.split(':')[0] : undefined
  })

describe('a TCP service', () => {
  it('carries bytes both ways, a server that speaks first included, and passes on a half-closed side', async () => {
    await route(tcp([await echo('a')]))
    const made = await client()
    expect(await greeted(made)).toBe('a')
    made.send('hello')
    await eventually('the echo', () => made.rest.toString().includes('hello'))
    made.socket.end()
    await eventually('the answer to the end', () => made.ended && made.rest.toString() === 'a:hellobye')
    const { services, endpoints, connections } = await proxy.telemetry()
    expect(services.db).toMatchObject({ requests: 1, active: 0, tunnels: 0, requestBytes: 5, responseBytes: 10, responses: { '2xx': 1 } })
    expect(Object.values(endpoints)[0]).toMatchObject({ active: 0, requests: 1, errors: 0, tcp: { received: 5, sent: 10, cut: 0 } })
    expect(connections.active).toBe(0)
  })

  it('gives connections to the endpoint with the fewest', async () => {
    const [a, b] = [await echo('a'), await echo('b')]
    await route(tcp([a, b]))
    for (let i = 0; i < 6; i++) await greeted(await client())
    expect([a.sockets.size, b.sockets.size]).toEqual([3, 3])
  })

  it('carries 32 MiB each way unchanged past a slow reader, without holding them', async () => {
    await route(tcp([await echo('a')]))
    const made = await client()
    await greeted(made)
    const piece = Buffer.alloc(1024 * 1024, 'holdfast')
    let received = 0
    made.socket.on('data', (chunk: Buffer) => {
      received += chunk.length
      made.socket.pause()
      setTimeout(() => made.socket.resume(), 1)
    })
    for (let i = 0; i < 32; i++) if (!made.socket.write(piece)) await new Promise((resolve) => made.socket.once('drain', resolve))
    await eventually('all is back', () => received >= 32 * piece.length, 30_000)
    expect(received).toBe(32 * piece.length)
    const { workers } = await proxy.telemetry()
    expect(workers[0]!.memoryBytes).toBeLessThan(250 * 1024 * 1024)
  })

  it('goes to another endpoint when one refuses, with what the client has sent', async () => {
    const gone = await freePort()
    await route(tcp([gone, await echo('b')]))
    for (let i = 0; i < 4; i++) {
      const made = await client()
      made.send('early')
      expect(await greeted(made)).toBe('b')
      await eventually('the early bytes', () => made.rest.toString() === 'b:early')
    }
  })

  it('waits while no endpoint is there, and goes on when one is', async () => {
    const port = await freePort()
    await route(tcp([port], { managed: true, parking }))
    const made = await client()
    made.send('early')
    await pause(300)
    expect(made.closed).toBe(false)
    await echo('late', port)
    expect(await greeted(made)).toBe('late')
    const { services } = await proxy.telemetry()
    expect(services.db).toMatchObject({ parkedTotal: 1, parked: 0, shed: 0 })
  })

  it('lets no more wait than may, and none for longer', async () => {
    const port = await freePort()
    await route(tcp([port], { managed: true, parking: { ...parking, timeoutMs: 600, requests: 2 } }))
    const made = [await client(), await client(), await client()]
    await eventually('one is refused', () => made.filter(({ closed }) => closed).length === 1)
    await eventually('the others too', () => made.every(({ closed }) => closed))
    expect(made.map(({ errorCode }) => errorCode)).toEqual(['ECONNRESET', 'ECONNRESET', 'ECONNRESET'])
    expect((await proxy.telemetry()).services.db).toMatchObject({ shed: 3, parked: 0, responses: { '5xx': 3 } })
  })

  it('forgets a client that leaves while it waits', async () => {
    await route(tcp([await freePort()], { managed: true, parking }))
    const made = await client()
    await eventually('it waits', () => true)
    await pause(100)
    made.socket.end()
    await eventually('its connection is gone', () => made.closed || made.errorCode !== undefined || made.ended)
    expect((await proxy.telemetry()).services.db).toMatchObject({ parked: 0, active: 0, responses: { aborted: 1 } })
  })

  it('breaks the connection of a client when its endpoint breaks', async () => {
    const origin = await echo('a')
    await route(tcp([origin]))
    const made = await client()
    await greeted(made)
    for (const socket of origin.sockets) socket.resetAndDestroy()
    await eventually('the reset', () => made.closed)
    expect(made.errorCode).toBe('ECONNRESET')
  })

  it('breaks the connection to the endpoint when the client breaks', async () => {
    let code: string | undefined
    const origin = await Origin.raw((socket: Socket) => {
      socket.write('a:')
      socket.on('error', (error: NodeJS.ErrnoException) => (code = error.code))
    })
    origins.push(origin)
    await route(tcp([origin]))
    const made = await client()
    await greeted(made)
    made.socket.resetAndDestroy()
    await eventually('the end', () => origin.sockets.size === 0)
    expect(code).toBe('ECONNRESET')
  })

  it('closes a connection that is idle', async () => {
    await route(tcp([await echo('a')], { tcp: { kind: 'plain', listener: 'web', readFromPrimary: true, idleMs: 1_000 } }))
    const made = await client()
    await greeted(made)
    const began = performance.now()
    await eventually('it is closed', () => made.closed)
    expect(performance.now() - began).toBeGreaterThan(800)
    expect(Object.values((await proxy.telemetry()).endpoints)[0]!.tcp).toMatchObject({ cut: 1 })
  })

  it('drains: no new connections, the open ones go on until the deadline and end one after the other', async () => {
    const [a, b] = [await echo('a'), await echo('b')]
    await route(tcp([a]))
    const old = [await client(), await client(), await client()]
    for (const made of old) await greeted(made)
    await route(tcp([endpoint(a.port, { state: 'draining' }), b]))
    const ends: number[] = []
    for (const made of old) made.socket.on('close', () => ends.push(performance.now()))
    const began = performance.now()
    const drained = proxy.client.drained(`e${a.port}`, 2_000)
    expect(await greeted(await client())).toBe('b')
    old[0]!.send('still here')
    await eventually('the echo', () => old[0]!.rest.toString().includes('still here'))
    await drained
    await eventually('all have ended', () => ends.length === 3)
    expect(ends[0]! - began).toBeGreaterThan(900)
    expect(ends[2]! - ends[0]!).toBeGreaterThan(300)
    expect(ends[2]! - began).toBeLessThan(3_000)
  })

  it('ends what is quiet at once when everything ends, and what waits for an answer at the deadline', async () => {
    const silent = await Origin.raw((socket) => socket.write('a:'))
    origins.push(silent)
    await route(tcp([silent]))
    const [quiet, asking] = [await client(), await client()]
    await greeted(quiet)
    await greeted(asking)
    asking.send('a question')
    await pause(1_100)
    const began = performance.now()
    void proxy.client.shutdown(2_500)
    await eventually('the quiet one has ended', () => quiet.closed)
    expect(performance.now() - began).toBeLessThan(1_000)
    expect(asking.closed).toBe(false)
    await eventually('the other too', () => asking.closed)
    expect(performance.now() - began).toBeGreaterThan(2_000)
    proxy = await startProxy()
  })

  it('takes an endpoint that cannot be connected to for unhealthy', async () => {
    const port = await freePort()
    const probe = { path: '', intervalMs: 100, timeoutMs: 100, fall: 2, rise: 1, statusMin: 0, statusMax: 0, connectOnly: true as const }
    await route(tcp([port], { probe }))
    const told = (type: string): Promise<unknown> => eventually(type, () => proxy.signals.find((signal) => signal.type === type))
    await told('endpointUnhealthy')
    await echo('a', port)
    await told('endpointRecovered')
  })

  it('refuses a connection to a listener that no service has', async () => {
    await proxy.apply({ listeners: [{ name: 'web', host: '127.0.0.1', port: proxy.port, protocol: 'tcp' }], services: [] })
    const socket = connect(proxy.port, '127.0.0.1')
    socket.on('error', () => undefined)
    await new Promise((resolve) => socket.once('close', resolve))
    expect((await proxy.telemetry()).refused).toEqual({ no_route: 1 })
  })
})
