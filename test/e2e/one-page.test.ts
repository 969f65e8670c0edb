/** One outage is one page: a gateway dies, and with it everything behind it; and what fails by itself is told at once. */
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http'
import { createServer, type Server, type Socket } from 'node:net'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { freePorts } from '../../bench/lib/process.ts'
import { until } from '../chaos/wait.ts'
import { Product } from '../support/product.ts'
import type { DependencyReport, RankedCause } from '../../src/app/dependency-operations.ts'

let product: Product

beforeEach(async () => {
  product = await Product.create()
})
afterEach(async () => {
  expect(await product.end()).toEqual([])
})

interface Page {
  readonly status: string
  readonly alerts: readonly {
    readonly status: string
    readonly labels: Readonly<Record<string, string>>
    readonly annotations: Readonly<Record<string, string>>
  }[]
}

/** Whoever dies closes what is open, as a machine that is gone does not answer it. */
class Target {
  readonly #port: number
  readonly #sockets = new Set<Socket>()
  #server: Server | undefined

  constructor(port: number) {
    this.#port = port
  }

  listen(): Promise<void> {
    this.#server = createServer((socket) => {
      this.#sockets.add(socket)
      socket.on('error', () => undefined).on('close', () => this.#sockets.delete(socket))
    })
    return new Promise((resolve) => this.#server?.listen(this.#port, '127.0.0.1', resolve))
  }

  die(): void {
    for (const socket of this.#sockets) socket.destroy()
    this.#server?.close()
  }
}

function receive(port: number): { readonly pages: readonly Page[]; readonly receiver: HttpServer } {
  const pages: Page[] = []
  const receiver = createHttpServer((request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => (body += chunk.toString()))
    request.on('end', () => {
      pages.push(JSON.parse(body) as Page)
      response.end()
    })
  }).listen(port, '127.0.0.1')
  return { pages, receiver }
}

it('a gateway with fifty behind it dies: exactly one page; when it is back one of them that stays down is told', async () => {
  const [hook = 0, gatewayPort = 0, shopPort = 0, restPort = 0] = await freePorts(4)
  const { pages, receiver } = receive(hook)
  const gateway = new Target(gatewayPort)
  const shop = new Target(shopPort)
  const rest = new Target(restPort)
  await Promise.all([gateway.listen(), shop.listen(), rest.listen()])
  const check = (name: string, port: number, more: object = {}) => ({ name, tcp: `127.0.0.1:${port}`, interval: '1s', timeout: '500ms', ...more })
  const behind = Array.from({ length: 50 }, (_, index) => `behind-${index}`)
  product.configure(undefined, {
    health: {
      checks: [
        check('gateway', gatewayPort, { interval: '3s' }),
        ...behind.map((name, index) => check(name, index === 0 ? shopPort : gatewayPort, { dependsOn: ['gateway'] })),
        ...Array.from({ length: 30 }, (_, index) => check(`other-${index}`, restPort)),
      ],
    },
    alerting: { receivers: { ops: { webhook: `http://127.0.0.1:${hook}/` } }, routes: [{ receiver: 'ops', groupBy: ['...'] }] },
  })
  const told = (): string[] =>
    pages.flatMap(({ alerts }) => alerts.filter(({ status }) => status === 'firing').map(({ labels }) => `${labels.alertname} ${labels.check}`))
  const stateOf = async (name: string): Promise<string | undefined> =>
    (await product.ask<DependencyReport>('/dependencies')).nodes.find((node) => node.name === name)?.state
  try {
    await product.up()
    await until(
      'all are up',
      async () =>
        (await product.ask<DependencyReport>('/dependencies')).nodes.every(({ name, state }) => state === 'up' || name === 'web') || undefined,
      20_000,
    )
    expect(told()).toEqual([])
    gateway.die()
    shop.die()
    await until('the gateway is told', () => told().includes('CheckDown gateway') || undefined, 30_000)
    await until(
      'all behind it are down',
      async () => (await Promise.all(behind.map(stateOf))).every((state) => state === 'down') || undefined,
      30_000,
    )
    // Twice as long as a group waits.
    await new Promise((resolve) => setTimeout(resolve, 3_000))
    expect(told()).toEqual(['CheckDown gateway'])
    const [page] = pages
    expect(page?.alerts[0]?.annotations.impact).toMatch(/^gateway down: affects behind-0, .* and 42 more$/)
    const [cause] = await product.ask<RankedCause[]>('/dependencies/causes')
    expect(cause).toMatchObject({ name: 'gateway', explains: expect.arrayContaining(behind) as string[] })
    await gateway.listen()
    await until('the one that stays down is told', () => told().includes('CheckDown behind-0') || undefined, 45_000)
    expect(told().sort()).toEqual(['CheckDown behind-0', 'CheckDown gateway'])
    await product.down()
  } finally {
    for (const target of [gateway, shop, rest]) target.die()
    receiver.close()
    receiver.closeAllConnections()
  }
})

it('this node loses the network: nothing is taken for down, and one alert says so', async () => {
  const [hook = 0, outside = 0] = await freePorts(2)
  const { pages, receiver } = receive(hook)
  const network = new Target(outside)
  await network.listen()
  // Another name of this machine, which is not taken for it: as far as checks know, it is out there.
  const address = `0.0.0.0:${outside}`
  product.configure(undefined, {
    health: {
      canaries: [address, `127.0.0.1:${outside}`],
      checks: ['a', 'b', 'c'].map((name) => ({ name, tcp: address, interval: '1s', timeout: '500ms' })),
    },
    alerting: { receivers: { ops: { webhook: `http://127.0.0.1:${hook}/` } }, routes: [{ receiver: 'ops', groupBy: ['...'] }] },
  })
  const told = (): (string | undefined)[] => pages.flatMap(({ alerts }) => alerts.map(({ status, labels }) => `${status} ${labels.alertname}`))
  try {
    await product.up()
    await until(
      'all are up',
      async () => (await product.ask<DependencyReport>('/dependencies')).nodes.filter(({ state }) => state === 'up').length >= 3 || undefined,
      20_000,
    )
    network.die()
    await until('it is told', () => told().includes('firing NetworkLost') || undefined, 30_000)
    // Longer than it takes to believe that something is down.
    await new Promise((resolve) => setTimeout(resolve, 4_000))
    expect(told()).toEqual(['firing NetworkLost'])
    expect((await product.events('check.changed')).filter(({ data }) => data.to === 'down')).toEqual([])
    await product.down()
  } finally {
    network.die()
    receiver.close()
    receiver.closeAllConnections()
  }
})
