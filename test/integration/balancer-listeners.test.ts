/** Listeners that are opened, closed and moved: bound before anything is routed, in one step also between addresses that exclude each other. */
import { connect, createServer, type AddressInfo } from 'node:net'
import { describe, expect, it } from 'vitest'
import { ask, fieldOf, freePort, get, type Origin, pause, RawClient, service } from '../support/balancer-harness.ts'
import { useProxy } from '../support/proxy-fixture.ts'

const { proxy, serving } = useProxy({ per: 'test', workers: 2 })

const at = (host: string, origin: Origin, ...more: readonly { readonly name: string; readonly host: string; readonly port: number }[]) => ({
  listeners: [{ name: 'web', host, port: proxy.port }, ...more],
  services: [service([origin])],
})

const accepts = (host: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(proxy.port, host)
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => {
      resolve(false)
    })
  })

describe.runIf(process.platform === 'linux')('a listener', () => {
  it('moves from one address to all of them on its port and back, in one step each', async () => {
    const a = await serving('a')
    await proxy.apply(at('127.0.0.1', a))
    const kept = await RawClient.to(proxy.port)
    for (let round = 0; round < 5; round++) {
      await proxy.apply(at('0.0.0.0', a))
      expect([await accepts('127.0.0.1'), await accepts('127.0.0.2')]).toEqual([true, true])
      expect((await ask(proxy.port, get())).text).toBe('a')
      await proxy.apply(at('127.0.0.1', a))
      expect([await accepts('127.0.0.1'), await accepts('127.0.0.2')]).toEqual([true, false])
      expect((await ask(proxy.port, get())).text).toBe('a')
    }
    // Who came in at the listener that is closed gets one more answer.
    kept.send(get())
    const last = await kept.answer()
    expect([last.text, fieldOf(last, 'connection')]).toEqual(['a', 'close'])
    kept.destroy()
  })

  it('is where it was when another process keeps it from its new address', async () => {
    const [a, b] = [await serving('a'), await serving('b')]
    await proxy.apply(at('127.0.0.1', a))
    const taken = createServer()
    await new Promise<void>((resolve) => taken.listen(proxy.port, '127.0.0.2', resolve))
    const moved = proxy.apply(at('0.0.0.0', b))
    await expect(moved).rejects.toMatchObject({ code: 'listen_failed', message: `listening on 0.0.0.0:${proxy.port} failed: the address is in use` })
    for (let i = 0; i < 10; i++) expect((await ask(proxy.port, get())).text).toBe('a')
    await new Promise((resolve) => taken.close(resolve))
    await proxy.apply(at('0.0.0.0', b))
    expect((await ask(proxy.port, get())).text).toBe('b')
  })

  it('that cannot be opened keeps its whole view from being routed, even for a moment', async () => {
    const [a, b] = [await serving('a'), await serving('b')]
    await proxy.apply(at('127.0.0.1', a))
    const taken = createServer()
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
    const { port } = taken.address() as AddressInfo
    const asking = (async () => {
      while (a.requests.length < 100) await ask(proxy.port, get())
    })()
    while (a.requests.length < 100) {
      await expect(proxy.apply(at('127.0.0.1', b, { name: 'admin', host: '127.0.0.1', port }))).rejects.toMatchObject({ code: 'listen_failed' })
    }
    await asking
    taken.close()
    expect(b.requests).toHaveLength(0)
  })

  it('answers from its first connection on by the view that has it', async () => {
    const a = await serving('a')
    const port = await freePort()
    await proxy.apply(at('127.0.0.1', a))
    const statuses: number[] = []
    let stopped = false
    const asking = Array.from({ length: 4 }, async () => {
      while (!stopped) {
        const client = await RawClient.to(port).catch(() => undefined)
        if (!client) {
          await pause(1)
          continue
        }
        client.send(get())
        const answer = await client.answer().catch(() => undefined)
        // Undefined: it was in the queue of the socket when that was closed.
        if (answer) statuses.push(answer.status)
        client.destroy()
      }
    })
    const routes = ['web', 'admin'].map((listener) => ({ listener, path: '/', stripPath: false }))
    for (let i = 0; i < 15; i++) {
      await proxy.apply({
        listeners: [...at('127.0.0.1', a).listeners, { name: 'admin', host: '127.0.0.1', port }],
        services: [service([a], { routes })],
      })
      await pause(20)
      await proxy.apply(at('127.0.0.1', a))
    }
    stopped = true
    await Promise.all(asking)
    expect(statuses.filter((status) => status === 200).length).toBeGreaterThan(15)
  })
})

describe('the readings', () => {
  it('have every worker from the first view on', async () => {
    await proxy.apply(at('127.0.0.1', await serving('a')))
    const workers = proxy.client.telemetry()?.workers ?? []
    expect(workers).toHaveLength(2)
    for (const { memoryBytes } of workers) expect(memoryBytes).toBeGreaterThan(1_000_000)
  })
})
