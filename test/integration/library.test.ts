/** The library as programs use it: the built package, imported by its name, its examples run as they stand. */
import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Agent, fetch as undiciFetch } from 'undici'
import { freePorts } from '../../bench/lib/process.ts'
import type * as Library from '../../src/index.ts'
import type * as BalancerLibrary from '../../src/library/balancer.ts'
import { makePair } from '../support/certificates.ts'
import { ask, eventually, get, Origin, pause, plain, RawClient } from '../support/balancer-harness.ts'

const root = join(import.meta.dirname, '..', '..')
const example = (name: string): string => join(root, 'examples', 'library', name)
const built = async <T>(file: string): Promise<T> => (await import(pathToFileURL(join(root, 'dist', file)).href)) as T
const run = promisify(execFile)

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-library-'))
})
afterEach(() => {
  rmSync(directory, { recursive: true, force: true })
})

describe('the examples', () => {
  it('of the infrastructure services', async () => {
    const { stdout } = await run(process.execPath, [example('infrastructure.mjs')])
    expect(stdout.trim().split('\n')).toEqual([
      'Servers: localhost:3001 localhost:3000',
      'Overall status: healthy',
      'Services monitored: 1',
      'auth changed from healthy to degraded',
      'Alert: Service degraded - Service auth changed from healthy to degraded',
      'Route to: localhost:3001',
      'Then to: localhost:3000',
      'Cached: John, hit rate 100%',
    ])
  })

  it('of the balancer', async () => {
    const [port] = await freePorts(1)
    const { stdout } = await run(process.execPath, [example('balancer.mjs')], { env: { ...process.env, BALANCER_PORT: String(port) } })
    expect(stdout).toBe(
      `listening at http://127.0.0.1:${port}\nred answers /hello\nblue answers /hello\n\nblue answers /hello\nblue answers /hello\n\n`,
    )
  })
})

it('importing starts nothing and keeps nothing alive', async () => {
  const program = `
    const quiet = async () => (await new Promise((resolve) => setTimeout(resolve, 100)), String(process.getActiveResourcesInfo().filter((name) => name !== 'PipeWrap')))
    const before = await quiet()
    await import('holdfast'); await import('holdfast/balancer'); await import('holdfast/instance')
    console.log(await quiet() === before, process.listenerCount('SIGTERM'))`
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', program], { cwd: root })
  expect(stdout.trim()).toBe('true 0')
})

describe('a balancer within the program', () => {
  it('forwards, learns new endpoints, probes, counts and ends', async () => {
    const { createBalancer } = await built<typeof BalancerLibrary>('library/balancer.js')
    const [port = 0] = await freePorts(1)
    const origins = await Promise.all(['a', 'b'].map((name) => Origin.start(({ socket }) => socket.write(plain(name)))))
    const [a, b] = origins as [Origin, Origin]
    const balancer = createBalancer({
      listeners: { web: { port, host: '127.0.0.1' } },
      services: {
        api: {
          endpoints: [`127.0.0.1:${a.port}`],
          balance: { algorithm: 'round-robin' },
          health: { path: '/health', interval: '100ms', timeout: '100ms', fall: 1, rise: 1 },
        },
      },
    })
    const unhealthy: string[] = []
    balancer.on('unhealthy', ({ endpoint }) => unhealthy.push(endpoint))
    await balancer.start()
    try {
      expect((await ask(port, get('/x'))).text).toBe('a')
      const id = await balancer.add({ host: '127.0.0.1', port: b.port })
      await expect(balancer.add({ host: '127.0.0.1', port: b.port })).rejects.toMatchObject({ code: 'conflict' })
      const texts = [(await ask(port, get('/x'))).text, (await ask(port, get('/x'))).text]
      expect(texts.sort()).toEqual(['a', 'b'])
      await balancer.remove(id)
      for (let i = 0; i < 4; i++) expect((await ask(port, get('/x'))).text).toBe('a')
      await expect(balancer.remove(id)).rejects.toMatchObject({ code: 'unknown_endpoint' })
      await eventually('the counts', () => balancer.traffic().requests >= 7)
      expect(balancer.endpoints()).toMatchObject([{ id: `127.0.0.1:${a.port}`, health: 'healthy', service: 'api' }])
      await a.stop()
      await eventually('the verdict', () => unhealthy.includes(`127.0.0.1:${a.port}`))
      expect(balancer.endpoints()[0]?.health).toBe('unhealthy')
    } finally {
      await balancer.stop(100)
      await Promise.all(origins.map((origin) => origin.stop()))
    }
    await expect(ask(port, get())).rejects.toThrow(/ECONNREFUSED/)
  })

  it('that cannot listen says so and leaves nothing open', async () => {
    const { createBalancer } = await built<typeof BalancerLibrary>('library/balancer.js')
    const blocker = createServer().listen(0, '127.0.0.1')
    const { port } = await eventually('an address', () => (blocker.address() ?? undefined) as { port: number } | undefined)
    const [free = 0] = await freePorts(1)
    const balancer = createBalancer({
      listeners: { first: { port: free, host: '127.0.0.1' }, second: { port, host: '127.0.0.1' } },
      services: { api: { endpoints: ['127.0.0.1:1'], routes: [{ path: '/', listener: 'first' }] } },
    })
    await expect(balancer.start()).rejects.toMatchObject({ code: 'listen_failed' })
    await expect(ask(free, get())).rejects.toThrow(/ECONNREFUSED/)
    blocker.close()
  })

  it('runs no commands, and says where they are run', async () => {
    const { createBalancer } = await built<typeof BalancerLibrary>('library/balancer.js')
    expect(() => createBalancer({ services: { web: { command: 'node x.js', routes: [{ path: '/' }] } } })).toThrow(/runs no commands/)
    expect(() => createBalancer({ services: { web: { endpoint: [] } } })).toThrow(/endpoint/)
  })
})

