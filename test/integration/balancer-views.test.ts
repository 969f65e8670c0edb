/** Views that are swapped under load, listeners that come, move and go, and processes of the data plane that are killed. */
import { readFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { describe, expect, it } from 'vitest'
import { ask, endpoint, eventually, fieldOf, freePort, get, pause, plain, post, RawClient, service } from '../support/balancer-harness.ts'
import { useProxy } from '../support/proxy-fixture.ts'

const { proxy, origin, serving } = useProxy({ per: 'test', workers: 2 })

/** Asks over and over on new and kept connections until it is stopped; resolves with what went wrong. */
function load(port: number, clients = 6): { readonly count: () => number; stop(): Promise<string[]> } {
  let stopped = false
  let count = 0
  const problems: string[] = []
  const running = Array.from({ length: clients }, async (_, index) => {
    let client: RawClient | undefined
    while (!stopped) {
      try {
        client ??= await RawClient.to(port)
        client.send(count % 5 === 0 ? post('body') : get(`/${count}`))
        const answer = await client.answer()
        count++
        if (answer.status !== 200) problems.push(`${answer.status} ${answer.text}`)
        if (fieldOf(answer, 'connection') === 'close' || index % 2 === 0) {
          client.destroy()
          client = undefined
        }
      } catch (error) {
        problems.push(String(error))
        client?.destroy()
        client = undefined
      }
      await pause(2)
    }
    client?.destroy()
  })
  return {
    count: () => count,
    async stop() {
      stopped = true
      await Promise.all(running)
      return problems
    },
  }
}

/** Processes of this data directory's proxy, by what they run. */
function workersOf(primary: number): number[] {
  const children = readFileSync(`/proc/${primary}/task/${primary}/children`, 'latin1')
  return children.split(' ').filter(Boolean).map(Number)
}

const accepts = async (port: number): Promise<boolean> =>
  RawClient.to(port).then(
    (client) => {
      client.destroy()
      return true
    },
    () => false,
  )

/** Resolves when nobody listens on the port any more. Workers close a listener when they are told, a moment after the view. */
async function closes(port: number, withinMs = 2_000): Promise<void> {
  const end = performance.now() + withinMs
  while (await accepts(port)) {
    if (performance.now() > end) throw new Error(`port ${port} still accepts after ${withinMs} ms`)
    await pause(10)
  }
}

describe('views', () => {
  it('swapped under load lose nothing: endpoints and listeners come and go', async () => {
    const [a, b] = [await serving('a'), await serving('b')]
    const other = await freePort()
    await proxy.route(service([a]))
    const running = load(proxy.port)
    for (let i = 0; i < 12; i++) {
      const listeners = [
        { name: 'web', host: '127.0.0.1', port: proxy.port },
        ...(i % 2 === 0 ? [{ name: 'admin', host: '127.0.0.1', port: other }] : []),
      ]
      const routes = [
        { listener: 'web', path: '/', stripPath: false },
        { listener: 'admin', path: '/', stripPath: false },
      ]
      await proxy.apply({ listeners, services: [service(i % 3 === 0 ? [a] : i % 3 === 1 ? [b] : [a, b], { routes })] })
      if (i % 2 === 0) expect((await ask(other, get())).status).toBe(200)
      else await closes(other)
      await pause(30)
    }
    expect(await running.stop()).toEqual([])
    expect(running.count()).toBeGreaterThan(50)
  })

  it('a port in use is refused with a hint, and everything stays as it was, also when a listener should have moved there', async () => {
    const a = await serving('a')
    await proxy.route(service([a]))
    const taken = createServer()
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
    const { port } = taken.address() as AddressInfo
    const running = load(proxy.port, 3)
    const added = proxy.apply({
      listeners: [
        { name: 'web', host: '127.0.0.1', port: proxy.port },
        { name: 'admin', host: '127.0.0.1', port },
      ],
      services: [service([a])],
    })
    await expect(added).rejects.toMatchObject({ code: 'listen_failed', message: `listening on 127.0.0.1:${port} failed: the address is in use` })
    const moved = proxy.apply({ listeners: [{ name: 'web', host: '127.0.0.1', port }], services: [service([a])] })
    await expect(moved).rejects.toMatchObject({ code: 'listen_failed' })
    await pause(50)
    expect(await running.stop()).toEqual([])
    taken.close()
    expect((await ask(proxy.port, get())).text).toBe('a')
  })

  it('a listener that moves serves on the new port and no longer on the old; one that is renamed keeps its socket', async () => {
    const a = await serving('a')
    const [first, second] = [proxy.port, await freePort()]
    const at = (name: string, port: number) => ({
      listeners: [{ name, host: '127.0.0.1', port }],
      services: [service([a], { routes: [{ listener: name, path: '/', stripPath: false }] })],
    })
    await proxy.apply(at('web', first))
    await proxy.apply(at('web', second))
    expect((await ask(second, get())).text).toBe('a')
    await closes(first)
    const running = load(second, 3)
    await proxy.apply(at('public', second))
    await proxy.apply(at('web', second))
    await pause(50)
    expect(await running.stop()).toEqual([])
    await proxy.apply({ listeners: [], services: [] })
    await closes(second)
  })

  it('routes by host, path and method; strips; says what is allowed', async () => {
    const echo = await origin(({ target, socket }) => socket.write(plain(target)))
    const routes = [
      { listener: 'web', host: 'a.test', path: '/api', stripPath: true },
      { listener: 'web', host: 'a.test', path: '/form', methods: ['POST', 'PUT'], stripPath: false },
    ]
    await proxy.route(service([echo], { routes }))
    expect((await ask(proxy.port, get('/api/users?x=1'))).text).toBe('/users?x=1')
    expect((await ask(proxy.port, get('/api'))).text).toBe('/')
    expect((await ask(proxy.port, get('/apix/../api/%61'))).text).toBe('/a')
    expect((await ask(proxy.port, get('/apix'))).status).toBe(404)
    expect((await ask(proxy.port, 'GET http://A.test:99/api/b HTTP/1.1\r\nHost: other\r\n\r\n')).text).toBe('/b')
    const refused = await ask(proxy.port, get('/form'))
    expect(refused.status).toBe(405)
    expect(fieldOf(refused, 'allow')).toBe('POST, PUT')
  })

  it('under maintenance answer 503; bodies are JSON or HTML as the client likes', async () => {
    await proxy.route(service([await serving('a')], { maintenance: true }))
    const json = await ask(proxy.port, get())
    expect(json.status).toBe(503)
    expect(JSON.parse(json.text)).toMatchObject({ success: false, error: { code: 'destination_unavailable', details: { reason: 'maintenance' } } })
    expect(fieldOf(json, 'retry-after')).toBe('60')
    expect(fieldOf(json, 'content-type')).toContain('application/json')
    expect(fieldOf(json, 'proxy-status')).toMatch(/^holdfast-\w+; error=destination_unavailable; details="maintenance"$/)
    const html = await ask(proxy.port, get('/', 'Accept: text/html,*/*;q=0.8\r\n'))
    expect(fieldOf(html, 'content-type')).toContain('text/html')
    expect(html.text).toContain('under maintenance')
    expect((await ask(proxy.port, 'HEAD / HTTP/1.1\r\nHost: a\r\n\r\n', 'HEAD')).status).toBe(503)
  })
})

describe.runIf(process.platform === 'linux')('killed', () => {
  it('a worker takes only its own connections along, and is replaced', async () => {
    const held: (() => void)[] = []
    const slow = await origin(({ target, socket }) => {
      if (target === '/held') held.push(() => socket.write(plain('kept')))
      else socket.write(plain('ok'))
    })
    await proxy.route(service([slow]))
    const clients = await Promise.all(Array.from({ length: 12 }, () => RawClient.to(proxy.port)))
    for (const client of clients) client.send(get('/held'))
    await eventually('all are held', () => held.length === 12)
    const [victim] = workersOf(proxy.pid)
    process.kill(victim!, 'SIGKILL')
    await eventually('it is missed', () => proxy.signals.some((signal) => signal.type === 'workerExited' && signal.pid === victim))
    for (let i = 0; i < 20; i++) expect((await ask(proxy.port, get())).text).toBe('ok')
    for (const answer of held) answer()
    const outcomes = await Promise.allSettled(clients.map((client) => client.answer()))
    const kept = outcomes.filter((outcome) => outcome.status === 'fulfilled')
    expect(kept.length).toBeGreaterThan(0)
    expect(kept.length).toBeLessThan(12)
    await eventually('two workers again', () => workersOf(proxy.pid).length === 2 && !workersOf(proxy.pid).includes(victim!))
    for (const client of clients) client.destroy()
  })

  it('the primary: its workers go on, an heir serves, nobody is refused, and a listener can still be closed', async () => {
    const a = await serving('a')
    await proxy.route(service([a]))
    const running = load(proxy.port)
    await eventually('it runs', () => running.count() > 50)
    process.kill(proxy.pid, 'SIGKILL')
    const heir = await eventually('an heir is found', () => proxy.signals.find((signal) => signal.type === 'connected' && signal.pid !== proxy.pid))
    const before = running.count()
    await eventually('it runs on', () => running.count() > before + 50)
    await eventually('the orphans have ended', () => {
      const heirPid = heir.type === 'connected' ? heir.pid : 0
      return workersOf(heirPid).length === 2
    })
    expect(await running.stop()).toEqual([])
    await proxy.route(service([endpoint(a.port)]))
    expect((await ask(proxy.port, get())).text).toBe('a')
    const next = await freePort()
    await proxy.apply({ listeners: [{ name: 'web', host: '127.0.0.1', port: next }], services: [service([a])] })
    expect((await ask(next, get())).text).toBe('a')
    // The orphans may still hold the old socket while they end; after that nobody does.
    await closes(proxy.port, 10_000)
  })
})
