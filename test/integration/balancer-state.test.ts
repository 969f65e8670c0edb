/** What endpoints ask for themselves in `Holdfast-State`: heard by one worker or by a probe, it holds in all, and no client sees it. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import type { ServiceView } from '../../src/balancer/index.ts'
import { ask, fieldOf, get, readUntil, service } from '../support/balancer-harness.ts'
import { useProxy } from '../support/proxy-fixture.ts'

const { proxy } = useProxy({ per: 'file', workers: 2 })

/** Answers its name; says `says` in its answers, and `probed` in those to probes. */
class Speaking {
  says: string | readonly string[] | undefined
  probed: string | undefined
  status = 200
  requests = 0
  most = 0
  #active = 0
  readonly #server: Server

  private constructor(server: Server) {
    this.#server = server
  }

  static async start(name: string): Promise<Speaking> {
    const server = createServer((request, response) => {
      const probe = request.url === '/probe'
      const said = probe ? one.probed : one.says
      if (said !== undefined) response.setHeader('Holdfast-State', said)
      if (probe) {
        response.end()
        return
      }
      one.requests++
      one.most = Math.max(one.most, ++one.#active)
      setTimeout(
        () => {
          one.#active--
          response.statusCode = one.status
          response.end(name)
        },
        request.url === '/slow' ? 50 : 0,
      )
    })
    const one: Speaking = new Speaking(server)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return one
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get id(): string {
    return `e${this.port}`
  }

  close(): void {
    this.#server.close()
    this.#server.closeAllConnections()
  }
}

const started: Speaking[] = []
afterEach(() => {
  for (const each of started.splice(0)) each.close()
})

async function two(more: Partial<ServiceView> = {}): Promise<[Speaking, Speaking]> {
  const pair: [Speaking, Speaking] = [await Speaking.start('a'), await Speaking.start('b')]
  started.push(...pair)
  await proxy.route(
    service(
      pair.map(({ port }) => port),
      { agent: true, ...more },
    ),
  )
  return pair
}

const probe = { path: '/probe', intervalMs: 50, timeoutMs: 1_000, fall: 3, rise: 1, statusMin: 200, statusMax: 399 }
const say = async (count = 4): Promise<void> => {
  for (let i = 0; i < count; i++) await ask(proxy.port, get('/'))
}
const reads = (what: string, { id }: Speaking, state: { readonly health?: string; readonly weight?: number }): Promise<unknown> =>
  readUntil(proxy, what, ({ endpoints }) => Object.entries(state).every(([key, value]) => endpoints[id]?.[key as 'weight'] === value))

describe('Holdfast-State in answers', () => {
  it('drains an endpoint in all workers, is not passed on, and is taken back by a probe', async () => {
    const [a, b] = await two({ probe })
    a.says = 'drain'
    for (let i = 0; i < 4; i++) expect(fieldOf(await ask(proxy.port, get('/')), 'holdfast-state')).toBeUndefined()
    await reads('a is out', a, { health: 'unhealthy', weight: 0 })
    expect((await proxy.telemetry()).endpoints[a.id]?.reason).toBe('it asks to be drained')
    const before = a.requests
    await say(12)
    expect([a.requests, b.requests > 12]).toEqual([before, true])
    a.says = undefined
    a.probed = 'ready'
    await reads('a is in again', a, { health: 'healthy', weight: 100 })
    await say(8)
    expect(a.requests).toBeGreaterThan(before)
  })

  it('asks for a share, keeps it while nothing else is said, and is heard in an answer that is set aside', async () => {
    const [a] = await two({ retries: { attempts: 1, budget: 0.2, statuses: [503] }, probe })
    a.says = '25%'
    a.status = 503
    await say()
    await reads('a has a quarter', a, { weight: 25 })
    const { reasons } = (await proxy.telemetry()).endpoints[a.id]!
    expect(reasons.map(({ why }) => why)).toContain('it asks for 25 % of its share')
    a.says = 'up'
    await say(8)
    expect((await proxy.telemetry()).endpoints[a.id]?.weight).toBe(25)
    a.probed = '100%'
    await reads('a has all', a, { weight: 100 })
  })

  it('of all endpoints empties no service: without a good one, they are asked all the same', async () => {
    const [a, b] = await two()
    a.says = b.says = 'down #disk full'
    await say(6)
    await reads('both are out', a, { health: 'unhealthy' })
    await reads('both are out', b, { health: 'unhealthy' })
    expect((await ask(proxy.port, get('/'))).status).toBe(200)
    expect((await proxy.telemetry()).endpoints[a.id]?.reason).toBe('it says that it is down: disk full')
  })

  it('limits what it has at a time, below the limit of its service', async () => {
    const [a, b] = await two({ concurrency: { limit: 8, queue: { requests: 100, timeoutMs: 5_000 } }, probe })
    a.probed = 'maxconn:2'
    await readUntil(proxy, 'a has a limit of its own', ({ endpoints }) => endpoints[a.id]?.limit === 2)
    await Promise.all(Array.from({ length: 24 }, () => ask(proxy.port, get('/slow'))))
    expect(a.most).toBeLessThanOrEqual(2)
    expect(b.most).toBeGreaterThan(2)
    a.probed = 'maxconn:0'
    await readUntil(proxy, 'it has that of its service', ({ endpoints }) => endpoints[a.id]?.limit === 8)
  })

  it('that nobody asked for, that is none, or is there twice, changes nothing', async () => {
    const [a] = await two({ agent: undefined })
    a.says = 'drain'
    const answers = await Promise.all(Array.from({ length: 8 }, () => ask(proxy.port, get('/'))))
    // Nobody listens, and what is not ours is passed on.
    expect(answers.some((answer) => fieldOf(answer, 'holdfast-state') === 'drain')).toBe(true)
    const [c] = await two()
    for (const nonsense of ['drained', ['drain', 'down'], `drain ${'x'.repeat(300)}`]) {
      c.says = nonsense
      await say()
    }
    const { endpoints } = await proxy.telemetry()
    expect([endpoints[c.id]?.health, endpoints[c.id]?.weight]).toEqual(['healthy', 100])
  })

  it('is forgotten when nobody listens any more', async () => {
    const [a, b] = await two()
    a.says = 'maint'
    await say()
    await reads('a is out', a, { health: 'unhealthy' })
    await proxy.route(service([a.port, b.port]))
    await reads('a is in', a, { health: 'healthy' })
    const before = a.requests
    await say(6)
    // Its turns begin anew.
    expect(a.requests).toBeGreaterThanOrEqual(before + 2)
  })
})