describe('a balancer as a handler of a server of the program', () => {
  it('serves what the server has read: bodies both ways, trailers, its own answers, tunnels, and cuts', async () => {
    const { createBalancer } = await built<typeof BalancerLibrary>('library/balancer.js')
    const origin = createServer((request, response) => {
      if (request.url === '/cut') {
        response.writeHead(200, { 'content-length': 10 })
        response.write('12345', () => response.destroy())
        return
      }
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        response.writeHead(201, { trailer: 'x-sum', 'x-forwarded': String(request.headers['x-forwarded-for']), 'set-cookie': ['a=1', 'b=2'] })
        response.addTrailers({ 'x-sum': String(Buffer.concat(chunks).length) })
        response.end(`${request.method} ${request.url} ${Buffer.concat(chunks).toString('latin1')}`)
      })
    })
    origin.on('upgrade', (request, socket) => {
      socket.on('error', () => undefined)
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n')
      socket.pipe(socket)
    })
    const [originPort = 0, port = 0] = await freePorts(2)
    await new Promise<void>((resolve) => origin.listen(originPort, '127.0.0.1', resolve))
    const balancer = createBalancer({ services: { api: { endpoints: [`127.0.0.1:${originPort}`], routes: [{ path: '/', host: 'localhost' }] } } })
    await balancer.start({ listen: false })
    const server = createServer(balancer.handler())
    server.on('upgrade', balancer.upgradeHandler())
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
    try {
      const body = 'x'.repeat(300_000)
      const posted = await fetch(`http://localhost:${port}/a?b`, { method: 'POST', body })
      expect([posted.status, posted.headers.get('x-forwarded'), posted.headers.getSetCookie()]).toEqual([201, '127.0.0.1', ['a=1', 'b=2']])
      expect(await posted.text()).toBe(`POST /a?b ${body}`)
      const chunked = await ask(port, 'PUT /c HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n')
      expect([chunked.status, chunked.text]).toEqual([201, 'PUT /c abc'])
      expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(404)
      await expect(fetch(`http://localhost:${port}/cut`).then((answer) => answer.text())).rejects.toThrow()
      const client = await RawClient.to(port)
      client.send('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nearly')
      await eventually('the tunnel', () => client.text.includes('101') && client.text.endsWith('early'))
      client.send(' and late')
      await eventually('the echo', () => client.text.endsWith('early and late'))
      client.destroy()
      await eventually('the counts', () => balancer.traffic('api').requests >= 4)
    } finally {
      server.close()
      await balancer.stop(100)
      origin.closeAllConnections()
      origin.close()
    }
  })

  it('speaks TLS at its own listeners, takes up files that change and ejects what fails', async () => {
    const { createBalancer } = await built<typeof BalancerLibrary>('library/balancer.js')
    const { certFile, keyFile, cert } = makePair(directory, 'localhost', { hosts: ['localhost'] })
    const [port = 0, failing = 0] = await freePorts(2)
    const good = await Origin.start(({ socket }) => socket.write(plain('good')))
    const bad = createServer((_request, response) => response.writeHead(500).end())
    await new Promise<void>((resolve) => bad.listen(failing, '127.0.0.1', resolve))
    const balancer = createBalancer({
      listeners: { secure: { port, host: '127.0.0.1', tls: { certificates: [{ cert: certFile, key: keyFile }] } } },
      services: {
        api: {
          endpoints: [`127.0.0.1:${good.port}`, `127.0.0.1:${failing}`],
          routes: [{ path: '/', listener: 'secure' }],
          balance: { algorithm: 'round-robin' },
          resilience: { ejection: { consecutiveErrors: 1, baseTime: '30s' }, retries: { attempts: 1, on: [500] } },
        },
      },
    })
    const ejected: string[] = []
    balancer.on('ejected', ({ endpoint }) => ejected.push(endpoint))
    await balancer.start()
    try {
      const dispatcher = new Agent({ connect: { ca: cert } })
      const secure = async (): Promise<string> => (await undiciFetch(`https://localhost:${port}/`, { dispatcher })).text()
      for (let i = 0; i < 10; i++) expect(await secure()).toBe('good')
      await eventually('the ejection', () => ejected.includes(`127.0.0.1:${failing}`))
      expect(balancer.listeners[0]!.url).toBe(`https://127.0.0.1:${port}`)
      await dispatcher.close()
    } finally {
      await balancer.stop(100)
      await good.stop()
      bad.closeAllConnections()
      bad.close()
    }
  })
})

describe('the whole within the program', () => {
  const created = async (instances: number, more: object = {}): Promise<Library.Holdfast> => {
    const { createHoldfast } = await built<typeof Library>('index.js')
    const [web = 0, api = 0] = await freePorts(2)
    return createHoldfast({
      data: directory,
      api: { port: api },
      listeners: { web: { port: web, host: '127.0.0.1' } },
      cluster: { workers: 1, gracefulShutdownTimeout: '2s' },
      services: { web: { command: `${process.execPath} ${example('service.mjs')}`, instances, routes: [{ path: '/' }], ...more } },
    })
  }

  it('starts, tells, obeys and leaves nothing', async () => {
    const { InfrastructureService } = await built<typeof Library>('index.js')
    const holdfast = await created(1)
    const ready: string[] = []
    holdfast.on('instance.ready', ({ instance }) => ready.push(instance ?? ''))
    expect(() => holdfast.services()).toThrow(/not started/)
    const infrastructure = new InfrastructureService({}, holdfast)
    const scalings: string[] = []
    infrastructure.on('scaling', ({ type, from, to }) => scalings.push(`${type} ${from} ${to}`))
    try {
      const settled = await holdfast.start()
      expect(settled).toMatchObject([{ service: 'web', problems: [] }])
      const url = holdfast.listeners[0]!.url
      expect((await (await fetch(url)).text()).trim()).toBe(ready[0])
      expect((await infrastructure.getHealthStatus()).services).toMatchObject([{ service: 'web', status: 'healthy', dependencies: [] }])
      await holdfast.scale('web', 2, 'a test')
      await eventually('the second', () => holdfast.service('web').ready === 2)
      expect(scalings).toEqual(['scale-up 1 2'])
      expect(infrastructure.getScalingEvents(5)).toMatchObject([{ from: 1, to: 2, reason: 'a test' }])
      const answer = await fetch(`${holdfast.apiUrl}/api/infrastructure/services`, { headers: { authorization: `Bearer ${holdfast.apiToken}` } })
      expect(answer.status).toBe(200)
      await expect((await created(1)).start()).rejects.toMatchObject({ code: 'already_running' })
    } finally {
      await holdfast.stop()
    }
    expect(existsSync(join(directory, 'run', 'control.json'))).toBe(false)
    await expect(fetch(holdfast.listeners[0]!.url)).rejects.toThrow()
    await expect(holdfast.start()).rejects.toMatchObject({ code: 'stopped' })
  })

  it('gives an instance with 300 ms of lag at most half of its share within three seconds', async () => {
    // By lot: neither latency nor requests in flight can be what moves the load.
    const holdfast = await created(3, { balance: { algorithm: 'random' } })
    try {
      await holdfast.start()
      const url = holdfast.listeners[0]!.url
      const [lagging] = holdfast.service('web').instances
      await fetch(`http://127.0.0.1:${lagging!.port}/busy?ms=300`)
      await pause(3_000)
      const counts = new Map<string, number>()
      const statuses = new Set<number>()
      // As many that are slow do not keep the others from being asked.
      await Promise.all(
        Array.from({ length: 300 }, async (_, index) => {
          await pause(index * 6)
          const answer = await fetch(url)
          statuses.add(answer.status)
          const id = (await answer.text()).trim()
          counts.set(id, (counts.get(id) ?? 0) + 1)
        }),
      )
      expect([...statuses]).toEqual([200])
      expect(counts.get(lagging!.id) ?? 0).toBeLessThanOrEqual(50)
      const { reported } = holdfast.endpoints().find(({ id }) => id === lagging!.id)!
      expect(reported!.lagMs).toBeGreaterThan(100)
      expect(await holdfast.metrics()).toMatch(/^holdfast_endpoint_loop_lag_seconds\{service="web",endpoint=".+"\} 0\.[1-4]/m)
    } finally {
      await holdfast.stop()
    }
  })

  it('sends nothing to an instance that says it is not ready, until it is', async () => {
    const command = `${process.execPath} ${join(root, 'test', 'fixtures', 'reporting.mjs')}`
    const holdfast = await created(2, { command, balance: { algorithm: 'round-robin', slowStart: '0s' } })
    try {
      await holdfast.start()
      const url = holdfast.listeners[0]!.url
      const [resting] = holdfast.service('web').instances
      const own = (path: string): Promise<Response> => fetch(`http://127.0.0.1:${resting!.port}${path}`)
      const stateOf = (): string | undefined => holdfast.endpoints().find(({ id }) => id === resting!.id)?.reason
      const answers = async (): Promise<Set<string>> => new Set(await Promise.all(Array.from({ length: 10 }, async () => (await fetch(url)).text())))
      expect((await answers()).size).toBe(2)
      await own('/not-ready')
      await eventually('its word', () => stateOf() === 'the instance says that it is not ready: the cache is cold')
      expect((await answers()).has(resting!.id)).toBe(false)
      await own('/ready')
      await eventually('its other word', () => stateOf() === undefined)
      expect((await answers()).size).toBe(2)
      await own('/state?drain')
      await eventually('it asks to be drained', () => stateOf() === 'it asks to be drained')
      expect((await answers()).has(resting!.id)).toBe(false)
      const weightOf = (): number | undefined => holdfast.overview().proxy?.endpoints[resting!.id]?.weight
      await own('/state?ready,50%25')
      await eventually('it asks for half', () => stateOf() === undefined && weightOf() === 50)
      await own('/state?100%25')
      await eventually('it asks for all', () => weightOf() === 100)
    } finally {
      await holdfast.stop()
    }
  })

  it('hears of lag again from a new primary', async () => {
    const holdfast = await created(2, { balance: { algorithm: 'random' } })
    try {
      await holdfast.start()
      const reporting = (): number =>
        Object.values(holdfast.overview().proxy?.endpoints ?? {}).filter(({ reported }) => reported !== undefined).length
      await eventually('both report', () => reporting() === 2)
      const before = holdfast.overview().proxy!.pid
      process.kill(before, 'SIGKILL')
      await eventually('both report to the new one', () => holdfast.overview().proxy?.pid !== before && reporting() === 2, 30_000)
    } finally {
      await holdfast.stop()
    }
  })
})

describe('an instance that has joined', () => {
  it('finishes what it has begun, says that it closes, and ends', async () => {
    const holdfast = await (async () => {
      const { createHoldfast } = await built<typeof Library>('index.js')
      const [web = 0, api = 0] = await freePorts(2)
      return createHoldfast({
        data: directory,
        api: { port: api },
        listeners: { web: { port: web, host: '127.0.0.1' } },
        cluster: { workers: 1, gracefulShutdownTimeout: '2s' },
        services: {
          web: {
            command: `${process.execPath} --import ${join(root, 'dist', 'instance', 'register.js')} ${join(root, 'test/fixtures/slow.mjs')}`,
            restart: { policy: 'never' },
            routes: [{ path: '/' }],
          },
        },
      })
    })()
    try {
      await holdfast.start()
      const [instance] = holdfast.service('web').instances
      const connection = await RawClient.to(instance!.port)
      connection.send(get('/slow?ms=600'))
      await pause(200)
      process.kill(instance!.pid!, 'SIGTERM')
      const answer = await connection.answer()
      expect(answer).toMatchObject({ status: 200, text: 'slow' })
      expect(answer.fields).toContainEqual(['connection', 'close'])
      const exited = await eventually('its end', () => holdfast.service('web').instances[0]?.lastExit)
      expect(exited.code).toBe(0)
      connection.destroy()
    } finally {
      await holdfast.stop()
    }
  })
})
